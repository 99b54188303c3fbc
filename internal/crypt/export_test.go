package crypt

import (
	"bytes"

	"github.com/haven-health/haven/internal/secret"
)

// What tests from outside compare with vectors and with the standard library.

// NewAEAD is the cipher of a message key.
var NewAEAD = newAEAD

// SetApproved makes a key derive as in FIPS 140-3 mode, or as outside it.
func (k *Key) SetApproved(approved bool) { k.approved = approved }

// Expand is the pooled HKDF-Expand.
func Expand(key secret.Bytes, info []byte) []byte {
	h := newKeyedHMAC(key)
	s := h.get()
	defer h.put(s)
	s.expand(info)
	return bytes.Clone(s.okm[:])
}

// SumOne is the HMAC of a message as it is.
func SumOne(key secret.Bytes, message []byte) []byte {
	h := newKeyedHMAC(key)
	s := h.get()
	defer h.put(s)
	s.mac.Reset()
	s.mac.Write(message)
	return s.mac.Sum(nil)
}

// LeastPasswordKDF is what NewPasswordKDF chooses in FIPS 140-3 mode, or outside it.
var LeastPasswordKDF = leastPasswordKDF

// CheckIn is Check in FIPS 140-3 mode, or outside it.
func (p PasswordKDF) CheckIn(approved bool) error { return p.check(approved) }
