package embedded_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// TestForeignSchema: what somebody added to the database's schema, or took from it, is found; what
// acts on Haven's own tables, or is missing, keeps the store from being opened.
func TestForeignSchema(t *testing.T) {
	for _, test := range []struct{ sql, found, refused string }{
		{"", "[]", ""},
		{"CREATE TABLE extra(x)", `table "extra"`, ""},
		{"CREATE VIEW seen AS SELECT key FROM item", `view "seen"`, ""},
		{"CREATE INDEX more ON item(mac)", `index "more" on "item"`, ""},
		{"CREATE TRIGGER quiet AFTER DELETE ON item BEGIN DELETE FROM outbox; END", `trigger "quiet" on "item"`, `trigger "quiet" on "item" is not Haven's`},
		{"DROP INDEX item_due", "no INDEX item_due", "INDEX item_due"},
		{"DROP INDEX item_i0; CREATE INDEX item_i0 ON item(i0)", `index "item_i0" on "item"`, "INDEX item_i0"},
		{"DROP TABLE moved", "no TABLE moved", "TABLE moved"},
	} {
		f := newFolder(t)
		f.fill(4)
		s, err := f.open()
		f.must(err)
		f.must(s.Exec(test.sql))
		found, err := s.Fsck(context.Background())
		if err != nil || !strings.Contains(fmt.Sprint(found), test.found) || (test.sql == "") != (len(found) == 0) {
			t.Errorf("%s: found %v, %v", test.sql, found, err)
		}
		f.must(s.Close())
		if test.refused != "" {
			f.refuses(test.refused)
			continue
		}
		f.fill(4)
	}
}
