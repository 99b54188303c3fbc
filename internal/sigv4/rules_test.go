package sigv4_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/internal/sigv4"
)

const token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSP=="

// decrypt is a request as the SDK for Go sends it to KMS, signed by its signer.
func decrypt(t testing.TB) message {
	t.Helper()
	body := `{"CiphertextBlob":"AQICAHi","KeyId":"alias/records"}`
	r, err := http.NewRequest(http.MethodPost, "https://kms.eu-central-1.example/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService.Decrypt")
	r.Header.Set("Amz-Sdk-Invocation-Id", "1d5a2f3c-0d59-4c6e-8f2a-8a3a6a7c1f10")
	r.Header.Set("Amz-Sdk-Request", "attempt=1; max=3")
	r.Header.Set("User-Agent", "aws-sdk-go-v2/1.46.0")
	sign(t, r, body, token, "eu-central-1", "kms", signedAt)
	return sent(r, body)
}

// sent is what a client puts on the wire.
func sent(r *http.Request, body string) message {
	m := message{method: r.Method, target: r.URL.RequestURI(), body: body, fields: []field{{"Host", r.URL.Host}, {"Content-Length", fmt.Sprint(len(body))}}}
	for name, values := range r.Header {
		m = m.add(name, values[0])
	}
	return m
}

// sign signs a request with AWS's own signer.
func sign(t testing.TB, r *http.Request, body, token, region, service string, at time.Time) {
	t.Helper()
	digest := sha256.Sum256([]byte(body))
	who := aws.Credentials{AccessKeyID: published.id, SecretAccessKey: published.secret, SessionToken: token}
	if err := v4.NewSigner().SignHTTP(context.Background(), who, r, hex.EncodeToString(digest[:]), service, region, at); err != nil {
		t.Fatal(err)
	}
}

// TestClaims: what a request claims is read as it was sent.
func TestClaims(t *testing.T) {
	m := decrypt(t)
	s, err := sigv4.Parse(m.request())
	if err != nil {
		t.Fatal(err)
	}
	authorization, _ := m.value(t, "Authorization")
	if s.AccessKeyID != published.id || s.Scope != (sigv4.Scope{Date: "20261123", Region: "eu-central-1", Service: "kms"}) || !s.Time.Equal(signedAt) {
		t.Errorf("claims %q, %v, %v", s.AccessKeyID, s.Scope, s.Time)
	}
	if got := strings.Join(s.SignedHeaders, ";"); !strings.Contains(authorization, "SignedHeaders="+got+",") {
		t.Errorf("SignedHeaders %s in %s", got, authorization)
	}
	if got := hex.EncodeToString(secret.Expose(s.Signature)); !strings.HasSuffix(authorization, "Signature="+got) {
		t.Errorf("signature %s of %s", got, authorization)
	}
	if !s.SecurityToken.Equal(secret.New([]byte(token))) {
		t.Error("the session token is another")
	}
}

// change returns m with the value of a field replaced.
func (m message) change(t testing.TB, name, value string) message {
	_, i := m.value(t, name)
	return m.with(i, field{m.fields[i].name, value})
}

