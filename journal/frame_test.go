package journal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/haven-health/haven/journal"
)

// frame builds a frame of the records of one of each shape, with personal values.
func frame(tb testing.TB, h *journal.Header) []byte {
	tb.Helper()
	var b journal.Builder
	for _, name := range []string{"plain", "use", "denied", "full"} {
		r := records()[name]
		values := []journal.PersonalValue{{Field: journal.SourceAddress, Salt: id(7), Value: "192.0.2.1"}}
		r.Commitments = []journal.Commitment{journal.Commit(journal.SourceAddress, id(7), "192.0.2.1")}
		encoded, err := journal.AppendRecord(nil, &r)
		if err != nil {
			tb.Fatal(err)
		}
		b.Add(encoded, values)
	}
	data, err := b.AppendFrame(nil, h)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func header() *journal.Header {
	return &journal.Header{
		Changes: true, Position: 5, Time: 6, Incarnation: 7, Epoch: 8, Batch: id(9), Before: [32]byte{1}, Guard: []byte("guard"),
	}
}

func TestFrameRoundTrip(t *testing.T) {
	h := header()
	data := frame(t, h)
	if n, ok := journal.FrameLength(data[:journal.FrameHeader]); !ok || n != len(data) {
		t.Fatalf("length %d, %v of %d", n, ok, len(data))
	}
	f, err := journal.DecodeFrame(data)
	if err != nil {
		t.Fatal(err)
	}
	if f.Position != h.Position || f.Count != 4 || f.After != h.After || f.Before != h.Before || !f.Changes || f.Time != h.Time ||
		f.Incarnation != h.Incarnation || f.Epoch != h.Epoch || f.Batch != h.Batch || !bytes.Equal(f.Guard, h.Guard) {
		t.Errorf("header %+v, want %+v", f.Header, *h)
	}
	n := 0
	for encoded, err := range f.Records() {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := journal.DecodeRecord(encoded); err != nil {
			t.Errorf("record %d: %v", n, err)
		}
		n++
	}
	values, err := f.Personal()
	if err != nil || n != 4 || len(values) != 4 || values[3].Record != 3 || values[3].Value != "192.0.2.1" || values[3].Salt != id(7) {
		t.Errorf("%d records, personal values %+v, %v", n, values, err)
	}
}

// Every bit of a frame is covered: by the chain hash, by the checksum, or by both.
func TestFrameEveryBitCounts(t *testing.T) {
	data := frame(t, header())
	for bit := range len(data) * 8 {
		spoiled := bytes.Clone(data)
		spoiled[bit/8] ^= 1 << (bit % 8)
		if _, err := journal.DecodeFrame(spoiled); err == nil {
			t.Fatalf("bit %d changes nothing", bit)
		}
	}
	for n := range len(data) {
		if _, err := journal.DecodeFrame(data[:n]); err == nil {
			t.Fatalf("cut to %d bytes it decodes", n)
		}
	}
	if _, err := journal.DecodeFrame(append(bytes.Clone(data), 0)); err == nil {
		t.Error("a byte more, and it decodes")
	}
}

func TestFrameLimits(t *testing.T) {
	var b journal.Builder
	if _, err := b.AppendFrame(nil, header()); !errors.Is(err, journal.ErrMalformed) {
		t.Errorf("frame without records: %v", err)
	}
	b.Add([]byte("x"), nil)
	h := header()
	h.Guard = make([]byte, journal.MaxGuard+1)
	if _, err := b.AppendFrame(nil, h); !errors.Is(err, journal.ErrMalformed) {
		t.Errorf("long guard: %v", err)
	}
	for range journal.MaxRecords {
		b.Add([]byte("x"), nil)
	}
	if _, err := b.AppendFrame(nil, header()); !errors.Is(err, journal.ErrMalformed) {
		t.Errorf("too many records: %v", err)
	}
	b.Reset()
	if b.Count() != 0 {
		t.Errorf("%d records after Reset", b.Count())
	}
}

// FuzzFrame: what decodes is the whole input, names its own length, and its parts can be read or
// are refused with the errors named, without a panic.
func FuzzFrame(f *testing.F) {
	f.Add(frame(f, header()))
	f.Add(frame(f, &journal.Header{}))
	f.Fuzz(func(t *testing.T, data []byte) {
		decoded, err := journal.DecodeFrame(data)
		if err != nil {
			if !errors.Is(err, journal.ErrMalformed) && !errors.Is(err, journal.ErrVersion) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		if n, ok := journal.FrameLength(data); !ok || n != len(data) {
			t.Fatalf("length %d, %v of %d", n, ok, len(data))
		}
		var b journal.Builder
		values, err := decoded.Personal()
		if err != nil {
			return
		}
		next := 0
		for encoded, err := range decoded.Records() {
			if err != nil {
				return
			}
			record := b.Count()
			start := next
			for next < len(values) && int(values[next].Record) == record && !values[next].Erased {
				next++
			}
			b.Add(encoded, values[start:next])
		}
		if next != len(values) {
			return // values out of order, or erased: not as a builder writes them
		}
		h := decoded.Header
		again, err := b.AppendFrame(nil, &h)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("decoded %x, encoded %x, %v", data, again, err)
		}
	})
}
