package keys_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/store"
)

const (
	root = `{"AWS":"arn:aws:iam::000000000000:root"}`
	// delegating leaves everything to the account.
	delegating = `{"Effect":"Allow","Principal":` + root + `,"Action":["kms:*","haven:*"],"Resource":"*"}`
)

func user(name string) string { return "arn:aws:iam::000000000000:user/" + name }

// lets makes a statement of a key's policy that lets a user do actions.
func lets(effect, name, actions string) string {
	return fmt.Sprintf(`{"Effect":%q,"Principal":{"AWS":%q},"Action":%s,"Resource":"*"}`, effect, user(name), actions)
}

// policed is a world with a key and three users: nurse and doctor may use every key, as far as their
// own policies go, stranger none.
type policed struct {
	*gatetest.World
	key                     string
	admin                   haven.KeyManager
	nurse, doctor, stranger haven.KeyManager
}

func newPoliced(t *testing.T) *policed {
	w := gatetest.New(t)
	p := &policed{World: w, admin: w.KeyManager()}
	k, err := p.admin.CreateKey(background, keys.CreateRequest{Purpose: "Patient data", Type: keys.Data, Alias: "alias/records"})
	if err != nil {
		t.Fatal(err)
	}
	p.key = k.ID
	p.nurse = as(w, "nurse", statements(allows(`["kms:Encrypt","kms:DescribeKey","kms:ListKeys"]`, "*")))
	p.doctor = as(w, "doctor", statements(allows(`["kms:Encrypt","kms:DescribeKey"]`, "*")))
	p.stranger = as(w, "stranger", statements(allows(`"kms:ListKeys"`, "*")))
	return p
}

func (p *policed) put(list ...string) error {
	return problem(p.admin.PutKeyPolicy(background, keys.PutPolicyRequest{Key: p.key, Document: statements(strings.Join(list, ","))}))
}

func (p *policed) encrypt(km haven.KeyManager) error {
	return problem(km.Encrypt(background, keys.EncryptRequest{Key: p.key, Plaintext: []byte("x")}))
}

// may checks who may encrypt.
func (p *policed) may(when string, nurse, doctor, stranger bool) {
	p.Helper()
	for name, c := range map[string]struct {
		km   haven.KeyManager
		want bool
	}{"nurse": {p.nurse, nurse}, "doctor": {p.doctor, doctor}, "stranger": {p.stranger, stranger}} {
		if err := p.encrypt(c.km); (err == nil) != c.want || err != nil && !errors.Is(err, gate.AccessDenied) {
			p.Errorf("%s: the %s: %v", when, name, err)
		}
	}
}

// TestKeyPolicies: a key's policy decides at once, before what its users' own policies say, and by ids.
func TestKeyPolicies(t *testing.T) {
	p := newPoliced(t)
	p.may("without a policy", true, true, false)
	for _, c := range []struct {
		when                    string
		policy                  []string
		nurse, doctor, stranger bool
	}{
		{"delegated", []string{delegating}, true, true, false},
		{"a stranger let in by name", []string{delegating, lets("Allow", "stranger", `"kms:Encrypt"`)}, true, true, true},
		{"a deny", []string{delegating, lets("Deny", "nurse", `"kms:Encrypt"`)}, false, true, false},
		{"nothing delegated but management", []string{
			`{"Effect":"Allow","Principal":` + root + `,"Action":["kms:PutKeyPolicy","kms:DescribeKey"],"Resource":"*"}`, lets("Allow", "doctor", `["kms:Encrypt"]`),
		}, false, true, false},
	} {
		if err := p.put(c.policy...); err != nil {
			t.Fatalf("%s: %v", c.when, err)
		}
		p.may(c.when, c.nurse, c.doctor, c.stranger)
	}
	if err := p.encrypt(p.admin); !errors.Is(err, gate.AccessDenied) {
		t.Errorf("the account, to which nothing is delegated: %v", err)
	}
	p.Reopen()
	p.admin, p.doctor = p.World.KeyManager(), p.As(p.named("doctor")).KeyManager()
	if err := p.encrypt(p.doctor); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if err := p.encrypt(p.admin); !errors.Is(err, gate.AccessDenied) {
		t.Errorf("after a restart, the account: %v", err)
	}
}

