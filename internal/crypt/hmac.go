package crypt

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"

	"github.com/haven-health/haven/internal/secret"
)

// keyedHMAC is HMAC-SHA-256 under one key. Its states are kept for reuse: to reset one costs two
// copies, to make one costs two compressions and several allocations.
type keyedHMAC struct {
	states sync.Pool // of *hmacState
}

// hmacState is one computation and the memory it needs, kept together so that a call allocates
// nothing for it.
type hmacState struct {
	mac  hash.Hash
	info [128]byte // 102 of wrapped keys is the longest, and one byte of the counter
	okm  [2 * sha256.Size]byte
}

// newKeyedHMAC makes the HMAC under key, which must outlive it.
func newKeyedHMAC(key secret.Bytes) *keyedHMAC {
	k := new(keyedHMAC)
	k.states.New = func() any { return &hmacState{mac: hmac.New(sha256.New, secret.Expose(key))} }
	return k
}

func (k *keyedHMAC) get() *hmacState { return k.states.Get().(*hmacState) }

// put zeroes what was derived and keeps the state.
func (k *keyedHMAC) put(s *hmacState) {
	clear(s.okm[:])
	k.states.Put(s)
}

func (s *hmacState) messageKey() []byte { return s.okm[:sha256.Size] }
func (s *hmacState) commitment() []byte { return s.okm[sha256.Size:] }

// expand is HKDF-Expand (RFC 5869, 2.3) of two blocks: okm = T(1) ‖ T(2), where
// T(1) = HMAC(key, info ‖ 1) and T(2) = HMAC(key, T(1) ‖ info ‖ 2). info is a part of s.info. The
// bytes are those of crypto/hkdf, which would key a new HMAC for each call.
func (s *hmacState) expand(info []byte) {
	s.mac.Reset()
	s.mac.Write(append(info, 1))
	t1 := s.mac.Sum(s.okm[:0])
	s.mac.Reset()
	s.mac.Write(t1)
	s.mac.Write(append(info, 2))
	s.mac.Sum(t1)
}

// MACSize is the length of a MAC, in bytes.
const MACSize = sha256.Size

// MAC computes HMAC-SHA-256 under one key, over several parts: what authenticates the items of a
// store. It may be used from several goroutines. It has no Destroy: drop it to be rid of its key.
type MAC struct {
	hmac *keyedHMAC
}

// NewMAC makes a MAC of a key of [KeySize] bytes, which it copies. It returns [ErrKey].
func NewMAC(key secret.Bytes) (*MAC, error) {
	if key.Len() != KeySize {
		return nil, ErrKey
	}
	return &MAC{newKeyedHMAC(key.Clone())}, nil
}

// Sum returns the MAC of the parts: HMAC-SHA-256 over each part preceded by its length as a
// big-endian uint64, so that no two lists of parts are the same input. The first part should be a
// label that says what is authenticated.
func (m *MAC) Sum(parts ...[]byte) [MACSize]byte {
	s := m.hmac.get()
	defer m.hmac.put(s)
	s.mac.Reset()
	for _, p := range parts {
		s.mac.Write(binary.BigEndian.AppendUint64(s.info[:0], uint64(len(p))))
		s.mac.Write(p)
	}
	return [MACSize]byte(s.mac.Sum(s.okm[:0]))
}

// Verify reports whether mac is the MAC of the parts, in time that does not depend on mac.
func (m *MAC) Verify(mac [MACSize]byte, parts ...[]byte) bool {
	want := m.Sum(parts...)
	return hmac.Equal(mac[:], want[:])
}
