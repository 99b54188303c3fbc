package sigv4_test

import (
	"testing"

	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/internal/sigv4"
)

func BenchmarkParse(b *testing.B) {
	r := decrypt(b).request()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sigv4.Parse(r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerify has the signing key at hand, as a server does that keeps it.
func BenchmarkVerify(b *testing.B) {
	m := decrypt(b)
	s, err := sigv4.Parse(m.request())
	if err != nil {
		b.Fatal(err)
	}
	key, body := derive(b, published.secret, s.Scope), []byte(m.body)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Verify(key, body, signedAt); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDerive(b *testing.B) {
	access := secret.New([]byte(published.secret))
	scope := sigv4.Scope{Date: "20261123", Region: "eu-central-1", Service: "kms"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sigv4.Derive(access, scope); err != nil {
			b.Fatal(err)
		}
	}
}
