package keys_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/keys"
)

// finder is a world with helpers of the tests of finding and naming.
type finder struct {
	*rig
	t *testing.T
}

func newFinder(t *testing.T) *finder { return &finder{newRig(gatetest.New(t)), t} }

func (f *finder) ok(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *finder) make(req keys.CreateRequest) *keys.Key {
	f.t.Helper()
	f.Clock.Advance(1e6) // ids of one millisecond are in no order
	if req.Purpose == "" {
		req.Purpose = "a test"
	}
	if req.Type == "" {
		req.Type = keys.Data
	}
	k, err := f.km.CreateKey(background, req)
	f.ok(err)
	return k
}

func (f *finder) refused(err error, code gate.Code) {
	f.t.Helper()
	if !errors.Is(err, code) {
		f.t.Errorf("answered %v, want %s", err, code)
	}
}

func (f *finder) encryptsUnder(reference, id string) {
	f.t.Helper()
	out, err := f.km.Encrypt(background, keys.EncryptRequest{Key: reference, Plaintext: []byte("x")})
	if err != nil || out.KeyID.String() != id {
		f.t.Errorf("%s encrypts under %v, %v; want %s", reference, out, err, id)
	}
}

// TestAliases: a key has its names in the order it was given them; a name means the key it was last
// given to, from the moment that call returned; and a deleted name means nothing.
func TestAliases(t *testing.T) {
	f := newFinder(t)
	one, two := f.make(keys.CreateRequest{Alias: "alias/one"}), f.make(keys.CreateRequest{})
	for _, alias := range []string{"alias/b", "alias/a"} {
		_, err := f.km.CreateAlias(background, keys.AliasRequest{Alias: alias, Key: one.ID})
		f.ok(err)
	}
	f.named(one.ID, "alias/one", "alias/b", "alias/a")
	_, err := f.km.CreateAlias(background, keys.AliasRequest{Alias: "alias/b", Key: two.ID})
	f.refused(err, gate.AlreadyExists)

	for range 3 { // back and forth, each time at once
		for _, k := range []*keys.Key{two, one} {
			_, err := f.km.UpdateAlias(background, keys.AliasRequest{Alias: "alias/b", Key: k.ID})
			f.ok(err)
			f.encryptsUnder("alias/b", k.ID)
		}
	}
	f.named(one.ID, "alias/one", "alias/a", "alias/b")
	f.named(two.ID)
	doc, err := f.km.DeleteAlias(background, "alias/one")
	f.ok(err)
	if doc.ID != one.ID || doc.Alias != "alias/a" {
		t.Errorf("delete-alias answered %+v", doc)
	}
	_, err = f.km.Encrypt(background, keys.EncryptRequest{Key: "alias/one", Plaintext: []byte("x")})
	f.refused(err, gate.NotFound)
	_, err = f.km.CreateAlias(background, keys.AliasRequest{Alias: "alias/one", Key: two.ID})
	f.ok(err)
	f.encryptsUnder("alias/one", two.ID)

	page, err := f.km.ListAliases(background, keys.ListAliasesRequest{Key: one.ID})
	f.ok(err)
	if got := fmt.Sprint(names(page)); got != "[alias/a alias/b]" {
		t.Errorf("the key's aliases are %s", got)
	}
	var all []string
	for req := (keys.ListAliasesRequest{Limit: 1}); ; {
		page, err := f.km.ListAliases(background, req)
		f.ok(err)
		all = append(all, names(page)...)
		if req.Cursor = page.NextCursor; req.Cursor == "" {
			break
		}
	}
	if got := fmt.Sprint(all); got != "[alias/a alias/b alias/haven-master alias/one]" {
		t.Errorf("the aliases are %s", got)
	}
}

func names(page *keys.AliasPage) (out []string) {
	for _, a := range page.Aliases {
		out = append(out, a.Alias)
	}
	return out
}

func (f *finder) named(id string, want ...string) {
	f.t.Helper()
	k, err := f.km.DescribeKey(background, id)
	f.ok(err)
	if !slices.Equal(k.Aliases, want) || len(want) > 0 && k.Alias != want[0] {
		f.t.Errorf("key %s is named %v, first %q; want %v", id, k.Aliases, k.Alias, want)
	}
}

