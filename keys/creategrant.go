package keys

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
)

// CreateGrantRequest lets Grantee, an ARN, do Operations with a key.
type CreateGrantRequest struct {
	Key        string   `json:"key"`
	Grantee    string   `json:"grantee_principal"`
	Operations []string `json:"operations"`
	// Retiring is the ARN of who else may end it by retire-grant.
	Retiring string `json:"retiring_principal,omitzero"`
	// Equals is the whole encryption context that it is good for, or Subset what the context has at
	// least; at most one of the two.
	Equals map[string]string `json:"encryption_context_equals,omitzero"`
	Subset map[string]string `json:"encryption_context_subset,omitzero"`
	// Name makes a repetition safe: the same grant of the same name is answered, not made again.
	Name string `json:"name,omitzero"`
}

// GrantAnswer names a grant. The token is no secret, and needed nowhere: the grant counts when the
// call has returned.
type GrantAnswer struct {
	KeyID   gate.ID `json:"key_id"`
	GrantID gate.ID `json:"grant_id"`
	Token   string  `json:"grant_token,omitzero"`
}

// CreateGrant makes a grant. Who may do that only by a grant cannot grant more than it lets them.
func (m *Manager) CreateGrant(ctx context.Context, c *gate.Call, req CreateGrantRequest) (*GrantAnswer, error) {
	if err := req.check(); err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	slices.Sort(req.Operations)
	req.Operations = slices.Compact(req.Operations)
	var out GrantAnswer
	r := onKey(req.Key, req.asked())
	r.Replay = replay(&out)
	err := m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		e := m.edit(ctx, a, nil)
		err := e.grant(&req, &out)
		if err != nil {
			return gate.Outcome{}, err
		}
		e.out.Answer, err = json.Marshal(&out)
		return e.out, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func (req *CreateGrantRequest) constraints() constraints { return constraints{req.Equals, req.Subset} }

func (req *CreateGrantRequest) check() error {
	odd := func(r rune) bool {
		return !strings.ContainsRune(":/_-", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	switch {
	case req.Grantee == "" || len(req.Grantee) > MaxReference || len(req.Retiring) > MaxReference:
		return gate.Errorf(gate.InvalidRequest, "grantee_principal, and retiring_principal if given, are ARNs of principals")
	case len(req.Name) > MaxPurpose || strings.ContainsFunc(req.Name, odd):
		return gate.Errorf(gate.InvalidRequest, "a grant's name is at most %d letters, digits and :/_-", MaxPurpose)
	case len(req.Operations) > 2*len(grantable):
		return gate.Errorf(gate.InvalidRequest, "operations says what is granted: some of %s", grantableNames())
	}
	return req.constraints().check()
}

// asked is what conditions may ask of a grant in the making.
func (req *CreateGrantRequest) asked() gate.Asked {
	values := value(access.GranteePrincipal, req.Grantee)
	for _, name := range req.Operations {
		values = append(values, access.Value{Key: access.GrantOperations, Text: name})
	}
	if req.Retiring != "" {
		values = append(values, access.Value{Key: access.RetiringPrincipal, Text: req.Retiring})
	}
	switch {
	case req.Equals != nil:
		values = append(values, access.Value{Key: access.GrantConstraintType, Text: "EncryptionContextEquals"})
	case req.Subset != nil:
		values = append(values, access.Value{Key: access.GrantConstraintType, Text: "EncryptionContextSubset"})
	}
	return gate.Asked{Values: values}
}

// grant stages a grant, unless there is the same already.
func (e *edit) grant(req *CreateGrantRequest, out *GrantAnswer) error {
	if err := e.wholeKey(); err != nil {
		return err
	}
	if err := e.kept(); err != nil {
		return err
	}
	if err := e.body.kind().mayBeGranted(e.id, req.Operations, req.constraints()); err != nil {
		return err
	}
	b := grantBody{
		Format: bodyFormat, Key: e.id, Operations: req.Operations, Constraints: req.constraints(), Name: req.Name,
		Created: e.now, CreatedBy: e.a.Principal().ID,
	}
	var err error
	if b.Grantee, err = e.principal(req.Grantee); err != nil {
		return err
	}
	if req.Retiring != "" {
		if b.Retiring, err = e.principal(req.Retiring); err != nil {
			return err
		}
	}
	if by := e.a.Decision(); by.By == access.ByGrant {
		if parent := e.loaded.grant(by.Grant); parent == nil || !b.within(&parent.body) {
			return gate.Errorf(gate.InvalidRequest, "the grant that lets you create grants allows less than this one would: leave out what it does not have, and keep its constraints")
		}
	}
	if i := slices.IndexFunc(e.loaded.grants, func(g *loadedGrant) bool { return b.Name != "" && g.body.same(&b) }); i >= 0 {
		*out = GrantAnswer{KeyID: e.id, GrantID: e.loaded.grants[i].id, Token: grantToken(e.id, e.loaded.grants[i].id)}
		e.out.Parameters = "there=" + out.GrantID.String()
		return nil
	}
	return e.putGrant(&b, out)
}

func (e *edit) putGrant(b *grantBody, out *GrantAnswer) error {
	if e.body.Grants >= MaxGrants {
		return &gate.Error{Code: gate.LimitExceeded, Key: e.id, Detail: fmt.Sprintf("the key has %d grants, and no key has more; end some that are not needed", MaxGrants)}
	}
	id, err := gate.NewID(e.now, e.m.random)
	if err != nil {
		return err
	}
	put, err := grantChange(id, b)
	if err != nil {
		return err
	}
	e.body.Grants++
	key, err := keyChange(e.id, &e.body, &e.loaded.item)
	if err != nil {
		return err
	}
	e.out.Changes = append(e.out.Changes, put, key)
	e.out.Parameters = b.told(id)
	*out = GrantAnswer{KeyID: e.id, GrantID: id, Token: grantToken(e.id, id)}
	return nil
}

// told is what the record tells of a grant: of constraints their names, and which values by a digest.
func (g *grantBody) told(id gate.ID) string {
	var t gate.Parameters
	t.Add("grant=%s;grantee=%s", id, g.Grantee)
	if !g.Retiring.IsZero() {
		t.Add("retiring=%s", g.Retiring)
	}
	if g.Name != "" {
		t.Names("name", []string{g.Name})
	}
	for _, c := range []struct {
		what  string
		pairs map[string]string
	}{{"equals", g.Constraints.Equals}, {"subset", g.Constraints.Subset}} {
		if encoded, err := ContextOf(c.pairs); err == nil && len(c.pairs) > 0 {
			sum := sha256.Sum256(encoded.Encoded())
			t.Add("constraint=%x", sum[:16])
			t.Names(c.what, slices.Sorted(maps.Keys(c.pairs)))
		}
	}
	t.Names("operations", g.Operations)
	return t.String()
}

// principal returns the id that an ARN names now.
func (e *edit) principal(arn string) (gate.ID, error) {
	id, err := e.m.ring.cfg.People.PrincipalOf(e.ctx, arn)
	if err == nil && id.IsZero() {
		err = gate.Errorf(gate.InvalidRequest, "there is no such principal in this account; grantee_principal and retiring_principal are ARNs of users, services and roles")
	}
	return id, err
}

// grant returns a grant of the key by its id, nil if there is none.
func (k *loadedKey) grant(id string) *loadedGrant {
	for _, g := range k.grants {
		if g.id.String() == id {
			return g
		}
	}
	return nil
}
