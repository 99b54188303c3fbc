package crypt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"sync"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/secret"
)

// Key is one version of a symmetric key, ready for use. It knows its id and version and puts them
// into everything it makes, so that no caller can label a ciphertext wrongly.
//
// Methods may be called from several goroutines, Destroy too.
type Key struct {
	id       [16]byte
	version  uint32
	random   io.Reader
	approved bool // FIPS 140-3 mode: derive by the module's own HKDF

	mu       sync.RWMutex // held for writing by Destroy: nobody derives from half-zeroed material
	material secret.Bytes // empty once destroyed
	hmac     *keyedHMAC
}

// NewKey makes a key of material and takes it over: [Key.Destroy] zeroes it. Material must be
// [KeySize] uniformly random bytes: a password, or the output of a key agreement, is not a key.
// Version begins at 1. Salts come from random, which must be cryptographically secure and safe for
// concurrent use (crypto/rand.Reader). It returns [ErrKey].
func NewKey(id [16]byte, version uint32, material secret.Bytes, random io.Reader) (*Key, error) {
	if material.Len() != KeySize || version == 0 {
		return nil, ErrKey
	}
	return &Key{
		id: id, version: version, random: random, approved: fips140.Enabled(),
		material: material, hmac: newKeyedHMAC(material),
	}, nil
}

// Encrypt encrypts a message for a context. The result is [blob.Overhead] bytes longer and names
// the key. It returns [ErrSize], [ErrDestroyed], or the error of the source of randomness.
func (k *Key) Encrypt(context blob.Context, plaintext []byte) ([]byte, error) {
	return k.seal(blob.Message, sha256.Sum256(context.Encoded()), plaintext)
}

// Decrypt decrypts a message that this key encrypted for the same context. The plaintext is the
// caller's to zero. It returns [ErrDecrypt] or [ErrDestroyed].
func (k *Key) Decrypt(context blob.Context, message []byte) ([]byte, error) {
	return k.open(blob.Message, sha256.Sum256(context.Encoded()), message)
}

// Destroy waits for the calls in progress and zeroes the material. Later calls return
// [ErrDestroyed]. Copies that the standard library made are left to the garbage collector.
func (k *Key) Destroy() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.material.Destroy()
	k.hmac = nil
}

func (k *Key) seal(form blob.Form, context [sha256.Size]byte, plaintext []byte) ([]byte, error) {
	if len(plaintext) > form.MaxContent() {
		return nil, ErrSize
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.hmac == nil {
		return nil, ErrDestroyed
	}
	s := k.hmac.get()
	defer k.hmac.put(s)

	h := blob.Header{KeyID: k.id, Version: k.version}
	out := make([]byte, 0, blob.Overhead+len(plaintext))
	out = h.AppendPrefix(out, form)[:blob.PrefixLen+blob.SaltLen]
	_, err := io.ReadFull(k.random, out[blob.PrefixLen:])
	var aead cipher.AEAD
	if err == nil {
		aead, err = k.derive(s, form, out, context)
	}
	if err != nil {
		return nil, fmt.Errorf("crypt: encrypting: %w", err)
	}
	out = append(out, s.commitment()...)
	return aead.Seal(out, nil, plaintext, out), nil
}

func (k *Key) open(form blob.Form, context [sha256.Size]byte, b []byte) ([]byte, error) {
	h, sealed, err := blob.Parse(form, b)
	if err != nil || h.KeyID != k.id || h.Version != k.version {
		return nil, ErrDecrypt
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.hmac == nil {
		return nil, ErrDestroyed
	}
	s := k.hmac.get()
	defer k.hmac.put(s)

	// The commitment comes first. GCM alone opens one ciphertext under two keys if its maker
	// wished so (Dodis et al., "Fast Message Franking", CRYPTO 2018); SHA-256 does not.
	aead, err := k.derive(s, form, b[:blob.PrefixLen+blob.SaltLen], context)
	if err != nil || subtle.ConstantTimeCompare(s.commitment(), h.Commitment[:]) != 1 {
		return nil, ErrDecrypt
	}
	plaintext := make([]byte, 0, len(sealed)-blob.NonceLen-blob.TagLen)
	if plaintext, err = aead.Open(plaintext, nil, sealed, b[:blob.HeaderLen]); err != nil {
		return nil, ErrDecrypt
	}
	return plaintext, nil
}

// labels keep apart what one key does. Each ends in a zero byte that none has inside: no label is
// the beginning of another.
const (
	labelMessage = "haven/enc/v1\x00"
	labelWrapped = "haven/wrap/v1\x00"
)

// derive computes message key and commitment into s for a header's prefix and salt, and returns
// the cipher under the message key. All of header and context go into the derivation; GCM
// authenticates the header again as additional data, which costs nothing and needs no argument.
func (k *Key) derive(s *hmacState, form blob.Form, prefixSalt []byte, context [sha256.Size]byte) (cipher.AEAD, error) {
	label := labelMessage
	if form == blob.Wrapped {
		label = labelWrapped
	}
	info := append(s.info[:0], label...)
	info = append(info, prefixSalt...)
	info = append(info, context[:]...)
	var aead cipher.AEAD
	err := k.expand(s, info)
	if err == nil {
		aead, err = newAEAD(s.messageKey())
	}
	return aead, err
}

// expand is HKDF-Expand into s.okm. In FIPS 140-3 mode the module's own function does it, because
// only that is the approved service; the bytes are the same.
func (k *Key) expand(s *hmacState, info []byte) error {
	if !k.approved {
		s.expand(info)
		return nil
	}
	okm, err := hkdf.Expand(sha256.New, secret.Expose(k.material), string(info), len(s.okm))
	copy(s.okm[:], okm)
	clear(okm)
	return err
}

// newAEAD is AES-256-GCM whose nonce the standard library makes and puts before the ciphertext:
// the only GCM that FIPS 140-3 mode allows, and one parameter less to get wrong. Two messages share
// a message key only if their salts are equal; the random nonce makes even that harmless.
func newAEAD(messageKey []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(messageKey)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
