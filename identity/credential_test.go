package identity_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/store"
)

func (p *people) accessKey() *identity.Credential {
	p.Helper()
	made, err := p.Identity().CreateCredential(background, identity.CreateCredentialRequest{Principal: "nurse", Type: "access-key"})
	p.ok(err)
	return made
}

func TestAccessKey(t *testing.T) {
	p := newPeople(t)
	made := p.accessKey()
	if !regexp.MustCompile(`^AKIA[A-Z2-7]{16}$`).MatchString(made.ID) || !regexp.MustCompile(`^[A-Za-z0-9+/]{40}$`).MatchString(made.SecretAccessKey) || made.Token != "" {
		t.Errorf("an access key %q with a secret of %d characters", made.ID, len(made.SecretAccessKey))
	}
	for range 2 {
		if who, err := p.signs(made); err != nil || who != p.nurse {
			t.Errorf("signs as %v, %v", who, err)
		}
		p.Reopen() // the key it is sealed under is the store's
	}
	// The id is no secret: as a token it proves nobody.
	if err := p.works(secret.New([]byte(made.ID))); !errors.Is(err, gate.Unauthenticated) {
		t.Errorf("the id as a token: %v", err)
	}
	no := false
	_, err := p.Identity().UpdateCredential(background, identity.UpdateCredentialRequest{Principal: "nurse", Credential: made.ID, Active: &no})
	p.ok(err)
	if _, err := p.signs(made); !errors.Is(err, gate.Unauthenticated) {
		t.Errorf("inactive: %v", err)
	}
	// Nothing at rest, and no record, has the secret.
	for _, kind := range store.Kinds() {
		for _, item := range p.Items(kind) {
			if bytes.Contains(item.Body, []byte(made.SecretAccessKey)) {
				t.Errorf("%s holds the secret", item.Ref)
			}
		}
	}
	for _, e := range p.Records(0) {
		if bytes.Contains(e.Encoded, []byte(made.SecretAccessKey)) {
			t.Error("a record holds the secret")
		}
	}
}

// TestSealedForOneKey: a sealed secret that was moved to another access key does not open.
func TestSealedForOneKey(t *testing.T) {
	p := newPeople(t)
	one, other := p.accessKey(), p.accessKey()
	from := stored(p.World, store.Ref{Kind: store.KindCredential, ID: string(sum(one.ID))})
	to := stored(p.World, store.Ref{Kind: store.KindCredential, ID: string(sum(other.ID))})
	sealed := regexp.MustCompile(`"secret":"[^"]*"`)
	body := sealed.ReplaceAll(to.Body, sealed.Find(from.Body))
	p.Stage(gate.Change{Ref: to.Ref, Index: to.Index, Before: to, Body: body})
	if _, err := p.signs(other); !errors.Is(err, gate.Tampered) {
		t.Errorf("a moved secret: %v", err)
	}
}

func sum(text string) []byte {
	h := sha256.Sum256([]byte(text))
	return h[:]
}

// TestSecretsAreAnsweredOnce: a repetition of the call is told what was made, without its secret.
func TestSecretsAreAnsweredOnce(t *testing.T) {
	p := newPeople(t)
	create := func(kind string) *identity.Credential {
		c := p.Begin(gate.CreateCredential)
		p.ok(c.Idempotent("once-"+kind, sha256.Sum256([]byte(kind))))
		made, err := p.IdentityManager().CreateCredential(background, c, identity.CreateCredentialRequest{Principal: "nurse", Type: kind})
		p.ok(err)
		return made
	}
	for _, kind := range []string{"bearer", "access-key"} {
		first, again := create(kind), create(kind)
		if again.ID != first.ID || !again.Replayed || first.Replayed || again.Token != "" || again.SecretAccessKey != "" || first.Token == "" && first.SecretAccessKey == "" {
			t.Errorf("%s: %+v", kind, again)
		}
	}
	for _, item := range p.Items(store.KindIdempotency) {
		if bytes.Contains(item.Body, []byte(identity.TokenPrefix)) || bytes.Contains(item.Body, []byte("secret_access_key")) {
			t.Error("a stored answer holds a secret")
		}
	}
}

