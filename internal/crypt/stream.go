package crypt

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/secret"
)

// An envelope is a message of any length in chunks that are sealed one by one, so that neither
// side needs more memory than for two of them: the STREAM construction (Hoang, Reyhanitabar,
// Rogaway, Vizár, "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", CRYPTO
// 2015). For a data key K of 32 uniformly random bytes,
//
//	okm = HKDF-Expand(SHA-256, K, "haven/envelope/v1" ‖ 0x00 ‖ SHA-256(header up to the salt) ‖ SHA-256(context), 64)
//
// okm[:32] is the key of the envelope's chunks, okm[32:] the commitment. The salt makes both the
// envelope's own: one data key serves many, and no chunk of one is a chunk of another. All of the
// header goes into them, so that chunks under an altered header do not open.
//
// A chunk is AES-256-GCM with a random nonce and, as additional data, its place: u64 number from 0
// ‖ 1 if it is the last, else 0. STREAM has that in the nonce; but nonces that a caller counts are
// what FIPS 140-3 mode refuses. As additional data the place is authenticated as well, for 12 bytes
// a chunk.
const labelEnvelope = "haven/envelope/v1\x00"

// ChunkOverhead is what a sealed chunk has over its plaintext, in bytes.
const ChunkOverhead = blob.NonceLen + blob.TagLen

// maxChunks bounds the random nonces under one key (NIST SP 800-38D, 8.3): 256 TiB in chunks of
// 64 KiB.
const maxChunks = 1 << 32

// ErrClosed says that an envelope is complete already.
var ErrClosed = errors.New("crypt: the envelope is complete")

// chunks seals or opens the chunks of one envelope, in their order.
type chunks struct {
	aead  cipher.AEAD
	size  int // of the plaintext of all but the last
	next  uint64
	place [9]byte // here, because what an interface is given would be allocated for each chunk
}

// newChunks derives the key of an envelope and the commitment that its header should have.
func newChunks(key secret.Bytes, context blob.Context, h *blob.Envelope) (*chunks, []byte, error) {
	if key.Len() != KeySize {
		return nil, nil, ErrKey
	}
	prefix, err := h.AppendPrefix(nil)
	if err != nil {
		return nil, nil, err
	}
	header, digest := sha256.Sum256(prefix), sha256.Sum256(context.Encoded())
	info := labelEnvelope + string(header[:]) + string(digest[:])
	okm, err := hkdf.Expand(sha256.New, secret.Expose(key), info, KeySize+blob.CommitmentLen)
	if err != nil {
		return nil, nil, err
	}
	defer clear(okm[:KeySize])
	aead, err := newAEAD(okm[:KeySize])
	if err != nil {
		return nil, nil, err
	}
	return &chunks{aead: aead, size: h.ChunkLen()}, okm[KeySize:], nil
}

// startSealing makes a new envelope's salt, commitment and header.
func startSealing(key secret.Bytes, context blob.Context, h *blob.Envelope, random io.Reader) (*chunks, []byte, error) {
	if _, err := io.ReadFull(random, h.Salt[:]); err != nil {
		return nil, nil, fmt.Errorf("crypt: randomness: %w", err)
	}
	c, commitment, err := newChunks(key, context, h)
	if err != nil {
		return nil, nil, fmt.Errorf("crypt: encrypting: %w", err)
	}
	copy(h.Commitment[:], commitment)
	header, err := h.Append(nil)
	return c, header, err
}

// startOpening compares the commitment before any chunk is looked at: GCM alone opens one
// ciphertext under two keys, if its maker wished so.
func startOpening(key secret.Bytes, context blob.Context, h *blob.Envelope) (*chunks, error) {
	c, commitment, err := newChunks(key, context, h)
	if err != nil || subtle.ConstantTimeCompare(commitment, h.Commitment[:]) != 1 {
		return nil, ErrDecrypt
	}
	return c, nil
}

// at returns the additional data of the next chunk.
func (c *chunks) at(last bool) []byte {
	binary.BigEndian.PutUint64(c.place[:], c.next)
	c.place[8] = 0
	if last {
		c.place[8] = 1
	}
	return c.place[:]
}

// seal appends the next chunk to dst. It returns [ErrSize] when there are too many.
func (c *chunks) seal(dst, plaintext []byte, last bool) ([]byte, error) {
	if c.next == maxChunks {
		return nil, ErrSize
	}
	dst = c.aead.Seal(dst, nil, plaintext, c.at(last))
	c.next++
	return dst, nil
}

// open appends the plaintext of the next chunk to dst. It returns [ErrDecrypt] also for an empty
// one after others: with it a message would have two encodings.
func (c *chunks) open(dst, sealed []byte, last bool) ([]byte, error) {
	if len(sealed) < ChunkOverhead || c.next == maxChunks || c.next > 0 && len(sealed) == ChunkOverhead {
		return nil, ErrDecrypt
	}
	dst, err := c.aead.Open(dst, nil, sealed, c.at(last))
	if err != nil {
		return nil, ErrDecrypt
	}
	c.next++
	return dst, nil
}

// SealEnvelope makes a whole envelope at once. Of h the chunk length and the encrypted data key
// are used, key is that data key. Salts come from random, which need not be secret but must not
// repeat. It returns [ErrKey], the error of a header outside its limits, or random's.
func SealEnvelope(key secret.Bytes, context blob.Context, h blob.Envelope, random io.Reader, plaintext []byte) ([]byte, error) {
	c, header, err := startSealing(key, context, &h, random)
	if err != nil {
		return nil, err
	}
	count := max(1, (len(plaintext)+c.size-1)/c.size)
	out := append(make([]byte, 0, len(header)+len(plaintext)+count*ChunkOverhead), header...)
	for rest, last := plaintext, false; !last; {
		n := min(len(rest), c.size)
		last = n == len(rest)
		if out, err = c.seal(out, rest[:n], last); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	return out, nil
}

// OpenEnvelope opens the chunks of a whole envelope, which stand after its header h. It returns
// [ErrDecrypt], and no plaintext then.
func OpenEnvelope(key secret.Bytes, context blob.Context, h blob.Envelope, sealed []byte) ([]byte, error) {
	c, err := startOpening(key, context, &h)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(sealed))
	for rest, last := sealed, false; !last; {
		n := min(len(rest), c.size+ChunkOverhead)
		last = n == len(rest)
		opened, err := c.open(out, rest[:n], last)
		if err != nil {
			clear(out)
			return nil, err
		}
		out, rest = opened, rest[n:]
	}
	return out, nil
}
