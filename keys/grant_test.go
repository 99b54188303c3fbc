package keys_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/store"
)

func (p *policed) grant(km haven.KeyManager, req keys.CreateGrantRequest) (*keys.GrantAnswer, error) {
	if req.Key == "" {
		req.Key = p.key
	}
	if req.Grantee == "" {
		req.Grantee = user("stranger")
	}
	return km.CreateGrant(background, req)
}

func (p *policed) granted(req keys.CreateGrantRequest) *keys.GrantAnswer {
	p.Helper()
	g, err := p.grant(p.admin, req)
	if err != nil {
		p.Fatal(err)
	}
	return g
}

// TestGrants: a grant counts when it is made and not any more when it is ended, within its operations
// and constraints.
func TestGrants(t *testing.T) {
	p := newPoliced(t)
	g := p.granted(keys.CreateGrantRequest{Operations: []string{"Encrypt", "DescribeKey", "Encrypt"}})
	p.may("granted", true, true, true)
	if _, err := p.stranger.DescribeKey(background, p.key); err != nil {
		t.Error(err)
	}
	if _, err := p.stranger.RotateKey(background, p.key); !errors.Is(err, gate.AccessDenied) {
		t.Errorf("what was not granted: %v", err)
	}
	page, err := p.admin.ListGrants(background, keys.ListGrantsRequest{Key: p.key, Grantee: user("stranger")})
	if err != nil || len(page.Grants) != 1 || strings.Join(page.Grants[0].Operations, " ") != "DescribeKey Encrypt" || page.Grants[0].Grantee != user("stranger") || page.Grants[0].CreatedBy != p.Admin {
		t.Errorf("%+v %v", page, err)
	}
	if err := p.put(delegating, lets("Deny", "stranger", `"kms:Encrypt"`)); err != nil {
		t.Fatal(err)
	}
	p.may("granted and denied", true, true, false)
	if err := p.put(delegating); err != nil {
		t.Fatal(err)
	}
	if _, err := p.admin.RevokeGrant(background, keys.RevokeGrantRequest{Key: p.key, GrantID: g.GrantID.String()}); err != nil {
		t.Fatal(err)
	}
	p.may("revoked", true, true, false)
	if _, err := p.admin.RevokeGrant(background, keys.RevokeGrantRequest{Key: p.key, GrantID: g.GrantID.String()}); !errors.Is(err, gate.NotFound) {
		t.Errorf("revoked twice: %v", err)
	}

	p.granted(keys.CreateGrantRequest{Operations: []string{"Encrypt"}, Subset: seventeen})
	p.may("constrained", true, true, false)
	if _, err := p.stranger.Encrypt(background, keys.EncryptRequest{Key: p.key, Plaintext: []byte("x"), Context: context17(t)}); err != nil {
		t.Error(err)
	}
}

// TestGrantsRefused: what is no grant of the key is refused.
func TestGrantsRefused(t *testing.T) {
	p := newPoliced(t)
	signer, err := p.admin.CreateKey(background, keys.CreateRequest{Purpose: "x", Type: keys.Signing})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		req  keys.CreateGrantRequest
		code gate.Code
	}{
		{keys.CreateGrantRequest{}, gate.InvalidRequest},
		{keys.CreateGrantRequest{Operations: []string{"PutKeyPolicy"}}, gate.InvalidRequest},
		{keys.CreateGrantRequest{Operations: []string{"Sign"}}, gate.InvalidKeyUsage},
		{keys.CreateGrantRequest{Operations: []string{"Encrypt"}, Grantee: user("nobody")}, gate.InvalidRequest},
		{keys.CreateGrantRequest{Operations: []string{"Encrypt"}, Retiring: "nurse"}, gate.InvalidRequest},
		{keys.CreateGrantRequest{Operations: []string{"Encrypt"}, Name: "a name"}, gate.InvalidRequest},
		{keys.CreateGrantRequest{Operations: []string{"Encrypt"}, Equals: seventeen, Subset: seventeen}, gate.InvalidRequest},
		{keys.CreateGrantRequest{Operations: []string{"Sign"}, Key: signer.ID, Equals: seventeen}, gate.InvalidRequest},
		{keys.CreateGrantRequest{Operations: []string{"Encrypt"}, Key: p.key + "@1"}, gate.InvalidRequest},
	} {
		if _, err := p.grant(p.admin, c.req); !errors.Is(err, c.code) {
			t.Errorf("%+v: %v", c.req, err)
		}
	}
	if _, err := p.grant(p.nurse, keys.CreateGrantRequest{Operations: []string{"Encrypt"}}); !errors.Is(err, gate.AccessDenied) {
		t.Errorf("the nurse grants: %v", err)
	}
}

