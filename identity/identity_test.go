package identity_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/store"
)

var background = context.Background()

func TestToken(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		token, err := identity.NewToken(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		text := string(secret.Expose(token))
		rest, ok := strings.CutPrefix(text, identity.TokenPrefix)
		raw, err := base64.RawURLEncoding.Strict().DecodeString(rest)
		if !ok || err != nil || len(raw) != 32 || len(text) > identity.MaxToken || seen[text] {
			t.Fatalf("a token of %d characters: %v", len(text), err)
		}
		seen[text] = true
		if shown := fmt.Sprintf("%v %s %q %x", token, token, token, token); strings.Contains(shown, rest) {
			t.Fatal("a token prints")
		}
	}
	if _, err := identity.NewToken(io.LimitReader(rand.Reader, 31)); err == nil {
		t.Error("a token of 31 random bytes")
	}
}

// begin proves by bearer token and returns the principal.
func begin(w *gatetest.World, token secret.Bytes) (gate.Principal, error) {
	c, err := w.Gate().Begin(background, gate.GenerateRandom, gate.Proof{Bearer: token})
	return c.Principal(), err
}

func TestAuthenticate(t *testing.T) {
	w := gatetest.New(t)
	admin, err := begin(w, w.Token)
	if err != nil || admin.ID != w.Admin || !admin.Administrator || admin.Name != "administrator" || admin.ARN != "arn:aws:iam::000000000000:user/administrator" {
		t.Errorf("the first token proves %+v, %v", admin, err)
	}
	id, token := w.Principal("clerk", false)
	clerk, err := begin(w, token)
	if err != nil || clerk.ID != id || clerk.Administrator || clerk.Name != "clerk" {
		t.Errorf("a clerk's token proves %+v, %v", clerk, err)
	}
	local, err := w.Gate().Begin(background, gate.GenerateRandom, gate.Proof{Local: id})
	if err != nil || local.Principal() != clerk {
		t.Errorf("a local clerk is %+v, %v", local.Principal(), err)
	}
}

