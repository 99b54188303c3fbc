package blob

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// EnvelopeMagic begins every envelope.
const EnvelopeMagic = "HVEN"

// Limits of an envelope's header.
const (
	// MaxEncryptedKey is the longest encrypted data key, in bytes: the longest ciphertext of AWS
	// KMS. Those of Haven's own keys have 148.
	MaxEncryptedKey = 6144
	// MinChunkBits and MaxChunkBits bound the length of chunks, 1 KiB to 4 MiB: whoever opens an
	// envelope needs memory for two.
	MinChunkBits = 10
	MaxChunkBits = 22
	// DefaultChunkBits makes chunks of 64 KiB: 28 bytes are little beside them.
	DefaultChunkBits = 16
)

// envelopeStart is the length of what stands before the encrypted data key.
const envelopeStart = 9

// Envelope is the header of an envelope: a message of any length, encrypted in chunks under a key
// derived from a data key, which comes along encrypted.
//
//	offset  bytes  field
//	     0      4  magic "HVEN"
//	     4      1  format: 1
//	     5      1  suite: 1, as in messages
//	     6      1  binary logarithm of the chunk length in bytes: 10 to 22
//	     7      2  length n of the encrypted data key: 1 to 6,144
//	     9      n  encrypted data key: what generate-data-key returned as its ciphertext
//	   9+n     32  salt
//	  41+n     32  commitment to data key, header and context
//	  73+n      …  chunks, each nonce (12) ‖ ciphertext ‖ tag (16)
//
// All chunks but the last hold exactly the chunk length of plaintext. The last holds 1 byte to the
// chunk length, or none if it is the only one. The encryption context is not stored.
type Envelope struct {
	ChunkBits    uint8
	EncryptedKey []byte
	Salt         [SaltLen]byte
	Commitment   [CommitmentLen]byte
}

// ChunkLen is how many bytes of plaintext every chunk but the last holds.
func (e *Envelope) ChunkLen() int { return 1 << e.ChunkBits }

// AppendPrefix appends all before the commitment: what the commitment is to. It returns
// [ErrMalformed] for lengths outside their limits.
func (e *Envelope) AppendPrefix(dst []byte) ([]byte, error) {
	if err := e.check(len(e.EncryptedKey)); err != nil {
		return nil, err
	}
	dst = append(dst, EnvelopeMagic...)
	dst = append(dst, Format, Suite, e.ChunkBits)
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(e.EncryptedKey)))
	dst = append(dst, e.EncryptedKey...)
	return append(dst, e.Salt[:]...), nil
}

func (e *Envelope) check(encryptedKey int) error {
	switch {
	case e.ChunkBits < MinChunkBits || e.ChunkBits > MaxChunkBits:
		return malformed("chunk length")
	case encryptedKey == 0 || encryptedKey > MaxEncryptedKey:
		return malformed("length of the encrypted data key")
	}
	return nil
}

// Append appends the header. An envelope is complete with its chunks after it.
func (e *Envelope) Append(dst []byte) ([]byte, error) {
	dst, err := e.AppendPrefix(dst)
	if err != nil {
		return nil, err
	}
	return append(dst, e.Commitment[:]...), nil
}

// ReadEnvelope reads a header and not a byte more: r stands at the first chunk then. It returns
// [ErrMalformed], also when r ends within, or r's error. What it returns encodes to the bytes that
// were read.
func ReadEnvelope(r io.Reader) (Envelope, error) {
	var start [envelopeStart]byte
	if err := readHeader(r, start[:]); err != nil {
		return Envelope{}, err
	}
	switch {
	case string(start[:4]) != EnvelopeMagic:
		return Envelope{}, malformed("magic")
	case start[4] != Format:
		return Envelope{}, malformed("format")
	case start[5] != Suite:
		return Envelope{}, malformed("suite")
	}
	e, n := Envelope{ChunkBits: start[6]}, int(binary.BigEndian.Uint16(start[7:]))
	if err := e.check(n); err != nil {
		return Envelope{}, err
	}
	rest := make([]byte, n+SaltLen+CommitmentLen)
	if err := readHeader(r, rest); err != nil {
		return Envelope{}, err
	}
	e.EncryptedKey = rest[:n:n]
	copy(e.Salt[:], rest[n:])
	copy(e.Commitment[:], rest[n+SaltLen:])
	return e, nil
}

func readHeader(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	switch {
	case err == io.EOF, errors.Is(err, io.ErrUnexpectedEOF):
		return malformed("cut short")
	case err != nil:
		return fmt.Errorf("blob: reading a header: %w", err)
	}
	return nil
}