func TestRotate(t *testing.T) {
	p := newPeople(t)
	p.ok(p.works(p.token))
	rotate := func(req identity.RotateCredentialRequest) (*identity.Credential, error) {
		req.Principal = "nurse"
		return p.Identity().RotateCredential(background, req)
	}
	made, err := rotate(identity.RotateCredentialRequest{Credential: p.credential})
	p.ok(err)
	next := secret.New([]byte(made.Token))
	p.Clock.Advance(identity.DefaultOverlap - 1)
	p.ok(p.works(p.token))
	p.ok(p.works(next))
	p.Clock.Advance(1)
	if err := p.works(p.token); !errors.Is(err, gate.Unauthenticated) {
		t.Errorf("after the overlap: %v", err)
	}
	p.ok(p.works(next))
	if _, err := rotate(identity.RotateCredentialRequest{Credential: p.credential}); !errors.Is(err, gate.Conflict) {
		t.Errorf("one that ended: %v", err)
	}
	if _, err := p.Identity().RotateCredential(background, identity.RotateCredentialRequest{Credential: made.ID}); !errors.Is(err, gate.NotFound) {
		t.Errorf("another's: %v", err)
	}
	key := p.accessKey()
	other, err := rotate(identity.RotateCredentialRequest{Credential: key.ID, OverlapSeconds: new(int)})
	if err != nil || other.Type != "access-key" || other.ID == key.ID {
		t.Errorf("%+v, %v", other, err)
	}
	if _, err := p.signs(key); !errors.Is(err, gate.Unauthenticated) {
		t.Errorf("without overlap: %v", err)
	}
}

func TestCredentialsEnd(t *testing.T) {
	p := newPeople(t)
	create := func(after time.Duration) (*identity.Credential, error) {
		return p.Identity().CreateCredential(background, identity.CreateCredentialRequest{Principal: "nurse", Type: "bearer", ExpiresAt: p.Clock.Wall().Add(after)})
	}
	if _, err := create(0); !errors.Is(err, gate.InvalidRequest) {
		t.Errorf("one that ended: %v", err)
	}
	for range identity.MaxCredentials - 1 {
		made, err := create(time.Hour)
		p.ok(err)
		p.ok(p.works(secret.New([]byte(made.Token))))
	}
	if _, err := create(time.Hour); !errors.Is(err, gate.LimitExceeded) {
		t.Errorf("one too many: %v", err)
	}
	p.Clock.Advance(time.Hour)
	_, err := create(time.Hour) // what expired makes room
	p.ok(err)
	list, err := p.Identity().ListCredentials(background, identity.ListCredentialsRequest{Principal: "nurse"})
	if err != nil || len(list.Credentials) != 2 || list.Credentials[0].ID != p.credential {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestCredentialsDoNotPrint(t *testing.T) {
	made := identity.Credential{ID: "id", Token: "canary", SecretAccessKey: "canary"}
	for _, v := range []any{made, &made, []identity.Credential{made}} {
		if shown := fmt.Sprintf("%v %+v %#v %s %q %x", v, v, v, v, v, v); strings.Contains(shown, "canary") || !strings.Contains(shown, "id") {
			t.Errorf("prints as %s", shown)
		}
	}
}

func TestRolesHaveNoCredentials(t *testing.T) {
	p := newPeople(t)
	_, err := p.Identity().CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.Role, Name: "auditor"})
	p.ok(err)
	if _, err := p.Identity().CreateCredential(background, identity.CreateCredentialRequest{Principal: "role/auditor", Type: "bearer"}); !errors.Is(err, gate.InvalidRequest) {
		t.Errorf("%v", err)
	}
}

