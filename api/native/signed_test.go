package native_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
)

// accessKey makes an access key of the administrator.
func (w *world) accessKey() *identity.Credential {
	w.t.Helper()
	made, err := w.system.Identity().CreateCredential(w.t.Context(), identity.CreateCredentialRequest{Type: "access-key"})
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

// signedPost asks an operation for something, signed by AWS's own signer for a service; change alters
// the request before it is signed, spoil after.
type signedPost struct {
	key             *identity.Credential
	operation, body string
	service         string
	at              time.Time
	change, spoil   func(*http.Request)
	digest          bool // X-Amz-Content-Sha256 is sent
}

func (w *world) signed(p signedPost) *answer {
	w.t.Helper()
	return w.do(w.sign(p))
}

// sign returns the request as a server reads it.
func (w *world) sign(p signedPost) *http.Request {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "https://haven.example:7443/v1/"+p.operation, strings.NewReader(p.body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	sum := sha256.Sum256([]byte(p.body))
	if p.digest {
		r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	}
	if p.change != nil {
		p.change(r)
	}
	if p.service == "" {
		p.service = "haven"
	}
	if p.at.IsZero() {
		p.at = w.clock.Wall()
	}
	err = v4.NewSigner().SignHTTP(w.t.Context(), aws.Credentials{AccessKeyID: p.key.ID, SecretAccessKey: p.key.SecretAccessKey}, r,
		hex.EncodeToString(sum[:]), p.service, "us-east-1", p.at)
	if err != nil {
		w.t.Fatal(err)
	}
	if p.spoil != nil {
		p.spoil(r)
	}
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		w.t.Fatal(err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		w.t.Fatal(err)
	}
	return got.WithContext(w.t.Context())
}

// TestSigned: requests that AWS's own signer signed, for our service or KMS, are their access key's
// principal's, with one record each; of any other not even the operation is told.
func TestSigned(t *testing.T) {
	w := newWorld(t)
	key := w.accessKey()
	for _, service := range []string{"haven", "kms"} {
		for _, digest := range []bool{false, true} {
			if a := w.signed(signedPost{key: key, operation: "list-keys", body: `{}`, service: service, digest: digest}); a.status != http.StatusOK || len(a.records) != 1 {
				t.Errorf("%s: %d %s", service, a.status, a.body)
			}
		}
	}
	if a := w.signed(signedPost{key: key, operation: "list-keys", body: `{}`, spoil: func(r *http.Request) { r.Method = http.MethodGet }}); a.status != http.StatusUnauthorized {
		t.Errorf("another method: %d %s", a.status, a.body)
	}
	get := w.signed(signedPost{key: key, operation: "list-keys?limit=5", change: func(r *http.Request) { r.Method = http.MethodGet; r.Header.Del("Content-Type") }})
	if get.status != http.StatusOK {
		t.Errorf("a GET: %d %s", get.status, get.body)
	}
	for what, p := range map[string]signedPost{
		"for another service": {service: "s3"},
		"old":                 {at: w.clock.Wall().Add(-301 * time.Second)},
		"another body":        {spoil: func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{ }`)); r.ContentLength = 3 }},
		"another operation":   {spoil: func(r *http.Request) { r.URL.Path = "/v1/list-aliases" }},
		"another host":        {spoil: func(r *http.Request) { r.Host = "other.example" }},
		"a query":             {spoil: func(r *http.Request) { r.URL.RawQuery = "limit=5" }},
		"no signature":        {spoil: func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256") }},
		"a token beside it":   {spoil: func(r *http.Request) { r.Header.Add("Authorization", "Bearer "+w.token) }},
	} {
		p.key, p.operation, p.body = key, "list-keys", `{}`
		if a := w.signed(p); a.status != http.StatusUnauthorized || a.problem(t).Code != "unauthenticated" {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	w.post("list-keys", `{}`)
}

// TestLesson19OnlyWhatIsVerified: what a signature does not cover, or two readers could read as two
// requests, is refused.
func TestLesson19OnlyWhatIsVerified(t *testing.T) {
	w := newWorld(t)
	key := w.accessKey()
	add := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Add(name, value) }
	}
	for what, p := range map[string]signedPost{
		"an unsigned trailer":             {change: add("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")},
		"an unsigned payload":             {change: add("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")},
		"a trailer":                       {change: add("X-Amz-Trailer", "x-amz-checksum-crc32")},
		"an unsigned header of AWS's":     {spoil: add("X-Amz-Target", "TrentService.Decrypt")},
		"a session token, unsigned":       {spoil: add("X-Amz-Security-Token", "x")},
		"the date twice":                  {spoil: add("X-Amz-Date", "20260302T030405Z")},
		"the content type twice":          {spoil: add("Content-Type", "application/json")},
		"a parameter twice":               {operation: "list-keys?limit=5&limit=6"},
		"a parameter in two cases":        {operation: "list-keys?limit=5&LIMIT=6"},
		"a signature in the query":        {spoil: func(r *http.Request) { r.URL.RawQuery = "X-Amz-Signature=00" }},
		"a digest that is not the body's": {change: add("X-Amz-Content-Sha256", strings.Repeat("0", 64))},
	} {
		p.key, p.body = key, `{}`
		if p.operation == "" {
			p.operation = "list-keys"
		}
		if a := w.signed(p); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	w.post("list-keys", `{}`)
}

// TestSignedTwice: a request repeated with its signature is done once, as with an idempotency key; one
// that is given counts, if it is signed.
func TestSignedTwice(t *testing.T) {
	w := newWorld(t)
	key := w.accessKey()
	post := signedPost{key: key, operation: "create-key", body: `{"purpose":"Lab results","type":"data"}`}
	first := w.signed(post)
	made := must[client.Key](t, first)
	if again := must[client.Key](t, w.signed(post)); again.KeyID != made.KeyID {
		t.Error("a request that was repeated was done twice")
	}
	later := post
	later.at = w.clock.Wall().Add(time.Second)
	if other := must[client.Key](t, w.signed(later)); other.KeyID == made.KeyID {
		t.Error("another signature is another request")
	}
	named := later
	named.change = func(r *http.Request) { r.Header.Set(idempotency, "one") }
	one := must[client.Key](t, w.signed(named))
	named.at = w.clock.Wall().Add(2 * time.Second)
	if again := must[client.Key](t, w.signed(named)); again.KeyID != one.KeyID {
		t.Error("one idempotency key, two signatures: done twice")
	}
	post.spoil = func(r *http.Request) { r.Header.Set(idempotency, "two") }
	w.signed(post).refused(t, gate.InvalidRequest)
	w.clock.Advance(6 * time.Minute)
	post.spoil, post.at = nil, w.clock.Wall().Add(-6*time.Minute)
	if a := w.signed(post); a.status != http.StatusUnauthorized {
		t.Errorf("repeated after its time: %d %s", a.status, a.body)
	}
	w.post("list-keys", `{}`) // stands behind the sample of it in the journal
}

// TestSignedBodies: a body is read before its sender is known, within the operation's limit, and what
// cannot be read proves nobody, and is counted; beyond the room for such bodies there is no more.
func TestSignedBodies(t *testing.T) {
	w := newWorld(t)
	key := w.accessKey()
	counted := func() uint64 { return w.system.Gate().Counters().Unauthenticated }
	before := counted()
	limit := int(operation("encrypt").BodyLimit)
	if a := w.signed(signedPost{key: key, operation: "encrypt", body: strings.Repeat(" ", limit+1)}); a.status != http.StatusRequestEntityTooLarge || a.own() != 0 {
		t.Errorf("too long: %d %s", a.status, a.body)
	}
	short := w.sign(signedPost{key: key, operation: "encrypt", body: `{"key":"x"}`})
	short.Body = io.NopCloser(strings.NewReader(`{"key"`))
	if a := w.do(short); a.status != http.StatusBadRequest || a.own() != 0 {
		t.Errorf("cut: %d %s", a.status, a.body)
	}
	if n := counted() - before; n != 2 {
		t.Errorf("%d of 2 counted", n)
	}
	w.signed(signedPost{key: key, operation: "encrypt", body: strings.Repeat(" ", limit)}).refused(t, gate.InvalidRequest)
	w.signed(signedPost{key: key, operation: "encrypt", body: `{}`, change: func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }}).refused(t, gate.InvalidRequest)

	// Strangers hold all the room there is with bodies that do not come.
	long := operation("batch").BodyLimit
	blocked, release := make(chan struct{}), make(chan struct{})
	waiting := int(64<<20/long) + 1
	answers := make(chan int, waiting)
	for range waiting {
		r := w.sign(signedPost{key: key, operation: "batch", body: `{"items":[]}`})
		r.ContentLength = long
		r.Body = io.NopCloser(&held{blocked: blocked, release: release})
		go func() { answers <- w.serve(r) }()
	}
	for range waiting - 1 {
		<-blocked
	}
	if status := <-answers; status != http.StatusServiceUnavailable {
		t.Errorf("beyond the room: %d", status)
	}
	if a := w.signed(signedPost{key: key, operation: "list-keys", body: `{}`}); a.status != http.StatusOK {
		t.Errorf("an ordinary call meanwhile: %d %s", a.status, a.body)
	}
	close(release)
	for range waiting - 1 {
		if status := <-answers; status != http.StatusBadRequest {
			t.Errorf("a body that did not come: %d", status)
		}
	}
	if a := w.signed(signedPost{key: key, operation: "batch", body: `{"items":[{"op":"encrypt","key":"x","plaintext":""}]}` + strings.Repeat(" ", 20<<10)}); a.status != http.StatusOK {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
}

// held is a body that does not come until it is let go, and then ends.
type held struct {
	blocked, release chan struct{}
	told             bool
}

func (h *held) Read([]byte) (int, error) {
	if !h.told {
		h.told = true
		h.blocked <- struct{}{}
	}
	<-h.release
	return 0, fmt.Errorf("cut")
}

// serve serves a request beside others and returns the status.
func (w *world) serve(r *http.Request) int {
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	return recorder.Code
}
