package identity_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/keys"
)

// ward is a place with a key, and people who may decrypt with it in different ways or not.
func ward(t *testing.T) (place, *keys.Key) {
	p := newPlace(t)
	key, err := p.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "notes", Type: "data"})
	p.must(err)
	p.person(identity.User, "nurse")
	p.person(identity.User, "clerk")
	p.person(identity.User, "bound")
	p.person(identity.Role, "watch")
	p.policy("reads", statement("Allow", "kms:Decrypt"))
	p.policy("patients", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:ward":"3"}}}]}`)
	p.policy("narrow", statement("Allow", "kms:Encrypt"))
	p.attach("reads", "nurse", identity.Own)
	p.attach("reads", "bound", identity.Own)
	p.attach("narrow", "bound", identity.Boundary)
	p.attach("patients", "role/watch", identity.Own)
	return p, key
}

// TestListAccess: who can, why, and how far; pages together are everybody, each once; and each answer
// is what a real request gets.
func TestListAccess(t *testing.T) {
	p, key := ward(t)
	var got []string
	req := identity.ListAccessRequest{Key: key.ID, Action: "decrypt", Limit: 1}
	for pages := 0; ; pages++ {
		page, err := p.Identity().ListAccess(background, req)
		p.must(err)
		for _, one := range page.Principals {
			got = append(got, fmt.Sprint(one.Principal[strings.LastIndex(one.Principal, ":")+1:], " ", one.Allowed, " ", one.By, " ", one.Policy))
		}
		if req.Cursor = page.NextCursor; req.Cursor == "" || pages > 10 {
			break
		}
	}
	slices.Sort(got)
	if s := strings.Join(got, ", "); s != "role/watch conditionally identity patients, user/administrator yes root , user/nurse yes identity reads" {
		t.Error(s)
	}
	for _, req := range []identity.ListAccessRequest{{Key: key.ID}, {Action: "decrypt"}, {Key: key.ID, Action: "kms:*"}, {Key: key.ID, Action: "decrypt", Cursor: "?"}} {
		_, err := p.Identity().ListAccess(background, req)
		p.refused(fmt.Sprint(req), gate.InvalidRequest, err)
	}
}

// TestPreviewPolicy: who gains and who loses by a new document, and that it holds for nobody: a
// preview saves nothing.
func TestPreviewPolicy(t *testing.T) {
	p, key := ward(t)
	changes := func(req identity.PreviewPolicyRequest) string {
		t.Helper()
		preview, err := p.Identity().PreviewPolicy(background, req)
		p.must(err)
		var out []string
		for _, c := range preview.Changes {
			out = append(out, fmt.Sprint(c.Principal[strings.LastIndex(c.Principal, ":")+1:], " ", c.Action, " ", c.Resource[strings.LastIndex(c.Resource, "/")+1:], " ", c.Before, "-", c.After))
		}
		slices.Sort(out) // the order of principals is that of their ids
		return strings.Join(out, ", ")
	}
	for _, c := range []struct {
		req  identity.PreviewPolicyRequest
		want string
	}{
		{identity.PreviewPolicyRequest{Policy: "reads", Document: statement("Allow", "kms:Encrypt kms:ListKeys"), Key: key.ID},
			"user/bound kms:Encrypt KEY no-yes, user/nurse kms:Decrypt KEY yes-no, user/nurse kms:Encrypt KEY no-yes, user/nurse kms:ListKeys * no-yes"},
		{identity.PreviewPolicyRequest{Policy: "reads"}, "user/nurse kms:Decrypt any yes-no"},
		{identity.PreviewPolicyRequest{Policy: "reads", Document: statement("Allow", "kms:Decrypt")}, ""},
		{identity.PreviewPolicyRequest{Policy: "patients", Document: statement("Allow", "kms:Decrypt"), Key: key.ID}, "role/watch kms:Decrypt KEY conditionally-yes"},
		{identity.PreviewPolicyRequest{Policy: "narrow", Document: statement("Allow", "kms:*"), Key: key.ID}, "user/bound kms:Decrypt KEY no-yes"},
		{identity.PreviewPolicyRequest{Key: key.ID, Document: `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/clerk"},"Action":"kms:Decrypt","Resource":"*"},
			{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":["kms:P*","kms:R*","kms:U*"],"Resource":"*"}]}`}, "DECRYPT"},
	} {
		got := strings.ReplaceAll(changes(c.req), key.ID, "KEY")
		if c.want == "DECRYPT" { // the administrator loses much as well
			for _, want := range []string{"user/clerk kms:Decrypt KEY no-yes", "user/nurse kms:Decrypt KEY yes-no", "role/watch kms:Decrypt KEY conditionally-no", "user/administrator kms:Decrypt KEY yes-no"} {
				if !strings.Contains(got, want) {
					t.Errorf("no %s in %s", want, got)
				}
			}
			continue
		}
		if got != c.want {
			t.Errorf("%+v: %s, not %s", c.req, got, c.want)
		}
	}
	page, err := p.Identity().ListAccess(background, identity.ListAccessRequest{Key: key.ID, Action: "decrypt"})
	p.must(err)
	if len(page.Principals) != 3 {
		t.Errorf("a preview changed who can: %+v", page)
	}
	for name, req := range map[string]identity.PreviewPolicyRequest{
		"nothing named": {Document: "{}"}, "not a policy": {Policy: "reads", Document: "{}"}, "key policy of nobody": {Key: key.ID,
			Document: `{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/nobody"},"Action":"kms:*","Resource":"*"}}`},
	} {
		_, err := p.Identity().PreviewPolicy(background, req)
		p.refused(name, gate.InvalidRequest, err)
	}
	_, err = p.Identity().PreviewPolicy(background, identity.PreviewPolicyRequest{Policy: "none"})
	p.refused("no such policy", gate.NotFound, err)
}
