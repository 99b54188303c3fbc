package keys

import (
	"fmt"
	"slices"
	"strings"

	"github.com/haven-health/haven/internal/crypt"
)

// KindsMarkdown renders the table of kinds for documentation: a row for the kinds of one type that
// do the same and of which FIPS 140-3 mode allows the same.
func KindsMarkdown() string {
	var b strings.Builder
	b.WriteString("| type | key_usage | specs | what its keys do | FIPS 140-3 |\n|---|---|---|---|---|\n")
	for i := 0; i < len(kinds); {
		first := kinds[i]
		var specs []string
		for ; i < len(kinds) && kinds[i].Type == first.Type && kinds[i].Usage == first.Usage && kinds[i].approval() == first.approval(); i++ {
			specs = append(specs, "`"+string(kinds[i].Spec)+"`")
		}
		var does []string
		for _, op := range first.Operations() {
			if name := "`" + op.Name + "`"; !slices.Contains(does, name) {
				does = append(does, name)
			}
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s | %s |\n", first.Type, first.Usage, strings.Join(specs, ", "), strings.Join(does, ", "), first.approval())
	}
	return b.String()
}

// approval is what FIPS 140-3 mode makes of the kind's spec.
func (k Kind) approval() crypt.Approval {
	row, err := crypt.Table().Row(k.Spec)
	if err != nil {
		return crypt.NotApproved
	}
	return row.FIPS
}
