package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"time"

	"github.com/haven-health/haven/internal/secret"
)

// ErrSecret says that a secret access key is shorter than [MinSecret] or longer than [MaxSecret].
var ErrSecret = errors.New("sigv4: secret access key of a length that none has")

// A Key is a signing key: derived from a secret access key for one [Scope], and of no use in another.
// It may be kept, for as long as the secret is valid, and used by several goroutines.
type Key struct {
	scope Scope
	key   secret.Bytes
}

// Derive makes the signing key of a secret access key. The caller gives the day of [Signed.Scope],
// and its own region and service: or it has compared them. It returns [ErrSecret] and no other error.
func Derive(access secret.Bytes, scope Scope) (Key, error) {
	if access.Len() < MinSecret || access.Len() > MaxSecret {
		return Key{}, ErrSecret
	}
	k := append([]byte("AWS4"), secret.Expose(access)...)
	for _, part := range [...]string{scope.Date, scope.Region, scope.Service, terminator} {
		next := sum(k, []byte(part))
		clear(k)
		k = next
	}
	return Key{scope, secret.New(k)}, nil
}

// Destroy zeroes the key, and every copy of it: nothing verifies with it any more. The owner calls it
// after the last use.
func (k Key) Destroy() { k.key.Destroy() }

func sum(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

// Verify returns nil if the holder of the key signed this request with this body, not more than
// [Skew] from now. Otherwise it returns [ErrExpired], [ErrEarly], [ErrScope] or [ErrMismatch], in
// that order: the first three say what the client can see for itself and do not depend on the
// secret.
func (s Signed) Verify(key Key, body []byte, now time.Time) error {
	switch {
	case now.Sub(s.Time) > Skew:
		return ErrExpired
	case s.Time.Sub(now) > Skew:
		return ErrEarly
	case key.scope != s.Scope:
		return ErrScope
	case key.key.Len() != sha256.Size:
		return ErrMismatch // a key that was destroyed
	}
	digest := sha256.Sum256(body)
	payload := hex.AppendEncode(nil, digest[:])
	if s.payload != "" && s.payload != string(payload) {
		return broken(ErrMismatch, "X-Amz-Content-Sha256 is not the SHA-256 of the body")
	}
	matches := 0
	for _, form := range s.forms {
		matches |= subtle.ConstantTimeCompare(s.signature(key, secret.Expose(form), payload), secret.Expose(s.Signature))
	}
	if matches != 1 {
		return ErrMismatch
	}
	return nil
}

// signature returns what the key signs a canonical request with.
func (s *Signed) signature(key Key, form, payload []byte) []byte {
	h := sha256.New()
	h.Write(form)
	h.Write(payload)
	b := make([]byte, 0, 256)
	b = append(b, algorithm+"\n"...)
	b = s.Time.AppendFormat(b, timeForm)
	b = append(b, '\n')
	for _, part := range [...]string{s.Scope.Date, s.Scope.Region, s.Scope.Service} {
		b = append(b, part...)
		b = append(b, '/')
	}
	b = append(b, terminator+"\n"...)
	b = hex.AppendEncode(b, h.Sum(nil))
	return sum(secret.Expose(key.key), b)
}