// TestNobody: whatever is wrong with a proof, the answer is the same.
func TestNobody(t *testing.T) {
	w := gatetest.New(t)
	person, id, revoked := w.Person("revoked", false)
	w.Stage(person...)
	if _, err := begin(w, revoked); err != nil {
		t.Fatal(err)
	}
	item := stored(w, person[1].Ref)
	w.Stage(gate.Change{Ref: item.Ref, Before: item, Delete: true, Also: person[1].Also})
	unknown, err := identity.NewToken(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	altered := append(bytes.Clone(secret.Expose(w.Token)[:len(secret.Expose(w.Token))-1]), '*')
	proofs := map[string]gate.Proof{
		"none":            {},
		"unknown":         {Bearer: unknown},
		"revoked":         {Bearer: revoked},
		"a known altered": {Bearer: secret.New(altered)},
		"a prefix alone":  {Bearer: secret.New([]byte(identity.TokenPrefix))},
		"too long":        {Bearer: secret.New(bytes.Repeat([]byte("x"), identity.MaxToken+1))},
		"nobody's id":     {Local: gate.ID{1}},
	}
	var answers []string
	for what, proof := range proofs {
		c, err := w.Gate().Begin(background, gate.GenerateRandom, proof)
		if !errors.Is(err, gate.Unauthenticated) || c.Principal() != (gate.Principal{}) {
			t.Errorf("%s: proves %+v, %v", what, c.Principal(), err)
			continue
		}
		answers = append(answers, err.Error())
	}
	for _, a := range answers {
		if a != answers[0] {
			t.Errorf("two answers: %q and %q", a, answers[0])
		}
	}
	if local, err := w.Gate().Begin(background, gate.GenerateRandom, gate.Proof{Local: id}); err != nil {
		t.Errorf("the principal of a revoked credential is %+v, %v", local.Principal(), err)
	}
}

func stored(w *gatetest.World, ref store.Ref) *store.Item {
	w.Helper()
	items, _, err := w.Store.Get(background, ref)
	if err != nil || items[0].Revision == 0 {
		w.Fatal(ref, err)
	}
	return &items[0]
}

// TestExpiry: a credential ends at its very moment, whether it is cached or not.
func TestExpiry(t *testing.T) {
	w := gatetest.New(t)
	person, id, token := w.Person("clerk", false)
	expires := w.Clock.Wall().Add(time.Hour)
	person[1].Body = fmt.Appendf(nil, `{"v":1,"type":"bearer","principal":%q,"created":%q,"expires":%q}`,
		id, w.Clock.Wall().Format(time.RFC3339Nano), expires.Format(time.RFC3339Nano))
	w.Stage(person...)
	if _, err := begin(w, token); err != nil {
		t.Fatal(err)
	}
	w.Clock.Advance(time.Hour - 1)
	if _, err := begin(w, token); err != nil {
		t.Errorf("before its last moment: %v", err)
	}
	w.Clock.Advance(1)
	if _, err := begin(w, token); !errors.Is(err, gate.Unauthenticated) {
		t.Errorf("at its last moment: %v", err)
	}
}

// TestLaterFormat: what a later release wrote is not guessed at.
func TestLaterFormat(t *testing.T) {
	for _, which := range []int{0, 1} {
		w := gatetest.New(t)
		person, _, token := w.Person("clerk", false)
		person[which].Body = bytes.Replace(person[which].Body, []byte(`"v":1`), []byte(`"v":2`), 1)
		w.Stage(person...)
		if _, err := begin(w, token); !errors.Is(err, gate.Internal) {
			t.Errorf("change %d of format 2: %v", which, err)
		}
	}
}

// TestAtRest: of a token nothing but its SHA-256 is stored.
func TestAtRest(t *testing.T) {
	w := gatetest.New(t)
	token := secret.Expose(w.Token)
	if _, err := begin(w, w.Token); err != nil {
		t.Fatal(err)
	}
	credentials := w.Items(store.KindCredential)
	sum := sha256.Sum256(token)
	if len(credentials) != 1 || credentials[0].ID != string(sum[:]) {
		t.Fatalf("%d credentials", len(credentials))
	}
	var all []byte
	for _, kind := range store.Kinds() {
		for _, item := range w.Items(kind) {
			all = fmt.Appendf(all, "%s %q %s\n", item.ID, item.Index, item.Body)
		}
	}
	for raw, err := range w.Store.Records(background, 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, raw.Data...)
	}
	if !bytes.Contains(all, []byte("administrator")) {
		t.Fatal("the scan finds nothing at all")
	}
	body := token[len(identity.TokenPrefix):]
	raw, err := base64.RawURLEncoding.DecodeString(string(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]byte{body, body[:12], body[len(body)-12:], raw, []byte(hex.EncodeToString(raw)), []byte(base64.StdEncoding.EncodeToString(raw))} {
		if bytes.Contains(all, part) {
			t.Error("a part of the token is stored")
		}
	}
}

func TestAdministrator(t *testing.T) {
	token, err := identity.NewToken(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, valid := range map[string]bool{
		"": false, "a b": false, "ä": false, "a/b": false, "a\n": false, strings.Repeat("x", 65): false,
		"a": true, "A.b-c_d@e=f,g+9": true, strings.Repeat("x", 64): true,
	} {
		changes, err := identity.Administrator(gate.ID{1}, name, token, gatetest.Start)
		if (err == nil) != valid || err != nil && !errors.Is(err, gate.InvalidRequest) {
			t.Errorf("%q: %v", name, err)
		}
		if valid && len(changes) != 3 {
			t.Errorf("%q: %d changes", name, len(changes))
		}
	}
}

func TestAdministrators(t *testing.T) {
	w := gatetest.New(t)
	w.Principal("clerk", false)
	second, _ := w.Principal("second", true)
	ids, err := identity.New(identity.Config{View: w.Gate().View(), Account: "000000000000"}).Administrators(background)
	if err != nil || len(ids) != 2 || ids[0] != w.Admin && ids[1] != w.Admin || ids[0] != second && ids[1] != second {
		t.Errorf("administrators %v, want %v and %v: %v", ids, w.Admin, second, err)
	}
}

func TestNamesOf(t *testing.T) {
	w := gatetest.New(t)
	clerk, _ := w.Principal("clerk", false)
	names, err := identity.New(identity.Config{View: w.Gate().View(), Account: "000000000000"}).NamesOf(background, []gate.ID{clerk, w.Admin, {9}})
	if err != nil || len(names) != 2 || names[clerk] != "clerk" || names[w.Admin] == "" {
		t.Errorf("the names of the clerk, the administrator and nobody are %q: %v", names, err)
	}
}