// TestRefusals: each rule refuses with its own kind of error, and no error shows a value that was
// sent.
func TestRefusals(t *testing.T) {
	m := decrypt(t)
	authorization, at := m.value(t, "Authorization")
	claim := func(old, with string) message {
		return m.change(t, "Authorization", strings.Replace(authorization, old, with, 1))
	}
	method := func(method string) message {
		m := m
		m.method = method
		return m
	}
	long := strings.Repeat("a", 9000)
	credential := "Credential=" + published.id + "/20261123/eu-central-1/kms/aws4_request, "
	many := m
	for i := range sigv4.MaxFields {
		many = many.add(fmt.Sprintf("Accept-%d", i), "CANARY")
	}
	for name, c := range map[string]struct {
		m    message
		want error
	}{
		"unsigned":                   {m.with(at), sigv4.ErrMissing},
		"bearer token":               {m.with(at, field{"Authorization", "Bearer CANARY"}), sigv4.ErrMissing},
		"no parameters":              {m.with(at, field{"Authorization", "AWS4-HMAC-SHA256 "}), sigv4.ErrIncomplete},
		"other algorithm":            {claim("HMAC-SHA256", "ECDSA-P256-SHA256"), sigv4.ErrIncomplete},
		"no Credential":              {claim(credential, ""), sigv4.ErrIncomplete},
		"no SignedHeaders":           {claim("SignedHeaders=", "Signature="), sigv4.ErrIncomplete},
		"no Signature":               {claim("Signature=", "SignedHeaders="), sigv4.ErrIncomplete},
		"Credential twice":           {claim(credential, credential+credential), sigv4.ErrIncomplete},
		"unknown parameter":          {claim(credential, credential+"Canary=CANARY, "), sigv4.ErrIncomplete},
		"too long":                   {claim(credential, credential+long), sigv4.ErrIncomplete},
		"access key id too long":     {claim(published.id, strings.Repeat("A", sigv4.MaxAccessKeyID+1)), sigv4.ErrIncomplete},
		"access key id":              {claim(published.id, "CANARY+"), sigv4.ErrIncomplete},
		"no access key id":           {claim(published.id, ""), sigv4.ErrIncomplete},
		"date":                       {claim("20261123", "2026112x"), sigv4.ErrIncomplete},
		"region":                     {claim("eu-central-1", "CANARY"), sigv4.ErrIncomplete},
		"service":                    {claim("/kms/", "//"), sigv4.ErrIncomplete},
		"terminator":                 {claim("aws4_request", "aws5_request"), sigv4.ErrIncomplete},
		"name in capitals":           {claim("x-amz-date", "X-Amz-Date"), sigv4.ErrIncomplete},
		"name twice":                 {claim("x-amz-date", "x-amz-date;x-amz-date"), sigv4.ErrIncomplete},
		"not sorted":                 {claim("SignedHeaders=", "SignedHeaders=x-canary;"), sigv4.ErrIncomplete},
		"too many names":             {claim("SignedHeaders=", "SignedHeaders="+strings.Repeat("a;", sigv4.MaxSignedHeaders)), sigv4.ErrIncomplete},
		"signature in capitals":      {claim(authorization[len(authorization)-64:], strings.Repeat("A", 64)), sigv4.ErrIncomplete},
		"signature too short":        {claim(authorization[len(authorization)-64:], strings.Repeat("a", 63)), sigv4.ErrIncomplete},
		"Authorization twice":        {m.with(at, m.fields[at], m.fields[at]), sigv4.ErrRefused},
		"two spellings":              {m.add("authorization", authorization), sigv4.ErrRefused},
		"time of another form":       {m.change(t, "X-Amz-Date", "2026-11-23T14:00:00Z"), sigv4.ErrIncomplete},
		"time with a fraction":       {m.change(t, "X-Amz-Date", "20261123T140000.5Z"), sigv4.ErrIncomplete},
		"time that is none":          {m.change(t, "X-Amz-Date", "20261123T250000Z"), sigv4.ErrIncomplete},
		"time twice":                 {m.add("x-amz-date", "20261123T140000Z"), sigv4.ErrIncomplete},
		"another day":                {m.change(t, "X-Amz-Date", "20261124T000000Z"), sigv4.ErrScope},
		"host unsigned":              {claim("host;", ""), sigv4.ErrRefused},
		"no host":                    {m.change(t, "Host", ""), sigv4.ErrRefused},
		"host too long":              {m.change(t, "Host", long), sigv4.ErrRefused},
		"two hosts":                  {m.add("host", "CANARY"), sigv4.ErrRefused},
		"time unsigned":              {claim("x-amz-date;", ""), sigv4.ErrRefused},
		"target unsigned":            {claim(";x-amz-target", ""), sigv4.ErrRefused},
		"session token unsigned":     {claim("x-amz-security-token;", ""), sigv4.ErrRefused},
		"content type unsigned":      {claim("content-type;", ""), sigv4.ErrRefused},
		"target twice":               {m.add("X-Amz-Target", "TrentService.Encrypt"), sigv4.ErrRefused},
		"signed header is not there": {claim("SignedHeaders=", "SignedHeaders=accept;"), sigv4.ErrRefused},
		"signed header too long":     {m.change(t, "X-Amz-Target", long), sigv4.ErrRefused},
		"line in a header":           {m.change(t, "X-Amz-Target", "TrentService.Decrypt\nx:CANARY"), sigv4.ErrRefused},
		"tab in a header":            {m.change(t, "X-Amz-Target", "TrentService.\tDecrypt"), sigv4.ErrRefused},
		"too many headers":           {many, sigv4.ErrRefused},
		"trailer":                    {m.add("X-Amz-Trailer", "x-amz-checksum-crc32"), sigv4.ErrRefused},
		"presigned":                  {m.onto("/?X-Amz-Signature=CANARY"), sigv4.ErrRefused},
		"presigned, in small":        {m.onto("/?x%2damz-algorithm=CANARY"), sigv4.ErrRefused},
		"presigned alone":            {m.with(at).onto("/?X-Amz-Credential=CANARY"), sigv4.ErrRefused},
		"method":                     {method("post"), sigv4.ErrRefused},
		"method too long":            {method(strings.ToUpper(long)), sigv4.ErrRefused},
		"absolute target":            {m.onto("https://canary.example/"), sigv4.ErrRefused},
		"no target":                  {m.onto(""), sigv4.ErrRefused},
		"target too long":            {m.onto("/" + long), sigv4.ErrRefused},
		"fragment":                   {m.onto("/#CANARY"), sigv4.ErrRefused},
		"line in the target":         {m.onto("/\nCANARY"), sigv4.ErrRefused},
		"parameter twice":            {m.onto("/?CANARY=1&CANARY=2"), sigv4.ErrRefused},
		"twice but for the case":     {m.onto("/?canary=1&CANARY=1"), sigv4.ErrRefused},
		"twice but for the writing":  {m.onto("/?canary=1&c%61nary=1"), sigv4.ErrRefused},
		"plus in the query":          {m.onto("/?a=CANARY+1"), sigv4.ErrRefused},
		"semicolon in the query":     {m.onto("/?a=1;CANARY=1"), sigv4.ErrRefused},
		"parameter without a name":   {m.onto("/?a=1&&b=CANARY"), sigv4.ErrRefused},
		"not hexadecimal":            {m.onto("/?a=%4x"), sigv4.ErrRefused},
		"percent at the end":         {m.onto("/?a=%4"), sigv4.ErrRefused},
		"too many parameters":        {m.onto("/?a" + strings.Repeat("&CANARY", sigv4.MaxParameters)), sigv4.ErrRefused},
	} {
		err := published.verify(t, c.m)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if err != nil && strings.Contains(strings.ToUpper(err.Error()), "CANARY") {
			t.Errorf("%s: the error shows what was sent: %v", name, err)
		}
	}
	if err := published.verify(t, m); err != nil {
		t.Errorf("unchanged: %v", err)
	}
}