func TestClientCertificates(t *testing.T) {
	p := newPeople(t)
	file, err := os.ReadFile("testdata/certificate.pem") // valid an hour around the World's start
	p.ok(err)
	text, notAfter := string(file), gatetest.Start.Add(time.Hour)
	block, _ := pem.Decode(file)
	made, err := p.Identity().CreateCredential(background, identity.CreateCredentialRequest{Principal: "nurse", Type: "client-certificate", Certificate: text})
	hash := sha256.Sum256(block.Bytes)
	if err != nil || made.ID != hex.EncodeToString(hash[:]) || !made.ExpiresAt.Equal(notAfter.Add(time.Second)) {
		t.Fatalf("%+v, %v", made, err)
	}
	_, err = p.Identity().CreateCredential(background, identity.CreateCredentialRequest{Type: "client-certificate", Certificate: text})
	if !errors.Is(err, gate.AlreadyExists) {
		t.Errorf("another's certificate: %v", err)
	}
	for what, text := range map[string]string{"none": "", "not PEM": "x", "two": text + text, "junk behind": text + "x", "empty": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"} {
		_, err := p.Identity().CreateCredential(background, identity.CreateCredentialRequest{Principal: "nurse", Type: "client-certificate", Certificate: text})
		if !errors.Is(err, gate.InvalidRequest) {
			t.Errorf("%s: %v", what, err)
		}
	}
	p.Clock.Advance(2 * time.Hour)
	p.ok(p.Identity().DeleteCredential(background, identity.DeleteCredentialRequest{Principal: "nurse", Credential: made.ID}))
	_, err = p.Identity().CreateCredential(background, identity.CreateCredentialRequest{Principal: "nurse", Type: "client-certificate", Certificate: text})
	if !errors.Is(err, gate.InvalidRequest) {
		t.Errorf("one that is over: %v", err)
	}
}

// TestLastUse: on which day a credential was last used is told at once, and by the next start.
func TestLastUse(t *testing.T) {
	p := newPeople(t)
	day := func() string {
		list, err := p.Identity().ListCredentials(background, identity.ListCredentialsRequest{Principal: "nurse"})
		p.ok(err)
		return list.Credentials[0].LastUsedOn
	}
	if got := day(); got != "" {
		t.Errorf("never used, and told %s", got)
	}
	for i := range 3 {
		p.ok(p.works(p.token))
		want := gatetest.Start.Add(time.Duration(i) * 24 * time.Hour).Format(time.DateOnly)
		if got := day(); got != want {
			t.Errorf("used on %s, told %q", want, got)
		}
		p.Reopen()
		if got := day(); got != want {
			t.Errorf("used on %s, told %q after a start", want, got)
		}
		p.Clock.Advance(24 * time.Hour)
	}
	if n := len(p.Items(store.KindUsage)); n == 0 {
		t.Error("nothing was kept")
	}
	p.ok(p.Identity().DeleteCredential(background, identity.DeleteCredentialRequest{Principal: "nurse", Credential: p.credential}))
	for _, item := range p.Items(store.KindUsage) {
		if h, _ := hex.DecodeString(p.credential); bytes.HasSuffix([]byte(item.ID), h) {
			t.Error("the day of a deleted credential is kept")
		}
	}
}

// TestRecordsNameNobody: what is done to a person leaves the id, and of the name nothing.
func TestRecordsNameNobody(t *testing.T) {
	p := newPeople(t)
	from := p.Position()
	_, err := p.Identity().CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.User, Name: "amina", Tags: map[string]string{"team": "secret-value"}})
	p.ok(err)
	_, err = p.Identity().DescribePrincipal(background, identity.PrincipalRequest{Principal: "amina"})
	p.ok(err)
	made := p.bearer("amina")
	_, err = p.Identity().AddToGroup(background, identity.MembershipRequest{Principal: "amina", Group: "nurses"})
	p.ok(err)
	p.ok(p.Identity().DeletePrincipal(background, identity.PrincipalRequest{Principal: "amina"}))
	_, err = p.Identity().DescribePrincipal(background, identity.PrincipalRequest{Principal: "amina"})
	if !errors.Is(err, gate.NotFound) {
		t.Fatal(err)
	}
	n := 0
	for _, e := range p.Records(from) {
		n++
		if text := fmt.Sprintf("%s %s", e.Parameters, e.Reason); regexp.MustCompile(`amina|secret-value`).MatchString(text) {
			t.Errorf("a record says %s", text)
		}
		if bytes.Contains(e.Encoded, []byte(made.Token)) {
			t.Error("a record holds a token")
		}
	}
	if n != 6 {
		t.Errorf("%d records", n)
	}
}

func TestCaller(t *testing.T) {
	p := newPeople(t)
	who, err := p.As(p.nurse).Identity().GetCallerIdentity(background)
	if err != nil || who.Account != "000000000000" || who.ARN != "arn:aws:iam::000000000000:user/nurse" || who.ID != p.nurse.String() {
		t.Errorf("%+v, %v", who, err)
	}
}
