package journal_test

import (
	"reflect"
	"testing"

	"github.com/haven-health/haven/journal"
)

// TestGlance: a glance tells what the whole record does, of every record and of what is cut off.
func TestGlance(t *testing.T) {
	for name, r := range records() {
		encoded, err := journal.AppendRecord(nil, &r)
		if err != nil {
			t.Fatal(err)
		}
		glance(t, name, encoded)
		for n := range encoded {
			_, _ = journal.GlanceAt(encoded[:n]) // does not panic
		}
	}
}

// FuzzGlance: whatever decodes as a record, a glance tells the same of.
func FuzzGlance(f *testing.F) {
	for _, r := range records() {
		encoded, err := journal.AppendRecord(nil, &r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, b []byte) { glance(t, "input", b) })
}

func glance(t *testing.T, name string, b []byte) {
	t.Helper()
	got, glanceErr := journal.GlanceAt(b)
	r, err := journal.DecodeRecord(b)
	if err != nil {
		return
	}
	want := journal.Glance{Operation: r.Operation, Outcome: r.Outcome, Time: r.Time, Key: r.Key, Version: r.Version}
	same := string(got.Parameters) == r.Parameters
	got.Parameters = nil
	if glanceErr != nil || !same || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %+v, %v; the record has %+v", name, got, glanceErr, want)
	}
}
