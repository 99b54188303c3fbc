package gate

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/haven-health/haven/journal"
)

// Parameters are what a record says of an operation beside the key and version: "name=value;…". Two
// effects that are not the same never leave the same, but for what may say something of a person, as
// the value of a tag: of that the name alone is told.
type Parameters []string

// Add tells of one more value, by a format.
func (p *Parameters) Add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

// String returns the parameters as a record holds them.
func (p Parameters) String() string { return strings.Join(p, ";") }

// Moved tells of a number that is not what it was.
func (p *Parameters) Moved(name string, from, to uint32) {
	if from != to {
		p.Add("%s=%d>%d", name, from, to)
	}
}

// Names tells of names, by their order, in what room there is. Where they do not fit, as many as do
// stand there, and a digest of all of them.
func (p *Parameters) Names(what string, names []string) {
	if len(names) == 0 {
		return
	}
	plain := make([]string, len(names))
	for i, name := range names {
		plain[i] = inParameters.Replace(name)
	}
	slices.Sort(plain)
	room := journal.MaxParameters - len(p.String()) - 1
	whole := what + "=" + strings.Join(plain, ",")
	if len(whole) <= room {
		p.Add("%s", whole)
		return
	}
	sum := sha256.Sum256([]byte(strings.Join(plain, ",")))
	digest := fmt.Sprintf("%s_sha256=%x", what, sum[:16])
	room -= len(digest) + 1
	n := 0
	for length := len(what); n < len(plain) && length+1+len(plain[n]) <= room; n++ {
		length += 1 + len(plain[n])
	}
	if n > 0 {
		p.Add("%s=%s", what, strings.Join(plain[:n], ","))
	}
	p.Add("%s", digest)
}

// inParameters keeps a caller's name from being read as anything else in parameters.
var inParameters = strings.NewReplacer("%", "%25", ";", "%3B", "=", "%3D", ",", "%2C", ">", "%3E")

// Tags tells of a change of tags: the names of those that have another value, and of those that are
// gone.
func (p *Parameters) Tags(from, to map[string]string) {
	var set, removed []string
	for name, value := range to {
		if before, had := from[name]; !had || before != value {
			set = append(set, name)
		}
	}
	for name := range from {
		if _, kept := to[name]; !kept {
			removed = append(removed, name)
		}
	}
	p.Names("set", set)
	p.Names("removed", removed)
}
