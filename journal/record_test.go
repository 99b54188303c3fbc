package journal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/haven-health/haven/journal"
)

func id(b byte) (out [16]byte) {
	for i := range out {
		out[i] = b
	}
	return out
}

// records are one of each shape: the fuzz targets begin from them.
func records() map[string]journal.Record {
	plain := journal.Record{Operation: 7, Outcome: journal.Allowed, Time: 1, Request: id(1), Principal: id(2)}
	use := plain
	use.Key, use.Version, use.Wrapping, use.WrappingVer, use.Decision = id(3), 9, id(4), 2, id(5)
	use.Context = []byte("context")
	hashed := plain
	hashed.Context, hashed.Flags = bytes.Repeat([]byte{8}, 32), journal.ContextHashed
	denied := plain
	denied.Outcome, denied.Error, denied.Principal = journal.Denied, 403, [16]byte{}
	item := plain
	item.Flags, item.Item = journal.BatchItem|journal.System, 0
	full := use
	full.Outcome, full.Error, full.Flags, full.Item = journal.Failed, 1, journal.BatchItem|journal.Replay|journal.Recovery, 999
	full.Reason, full.Parameters = strings.Repeat("r", journal.MaxReason), strings.Repeat("p", journal.MaxParameters)
	full.Commitments = []journal.Commitment{
		journal.Commit(journal.PrincipalName, id(1), "n"), journal.Commit(journal.UserAgent, id(2), ""),
	}
	full.Changes = []journal.ItemChange{
		{Kind: 1, Revision: 1, ID: "a"}, {Kind: 127, Revision: 1 << 60, ID: strings.Repeat("\xff", 255), Deleted: true, MAC: id(9)},
	}
	return map[string]journal.Record{"plain": plain, "use": use, "hashed": hashed, "denied": denied, "item": item, "full": full}
}

func TestRecordRoundTrip(t *testing.T) {
	for name, r := range records() {
		encoded, err := journal.AppendRecord([]byte("before"), &r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		encoded = bytes.TrimPrefix(encoded, []byte("before"))
		got, err := journal.DecodeRecord(encoded)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, r)
		}
		for n := range encoded {
			if _, err := journal.DecodeRecord(encoded[:n]); err == nil && !validPrefix(encoded[:n]) {
				t.Errorf("%s: cut to %d bytes it still decodes", name, n)
			}
		}
	}
}

// validPrefix tells whether a cut record is a record of its own: fields at the end are optional.
func validPrefix(b []byte) bool {
	r, err := journal.DecodeRecord(b)
	if err != nil {
		return false
	}
	again, err := journal.AppendRecord(nil, &r)
	return err == nil && bytes.Equal(again, b)
}

// The encoding of a record is a format: these bytes must decode for ever.
func TestRecordLiteral(t *testing.T) {
	const literal = "01" + "0007" + "01" + "0000" + "00" + "0000000000000001" +
		"01010101010101010101010101010101" + "02020202020202020202020202020202" +
		"0110" + "03030303030303030303030303030303" + "0204" + "00000009" +
		"0310" + "04040404040404040404040404040404" + "0404" + "00000002" +
		"0507" + "636f6e74657874" + "0610" + "05050505050505050505050505050505"
	r := records()["use"]
	encoded, err := journal.AppendRecord(nil, &r)
	if err != nil || hex.EncodeToString(encoded) != literal {
		t.Errorf("got %x, %v", encoded, err)
	}
}

func TestRecordLimits(t *testing.T) {
	for name, spoil := range map[string]func(*journal.Record){
		"no outcome":             func(r *journal.Record) { r.Outcome = 0 },
		"allowed with an error":  func(r *journal.Record) { r.Error = 1 },
		"denied without one":     func(r *journal.Record) { r.Outcome = journal.Denied },
		"unknown flag":           func(r *journal.Record) { r.Flags = 1 << 7 },
		"long context":           func(r *journal.Record) { r.Context = make([]byte, journal.MaxContext+1) },
		"long reason":            func(r *journal.Record) { r.Reason = strings.Repeat("x", journal.MaxReason+1) },
		"long parameters":        func(r *journal.Record) { r.Parameters = strings.Repeat("x", journal.MaxParameters+1) },
		"item without a batch":   func(r *journal.Record) { r.Item = 1 },
		"hash of another length": func(r *journal.Record) { r.Flags, r.Context = journal.ContextHashed, []byte("x") },
		"commitments unordered": func(r *journal.Record) {
			r.Commitments = []journal.Commitment{{Field: journal.UserAgent}, {Field: journal.PrincipalName}}
		},
		"change without id":   func(r *journal.Record) { r.Changes = []journal.ItemChange{{Kind: 1}} },
		"change without kind": func(r *journal.Record) { r.Changes = []journal.ItemChange{{ID: "x"}} },
		"too many changes": func(r *journal.Record) {
			r.Changes = make([]journal.ItemChange, 100)
			for i := range r.Changes {
				r.Changes[i] = journal.ItemChange{Kind: 1, ID: strings.Repeat("x", 100)}
			}
		},
	} {
		r := records()["plain"]
		spoil(&r)
		if out, err := journal.AppendRecord([]byte("kept"), &r); !errors.Is(err, journal.ErrMalformed) || string(out) != "kept" {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
	r := records()["plain"]
	encoded, err := journal.AppendRecord(nil, &r)
	if err != nil {
		t.Fatal(err)
	}
	encoded[0] = journal.RecordVersion + 1
	if _, err := journal.DecodeRecord(encoded); !errors.Is(err, journal.ErrVersion) {
		t.Errorf("a later version: %v", err)
	}
}

// FuzzRecord: what decodes, encodes to the same bytes, and is refused only with the errors named.
func FuzzRecord(f *testing.F) {
	for _, r := range records() {
		encoded, err := journal.AppendRecord(nil, &r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := journal.DecodeRecord(data)
		if err != nil {
			if !errors.Is(err, journal.ErrMalformed) && !errors.Is(err, journal.ErrVersion) {
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		again, err := journal.AppendRecord(nil, &r)
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("decoded %x, encoded %x, %v", data, again, err)
		}
	})
}
