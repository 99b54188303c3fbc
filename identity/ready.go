package identity

import (
	"embed"
	"strings"

	"github.com/haven-health/haven/gate"
)

// readyAccount stands in the ARNs of ready policies, as it does in those of the policies that come
// with AWS; readyPrefix begins their names, and nobody else's.
const (
	readyAccount = "aws"
	readyPrefix  = "Haven"
)

//go:embed ready/*.json
var readyDocuments embed.FS

// readyPolicy is a policy that comes with the release. It is in no store: what it says is what the
// release that decides says, and nobody can edit it.
type readyPolicy struct {
	id   gate.ID
	name string
}

// readyNames are the ready policies, by number: their ids are made of it, and it is never given
// another policy. A zero id is none, so that numbers begin at 1.
var readyNames = [...]string{
	1: "HavenAdministrator",
	2: "HavenOperator",
	3: "HavenAuditor",
	4: "HavenApplication",
	5: "HavenEncryptOnly",
	6: "HavenDecryptOnly",
	7: "HavenKeySeparation",
}

// readyAt makes the ready policy of a number.
func readyAt(n int) *readyPolicy {
	// A version 8 id (RFC 9562) that no clock makes.
	return &readyPolicy{id: gate.ID{6: 0x80, 8: 0x80, 15: byte(n)}, name: readyNames[n]}
}

// readyPolicies returns them all, by number.
func readyPolicies() []*readyPolicy {
	var out []*readyPolicy
	for n := 1; n < len(readyNames); n++ {
		out = append(out, readyAt(n))
	}
	return out
}

// readyNamed returns the ready policy of a name, readyOf the one of an id; nil if there is none.
func readyNamed(name string) *readyPolicy {
	for n := 1; n < len(readyNames); n++ {
		if readyNames[n] == name {
			return readyAt(n)
		}
	}
	return nil
}

func readyOf(id gate.ID) *readyPolicy {
	if n := int(id[15]); n > 0 && n < len(readyNames) && readyAt(n).id == id {
		return readyAt(n)
	}
	return nil
}

// reserved tells whether a name is kept for ready policies, of this release or a later one.
func reserved(name string) bool {
	return len(name) >= len(readyPrefix) && strings.EqualFold(name[:len(readyPrefix)], readyPrefix)
}

func (r *readyPolicy) document() string {
	b, err := readyDocuments.ReadFile("ready/" + r.name + ".json")
	if err != nil {
		panic(err) // a name without its file: no test passes
	}
	return string(b)
}

func (r *readyPolicy) show() Policy {
	return Policy{ID: r.id, Kind: Ready, Name: r.name, ARN: arn(readyAccount, policyNames, r.name), Document: r.document()}
}