// TestGrantNames: the same grant of the same name is made once.
func TestGrantNames(t *testing.T) {
	p := newPoliced(t)
	req := keys.CreateGrantRequest{Operations: []string{"Encrypt"}, Name: "camp-3"}
	first, again := p.granted(req), p.granted(req)
	req.Operations = []string{"Decrypt"}
	other := p.granted(req)
	req.Name = ""
	if unnamed, twice := p.granted(req), p.granted(req); *first != *again || *other == *first || *unnamed == *twice {
		t.Errorf("%v %v %v %v %v", first, again, other, unnamed, twice)
	}
}

// TestRetireGrant: who a grant says may retire it may, its grantee where it has that; nobody else by
// another grant of theirs.
func TestRetireGrant(t *testing.T) {
	p := newPoliced(t)
	var tokens []string
	for _, c := range []struct {
		name            string
		retiring        string
		operations      []string
		stranger, nurse bool
	}{
		{"none", "", []string{"Encrypt"}, false, false},
		{"its grantee", "", []string{"Encrypt", "RetireGrant"}, true, false},
		{"another", user("nurse"), []string{"Encrypt"}, false, true},
		{"both", user("nurse"), []string{"RetireGrant"}, true, true},
	} {
		for who, may := range map[string]bool{"stranger": c.stranger, "nurse": c.nurse} {
			km := map[string]haven.KeyManager{"stranger": p.stranger, "nurse": p.nurse}[who]
			for _, byToken := range []bool{false, true} {
				g := p.granted(keys.CreateGrantRequest{Operations: c.operations, Retiring: c.retiring})
				tokens = append(tokens, g.Token)
				req := keys.RetireGrantRequest{Key: "alias/records", GrantID: g.GrantID.String()}
				if byToken {
					req = keys.RetireGrantRequest{Token: g.Token}
				}
				if _, err := km.RetireGrant(background, req); (err == nil) != may || err != nil && !errors.Is(err, gate.AccessDenied) {
					t.Errorf("%s: the %s: %v", c.name, who, err)
				}
			}
		}
	}
	for _, token := range []string{"x", tokens[0] + "A", strings.ToUpper(tokens[0]), ""} {
		if _, err := p.admin.RetireGrant(background, keys.RetireGrantRequest{Token: token}); !errors.Is(err, gate.InvalidRequest) {
			t.Errorf("token %q: %v", token, err)
		}
	}
}

// TestLesson09GrantsOfOtherKeys: a grant is ended under its own key alone, whoever asks.
func TestLesson09GrantsOfOtherKeys(t *testing.T) {
	p := newPoliced(t)
	other, err := p.admin.CreateKey(background, keys.CreateRequest{Purpose: "x", Type: keys.Data})
	if err != nil {
		t.Fatal(err)
	}
	id := p.granted(keys.CreateGrantRequest{Operations: []string{"Encrypt"}, Retiring: user("nurse")}).GrantID.String()
	p.granted(keys.CreateGrantRequest{Key: other.ID, Operations: []string{"Encrypt"}, Retiring: user("nurse")})
	for name, end := range map[string]func(km haven.KeyManager) error{
		"revoke": func(km haven.KeyManager) error {
			return problem(km.RevokeGrant(background, keys.RevokeGrantRequest{Key: other.ID, GrantID: id}))
		},
		"retire": func(km haven.KeyManager) error {
			return problem(km.RetireGrant(background, keys.RetireGrantRequest{Key: other.ID, GrantID: id}))
		},
	} {
		if err := end(p.admin); !errors.Is(err, gate.NotFound) {
			t.Errorf("%s, the account: %v", name, err)
		}
		if err := end(p.nurse); !errors.Is(err, gate.AccessDenied) {
			t.Errorf("%s, the nurse: %v", name, err)
		}
	}
	p.may("after all that", true, true, true)
}

