package identity_test

import (
	"maps"
	"strings"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/keys"
)

// right makes a principal of a name, and a way for it to have a right and lose it.
type right func(name string) *work

// rights are by kind; clerk is who may assume roles.
func (p place) rights(clerk gate.ID) map[string]right {
	all := p.rightsByPolicy()
	maps.Copy(all, p.rightsToKeys())
	maps.Copy(all, p.rightsOfProofs(clerk))
	return all
}

// tries makes somebody who tries to get random bytes.
func (p place) tries(name string) *work {
	id := p.person(identity.User, name)
	return &work{try: func() error { return p.random(id) }}
}

// rightsByPolicy are given and taken by policies, boundaries, groups and tags.
func (p place) rightsByPolicy() map[string]right {
	i := haven{p.Identity()}
	dice, without := statement("Allow", "kms:GenerateRandom"), statement("Allow", "kms:Encrypt")
	return map[string]right{
		"attached": func(name string) *work {
			w := p.tries(name)
			w.give, w.take = func() error { return i.attach("dice", name, "") }, func() error { return i.detach("dice", name, "") }
			return w
		},
		"updated": func(name string) *work {
			w := p.tries(name)
			own := identity.PolicyRequest{Policy: "own", Principal: name}
			p.must(i.create("own", without, name))
			w.give, w.take = func() error { return i.update(own, dice) }, func() error { return i.update(own, without) }
			return w
		},
		"inline": func(name string) *work {
			w := p.tries(name)
			own := identity.PolicyRequest{Policy: "own", Principal: name}
			w.give, w.take = func() error { return i.create("own", dice, name) }, func() error { return i.remove(own) }
			return w
		},
		"boundary": func(name string) *work {
			w := p.tries(name)
			p.must(i.attach("dice", name, ""))
			p.must(i.attach("without", name, identity.Boundary))
			w.give, w.take = func() error { return i.detach("without", name, identity.Boundary) }, func() error { return i.attach("without", name, identity.Boundary) }
			return w
		},
		"group": func(name string) *work {
			w := p.tries(name)
			_, err := i.CreateGroup(background, identity.CreateGroupRequest{Name: "group-" + name})
			p.must(err)
			_, err = i.AttachPolicy(background, identity.AttachPolicyRequest{Policy: "dice", Group: "group-" + name})
			p.must(err)
			member := identity.MembershipRequest{Principal: name, Group: "group-" + name}
			w.give = func() error { _, err := i.AddToGroup(background, member); return err }
			w.take = func() error { _, err := i.RemoveFromGroup(background, member); return err }
			return w
		},
		"tag": func(name string) *work {
			w := p.tries(name)
			p.must(i.create("own", `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:GenerateRandom","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"dice"}}}}`, name))
			tag := func(value string) func() error {
				return func() error {
					_, err := i.UpdatePrincipal(background, identity.UpdatePrincipalRequest{Principal: name, Tags: map[string]string{"team": value}})
					return err
				}
			}
			w.give, w.take = tag("dice"), tag("none")
			return w
		},
	}
}

// rightsToKeys are given and taken by what belongs to a key.
func (p place) rightsToKeys() map[string]right {
	km := p.KeyManager()
	// encrypts has somebody whose right is to encrypt under a key of its own.
	encrypts := func(name string) (key string, w *work) {
		id := p.person(identity.User, name)
		made, err := km.CreateKey(background, keys.CreateRequest{Purpose: "tried", Type: keys.Data})
		p.must(err)
		return made.ID, &work{try: func() error {
			_, err := p.As(id).KeyManager().Encrypt(background, keys.EncryptRequest{Key: made.ID, Plaintext: []byte("x")})
			return err
		}}
	}
	put := func(key string, allowed ...string) func() error {
		document := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":["` + strings.Join(append(allowed, account+"root"), `","`) + `"]},"Action":"kms:*","Resource":"*"}}`
		return func() error {
			_, err := km.PutKeyPolicy(background, keys.PutPolicyRequest{Key: key, Document: document})
			return err
		}
	}
	granted := func(name string, end func(keys.RevokeGrantRequest) error) *work {
		key, w := encrypts(name)
		var grant gate.ID
		w.give = func() error {
			made, err := km.CreateGrant(background, keys.CreateGrantRequest{Key: key, Grantee: account + "user/" + name, Operations: []string{"Encrypt"}})
			if err == nil {
				grant = made.GrantID
			}
			return err
		}
		w.take = func() error { return end(keys.RevokeGrantRequest{Key: key, GrantID: grant.String()}) }
		return w
	}
	return map[string]right{
		"key policy": func(name string) *work {
			key, w := encrypts(name)
			w.give, w.take = put(key, account+"user/"+name), put(key)
			return w
		},
		"revoked": func(name string) *work {
			return granted(name, func(r keys.RevokeGrantRequest) error { _, err := km.RevokeGrant(background, r); return err })
		},
		"retired": func(name string) *work {
			return granted(name, func(r keys.RevokeGrantRequest) error {
				_, err := km.RetireGrant(background, keys.RetireGrantRequest{Key: r.Key, GrantID: r.GrantID})
				return err
			})
		},
	}
}

// rightsOfProofs are given and taken with what proves who calls.
func (p place) rightsOfProofs(clerk gate.ID) map[string]right {
	i := haven{p.Identity()}
	return map[string]right{
		"credential": func(name string) *work {
			w := p.tries(name)
			p.must(i.attach("dice", name, ""))
			made, err := i.CreateCredential(background, identity.CreateCredentialRequest{Principal: name, Type: "bearer"})
			p.must(err)
			active := func(yes bool) func() error {
				return func() error {
					_, err := i.UpdateCredential(background, identity.UpdateCredentialRequest{Principal: name, Credential: made.ID, Active: &yes})
					return err
				}
			}
			p.must(active(false)())
			w.give, w.take, w.try = active(true), active(false), func() error { return p.try(made.Token) }
			return w
		},
		"session": func(name string) *work { // of a role that others may or may not do by
			p.role(name, trusts(account+"root"))
			s, err := p.assume(clerk, identity.AssumeRoleRequest{Role: name, SessionName: "night"})
			p.must(err)
			disabled := func(yes bool) func() error {
				return func() error {
					_, err := i.UpdatePrincipal(background, identity.UpdatePrincipalRequest{Principal: "role/" + name, Disabled: &yes})
					return err
				}
			}
			p.must(disabled(true)())
			return &work{give: disabled(false), take: disabled(true), try: func() error { return p.try(s.Token) }}
		},
	}
}
