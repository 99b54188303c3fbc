package native

import (
	"crypto/sha256"
	"net/http"
	"net/netip"
	"strings"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/internal/sigv4"
)

// proof takes from a request what it shows of who sends it.
func proof(r *http.Request) gate.Proof {
	p := gate.Proof{UserAgent: r.UserAgent(), Certificate: certificate(r)}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		p.Source = from.Addr().Unmap()
	}
	auth := r.Header["Authorization"]
	switch {
	case len(auth) == 1 && len(auth[0]) > 7 && strings.EqualFold(auth[0][:7], "Bearer "):
		p.Bearer = secret.New([]byte(auth[0][7:]))
	case len(auth) == 1 && strings.HasPrefix(auth[0], "AWS4-"):
		p.Signed = signed(r)
		p.Unreadable = p.Signed == nil
	default:
		p.Unreadable = len(auth) > 0
	}
	return p
}

// signed returns what a signed request claims, its body left out; nil if it cannot be verified, or
// is signed for another service.
func signed(r *http.Request) *gate.Signed {
	claims, err := sigv4.Parse(sigv4.Request{Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header})
	if err != nil || claims.Scope.Service != "haven" && claims.Scope.Service != "kms" {
		return nil
	}
	return &gate.Signed{Claims: claims}
}

// certificate returns the client certificate of a connection, nil without one. TLS 1.3 has its
// holder sign the handshake and lets nobody change it afterwards, so that it is the caller's for as
// long as the connection lasts. Who issued it plays no part.
func certificate(r *http.Request) *gate.Certificate {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil
	}
	leaf := r.TLS.PeerCertificates[0]
	return &gate.Certificate{Fingerprint: sha256.Sum256(leaf.Raw), NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter}
}