// TestAliasRules: what an alias is not given, and to what.
func TestAliasRules(t *testing.T) {
	f := newFinder(t)
	k := f.make(keys.CreateRequest{Alias: "alias/k"})
	signing := f.make(keys.CreateRequest{Type: keys.Signing})
	mac := f.make(keys.CreateRequest{Type: keys.Signing, Spec: "HMAC_256", Alias: "alias/mac"})
	for _, alias := range []string{"", "k", "alias/", "alias/aws/x", "alias/a b", "alias/haven-master", "alias/haven-x", "alias/" + strings.Repeat("x", keys.MaxAlias+1)} {
		_, err := f.km.CreateAlias(background, keys.AliasRequest{Alias: alias, Key: k.ID})
		f.refused(err, gate.InvalidRequest)
		_, err = f.km.UpdateAlias(background, keys.AliasRequest{Alias: alias, Key: k.ID})
		f.refused(err, gate.InvalidRequest)
		_, err = f.km.DeleteAlias(background, alias)
		f.refused(err, gate.InvalidRequest)
	}
	_, err := f.km.CreateKey(background, keys.CreateRequest{Purpose: "a test", Type: keys.Data, Alias: "alias/haven-x"})
	f.refused(err, gate.InvalidRequest)
	_, err = f.km.CreateAlias(background, keys.AliasRequest{Alias: "alias/x", Key: k.ID + "@1"})
	f.refused(err, gate.InvalidRequest)
	_, err = f.km.UpdateAlias(background, keys.AliasRequest{Alias: "alias/nobody", Key: k.ID})
	f.refused(err, gate.NotFound)
	for _, other := range []string{signing.ID, mac.ID} {
		_, err = f.km.UpdateAlias(background, keys.AliasRequest{Alias: "alias/k", Key: other})
		f.refused(err, gate.InvalidState)
	}
	_, err = f.km.UpdateAlias(background, keys.AliasRequest{Alias: "alias/mac", Key: signing.ID}) // another usage
	f.refused(err, gate.InvalidState)
	for i := range keys.MaxAliases - 1 {
		_, err := f.km.CreateAlias(background, keys.AliasRequest{Alias: fmt.Sprintf("alias/k%d", i), Key: k.ID})
		f.ok(err)
	}
	_, err = f.km.CreateAlias(background, keys.AliasRequest{Alias: "alias/too-many", Key: k.ID})
	f.refused(err, gate.LimitExceeded)

	doomed := f.make(keys.CreateRequest{Alias: "alias/doomed"})
	_, err = f.km.ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: doomed.ID, Days: 7})
	f.ok(err)
	_, err = f.km.CreateAlias(background, keys.AliasRequest{Alias: "alias/more", Key: doomed.ID})
	f.refused(err, gate.InvalidState)
	_, err = f.km.UpdateAlias(background, keys.AliasRequest{Alias: "alias/doomed", Key: f.make(keys.CreateRequest{}).ID}) // away from it
	f.ok(err)
}

// TestAliasOfAnother: an alias is moved by those alone who may do it to both keys and to the alias;
// who may nothing learns nothing.
func TestAliasOfAnother(t *testing.T) {
	f := newFinder(t)
	k := f.make(keys.CreateRequest{Alias: "alias/k"})
	id, _ := f.Principal("clerk", false)
	clerk := f.As(id).KeyManager()
	for _, alias := range []string{"alias/k", "alias/nobody"} {
		_, err := clerk.UpdateAlias(background, keys.AliasRequest{Alias: alias, Key: k.ID})
		f.refused(err, gate.AccessDenied)
		_, err = clerk.DeleteAlias(background, alias)
		f.refused(err, gate.AccessDenied)
	}
}

// TestDeleteAliasTwice: a repeated delete-alias is answered as the first was, though nothing is
// named so any more; with another key it is told so.
func TestDeleteAliasTwice(t *testing.T) {
	f := newFinder(t)
	k := f.make(keys.CreateRequest{Alias: "alias/k"})
	remove := func(idempotency string, body byte) (*keys.Key, error) {
		c := f.Begin(gate.DeleteAlias)
		f.ok(c.Idempotent(idempotency, [32]byte{body}))
		return f.Manager().DeleteAlias(background, c, keys.DeleteAliasRequest{Alias: "alias/k"})
	}
	for range 3 {
		if again, err := remove("one", 1); err != nil || again.ID != k.ID {
			t.Errorf("answered %v, %v", again, err)
		}
	}
	_, err := remove("one", 2)
	f.refused(err, gate.IdempotencyMismatch)
	_, err = remove("two", 1)
	f.refused(err, gate.NotFound)
	other := f.make(keys.CreateRequest{Alias: "alias/k"})
	if again, err := remove("one", 1); err != nil || again.ID != k.ID {
		t.Errorf("answered %v, %v", again, err)
	}
	f.encryptsUnder("alias/k", other.ID)
}
