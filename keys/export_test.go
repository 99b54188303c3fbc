package keys

import (
	"fmt"

	"github.com/haven-health/haven/gate"
)

// Reference is a parsed reference.
type Reference struct {
	ID      gate.ID
	Alias   string
	Version uint32
}

// ParseReference parses a reference as a request's is.
func ParseReference(p Place, s string) (Reference, error) {
	r, err := p.parseReference(s)
	return Reference{r.id, r.alias, r.version}, err
}

// String prints a reference in its shortest form.
func (r Reference) String() string {
	s := r.ID.String()
	if r.Alias != "" {
		s = "alias/" + r.Alias
	}
	if r.Version != 0 {
		s += fmt.Sprintf("@%d", r.Version)
	}
	return s
}

// RecodeImportToken parses an import token and encodes it again.
func RecodeImportToken(b []byte) ([]byte, bool) {
	t, ok := parseImportToken(b)
	if !ok {
		return nil, false
	}
	return t.encode(), true
}

// NewCounts makes counts that know nothing yet.
func NewCounts(v *gate.View) *Counts { return newCounts(v) }
