package crypt

import (
	"crypto/aes"
	"encoding/binary"
)

// AES key wrap with padding (RFC 5649; KWP of SP 800-38F), which the standard library does not
// have. It is here for material that is imported and for nothing else: what Haven keeps is wrapped
// by [Key.Wrap].

// kwpPrefix begins the initial value of RFC 5649, section 3; the length in bytes follows it.
const kwpPrefix = 0xa65959a6

// wrapPadded wraps at least 1 byte under a key of a length that AES has.
func wrapPadded(kek, plaintext []byte) []byte {
	n := (len(plaintext) + 7) / 8
	b := make([]byte, 8+8*n)
	binary.BigEndian.PutUint32(b, kwpPrefix)
	binary.BigEndian.PutUint32(b[4:], uint32(len(plaintext)))
	copy(b[8:], plaintext)
	block, _ := aes.NewCipher(kek)
	if n == 1 {
		block.Encrypt(b, b)
		return b
	}
	var x [aes.BlockSize]byte
	for t := 1; t <= 6*n; t++ { // RFC 3394, 2.2.1, with one counter for both of its loops
		r := b[8+8*((t-1)%n):][:8]
		copy(x[:], b[:8])
		copy(x[8:], r)
		block.Encrypt(x[:], x[:])
		binary.BigEndian.PutUint64(b, binary.BigEndian.Uint64(x[:])^uint64(t))
		copy(r, x[8:])
	}
	return b
}

// unwrapPadded reverses wrapPadded and refuses whatever is not its output.
func unwrapPadded(kek, wrapped []byte) ([]byte, bool) {
	n := len(wrapped)/8 - 1
	if n < 1 || len(wrapped)%8 != 0 {
		return nil, false
	}
	b := append([]byte(nil), wrapped...)
	block, err := aes.NewCipher(kek)
	if err != nil {
		return nil, false
	}
	if n == 1 {
		block.Decrypt(b, b)
	} else {
		var x [aes.BlockSize]byte
		for t := 6 * n; t >= 1; t-- {
			r := b[8+8*((t-1)%n):][:8]
			binary.BigEndian.PutUint64(x[:], binary.BigEndian.Uint64(b)^uint64(t))
			copy(x[8:], r)
			block.Decrypt(x[:], x[:])
			copy(b, x[:8])
			copy(r, x[8:])
		}
		clear(x[:])
	}
	// In uint64 no length overflows: it has to end in the last 8 bytes, and zeros follow it.
	length, padded := uint64(binary.BigEndian.Uint32(b[4:])), uint64(8*n)
	ok := binary.BigEndian.Uint32(b) == kwpPrefix && length <= padded && length+8 > padded
	if ok {
		for _, pad := range b[8+length:] {
			ok = ok && pad == 0
		}
	}
	if !ok {
		clear(b)
		return nil, false
	}
	return b[8 : 8+length], true
}
