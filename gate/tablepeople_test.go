package gate_test

import (
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
)

// peopleRows are the operations on principals, groups and credentials.
func peopleRows() map[string]row {
	return map[string]row{
		"create-principal": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.IdentityManager().CreatePrincipal(background, c, identity.CreatePrincipalRequest{Kind: identity.User, Name: pick(fail, "a/b", "nurse")})
				return err
			},
			fails: gate.InvalidRequest, names: nothingNamed,
		},
	}
}
