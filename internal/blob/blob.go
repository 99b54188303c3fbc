// Package blob is the formats of what Haven encrypts: where each byte stands, and nothing else.
// It holds no keys and computes nothing; package crypt does.
//
// It guarantees one encoding: what parses is, encoded again, the same bytes, and what does not is
// refused with [ErrMalformed]. No format is guessed: each begins with two bytes that say what it
// is and one that says in which version. A version once released is read for ever.
//
// A message (what encrypt returns) and wrapped key material have the same layout and different
// magics, so that neither is taken for the other:
//
//	offset  bytes  field
//	     0      2  magic: "HC" a message, "HW" wrapped key material
//	     2      1  format: 1
//	     3      1  suite: 1 = HKDF-SHA-256 (Expand), AES-256-GCM, 32-byte key commitment
//	     4     16  id of the key that encrypted; of wrapped material: of the wrapping key,
//	               all zero for the root key
//	    20      4  its version, big-endian, from 1; of the root key: its generation
//	    24     32  salt
//	    56     32  commitment to key, header and context
//	    88     12  nonce
//	   100      n  ciphertext, as long as the plaintext
//	 100+n     16  tag
//
// An example, the empty message under key 000102…0f, version 3:
//
//	4843 01 01 000102030405060708090a0b0c0d0e0f 00000003 <salt> <commitment> <nonce> <tag>
//
// Package crypt says how the fields are computed; testdata is a conformance kit for other
// implementations: known answers, and what has to be refused.
package blob

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Form tells what a blob is; its value is the blob's magic.
type Form uint16

// The forms.
const (
	Message Form = 0x4843 // "HC"
	Wrapped Form = 0x4857 // "HW"
)

// Version and suite that this package writes and reads.
const (
	Format = 1
	Suite  = 1
)

// Lengths in bytes.
const (
	PrefixLen     = 24                                  // magic to version
	SaltLen       = 32                                  //
	CommitmentLen = 32                                  //
	HeaderLen     = PrefixLen + SaltLen + CommitmentLen // all before the nonce: the additional data
	NonceLen      = 12                                  //
	TagLen        = 16                                  //
	Overhead      = HeaderLen + NonceLen + TagLen       // 116: what a blob has over its plaintext
)

// Limits of what is inside a blob, in bytes. Both bound memory, not security: the suite has a key
// of its own for every blob.
const (
	MaxMessage  = 64 << 20
	MaxMaterial = 64 << 10 // the longest stored key of AWS Secrets Manager
)

// ErrMalformed says that bytes are not of the format asked for. Errors that wrap it name the field
// and never its value.
var ErrMalformed = errors.New("blob: malformed")

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }

// MaxContent returns the longest plaintext of a form.
func (f Form) MaxContent() int {
	if f == Wrapped {
		return MaxMaterial
	}
	return MaxMessage
}

// Header is the fields before the nonce.
type Header struct {
	KeyID      [16]byte
	Version    uint32
	Salt       [SaltLen]byte
	Commitment [CommitmentLen]byte
}

// AppendPrefix appends the first [PrefixLen] bytes, which name the key.
func (h *Header) AppendPrefix(dst []byte, form Form) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(form))
	dst = append(dst, Format, Suite)
	dst = append(dst, h.KeyID[:]...)
	return binary.BigEndian.AppendUint32(dst, h.Version)
}

// Append appends the [HeaderLen] bytes of the header. A blob is complete with nonce, ciphertext
// and tag after it.
func (h *Header) Append(dst []byte, form Form) []byte {
	dst = h.AppendPrefix(dst, form)
	dst = append(dst, h.Salt[:]...)
	return append(dst, h.Commitment[:]...)
}

// Parse reads the header of a blob and returns the rest, nonce ‖ ciphertext ‖ tag, as part of b.
// All but the content of salt, commitment and the rest is checked: b is what Append and the rest
// give, or the error is [ErrMalformed].
func Parse(form Form, b []byte) (h Header, sealed []byte, err error) {
	switch {
	case len(b) < Overhead:
		return h, nil, malformed("too short")
	case len(b) > Overhead+form.MaxContent():
		return h, nil, malformed("too long")
	case Form(binary.BigEndian.Uint16(b)) != form:
		return h, nil, malformed("magic")
	case b[2] != Format:
		return h, nil, malformed("format")
	case b[3] != Suite:
		return h, nil, malformed("suite")
	}
	h.Version = binary.BigEndian.Uint32(b[20:])
	if h.Version == 0 {
		return Header{}, nil, malformed("version")
	}
	copy(h.KeyID[:], b[4:])
	copy(h.Salt[:], b[PrefixLen:])
	copy(h.Commitment[:], b[PrefixLen+SaltLen:])
	return h, b[HeaderLen:], nil
}
