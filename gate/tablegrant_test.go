package gate_test

import (
	"fmt"
	"maps"
	"strings"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/keys"
)

// keyPolicy leaves everything about a key to the account, and denies an action to everybody.
func keyPolicy(denied string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"*","Resource":"*"},`+
		`{"Effect":"Deny","Principal":"*","Action":%q,"Resource":"*"}]}`, denied)
}

// grantRows are the operations on key policies and grants.
func grantRows() map[string]row {
	return map[string]row{
		"put-key-policy": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().PutKeyPolicy(background, c, keys.PutPolicyRequest{Key: f.key, Document: pick(fail, "{}", keyPolicy("kms:Sign"))})
				return err
			},
			fails: gate.InvalidRequest, names: ofKey(0, false),
		},
		"get-key-policy": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().GetKeyPolicy(background, c, keys.KeyRequest{Key: pick(fail, absent, f.key)})
				return err
			},
			fails: gate.NotFound, names: ofKey(0, false),
		},
		"lint-key": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().LintKey(background, c, keys.KeyRequest{Key: pick(fail, absent, f.key)})
				return err
			},
			fails: gate.NotFound, names: ofKey(0, false),
		},
		"create-grant": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().CreateGrant(background, c, grantTo("nurse", pick(fail, "Sing", "Encrypt"))(f.key))
				return err
			},
			fails: gate.InvalidRequest, names: ofKey(0, false), prepare: withGrant,
		},
		"list-grants": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().ListGrants(background, c, keys.ListGrantsRequest{Key: f.key, Cursor: pick(fail, "?", "")})
				return err
			},
			fails: gate.InvalidRequest, names: ofKey(0, false),
		},
		"revoke-grant": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().RevokeGrant(background, c, keys.RevokeGrantRequest{Key: f.key, GrantID: pick(fail, absent, string(f.given))})
				return err
			},
			fails: gate.NotFound, names: ofKey(0, false), prepare: withGrant,
		},
		"retire-grant": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().RetireGrant(background, c, keys.RetireGrantRequest{Key: f.key, GrantID: pick(fail, absent, string(f.given))})
				return err
			},
			fails: gate.NotFound, names: ofKey(0, false), prepare: withGrant,
		},
	}
}

// grantTo asks for a grant to a user.
func grantTo(name string, operations ...string) func(key string) keys.CreateGrantRequest {
	return func(key string) keys.CreateGrantRequest {
		return keys.CreateGrantRequest{Key: key, Grantee: "arn:aws:iam::000000000000:user/" + name, Operations: operations}
	}
}

// twoPeople makes them, and returns their names by their ids.
func twoPeople(f *fixture) map[string]string {
	names := map[string]string{}
	for _, name := range []string{"nurse", "doctor"} {
		p, err := f.Identity().CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.User, Name: name})
		f.must(err)
		names[p.ID.String()] = strings.ToUpper(name)
	}
	return names
}

// withGrant makes two people, and a grant on the fixture's key for one.
func withGrant(f *fixture) {
	twoPeople(f)
	f.grant()
}

func (f *fixture) grant() {
	g, err := f.KeyManager().CreateGrant(background, grantTo("nurse", "Decrypt")(f.key))
	f.must(err)
	f.given = []byte(g.GrantID.String())
}

// changesOfGrants are the operations on key policies and grants.
func changesOfGrants() map[string]changing {
	put := func(document string) effect {
		return func(f *furnished) error {
			_, err := f.KeyManager().PutKeyPolicy(background, keys.PutPolicyRequest{Key: f.key, Document: document})
			return err
		}
	}
	grant := func(name string, change func(*keys.CreateGrantRequest)) effect {
		return func(f *furnished) error {
			req := grantTo(name, "Encrypt")(f.key)
			change(&req)
			_, err := f.KeyManager().CreateGrant(background, req)
			return err
		}
	}
	pair := func(value string) map[string]string { return map[string]string{"patient": value} }
	prepare := func(f *furnished) {
		maps.Copy(f.called, twoPeople(f.fixture))
		f.grant()
		f.called[string(f.given)] = "FIRST"
		second, err := f.KeyManager().CreateGrant(background, grantTo("doctor", "Decrypt")(f.key))
		f.must(err)
		f.called[second.GrantID.String()] = "SECOND"
		f.ciphertext = []byte(second.GrantID.String())
	}
	revoke := func(second bool) effect {
		return func(f *furnished) error {
			id := string(f.given)
			if second {
				id = string(f.ciphertext)
			}
			_, err := f.KeyManager().RevokeGrant(background, keys.RevokeGrantRequest{Key: f.key, GrantID: id})
			return err
		}
	}
	retire := func(second bool) effect {
		return func(f *furnished) error {
			id := string(f.given)
			if second {
				id = string(f.ciphertext)
			}
			_, err := f.KeyManager().RetireGrant(background, keys.RetireGrantRequest{Key: f.key, GrantID: id})
			return err
		}
	}
	return map[string]changing{
		"put-key-policy": {effects: []effect{put(keyPolicy("kms:Sign")), put(keyPolicy("kms:Verify"))}},
		"create-grant": {prepare: prepare, effects: []effect{
			grant("nurse", func(*keys.CreateGrantRequest) {}),
			grant("doctor", func(*keys.CreateGrantRequest) {}),
			grant("nurse", func(r *keys.CreateGrantRequest) { r.Operations = []string{"Encrypt", "Decrypt"} }),
			grant("nurse", func(r *keys.CreateGrantRequest) { r.Name = "a" }),
			grant("nurse", func(r *keys.CreateGrantRequest) { r.Name = "b" }),
			grant("nurse", func(r *keys.CreateGrantRequest) { r.Retiring = r.Grantee }),
			grant("nurse", func(r *keys.CreateGrantRequest) { r.Equals = pair("17") }),
			grant("nurse", func(r *keys.CreateGrantRequest) { r.Subset = pair("17") }),
			grant("nurse", func(r *keys.CreateGrantRequest) { r.Subset = pair("18") }),
		}},
		"revoke-grant": {prepare: prepare, effects: []effect{revoke(false), revoke(true)}},
		"retire-grant": {prepare: prepare, effects: []effect{retire(false), retire(true)}},
	}
}
