package keys

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/haven-health/haven/gate"
)

// MaxReference is the longest key reference, in bytes.
const MaxReference = 512

// MaxAlias is the longest alias, without "alias/".
const MaxAlias = 250

// reference is a parsed key reference: an id or an alias, perhaps with a version.
type reference struct {
	id      gate.ID
	alias   string
	text    string // of an alias, with "alias/"
	version uint32 // 0: none named
}

// Place is where a deployment's keys are, as ARNs say it.
type Place struct {
	Region  string // "us-east-1"
	Account string // 12 digits
}

// ARN returns a key's ARN.
func (p Place) ARN(id gate.ID) string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", p.Region, p.Account, id)
}

func badReference() error {
	return gate.Errorf(gate.InvalidRequest, "not a key reference; give a key id, an ARN, alias/NAME or an alias ARN, each optionally with @VERSION")
}

// parseReference reads id, ARN, alias or alias ARN, each optionally with @N. An ARN of another
// place names nothing here.
func (p Place) parseReference(s string) (reference, error) {
	if s == "" || len(s) > MaxReference {
		return reference{}, badReference()
	}
	s, version, err := cutVersion(s)
	if err != nil {
		return reference{}, err
	}
	if rest, isARN := strings.CutPrefix(s, "arn:"); isARN {
		prefix := fmt.Sprintf("aws:kms:%s:%s:", p.Region, p.Account)
		rest, here := strings.CutPrefix(rest, prefix)
		if !here {
			return reference{}, gate.Errorf(gate.NotFound, "no key of that ARN here; keys here begin with arn:%s", prefix)
		}
		id, isKey := strings.CutPrefix(rest, "key/")
		if s = id; isKey == strings.HasPrefix(s, "alias/") { // key/ID or alias/NAME, and not key/alias/NAME
			return reference{}, badReference()
		}
	}
	if name, isAlias := strings.CutPrefix(s, "alias/"); isAlias {
		if !ValidAlias(name) {
			return reference{}, badReference()
		}
		return reference{alias: name, text: s, version: version}, nil
	}
	id, ok := gate.ParseID(s)
	if !ok {
		return reference{}, badReference()
	}
	return reference{id: id, version: version}, nil
}

func cutVersion(s string) (rest string, version uint32, err error) {
	rest, text, named := strings.Cut(s, "@")
	if !named {
		return s, 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == 0 || text[0] == '0' || text[0] == '+' {
		return "", 0, gate.Errorf(gate.InvalidRequest, "not a version; versions are numbered from 1: KEY@3")
	}
	return rest, uint32(n), nil
}

// AliasARN returns the ARN of an alias, named without "alias/".
func (p Place) AliasARN(name string) string {
	return fmt.Sprintf("arn:aws:kms:%s:%s:alias/%s", p.Region, p.Account, name)
}

// ValidAlias tells whether a name, without "alias/", is one: 1 to MaxAlias letters, digits and
// /_-, not beginning with "aws/", as in AWS KMS.
func ValidAlias(name string) bool {
	if name == "" || len(name) > MaxAlias || strings.HasPrefix(name, "aws/") {
		return false
	}
	for i := range len(name) {
		c := name[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '/' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
