package crypt_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
)

func TestEnvelopeLimits(t *testing.T) {
	c := contextOf(t)
	seal := func(key []byte, h blob.Envelope, random io.Reader) error {
		_, err := crypt.SealEnvelope(newSecret(key), c, h, random, nil)
		_, streamErr := crypt.NewEnvelopeWriter(io.Discard, newSecret(key), c, h, random)
		if (err == nil) != (streamErr == nil) {
			t.Errorf("at once: %v; as a stream: %v", err, streamErr)
		}
		return err
	}
	if err := seal(exampleKey[:31], envelopeHeader(), rand.Reader); !errors.Is(err, crypt.ErrKey) {
		t.Errorf("a short key: %v", err)
	}
	if err := seal(exampleKey, blob.Envelope{ChunkBits: 9, EncryptedKey: []byte{1}}, rand.Reader); !errors.Is(err, blob.ErrMalformed) {
		t.Errorf("chunks too short: %v", err)
	}
	broken := errors.New("broken")
	if err := seal(exampleKey, envelopeHeader(), iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("no randomness: %v", err)
	}

	// The last chunk that may be, on both sides, and one more.
	var out bytes.Buffer
	w, err := crypt.NewEnvelopeWriter(&out, newSecret(exampleKey), c, envelopeHeader(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.JumpTo(crypt.MaxChunks - 1)
	if _, err := w.Write(make([]byte, 1024)); err != nil {
		t.Fatal(err)
	}
	full := *w
	if err := full.Close(); err != nil {
		t.Error(err)
	}
	h, err := blob.ReadEnvelope(&out)
	if err != nil {
		t.Fatal(err)
	}
	for next, want := range map[uint64]error{crypt.MaxChunks - 1: nil, crypt.MaxChunks: crypt.ErrDecrypt} {
		r, err := crypt.NewEnvelopeReader(bytes.NewReader(out.Bytes()), newSecret(exampleKey), c, h)
		if err != nil {
			t.Fatal(err)
		}
		r.JumpTo(next)
		if _, err := io.ReadAll(r); err != want {
			t.Errorf("chunk %d: %v", next, err)
		}
	}
	w.JumpTo(crypt.MaxChunks)
	if err := w.Close(); err != crypt.ErrSize {
		t.Errorf("one chunk more: %v", err)
	}
}

// breaking is a writer that takes n bytes and then breaks, or takes less than it is given.
type breaking struct {
	n   int
	err error
}

func (b *breaking) Write(p []byte) (int, error) {
	if b.n -= len(p); b.n < 0 {
		return 0, b.err
	}
	return len(p), nil
}

// TestEnvelopeErrorsStay asserts that an envelope that failed is never completed, whatever is done
// with its writer, and that errors of sources are told from bad envelopes.
func TestEnvelopeErrorsStay(t *testing.T) {
	broken := errors.New("broken")
	c := contextOf(t)
	var out bytes.Buffer
	w, err := crypt.NewEnvelopeWriter(&out, newSecret(exampleKey), c, envelopeHeader(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	source := io.MultiReader(bytes.NewReader(make([]byte, 5000)), iotest.ErrReader(broken))
	if n, err := w.ReadFrom(source); n != 5000 || err != broken {
		t.Errorf("a source that breaks: %d, %v", n, err)
	}
	before := out.Len()
	if _, err := w.Write([]byte{1}); err != broken {
		t.Errorf("write: %v", err)
	}
	if err := w.Close(); err != broken || out.Len() != before {
		t.Errorf("close: %v, %d bytes more", err, out.Len()-before)
	}
	if _, err := openEnvelope(t, c, out.Bytes()); err != crypt.ErrDecrypt {
		t.Errorf("it opens: %v", err)
	}

	for _, below := range []struct{ give, want error }{{broken, broken}, {nil, io.ErrShortWrite}} {
		for _, n := range []int{0, 100, 1500} {
			w, err := crypt.NewEnvelopeWriter(&breaking{n, below.give}, newSecret(exampleKey), c, envelopeHeader(), rand.Reader)
			if err == nil {
				_, err = w.Write(make([]byte, 3000))
				err = errors.Join(err, w.Close())
			}
			if !errors.Is(err, below.want) {
				t.Errorf("a writer that breaks after %d: %v", n, err)
			}
		}
	}

	good := sealEnvelope(t, envelopeHeader(), c, make([]byte, 3000))
	for _, n := range []int{91, 1200, len(good)} {
		// Also if the source breaks by saying that it was cut: this is for it to say.
		for _, why := range []error{broken, io.ErrUnexpectedEOF} {
			r := io.MultiReader(bytes.NewReader(good[:n]), iotest.ErrReader(why))
			h, err := blob.ReadEnvelope(r)
			if err != nil {
				t.Fatal(err)
			}
			e, err := crypt.NewEnvelopeReader(r, newSecret(exampleKey), c, h)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(e); !errors.Is(err, why) || errors.Is(err, crypt.ErrDecrypt) {
				t.Errorf("a source that breaks after %d: %v", n, err)
			}
			if _, err := e.WriteTo(io.Discard); !errors.Is(err, why) {
				t.Errorf("again: %v", err)
			}
		}
	}
	e := mustReader(t, c, good)
	if _, err := e.WriteTo(&breaking{1024, broken}); err != broken {
		t.Errorf("a target that breaks: %v", err)
	}
	if _, err := mustReader(t, c, good).WriteTo(&breaking{1024, nil}); err != io.ErrShortWrite {
		t.Errorf("a target that takes less: %v", err)
	}
}

func mustReader(t testing.TB, c blob.Context, b []byte) *crypt.EnvelopeReader {
	t.Helper()
	r := bytes.NewReader(b)
	h, err := blob.ReadEnvelope(r)
	if err != nil {
		t.Fatal(err)
	}
	e, err := crypt.NewEnvelopeReader(r, newSecret(exampleKey), c, h)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// idle is a reader that gives nothing a number of times before each read of the one below.
type idle struct {
	io.Reader
	times, left int
}

func (r *idle) Read(p []byte) (int, error) {
	if r.left == 0 {
		r.left = r.times
		return r.Reader.Read(p)
	}
	r.left--
	return 0, nil
}

// TestEnvelopeOfIdleReader: a reader that gives nothing for a while is waited for, one that gives
// nothing for ever is not.
func TestEnvelopeOfIdleReader(t *testing.T) {
	c := contextOf(t)
	plaintext := bytes.Repeat([]byte("p"), 5000)
	for _, idleFor := range []struct {
		times int
		want  error
	}{{99, nil}, {1 << 40, io.ErrNoProgress}} {
		from := func(b []byte) io.Reader {
			return &idle{bytes.NewReader(b), idleFor.times, idleFor.times}
		}
		var out bytes.Buffer
		w, err := crypt.NewEnvelopeWriter(&out, newSecret(exampleKey), c, envelopeHeader(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.ReadFrom(from(plaintext)); !errors.Is(err, idleFor.want) {
			t.Errorf("sealing, idle %d times: %v", idleFor.times, err)
		}
		sealed := bytes.NewReader(sealEnvelope(t, envelopeHeader(), c, plaintext))
		h, err := blob.ReadEnvelope(sealed)
		if err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(sealed)
		if err != nil {
			t.Fatal(err)
		}
		r, err := crypt.NewEnvelopeReader(from(rest), newSecret(exampleKey), c, h)
		if err != nil {
			t.Fatal(err)
		}
		if given, err := io.ReadAll(r); !errors.Is(err, idleFor.want) || err == nil && !bytes.Equal(given, plaintext) {
			t.Errorf("opening, idle %d times: %d bytes, %v", idleFor.times, len(given), err)
		}
	}
}
