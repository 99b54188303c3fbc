package keys_test

import (
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/store"
)

// TestLintKey: what of a key is to be looked at again: that nobody answers for it, its policy, and grants
// that nobody used for long; also after a restart.
func TestLintKey(t *testing.T) {
	w := gatetest.New(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	km := func() haven.KeyManager { return w.KeyManager() }
	key, err := km().CreateKey(background, keys.CreateRequest{Purpose: "Lab results", Type: keys.Data, RotationDays: 0, Policy: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":["kms:*","haven:*"],"Resource":"*"},
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/administrator"},"Action":"kms:*","Resource":"*"}]}`})
	must(err)
	nurse, _ := w.Principal("nurse", false)
	grant := func(operation string) string {
		made, err := km().CreateGrant(background, keys.CreateGrantRequest{Key: key.ID, Grantee: "arn:aws:iam::000000000000:user/nurse", Operations: []string{operation}})
		must(err)
		w.Clock.Advance(time.Second) // grants are listed by age
		return made.GrantID.String()
	}
	used, unused := grant("Encrypt"), grant("Decrypt")
	rules := func() string {
		t.Helper()
		found, err := km().LintKey(background, key.ID)
		must(err)
		var out []string
		for _, f := range found.Findings {
			one := string(f.Rule)
			switch f.GrantID.String() {
			case used:
				one += " used"
			case unused:
				one += " unused"
			}
			out = append(out, one)
		}
		return strings.Join(out, ", ")
	}
	encrypt := func() {
		t.Helper()
		_, err := w.As(nurse).KeyManager().Encrypt(background, keys.EncryptRequest{Key: key.ID, Plaintext: []byte("x")})
		must(err)
	}
	const always = "no-owner, use-by-wildcard, administers-and-uses"
	if got := rules(); got != always {
		t.Errorf("at first: %s", got)
	}
	encrypt()
	w.Clock.Advance((keys.UnusedGrantDays + 1) * 24 * time.Hour)
	if got := rules(); got != always+", unused-grant used, unused-grant unused" {
		t.Errorf("long after: %s", got)
	}
	encrypt()
	for range 2 {
		if got := rules(); got != always+", unused-grant unused" {
			t.Errorf("used today: %s", got)
		}
		w.Reopen()
	}
	list, err := km().ListGrants(background, keys.ListGrantsRequest{Key: key.ID, GrantID: used})
	if err != nil || list.Grants[0].LastUsedOn != w.Clock.Wall().UTC().Format(time.DateOnly) {
		t.Errorf("%+v, %v", list, err)
	}
	owner := "the laboratory"
	_, err = km().UpdateKey(background, keys.UpdateRequest{Key: key.ID, Owner: &owner})
	must(err)
	_, err = km().RevokeGrant(background, keys.RevokeGrantRequest{Key: key.ID, GrantID: used})
	must(err)
	if got := rules(); got != "use-by-wildcard, administers-and-uses, unused-grant unused" {
		t.Errorf("with an owner: %s", got)
	}
	for _, item := range w.Items(store.KindUsage) {
		if strings.HasPrefix(item.ID, "grant/") {
			t.Error("the day of a revoked grant is kept")
		}
	}
}