// onto returns the message to another target.
func (m message) onto(target string) message {
	m.target = target
	return m
}

// TestPayload: the digest of the body counts, whatever the client says it is; and it may only say
// what is true.
func TestPayload(t *testing.T) {
	const body = "Action=GetCallerIdentity&Version=2011-06-15"
	sum, zero := sha256.Sum256([]byte(body)), hex.EncodeToString(make([]byte, 32))
	digest := hex.EncodeToString(sum[:])
	for _, c := range []struct {
		header, value string
		signs         string // what is signed for the body
		want          error
	}{
		{"X-Amz-Content-Sha256", digest, digest, nil},
		{"X-Amz-Content-Sha256", zero, zero, sigv4.ErrMismatch},
		{"X-Amz-Content-Sha256", zero, digest, sigv4.ErrMismatch},
		{"X-Amz-Content-Sha256", strings.ToUpper(digest), digest, sigv4.ErrRefused},
		{"X-Amz-Content-Sha256", "", digest, sigv4.ErrRefused},
		{"X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD", "UNSIGNED-PAYLOAD", sigv4.ErrRefused},
		{"X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD", digest, sigv4.ErrRefused},
		{"X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", sigv4.ErrRefused},
		{"X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", sigv4.ErrRefused},
		{"X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", sigv4.ErrRefused},
		{"X-Amz-Trailer", "x-amz-checksum-crc32", digest, sigv4.ErrRefused},
		{"X-Amz-Meta-Note", "not signed", "UNSIGNED-PAYLOAD", sigv4.ErrMismatch},
	} {
		r, err := http.NewRequest(http.MethodPost, "https://sts.example/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(c.header, c.value)
		who := aws.Credentials{AccessKeyID: published.id, SecretAccessKey: published.secret}
		if err := v4.NewSigner().SignHTTP(t.Context(), who, r, c.signs, "sts", "us-east-1", signedAt); err != nil {
			t.Fatal(err)
		}
		if err := published.verify(t, sent(r, body)); !errors.Is(err, c.want) {
			t.Errorf("%s: %q, with %q signed: %v, want %v", c.header, c.value, c.signs, err, c.want)
		}
	}
}

// TestTime: five minutes in both directions, and not one nanosecond more.
func TestTime(t *testing.T) {
	m := decrypt(t)
	s, err := sigv4.Parse(m.request())
	if err != nil {
		t.Fatal(err)
	}
	key := derive(t, published.secret, s.Scope)
	for _, c := range []struct {
		now  time.Time
		want error
	}{
		{signedAt, nil},
		{signedAt.Add(sigv4.Skew), nil},
		{signedAt.Add(-sigv4.Skew), nil},
		{signedAt.Add(sigv4.Skew + 1), sigv4.ErrExpired},
		{signedAt.Add(-sigv4.Skew - 1), sigv4.ErrEarly},
		{time.Time{}, sigv4.ErrEarly},
		{signedAt.AddDate(2000, 0, 0), sigv4.ErrExpired},
		{signedAt.In(time.FixedZone("", 7200)), nil},
	} {
		if err := s.Verify(key, []byte(m.body), c.now); !errors.Is(err, c.want) {
			t.Errorf("at %v: %v, want %v", c.now, err, c.want)
		}
	}
}

// noKey is signed with a signing key of no bytes, as anybody can: AWS's case get-vanilla otherwise.
var noKey = message{method: "GET", target: "/", fields: []field{
	{"Host", "example.amazonaws.com"},
	{"X-Amz-Date", "20150830T123600Z"},
	{"Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, " +
		"SignedHeaders=host;x-amz-date, Signature=8d9f3e75dfac2a7bbc75da77a5501e8fad3e72e69aa397c291af1aa7ad71711a"},
}}

// TestKeys: a key verifies in its own scope and until it is destroyed.
func TestKeys(t *testing.T) {
	m := decrypt(t)
	s, err := sigv4.Parse(m.request())
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []sigv4.Scope{
		{Date: "20261124", Region: "eu-central-1", Service: "kms"},
		{Date: "20261123", Region: "eu-central-2", Service: "kms"},
		{Date: "20261123", Region: "eu-central-1", Service: "secretsmanager"},
		{},
	} {
		if err := s.Verify(derive(t, published.secret, scope), []byte(m.body), signedAt); !errors.Is(err, sigv4.ErrScope) {
			t.Errorf("with a key for %v: %v, want %v", scope, err, sigv4.ErrScope)
		}
	}
	key := derive(t, published.secret, s.Scope)
	if err := s.Verify(key, []byte(m.body), signedAt); err != nil {
		t.Error(err)
	}
	if err := s.Verify(derive(t, stranger, s.Scope), []byte(m.body), signedAt); !errors.Is(err, sigv4.ErrMismatch) {
		t.Errorf("with another's key: %v, want %v", err, sigv4.ErrMismatch)
	}
	key.Destroy()
	if err := s.Verify(key, []byte(m.body), signedAt); !errors.Is(err, sigv4.ErrMismatch) {
		t.Errorf("with a destroyed key: %v, want %v", err, sigv4.ErrMismatch)
	}
	if s, err = sigv4.Parse(noKey.request()); err != nil {
		t.Fatal(err)
	}
	key = derive(t, published.secret, s.Scope)
	key.Destroy()
	if err := s.Verify(key, nil, s.Time); !errors.Is(err, sigv4.ErrMismatch) {
		t.Errorf("signed with no key, with a destroyed key: %v, want %v", err, sigv4.ErrMismatch)
	}
	if err := (sigv4.Signed{}).Verify(sigv4.Key{}, nil, time.Time{}); !errors.Is(err, sigv4.ErrMismatch) {
		t.Errorf("nothing, with no key: %v, want %v", err, sigv4.ErrMismatch)
	}
	if err := (sigv4.Signed{}).Verify(derive(t, stranger, sigv4.Scope{}), nil, time.Time{}); !errors.Is(err, sigv4.ErrMismatch) {
		t.Errorf("nothing: %v, want %v", err, sigv4.ErrMismatch)
	}
	for _, n := range []int{0, sigv4.MinSecret - 1, sigv4.MaxSecret + 1} {
		if _, err := sigv4.Derive(secret.New(make([]byte, n)), s.Scope); !errors.Is(err, sigv4.ErrSecret) {
			t.Errorf("a secret of %d bytes: %v, want %v", n, err, sigv4.ErrSecret)
		}
	}
}

// TestNothingShown: neither claims nor keys show what is secret in them, however they are printed.
func TestNothingShown(t *testing.T) {
	s, err := sigv4.Parse(decrypt(t).request())
	if err != nil {
		t.Fatal(err)
	}
	key := derive(t, published.secret, s.Scope)
	hidden := struct{ s, k any }{s, key}
	for _, v := range []any{s, &s, key, &key, hidden} {
		var out strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
		signature := secret.Expose(s.Signature)
		for _, shown := range []string{
			token, hex.EncodeToString([]byte(token)), hex.EncodeToString(signature), strings.Trim(fmt.Sprint(signature), "[]"),
		} {
			if strings.Contains(out.String(), shown) {
				t.Errorf("%T shows %s", v, shown)
			}
		}
	}
}
