package crypt

import (
	"bytes"
	"crypto/ecdsa"

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

// HashSize is the length of a digest that an algorithm signs.
func HashSize(a Algorithm) int {
	row, err := matrix.Algorithm(a)
	if err != nil || row.hash == 0 {
		return 0
	}
	return row.hash.Size()
}

// AllowedHere tells whether this process may do what has the approval; AllowedIn, whether another.
func (a Approval) AllowedHere() bool                       { return a.allowed() }
func (a Approval) AllowedIn(only bool, module string) bool { return a.allowedIn(only, module) }

// UnwrapPadded and WrapPadded are RFC 5649.
var (
	UnwrapPadded = unwrapPadded
	WrapPadded   = wrapPadded
)

// ECEncodings are the encodings of a key that import takes, the stored one first.
func ECEncodings(s Spec, material []byte) (out [][]byte) {
	row, _ := matrix.Row(s)
	f := row.family.(ecFamily)
	k, _, _ := f.parse(material)
	for _, c := range [][2]bool{{false, true}, {false, false}, {true, true}, {true, false}} {
		out = append(out, f.pkcs8((*ecdsa.PrivateKey)(k.(*ecPrivate)), c[0], c[1]))
	}
	return out
}

// ImportMaterial is what becomes of material once unwrapped.
func ImportMaterial(s Spec, b []byte) (secret.Bytes, error) {
	row, err := matrix.Row(s)
	if err != nil {
		return secret.Bytes{}, err
	}
	return row.importMaterial(b)
}
