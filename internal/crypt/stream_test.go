package crypt_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
)

const sealedOverhead = crypt.ChunkOverhead

// envelopeHeader is one with the smallest chunks, of 1 KiB.
func envelopeHeader() blob.Envelope {
	return blob.Envelope{ChunkBits: blob.MinChunkBits, EncryptedKey: []byte("encrypted data key")}
}

func sealEnvelope(t testing.TB, h blob.Envelope, c blob.Context, plaintext []byte) []byte {
	t.Helper()
	b, err := crypt.SealEnvelope(newSecret(exampleKey), c, h, rand.Reader, plaintext)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// openEnvelope opens an envelope in each way there is, which must agree. It returns what the
// reader gave out, and the error.
func openEnvelope(t testing.TB, c blob.Context, b []byte) ([]byte, error) {
	t.Helper()
	r := bytes.NewReader(b)
	h, err := blob.ReadEnvelope(r)
	if err != nil {
		return nil, crypt.ErrDecrypt
	}
	whole, wholeErr := crypt.OpenEnvelope(newSecret(exampleKey), c, h, b[len(b)-r.Len():])
	e, err := crypt.NewEnvelopeReader(r, newSecret(exampleKey), c, h)
	var given []byte
	if err == nil {
		given, err = io.ReadAll(e)
	}
	if (err == nil) != (wholeErr == nil) || err == nil && !bytes.Equal(given, whole) || wholeErr != nil && whole != nil {
		t.Fatalf("the reader: %v; at once: %v, %d bytes", err, wholeErr, len(whole))
	}
	return given, err
}

// mustNotOpen asserts that an altered envelope does not open, and that nothing was given out but
// whole chunks of the plaintext, in order.
func mustNotOpen(t *testing.T, what string, c blob.Context, b, plaintext []byte, chunk int) {
	t.Helper()
	given, err := openEnvelope(t, c, b)
	if err != crypt.ErrDecrypt {
		t.Fatalf("%s: %v", what, err)
	}
	if len(given)%chunk != 0 || !bytes.HasPrefix(plaintext, given) {
		t.Fatalf("%s: %d bytes of something else were given out", what, len(given))
	}
}

func TestEnvelopeRoundTrip(t *testing.T) {
	c := contextOf(t, "patient", "p-1")
	h := envelopeHeader()
	headerLen := len(sealEnvelope(t, h, c, nil)) - sealedOverhead
	for _, n := range []int{0, 1, 1023, 1024, 1025, 2047, 2048, 2049, 10_000} {
		plaintext := sequence(n, 7)
		count := max(1, (n+1023)/1024)
		write := map[string]func(*crypt.EnvelopeWriter) error{
			"at once": func(w *crypt.EnvelopeWriter) error { _, err := w.Write(plaintext); return err },
			"in parts": func(w *crypt.EnvelopeWriter) error {
				for part := range slices.Chunk(plaintext, 300) {
					if m, err := w.Write(part); m != len(part) || err != nil {
						return fmt.Errorf("%d of %d: %w", m, len(part), err)
					}
				}
				return nil
			},
			"mixed": func(w *crypt.EnvelopeWriter) error {
				for i, part := range slices.Collect(slices.Chunk(plaintext, 1500)) {
					r := io.Reader(iotest.DataErrReader(bytes.NewReader(part)))
					if i%2 == 0 {
						r = iotest.OneByteReader(bytes.NewReader(part))
					}
					if i%3 == 2 {
						if _, err := w.Write(part); err != nil {
							return err
						}
						continue
					}
					if m, err := w.ReadFrom(r); m != int64(len(part)) || err != nil {
						return fmt.Errorf("%d of %d: %w", m, len(part), err)
					}
				}
				return nil
			},
		}
		for name, write := range write {
			var out bytes.Buffer
			w, err := crypt.NewEnvelopeWriter(&out, newSecret(exampleKey), c, h, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(write(w), w.Close(), w.Close()); err != nil {
				t.Fatalf("%d bytes %s: %v", n, name, err)
			}
			checkEnvelope(t, c, out.Bytes(), plaintext, headerLen+n+count*sealedOverhead)
			if _, err := w.Write([]byte{1}); err != crypt.ErrClosed {
				t.Errorf("write after close: %v", err)
			}
			if _, err := w.ReadFrom(bytes.NewReader(nil)); err != crypt.ErrClosed {
				t.Errorf("read after close: %v", err)
			}
		}
		checkEnvelope(t, c, sealEnvelope(t, h, c, plaintext), plaintext, headerLen+n+count*sealedOverhead)
	}
}

// checkEnvelope opens an envelope also through WriteTo, after a few bytes were read, and from a
// source that gives a byte at a time.
func checkEnvelope(t *testing.T, c blob.Context, b, plaintext []byte, length int) {
	t.Helper()
	if len(b) != length {
		t.Fatalf("%d bytes, want %d", len(b), length)
	}
	if given, err := openEnvelope(t, c, b); err != nil || !bytes.Equal(given, plaintext) {
		t.Fatalf("another plaintext, or %v", err)
	}
	r := iotest.OneByteReader(bytes.NewReader(b))
	h, err := blob.ReadEnvelope(r)
	if err != nil {
		t.Fatal(err)
	}
	e, err := crypt.NewEnvelopeReader(r, newSecret(exampleKey), c, h)
	if err != nil {
		t.Fatal(err)
	}
	out := new(bytes.Buffer)
	if _, err := io.CopyN(out, e, int64(min(len(plaintext), 5))); err != nil {
		t.Fatal(err)
	}
	if n, err := e.WriteTo(out); err != nil || n != int64(len(plaintext)-min(len(plaintext), 5)) || !bytes.Equal(out.Bytes(), plaintext) {
		t.Fatalf("another plaintext by WriteTo, or %v", err)
	}
	if n, err := e.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("after the end: %d, %v", n, err)
	}
}

// TestEnvelopeTampered alters a small envelope in every way there is: each bit, each length, each
// order, each chunk twice, each pair.
func TestEnvelopeTampered(t *testing.T) {
	c := contextOf(t, "patient", "p-1")
	const chunk = 1024
	for _, n := range []int{0, 1, chunk, chunk + 1, 3*chunk + 100, 4 * chunk} {
		plaintext := sequence(n, 7)
		good := sealEnvelope(t, envelopeHeader(), c, plaintext)
		header := len(good) - n - max(1, (n+chunk-1)/chunk)*sealedOverhead
		for at := range good {
			bits := 8
			if at > header+100 && at%97 != 0 {
				bits = 1 // all of the header and of a chunk's beginning, and enough of the rest
			}
			for bit := range bits {
				good[at] ^= 1 << bit
				mustNotOpen(t, fmt.Sprintf("%d bytes, bit %d of byte %d", n, bit, at), c, good, plaintext, chunk)
				good[at] ^= 1 << bit
			}
			mustNotOpen(t, fmt.Sprintf("%d bytes, cut at %d", n, at), c, good[:at], plaintext, chunk)
		}
		for _, more := range []int{1, sealedOverhead, chunk + sealedOverhead} {
			mustNotOpen(t, fmt.Sprintf("%d bytes and %d more", n, more), c, append(bytes.Clone(good), make([]byte, more)...), plaintext, chunk)
		}
		tamperChunks(t, c, good[:header], good[header:], plaintext, chunk)
	}
}

// tamperChunks puts the chunks together in every sequence up to their number and one, but the
// right one.
func tamperChunks(t *testing.T, c blob.Context, header, sealed, plaintext []byte, chunk int) {
	t.Helper()
	parts := slices.Collect(slices.Chunk(sealed, chunk+sealedOverhead))
	tried := 0
	var build func(sequence []int)
	build = func(sequence []int) {
		b := bytes.Clone(header)
		right := len(sequence) == len(parts)
		for i, k := range sequence {
			b = append(b, parts[k]...)
			right = right && i == k
		}
		if !right {
			tried++
			mustNotOpen(t, fmt.Sprintf("chunks %v of %d", sequence, len(parts)), c, b, plaintext, chunk)
		}
		if len(sequence) <= len(parts) {
			for k := range parts {
				build(append(slices.Clone(sequence), k))
			}
		}
	}
	build(nil)
	if tried < 2 {
		t.Fatalf("%d sequences of %d chunks", tried, len(parts))
	}
}

// TestEnvelopeSampled alters an envelope of ordinary chunks at random places.
func TestEnvelopeSampled(t *testing.T) {
	c, h := contextOf(t), envelopeHeader()
	h.ChunkBits = blob.DefaultChunkBits
	const chunk = 1 << blob.DefaultChunkBits
	plaintext := bytes.Repeat(sequence(256, 0), 4*chunk/256)
	good := sealEnvelope(t, h, c, plaintext)
	if given, err := openEnvelope(t, c, good); err != nil || !bytes.Equal(given, plaintext) {
		t.Fatalf("another plaintext, or %v", err)
	}
	draw := mathrand.New(mathrand.NewPCG(1, 2))
	for range 100 {
		at, bit := draw.IntN(len(good)), draw.IntN(8)
		good[at] ^= 1 << bit
		mustNotOpen(t, fmt.Sprintf("bit %d of byte %d", bit, at), c, good, plaintext, chunk)
		good[at] ^= 1 << bit
		mustNotOpen(t, fmt.Sprintf("cut at %d", at), c, good[:at], plaintext, chunk)
	}
	tamperChunks(t, c, good[:len(good)-4*(chunk+sealedOverhead)], good[len(good)-4*(chunk+sealedOverhead):], plaintext, chunk)
}

// TestEnvelopeIsBound asserts that an envelope opens under its own key and context only, and that
// chunks of another envelope under the same data key are none of its own.
func TestEnvelopeIsBound(t *testing.T) {
	c := contextOf(t, "patient", "p-1")
	plaintext := sequence(3000, 7)
	good, other := sealEnvelope(t, envelopeHeader(), c, plaintext), sealEnvelope(t, envelopeHeader(), c, plaintext)
	mustNotOpen(t, "another context", contextOf(t, "patient", "p-2"), good, plaintext, 1024)
	mustNotOpen(t, "no context", contextOf(t), good, plaintext, 1024)
	header := len(good) - 3000 - 3*sealedOverhead
	for i := range 3 {
		at := header + i*(1024+sealedOverhead)
		end := min(at+1024+sealedOverhead, len(good))
		mixed := bytes.Clone(good)
		copy(mixed[at:end], other[at:end])
		mustNotOpen(t, fmt.Sprintf("chunk %d of another envelope", i), c, mixed, plaintext, 1024)
	}
	h, err := blob.ReadEnvelope(bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string][]byte{"another key": make([]byte, 32), "a short key": exampleKey[:16], "no key": nil} {
		if _, err := crypt.OpenEnvelope(newSecret(key), c, h, good[header:]); err != crypt.ErrDecrypt {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := crypt.NewEnvelopeReader(bytes.NewReader(good[header:]), newSecret(key), c, h); err != crypt.ErrDecrypt {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEnvelopeNeedsItsCommitment asserts that the commitment is compared before a chunk is read.
func TestEnvelopeNeedsItsCommitment(t *testing.T) {
	h := envelopeHeader()
	unread := iotest.ErrReader(errors.New("read"))
	if _, err := crypt.NewEnvelopeReader(unread, newSecret(exampleKey), contextOf(t), h); err != crypt.ErrDecrypt {
		t.Error(err)
	}
}

// TestEnvelopeMemory asserts that a message a hundred times as long takes no more memory.
func TestEnvelopeMemory(t *testing.T) {
	c, h := contextOf(t), envelopeHeader()
	pass := func(chunks int) func() {
		plaintext := make([]byte, 1024)
		return func() {
			reader, writer := io.Pipe()
			failed := make(chan error, 1)
			go func() {
				w, err := crypt.NewEnvelopeWriter(writer, newSecret(exampleKey), c, h, rand.Reader)
				for i := 0; i < chunks && err == nil; i++ {
					_, err = w.Write(plaintext)
				}
				failed <- errors.Join(err, w.Close(), writer.Close())
			}()
			header, err := blob.ReadEnvelope(reader)
			if err != nil {
				t.Error(err)
				return
			}
			e, err := crypt.NewEnvelopeReader(reader, newSecret(exampleKey), c, header)
			if err != nil {
				t.Error(err)
				return
			}
			if n, err := io.Copy(io.Discard, e); n != int64(chunks*1024) || err != nil || <-failed != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
		}
	}
	short, long := testing.AllocsPerRun(5, pass(10)), testing.AllocsPerRun(5, pass(1000))
	if long > short+10 {
		t.Errorf("%v allocations for 10 chunks, %v for 1,000", short, long)
	}
}

// FuzzEnvelope: what was sealed opens to itself, whatever its length and chunks; and spliced
// anywhere it is refused, or unchanged, with nothing given out but a beginning of the plaintext.
func FuzzEnvelope(f *testing.F) {
	f.Add([]byte("plaintext"), uint16(0), uint8(0), uint32(0), uint16(0), []byte{})
	f.Add([]byte{}, uint16(2048), uint8(0), uint32(91), uint16(1052), []byte{})
	f.Add([]byte{1}, uint16(3000), uint8(1), uint32(2000), uint16(1), []byte{7})
	f.Fuzz(func(t *testing.T, seed []byte, repeat uint16, bits uint8, at uint32, cut uint16, insert []byte) {
		c, h := contextOf(t, "a", "b"), envelopeHeader()
		h.ChunkBits += bits % 3
		plaintext := append(bytes.Repeat([]byte{9}, int(repeat)), seed...)
		good := sealEnvelope(t, h, c, plaintext)
		if given, err := openEnvelope(t, c, good); err != nil || !bytes.Equal(given, plaintext) {
			t.Fatalf("another plaintext, or %v", err)
		}
		from := int(at) % (len(good) + 1)
		to := min(from+int(cut), len(good))
		spliced := slices.Concat(good[:from], insert, good[to:])
		if bytes.Equal(spliced, good) {
			return
		}
		mustNotOpen(t, "spliced", c, spliced, plaintext, h.ChunkLen())
	})
}