// TestGrantedGrants: who may create grants by a grant alone can grant no more than that one.
func TestGrantedGrants(t *testing.T) {
	p := newPoliced(t)
	p.granted(keys.CreateGrantRequest{Operations: []string{"Encrypt", "CreateGrant"}, Subset: seventeen})
	more := map[string]string{"patient": "17", "ward": "3"}
	for _, c := range []struct {
		operation      string
		equals, subset map[string]string
		want           bool
	}{
		{"Encrypt", nil, seventeen, true},
		{"Encrypt", nil, more, true},
		{"Encrypt", more, nil, true},
		{"Encrypt", nil, nil, false},
		{"Encrypt", nil, map[string]string{"ward": "3"}, false},
		{"Decrypt", nil, seventeen, false},
	} {
		_, err := p.grant(p.stranger, keys.CreateGrantRequest{Grantee: user("doctor"), Operations: []string{c.operation}, Equals: c.equals, Subset: c.subset})
		if (err == nil) != c.want || err != nil && !errors.Is(err, gate.InvalidRequest) {
			t.Errorf("%s %v: %v", c.operation, c.subset, err)
		}
	}
}

// TestManyGrants: a key has as many grants as there may be, each counts, and no more are made.
func TestManyGrants(t *testing.T) {
	p := newPoliced(t)
	p.granted(keys.CreateGrantRequest{Operations: []string{"Encrypt"}})
	grant := p.Items(store.KindGrant)[0]
	for left := keys.MaxGrants - 1; left > 0; left -= 20 {
		var changes []gate.Change
		for range min(left, 20) {
			id := newID(p.World)
			body := strings.Replace(string(grant.Body), p.named("stranger").String(), id.String(), 1) // of somebody else
			index := grant.Index
			index[1] = string(id[:])
			changes = append(changes, gate.Change{Ref: store.Ref{Kind: store.KindGrant, ID: string(id[:])}, Index: index, Body: []byte(body)})
		}
		p.Stage(changes...)
	}
	for _, item := range p.Items(store.KindKey) {
		if item.ID == string(idBytes(p.key)) {
			body := strings.Replace(string(item.Body), `"grants":1`, fmt.Sprintf(`"grants":%d`, keys.MaxGrants), 1)
			p.Stage(gate.Change{Ref: item.Ref, Index: item.Index, Due: item.Due, Body: []byte(body), Before: &item})
		}
	}
	p.may("with many", true, true, true)
	if _, err := p.grant(p.admin, keys.CreateGrantRequest{Operations: []string{"Encrypt"}}); !errors.Is(err, gate.LimitExceeded) {
		t.Errorf("one more: %v", err)
	}
	seen, cursor := 0, ""
	for {
		page, err := p.admin.ListGrants(background, keys.ListGrantsRequest{Key: p.key, Limit: 70, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		seen += len(page.Grants)
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if seen != keys.MaxGrants {
		t.Errorf("%d grants listed", seen)
	}
	if _, err := p.admin.RevokeGrant(background, keys.RevokeGrantRequest{Key: p.key, GrantID: gate.ID([]byte(grant.ID)).String()}); err != nil {
		t.Error(err)
	}
	p.may("with many others", true, true, false)
}
