package blob_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/haven-health/haven/internal/blob"
)

func envelope(n int) blob.Envelope {
	e := blob.Envelope{ChunkBits: blob.DefaultChunkBits, EncryptedKey: bytes.Repeat([]byte{0xee}, n)}
	copy(e.Salt[:], bytes.Repeat([]byte{0x55}, blob.SaltLen))
	copy(e.Commitment[:], bytes.Repeat([]byte{0xcc}, blob.CommitmentLen))
	return e
}

func encodedEnvelope(t testing.TB, e blob.Envelope) []byte {
	t.Helper()
	b, err := e.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestEnvelopeHeader pins where each field stands.
func TestEnvelopeHeader(t *testing.T) {
	e := envelope(3)
	got := encodedEnvelope(t, e)
	want := "HVEN\x01\x01\x10\x00\x03\xee\xee\xee" + string(e.Salt[:]) + string(e.Commitment[:])
	if string(got) != want {
		t.Errorf("%q", got)
	}
	if prefix, err := e.AppendPrefix(nil); err != nil || string(prefix) != want[:44] {
		t.Errorf("%q, %v", prefix, err)
	}
	if e.ChunkLen() != 65536 {
		t.Errorf("chunks of %d", e.ChunkLen())
	}
}

func TestEnvelopeLimits(t *testing.T) {
	for _, bits := range []uint8{0, 9, 23, 255} {
		e := envelope(1)
		e.ChunkBits = bits
		if _, err := e.Append(nil); !errors.Is(err, blob.ErrMalformed) {
			t.Errorf("chunks of 2^%d: %v", bits, err)
		}
		b := encodedEnvelope(t, envelope(1))
		b[6] = bits
		if _, err := blob.ReadEnvelope(bytes.NewReader(b)); !errors.Is(err, blob.ErrMalformed) {
			t.Errorf("chunks of 2^%d are read: %v", bits, err)
		}
	}
	for _, n := range []int{0, blob.MaxEncryptedKey + 1, 1<<16 + 1} {
		e := envelope(n)
		if _, err := e.AppendPrefix(nil); !errors.Is(err, blob.ErrMalformed) {
			t.Errorf("%d bytes of encrypted key: %v", n, err)
		}
	}
	for _, n := range []int{1, blob.MaxEncryptedKey} {
		e, err := blob.ReadEnvelope(bytes.NewReader(encodedEnvelope(t, envelope(n))))
		if err != nil || len(e.EncryptedKey) != n {
			t.Errorf("%d bytes of encrypted key: %v", n, err)
		}
	}
}

// TestReadEnvelope asserts that what is cut or altered before the encrypted key is refused, that
// the errors of a source come through, and that not a byte too much is read.
func TestReadEnvelope(t *testing.T) {
	b := encodedEnvelope(t, envelope(5))
	for n := range b {
		if _, err := blob.ReadEnvelope(bytes.NewReader(b[:n])); !errors.Is(err, blob.ErrMalformed) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for at := range 6 {
		bad := bytes.Clone(b)
		bad[at] ^= 1
		if _, err := blob.ReadEnvelope(bytes.NewReader(bad)); !errors.Is(err, blob.ErrMalformed) {
			t.Errorf("byte %d altered: %v", at, err)
		}
	}
	broken := errors.New("broken")
	for _, n := range []int{0, 8, 9, 20} {
		r := io.MultiReader(bytes.NewReader(b[:n]), iotest.ErrReader(broken))
		if _, err := blob.ReadEnvelope(r); !errors.Is(err, broken) || errors.Is(err, blob.ErrMalformed) {
			t.Errorf("a source that breaks after %d bytes: %v", n, err)
		}
	}
	r := bytes.NewReader(append(bytes.Clone(b), "chunks"...))
	if _, err := blob.ReadEnvelope(iotest.OneByteReader(r)); err != nil || r.Len() != len("chunks") {
		t.Errorf("%d bytes are left: %v", r.Len(), err)
	}
}

// FuzzReadEnvelope: what parses encodes to the bytes that were read.
func FuzzReadEnvelope(f *testing.F) {
	f.Add(encodedEnvelope(f, envelope(148)))
	f.Add([]byte(blob.EnvelopeMagic + "\x01\x01\x10\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		e, err := blob.ReadEnvelope(r)
		if err != nil {
			if !errors.Is(err, blob.ErrMalformed) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if again := encodedEnvelope(t, e); !bytes.Equal(again, b[:len(b)-r.Len()]) {
			t.Fatalf("%x encodes as %x", b, again)
		}
	})
}
