package sigv4_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/internal/sigv4"
)

// draw makes random requests from a seed.
type draw struct{ *rand.Rand }

// text returns up to n characters of an alphabet.
func (d draw) text(n int, alphabet string) string {
	letters := []rune(alphabet)
	var b strings.Builder
	for range d.IntN(n + 1) {
		b.WriteRune(letters[d.IntN(len(letters))])
	}
	return b.String()
}

func (d draw) one(of ...string) string { return of[d.IntN(len(of))] }

const (
	letters    = "abcdefghijklmnopqrstuvwxyz0123456789"
	unreserved = letters + "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._~"
	everything = unreserved + " !\"#$%&'()*+,/:;<=>?@[\\]^`{|}ሴé€𝄞\u00a0"
	visible    = unreserved + "  !\"#$%&'()*+,/:;<=>?@[\\]^`{|}"
)

// path returns a path as a program would set it, not encoded. Go's SDK does not normalise it.
func (d draw) path() string {
	path := "/"
	for range d.IntN(4) {
		path += d.one("v1", "a", "..", ".", d.text(8, everything)) + d.one("", "/", "/", "//")
	}
	if strings.HasPrefix(path, "//") { // which in a URL is a host
		path = "/x" + path
	}
	return path
}

// query returns a query. Its names are unreserved characters: Go's SDK sorts others before it encodes them,
// which is not what the rules say. Each begins in its own way, because none may come twice.
func (d draw) query() string {
	values := url.Values{}
	for i := range d.IntN(4) {
		values.Set(d.one("P", "p", "_", "~")+fmt.Sprint(i)+d.text(8, unreserved), d.text(12, everything))
	}
	return values.Encode()
}

// signed is a random request that AWS's own signer signed, and what was signed.
type signed struct {
	request               *http.Request
	body, token           string
	region, service, host string
	at                    time.Time
}

func (d draw) request(t *testing.T) signed {
	s := signed{
		region: d.one("us-east-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1"), service: d.one("kms", "secretsmanager", "sts", "cloudtrail"),
		host: d.one("kms.us-east-1.example", "localhost", "127.0.0.1:8443", "haven.example:8200", "[::1]:8443"),
		at:   time.Unix(d.Int64N(4e9), d.Int64N(1e9)),
		body: d.text(400, everything),
	}
	if d.IntN(3) == 0 {
		s.token = "t" + d.text(1000, letters+"/+=")
	}
	r, err := http.NewRequest(d.one("GET", "POST", "POST", "PUT", "DELETE", "HEAD", "PATCH"), "https://"+s.host, strings.NewReader(s.body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Path, r.URL.RawQuery = d.path(), d.query()
	r.Header.Set("X-Amz-Target", d.one("TrentService.", "secretsmanager.")+d.text(12, letters))
	r.Header.Set("Content-Type", d.one("application/x-amz-json-1.1", "application/x-www-form-urlencoded; charset=utf-8"))
	r.Header.Set("Amz-Sdk-Request", "attempt=1; max=3")
	r.Header.Set("User-Agent", d.text(20, visible))
	for i := range d.IntN(4) {
		r.Header.Set(d.one("X-Amz-Meta-", "X-Other-")+fmt.Sprint(i), d.text(30, visible))
	}
	sign(t, r, s.body, s.token, s.region, s.service, s.at)
	s.request = r
	return s
}

// received writes a request and reads it as a server does.
func received(t *testing.T, r *http.Request) *http.Request {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	got, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// read takes what is signed from what net/http makes of a request.
func read(r *http.Request) sigv4.Request {
	return sigv4.Request{Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header}
}

// TestSDK: requests that AWS's own signer signed, written and read by net/http, are accepted, and with no
// other body or secret. HAVEN_SEED repeats a run.
func TestSDK(t *testing.T) {
	count, seed := 2_000, rand.Uint64()
	if os.Getenv("HAVEN_CI") == "1" {
		count = 100_000
	}
	if text := os.Getenv("HAVEN_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("HAVEN_SEED=%d", seed)
	d := draw{rand.New(rand.NewPCG(seed, 0))}
	for i := range count {
		want := d.request(t)
		r := received(t, want.request)
		got, err := sigv4.Parse(read(r))
		if err == nil {
			err = got.Verify(derive(t, published.secret, got.Scope), []byte(want.body), got.Time)
		}
		if err != nil {
			t.Fatalf("request %d of HAVEN_SEED=%d: %v\n%s %s\n%v", i, seed, err, r.Method, r.RequestURI, r.Header)
		}
		if got.Scope != (sigv4.Scope{Date: want.at.UTC().Format("20060102"), Region: want.region, Service: want.service}) ||
			!got.Time.Equal(want.at.Truncate(time.Second)) || !got.SecurityToken.Equal(secret.New([]byte(want.token))) {
			t.Fatalf("request %d of HAVEN_SEED=%d claims %v, %v", i, seed, got.Scope, got.Time)
		}
		key := derive(t, published.secret, got.Scope)
		if err := got.Verify(key, []byte(want.body+" "), got.Time); !errors.Is(err, sigv4.ErrMismatch) {
			t.Fatalf("request %d of HAVEN_SEED=%d with another body: %v", i, seed, err)
		}
		if err := got.Verify(derive(t, stranger, got.Scope), []byte(want.body), got.Time); !errors.Is(err, sigv4.ErrMismatch) {
			t.Fatalf("request %d of HAVEN_SEED=%d with another secret: %v", i, seed, err)
		}
	}
	t.Logf("accepted %d", count)
}

// TestServer: what a server of net/http has of a request is enough, over HTTP/1.1 and HTTP/2.
func TestServer(t *testing.T) {
	key := derive(t, published.secret, sigv4.Scope{Date: "20261123", Region: "us-east-1", Service: "kms"})
	for protocol, two := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			var got sigv4.Signed
			if err == nil {
				got, err = sigv4.Parse(read(r))
			}
			if err == nil {
				err = got.Verify(key, body, signedAt)
			}
			if err != nil {
				t.Errorf("%s: %v", r.Proto, err)
			}
			fmt.Fprint(w, r.Proto)
		}))
		s.EnableHTTP2 = two
		s.StartTLS()
		for _, target := range []string{"/", "/v1/decrypt?a=1&B=%2b%20~", "/a%20b/%2e%2e/c"} {
			const body = `{"KeyId":"alias/records"}`
			r, err := http.NewRequest(http.MethodPost, s.URL+target, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Amz-Target", "TrentService.Decrypt")
			r.Header.Set("Content-Type", "application/x-amz-json-1.1")
			sign(t, r, body, token, "us-east-1", "kms", signedAt)
			answer, err := s.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || string(got) != protocol {
				t.Errorf("served over %s, want %s: %v", got, protocol, err)
			}
		}
		s.Close()
	}
}
