package client

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/internal/sigv4"
)

// SigningKey is what requests are signed with, by AWS Signature Version 4.
type SigningKey struct {
	ID     string
	Secret Token
	// Region is the server's. Optional: empty means us-east-1.
	Region string
}

// Format implements fmt.Formatter: the secret does not print.
func (k SigningKey) Format(f fmt.State, _ rune) { io.WriteString(f, "access key "+k.ID) }

// service is what Haven's own routes are signed for.
const service = "haven"

// signer signs requests with an access key.
type signer struct {
	id     string
	secret secret.Bytes
	region string
	now    func() time.Time

	mu   sync.Mutex
	date string
	key  sigv4.Key // of the date
}

// signer checks the access key; it returns nil if there is none.
func (cfg Config) signer() (*signer, error) {
	k := cfg.SigningKey
	switch {
	case k.ID == "" && k.Secret == "":
		return nil, nil
	case k.ID == "" || k.Secret == "":
		return nil, errors.New("client: an access key is an id and a secret")
	case cfg.Token != "":
		return nil, errors.New("client: a token and an access key are given: one call is proven by one of them")
	}
	s := &signer{id: k.ID, secret: secret.New([]byte(k.Secret)), region: cmp.Or(k.Region, "us-east-1"), now: cfg.Now}
	if s.now == nil {
		s.now = clock.System().Wall
	}
	_, err := s.today(s.now())
	return s, err
}

// sign signs a request with all headers that it has.
func (s *signer) sign(r *http.Request, body []byte) error {
	at := s.now()
	key, err := s.today(at)
	if err != nil {
		return err
	}
	r.Header.Set(sigv4.TimeHeader, sigv4.FormatTime(at))
	authorization, err := sigv4.Sign(sigv4.Request{Method: r.Method, Target: r.URL.RequestURI(), Host: r.URL.Host, Header: r.Header}, body, s.id, key)
	if err == nil {
		r.Header.Set("Authorization", authorization)
	}
	return err
}

// today returns the signing key of a day, which is made once.
func (s *signer) today(at time.Time) (sigv4.Key, error) {
	date := sigv4.FormatTime(at)[:8]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.date == date {
		return s.key, nil
	}
	key, err := sigv4.Derive(s.secret, sigv4.Scope{Date: date, Region: s.region, Service: service})
	if err == nil {
		s.date, s.key = date, key
	}
	return key, err
}
