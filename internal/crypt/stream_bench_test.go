package crypt_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/rand"
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
)

// The envelope benchmarks pass so much each time, through the envelope and through nothing but
// GCM, in turn, so that whatever else the machine does slows both. With -benchtime 16x it is a GiB.
const (
	benchmarkBytes = 64 << 20
	benchmarkChunk = 1 << blob.DefaultChunkBits
)

// plainGCM is what envelopes are compared with: a key at hand, counted nonces, no place; chunks are
// read, passed through GCM and written on.
func plainGCM(b *testing.B) (aead cipher.AEAD, nonce []byte) {
	fips140.WithoutEnforcement(func() {
		block, err := aes.NewCipher(exampleKey)
		if err == nil {
			aead, err = cipher.NewGCM(block)
		}
		if err != nil {
			b.Fatal(err)
		}
	})
	return aead, make([]byte, blob.NonceLen)
}

// compare times both and reports how fast they are, and the one by the other.
func compare(b *testing.B, envelope, plain func()) {
	b.ReportAllocs()
	var took, bare time.Duration
	for b.Loop() {
		began := time.Now()
		envelope()
		between := time.Now()
		plain()
		took, bare = took+between.Sub(began), bare+time.Since(between)
	}
	passed := float64(b.N) * benchmarkBytes / 1e6
	b.ReportMetric(passed/took.Seconds(), "envelope-MB/s")
	b.ReportMetric(passed/bare.Seconds(), "plain-MB/s")
	b.ReportMetric(bare.Seconds()/took.Seconds(), "envelope/plain")
}

// stream is a source that, as files and networks, copies: it does not lend its memory.
func stream(b []byte) io.Reader { return struct{ io.Reader }{bytes.NewReader(b)} }

// eachChunk reads n bytes at a time until the source ends and writes what do makes of them.
func eachChunk(b *testing.B, source io.Reader, n int, do func(number uint64, chunk []byte) []byte) {
	chunk, target := make([]byte, n), io.Discard
	for number := uint64(0); ; number++ {
		switch _, err := io.ReadFull(source, chunk); {
		case err == io.EOF:
			return
		case err != nil:
			b.Fatal(err)
		}
		if _, err := target.Write(do(number, chunk)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEnvelopeSeal(b *testing.B) {
	c, plaintext := contextOf(b, "patient", "p-1"), make([]byte, benchmarkBytes)
	h := blob.Envelope{ChunkBits: blob.DefaultChunkBits, EncryptedKey: make([]byte, 148)}
	aead, nonce := plainGCM(b)
	sealed := make([]byte, 0, benchmarkChunk+blob.TagLen)
	compare(b, func() {
		w, err := crypt.NewEnvelopeWriter(io.Discard, newSecret(exampleKey), c, h, rand.Reader)
		if err == nil {
			_, err = io.Copy(w, stream(plaintext))
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}, func() {
		eachChunk(b, stream(plaintext), benchmarkChunk, func(number uint64, chunk []byte) []byte {
			binary.BigEndian.PutUint64(nonce, number)
			return aead.Seal(sealed, nonce, chunk, nil)
		})
	})
}

func BenchmarkEnvelopeOpen(b *testing.B) {
	c := contextOf(b, "patient", "p-1")
	h := blob.Envelope{ChunkBits: blob.DefaultChunkBits, EncryptedKey: make([]byte, 148)}
	envelope := sealEnvelope(b, h, c, make([]byte, benchmarkBytes))
	aead, nonce := plainGCM(b)
	plaintext := make([]byte, 0, benchmarkChunk)
	var sealed []byte
	for range benchmarkBytes / benchmarkChunk {
		sealed = aead.Seal(sealed, nonce, make([]byte, benchmarkChunk), nil)
	}
	compare(b, func() {
		r := stream(envelope)
		h, err := blob.ReadEnvelope(r)
		if err != nil {
			b.Fatal(err)
		}
		e, err := crypt.NewEnvelopeReader(r, newSecret(exampleKey), c, h)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, e); n != benchmarkBytes || err != nil {
			b.Fatal(n, err)
		}
	}, func() {
		eachChunk(b, stream(sealed), benchmarkChunk+blob.TagLen, func(_ uint64, chunk []byte) []byte {
			opened, err := aead.Open(plaintext, nonce, chunk, nil)
			if err != nil {
				b.Fatal(err)
			}
			return opened
		})
	})
}
