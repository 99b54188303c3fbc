package embedded

import (
	"fmt"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/haven-health/haven/store"
)

// SQLite keeps its schema in the file, and with it whatever who can write the file adds: a trigger
// is code that runs in Haven's own transactions. So the schema is compared with what Haven makes.
// SQLite keeps each statement's text as it was given.

// object is one row of the schema.
type object struct{ kind, name, on, sql string }

func (o object) String() string {
	if o.kind == "trigger" || o.kind == "index" {
		return fmt.Sprintf("%s %q on %q", o.kind, o.name, o.on)
	}
	return fmt.Sprintf("%s %q", o.kind, o.name)
}

// compareSchema returns what is in the schema and not Haven's, and what is Haven's and not there
// as it was made.
func (d *database) compareSchema() (foreign []object, missing []string, err error) {
	own := map[string]bool{}
	var statements []string
	for statement := range strings.SplitSeq(schema, ";") {
		if statement = strings.TrimSpace(statement); statement != "" {
			statements = append(statements, statement)
			own[statement] = true
		}
	}
	err = d.rows(`SELECT type, name, tbl_name, sql FROM sqlite_schema`, func(row *sqlite3.Stmt) error {
		o := object{row.ColumnText(0), row.ColumnText(1), row.ColumnText(2), row.ColumnText(3)}
		if own[o.sql] {
			own[o.sql] = false
		} else {
			foreign = append(foreign, o)
		}
		return nil
	})
	for _, statement := range statements {
		if own[statement] {
			name, _, _ := strings.Cut(strings.TrimPrefix(statement, "CREATE "), "(")
			missing = append(missing, name)
		}
	}
	return foreign, missing, err
}

// checkSchema refuses a file whose schema lacks anything of Haven's, or that acts by itself. What
// else is in it harms nothing; a check tells of it.
func (d *database) checkSchema() error {
	foreign, missing, err := d.compareSchema()
	if err != nil {
		return err
	}
	for _, o := range foreign {
		if o.kind == "trigger" {
			return fmt.Errorf("%w: the %s is not Haven's, and would act on what Haven writes: "+
				"somebody wrote to the database; restore a backup", store.ErrCorrupt, o)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: the schema is not as Haven made it: missing or altered: %s; restore a backup",
			store.ErrCorrupt, strings.Join(missing, ", "))
	}
	return nil
}

// strangers finds what is in the schema and not Haven's.
func (d *database) strangers() (found []Finding, err error) {
	foreign, missing, err := d.compareSchema()
	for _, o := range foreign {
		found = append(found, Finding{"database", fmt.Sprintf("its schema has a %s that is not Haven's", o)})
	}
	for _, name := range missing {
		found = append(found, Finding{"database", fmt.Sprintf("its schema has no %s as Haven made it", name)})
	}
	return found, err
}