// named returns the id that a user's name has now.
func (p *policed) named(name string) gate.ID {
	p.Helper()
	items, _, err := p.Store.Get(background, store.Ref{Kind: store.KindName, ID: "user/" + name})
	if err != nil || items[0].Revision == 0 {
		p.Fatal(name, err)
	}
	id, _ := gate.ParseID(strings.Split(string(items[0].Body), `"`)[5])
	return id
}

// delete takes a user away, and its name.
func (p *policed) delete(name string) gate.ID {
	p.Helper()
	id := p.named(name)
	for _, ref := range []store.Ref{{Kind: store.KindName, ID: "user/" + name}, {Kind: store.KindPrincipal, ID: string(id[:])}} {
		items, _, err := p.Store.Get(background, ref)
		if err != nil {
			p.Fatal(err)
		}
		p.Stage(gate.Change{Ref: ref, Before: &items[0], Delete: true})
	}
	return id
}

// TestLesson13KeyPolicies: who is made again under an old name inherits nothing of a key's policy, nor
// of a grant; both show the old one by its id.
func TestLesson13KeyPolicies(t *testing.T) {
	p := newPoliced(t)
	if err := p.put(delegating, lets("Allow", "stranger", `"kms:Encrypt"`)); err != nil {
		t.Fatal(err)
	}
	grant, err := p.admin.CreateGrant(background, keys.CreateGrantRequest{Key: p.key, Grantee: user("stranger"), Operations: []string{"Decrypt"}})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := p.admin.GetKeyPolicy(background, p.key)
	if err != nil || !strings.Contains(shown.Document, user("stranger")) || shown.Default || shown.UpdatedBy != p.Admin {
		t.Errorf("%+v %v", shown, err)
	}
	old := p.delete("stranger")
	again := as(p.World, "stranger", statements(allows(`"kms:ListKeys"`, "*")))
	if err := p.encrypt(again); !errors.Is(err, gate.AccessDenied) {
		t.Errorf("the new stranger: %v", err)
	}
	if shown, err = p.admin.GetKeyPolicy(background, p.key); err != nil || strings.Contains(shown.Document, user("stranger")) || !strings.Contains(shown.Document, old.String()) {
		t.Errorf("%+v %v", shown, err)
	}
	page, err := p.admin.ListGrants(background, keys.ListGrantsRequest{Key: p.key})
	if err != nil || len(page.Grants) != 1 || page.Grants[0].GrantID != grant.GrantID || page.Grants[0].Grantee != old.String() {
		t.Errorf("%+v %v", page, err)
	}
}

