// Package crypt is the only package of Haven that imports ciphers. It encrypts messages, wraps key
// material, computes MACs and derives keys from passwords, each in one way; and it does with the
// keys of customers what [Table] says that keys of their spec do.
//
// It guarantees:
//
//   - A message or wrapped key opens only under the key, key id, version and context (for wrapped
//     keys: binding) it was made for, and under no second one: the format commits to all of them.
//   - Decrypting says [ErrDecrypt] whatever was wrong, malformed input included, and nothing else
//     about it.
//   - Callers choose no nonce and no salt, and an algorithm only among those of the key. Every
//     message has a key of its own, so that the number of messages under one key has no limit
//     worth counting.
//   - With Go's FIPS 140-3 module in force (GODEBUG=fips140=on or only) everything here uses
//     approved functions; what cannot answers [ErrUnsupported], and nothing panics.
//   - What a spec, a usage and an algorithm may be together is one table, which is executed.
//     Material and public keys have one encoding each: what parses encodes to the same bytes.
//   - Verifying says [ErrSignature] whatever was wrong, and reading material [ErrMaterial].
//
// It never stores, logs or prints a key, knows no policies and no key states, and makes no
// decision about who may use what: package gate does.
//
// # Encryption format v1
//
// Package blob says where each byte stands. For a key K of 32 uniformly random bytes and a random
// 32-byte salt,
//
//	okm = HKDF-Expand(SHA-256, K, label ‖ 0x00 ‖ prefix ‖ salt ‖ SHA-256(context), 64)
//
// where prefix is the header's first 24 bytes, context is the encoded encryption context and label
// is "haven/enc/v1"; for wrapped keys context is the encoded binding and label "haven/wrap/v1".
// okm[:32] is the message key of AES-256-GCM with a random nonce, okm[32:] the commitment; the
// header's 88 bytes are the additional data. There is no Extract step (RFC 5869, 3.3) because K is
// uniformly random; nothing else may be made a key: see [NewKey].
//
// Compatibility: what any release encrypted, every later release decrypts.
package crypt

import (
	"errors"
	"io"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/secret"
)

// Errors of this package.
var (
	// ErrDecrypt is the one error of everything that decrypts: wrong key, context or binding,
	// altered, cut or malformed input. Telling them apart would help an attacker only.
	ErrDecrypt = errors.New("crypt: cannot be decrypted")
	// ErrDestroyed says that the key was destroyed before the call. The caller may load it again.
	ErrDestroyed = errors.New("crypt: key was destroyed")
	// ErrKey says that bytes cannot be a key: not [KeySize] long, or of version 0.
	ErrKey = errors.New("crypt: not a usable key")
	// ErrSize says that there is more to encrypt or sign than the format or algorithm takes, that a
	// digest is not as long as the hash, or that there is nothing to wrap.
	ErrSize = errors.New("crypt: length not allowed")
	// ErrSpec says that there is no such spec, or that its keys do not do what was asked.
	ErrSpec = errors.New("crypt: no such key spec, or not for this usage")
	// ErrAlgorithm says that the key does not have the algorithm, or the algorithm not the message
	// type.
	ErrAlgorithm = errors.New("crypt: algorithm or message type is not one of the key's")
	// ErrSignature is the one error of everything that verifies a signature or a MAC.
	ErrSignature = errors.New("crypt: signature is not valid")
	// ErrMaterial says that bytes are not material of the spec, whatever is wrong with them or with
	// how they are wrapped for import.
	ErrMaterial = errors.New("crypt: not usable key material")
	// ErrPublicKey says that bytes are not a public key of the spec.
	ErrPublicKey = errors.New("crypt: not a usable public key")
	// ErrEncoding says that no standard has the encoding for keys of the spec.
	ErrEncoding = errors.New("crypt: no such encoding for keys of this spec")
	// ErrParameters says that the parameters of a password KDF are unknown or out of bounds.
	ErrParameters = errors.New("crypt: password parameters not allowed")
	// ErrUnsupported says that FIPS 140-3 mode is on and does not approve of what was asked.
	ErrUnsupported = errors.New("crypt: not available in FIPS 140-3 mode")
)

// KeySize is the length of every symmetric key, in bytes.
const KeySize = 32

// GenerateKey returns a new symmetric key: [KeySize] bytes from random, which must be
// cryptographically secure. It returns the reader's error.
func GenerateKey(random io.Reader) (secret.Bytes, error) { return secret.Random(random, KeySize) }

// KeyOf tells which key and version a message names, without looking whether it is authentic. It
// returns [ErrDecrypt] when the message is malformed.
func KeyOf(message []byte) (id [16]byte, version uint32, err error) {
	return keyOf(blob.Message, message)
}

// WrappingKeyOf tells which key and version wrapped w; an id of zeros is the root key. It returns
// [ErrDecrypt] when w is malformed.
func WrappingKeyOf(w Wrapped) (id [16]byte, version uint32, err error) {
	return keyOf(blob.Wrapped, w)
}

func keyOf(form blob.Form, b []byte) ([16]byte, uint32, error) {
	h, _, err := blob.Parse(form, b)
	if err != nil {
		return [16]byte{}, 0, ErrDecrypt
	}
	return h.KeyID, h.Version, nil
}
