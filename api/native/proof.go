package native

import (
	"crypto/sha256"
	"net/http"
	"net/netip"
	"strings"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/secret"
)

// proof takes from a request what it shows of who sends it.
func proof(r *http.Request) gate.Proof {
	p := gate.Proof{UserAgent: r.UserAgent(), Certificate: certificate(r)}
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		p.Source = from.Addr().Unmap()
	}
	auth := r.Header["Authorization"]
	if len(auth) == 1 && len(auth[0]) > 7 && strings.EqualFold(auth[0][:7], "Bearer ") {
		p.Bearer = secret.New([]byte(auth[0][7:]))
	} else {
		p.Unreadable = len(auth) > 0
	}
	return p
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