// TestKeyPolicyRefused: what cannot be honoured, or locks its author out, is not put, and the key
// stays as it was.
func TestKeyPolicyRefused(t *testing.T) {
	p := newPoliced(t)
	for policy, says := range map[string]string{
		statements(strings.Replace(delegating, "kms:*", "kms:Encyrpt", 1)):      "/Statement/0/Action/0",
		statements(delegating + "," + lets("Allow", "nobody", `"kms:Encrypt"`)): "/Statement/1/Principal/AWS: there is no such principal",
		statements(lets("Allow", "nurse", `"kms:*"`)):                           "bypass_policy_lockout_safety_check",
		"": "line 1",
		strings.Replace(statements(delegating), `"Resource":"*"`, `"Resource":"*","Resource":"*"`, 1): "stands twice",
	} {
		err := problem(p.admin.PutKeyPolicy(background, keys.PutPolicyRequest{Key: p.key, Document: policy}))
		if !errors.Is(err, gate.InvalidRequest) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", policy, err)
		}
		if policy == "" {
			continue // a key without one
		}
		if _, err := p.admin.CreateKey(background, keys.CreateRequest{Purpose: "x", Type: keys.Data, Policy: policy}); !errors.Is(err, gate.InvalidRequest) || !strings.Contains(err.Error(), says) {
			t.Errorf("create-key, %s: %v", policy, err)
		}
	}
	if shown, err := p.admin.GetKeyPolicy(background, p.key); err != nil || !shown.Default {
		t.Errorf("%+v %v", shown, err)
	}
	own := statements(lets("Allow", "nurse", `"kms:*"`))
	if _, err := p.admin.PutKeyPolicy(background, keys.PutPolicyRequest{Key: p.key, Document: own, Bypass: true}); err != nil {
		t.Error(err)
	}
	if err := p.put(delegating); !errors.Is(err, gate.AccessDenied) {
		t.Errorf("who locked themselves out: %v", err)
	}
	if _, err := p.nurse.PutKeyPolicy(background, keys.PutPolicyRequest{Key: p.key, Document: statements(delegating + "," + lets("Allow", "nurse", `"kms:PutKeyPolicy"`))}); err != nil {
		t.Error(err)
	}
	k, err := p.admin.CreateKey(background, keys.CreateRequest{Purpose: "x", Type: keys.Data, Policy: own, Bypass: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.nurse.Decrypt(background, keys.DecryptRequest{Key: k.ID, Ciphertext: []byte("no")}); !errors.Is(err, gate.InvalidCiphertext) {
		t.Errorf("who the policy of a new key names: %v", err)
	}
}

// TestDefaultPolicy: the document that is shown for a key without a policy means what holds without it.
func TestDefaultPolicy(t *testing.T) {
	p := newPoliced(t)
	shown, err := p.admin.GetKeyPolicy(background, p.key)
	if err != nil || !shown.Default {
		t.Fatalf("%+v %v", shown, err)
	}
	if _, err := p.admin.PutKeyPolicy(background, keys.PutPolicyRequest{Key: p.key, Document: shown.Document}); err != nil {
		t.Fatal(err)
	}
	p.may("with it", true, true, false)
	if again, err := p.admin.GetKeyPolicy(background, p.key); err != nil || again.Default || again.Document != shown.Document {
		t.Errorf("%+v %v", again, err)
	}
}

// TestLesson18PolicyTakenAway: a key whose policy or grant was taken from the store, or came back, is not
// used.
func TestLesson18PolicyTakenAway(t *testing.T) {
	for name, kind := range map[string]store.Kind{"policy": store.KindPolicy, "grant": store.KindGrant} {
		t.Run(name, func(t *testing.T) {
			p := newPoliced(t)
			p.Damaged = true
			if err := p.put(delegating, lets("Deny", "nurse", `"kms:Encrypt"`)); err != nil {
				t.Fatal(err)
			}
			if _, err := p.admin.CreateGrant(background, keys.CreateGrantRequest{Key: p.key, Grantee: user("stranger"), Operations: []string{"Encrypt"}}); err != nil {
				t.Fatal(err)
			}
			for _, item := range p.Items(kind) {
				if kind == store.KindGrant || item.ID == string(idBytes(p.key)) {
					p.Stage(gate.Change{Ref: item.Ref, Before: &item, Delete: true})
				}
			}
			p.Reopen() // nothing told the other items' caches
			if err := p.encrypt(p.World.KeyManager()); !errors.Is(err, gate.Tampered) {
				t.Errorf("the account: %v", err)
			}
			if err := p.encrypt(p.As(p.named("nurse")).KeyManager()); err == nil {
				t.Error("the nurse encrypts")
			}
			report, err := p.Check(context.Background(), nil)
			if err != nil || !strings.Contains(fmt.Sprint(report.Findings), "its policy or its grants") {
				t.Errorf("%v %v", report.Findings, err)
			}
		})
	}
}

func idBytes(text string) []byte {
	id, _ := gate.ParseID(text)
	return id[:]
}
