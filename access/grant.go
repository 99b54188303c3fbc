package access

import (
	"fmt"
	"strings"
)

// Grant lets one principal do some actions to one object, as long as its constraints hold.
type Grant struct {
	ID string
	// Grantee is the principal's id; a role's is of whoever assumes it.
	Grantee string
	actions actionSet
	// Equals and Subset constrain the encryption context of what uses the object: its values exactly,
	// its names in any case; nil constrains nothing.
	Equals, Subset map[string]string
}

// NewGrant makes a grant of actions, named without their service as AWS KMS does: Decrypt. Which of
// them a grant may have is not this package's to say.
func NewGrant(id, grantee string, operations []string, equals, subset map[string]string) (Grant, error) {
	g := Grant{ID: id, Grantee: grantee, Equals: equals, Subset: subset}
	for _, name := range operations {
		service := "kms:"
		if strings.Contains(name, ":") {
			service = ""
		}
		a, ok := ActionOf(service + name)
		if !ok {
			return g, fmt.Errorf("access: no operation of that name")
		}
		g.actions.add(a)
	}
	return g, nil
}

// granted returns a grant that allows the request, nil if none does. One that names the role a
// session assumed lets it do no more than limited leaves.
func (r *Request) granted(limited bool) *Grant {
	own := r.Object.Grants[r.Principal.ID]
	for i := range own {
		if own[i].allows(r) {
			return &own[i]
		}
	}
	if limited || r.Principal.RoleID == "" {
		return nil
	}
	role := r.Object.Grants[r.Principal.RoleID]
	for i := range role {
		if role[i].allows(r) {
			return &role[i]
		}
	}
	return nil
}

// allows tells whether a grant to the caller is about the request.
func (g *Grant) allows(r *Request) bool {
	if !g.actions.has(r.Action) {
		return false
	}
	return r.Action.Level() != Use || within(g.Equals, r.Context, true) && within(g.Subset, r.Context, false)
}

// within tells whether the encryption context has every pair of a constraint, and, if exactly, no
// other. The case of names plays no part, that of values does (KMS API Reference, GrantConstraints).
func within(want map[string]string, c Context, exactly bool) bool {
	if want == nil || c == nil {
		return len(want) == 0
	}
	for name, value := range want {
		if !paired(c, name, value) {
			return false
		}
	}
	for i := 0; exactly; i++ {
		name, more := c.Name(i)
		if !more {
			break
		}
		value, _ := c.Get(name)
		if !foldedPair(want, name, value) {
			return false
		}
	}
	return true
}

// paired tells whether an encryption context has a pair whose name is in any case.
func paired(c Context, name, value string) bool {
	if got, ok := c.Get(name); ok && got == value {
		return true
	}
	for i := 0; ; i++ {
		other, more := c.Name(i)
		if !more {
			return false
		}
		if got, _ := c.Get(other); got == value && strings.EqualFold(other, name) {
			return true
		}
	}
}

func foldedPair(pairs map[string]string, name, value string) bool {
	for other, v := range pairs {
		if v == value && strings.EqualFold(other, name) {
			return true
		}
	}
	return false
}
