package journal

import (
	"bytes"
	"errors"
	"testing"
)

func segmentState() State {
	return State{
		Mark: Mark{Position: 3, Chain: [32]byte{4}}, Incarnation: 5, Epoch: 6,
		Changed: Mark{Position: 2, Chain: [32]byte{7}}, Batch: [16]byte{8},
	}
}

func TestSegmentHeaderRoundTrip(t *testing.T) {
	s := segmentState()
	data := appendSegmentHeader(nil, 9, &s)
	n, got, err := decodeSegmentHeader(data)
	if err != nil || n != 9 || got != s || len(data) != segmentHeader {
		t.Fatalf("%d bytes: segment %d, %+v, %v", len(data), n, got, err)
	}
	for bit := range len(data) * 8 {
		spoiled := bytes.Clone(data)
		spoiled[bit/8] ^= 1 << (bit % 8)
		if _, _, err := decodeSegmentHeader(spoiled); err == nil {
			t.Fatalf("bit %d changes nothing", bit)
		}
	}
}

// FuzzSegmentHeader: what decodes, encodes to the same bytes.
func FuzzSegmentHeader(f *testing.F) {
	s := segmentState()
	f.Add(appendSegmentHeader(nil, 9, &s))
	f.Fuzz(func(t *testing.T, data []byte) {
		n, s, err := decodeSegmentHeader(data)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		if again := appendSegmentHeader(nil, n, &s); !bytes.Equal(again, data) {
			t.Fatalf("decoded %x, encoded %x", data, again)
		}
	})
}
