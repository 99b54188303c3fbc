// Package gatetest is a whole Haven for the tests of the packages behind the gate: the real system
// over a store in memory, on a clock that stands until it is moved.
//
// It guarantees that a test which made a World ends with a store that Haven's own check finds
// whole. It fakes nothing but time and the disk.
package gatetest

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/memory"
)

// World is a system and what it stands on. Methods fail the test and never return errors.
type World struct {
	testing.TB
	*haven.System
	Store store.Store
	Clock *clock.Manual
	// Config opens the same store again: see Reopen.
	Config haven.Config
	// Token is the first administrator's, Admin its principal.
	Token secret.Bytes
	Admin gate.ID
	// Damaged says that the test altered the store: the check at its end is the test's own.
	Damaged bool

	open bool
}

// Start is when a World's clock begins.
var Start = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// keeper is a seal that costs nothing, so that a test may open thousands of stores.
type keeper struct{}

func (keeper) Encrypt(_ context.Context, plaintext []byte) ([]byte, error) {
	return flip(plaintext), nil
}
func (keeper) Decrypt(_ context.Context, sealed []byte) ([]byte, error) { return flip(sealed), nil }

func flip(b []byte) []byte {
	out := bytes.Clone(b)
	for i := range out {
		out[i] ^= 0x5a
	}
	return out
}

// Seals returns what opens a World's store.
func Seals() map[string]seal.Seal {
	return map[string]seal.Seal{seal.Daily: seal.NewKeeper("test", keeper{})}
}

// New opens a new store in memory. configure may change the configuration first; a Store in it
// takes the place of the one in memory. No key rotates by itself unless its policy says so.
func New(t testing.TB, configure ...func(*haven.Config)) *World {
	t.Helper()
	c := clock.NewManual(Start)
	w := &World{TB: t, Clock: c, Config: haven.Config{
		Store: memory.New(1), Seals: Seals(), Clock: c, CacheKeys: 1 << 12, Defaults: &lifecycle.Policy{GraceDays: 30}, NoScheduler: true,
		AdvanceClock: func(d time.Duration) error { c.Advance(d); return nil },
	}}
	for _, f := range configure {
		f(&w.Config)
	}
	w.Store = w.Config.Store
	w.Reopen()
	t.Cleanup(w.End)
	return w
}

// Reopen opens the store again, as after a restart.
func (w *World) Reopen() {
	w.Helper()
	w.Close()
	if err := w.TryReopen(); err != nil {
		w.Fatal(err)
	}
}

// TryReopen opens the closed store and returns the refusal to.
func (w *World) TryReopen() error {
	w.Helper()
	s, err := haven.Open(context.Background(), w.Config)
	if err != nil {
		return err
	}
	w.System, w.open = s, true
	if token, made := s.FirstToken(); made {
		w.Token = token
	}
	if w.Admin.IsZero() {
		key, err := s.KeyManager().DescribeKey(context.Background(), "alias/haven-master")
		w.must(err)
		w.Admin = key.CreatedBy // the first administrator made the first key
	}
	return nil
}

// Close closes the system; the store stays.
func (w *World) Close() {
	w.Helper()
	if !w.open {
		return
	}
	w.open = false
	if err := w.System.Close(); err != nil {
		w.Error(err)
	}
}

// End checks the whole store, closes it and lets go of it. It runs by itself at the end of the
// test; it may be called before, and then does nothing more.
func (w *World) End() {
	w.Helper()
	if !w.open {
		return
	}
	if !w.Damaged {
		w.Fsck()
	}
	w.Close()
	w.System, w.Store, w.Config.Store = nil, nil, nil
}

// Fsck checks the whole store, at rest.
func (w *World) Fsck() {
	w.Helper()
	// Behind what nobody waits for: the samples of calls that proved nobody.
	if _, err := w.KeyManager().DescribeKey(context.Background(), "alias/haven-master"); err != nil {
		w.Errorf("before fsck: %v", err)
	}
	report, err := w.Check(context.Background(), nil)
	if err != nil {
		w.Errorf("fsck: %v", err)
	}
	for _, f := range report.Findings {
		w.Errorf("fsck: %s", f)
	}
}

// Items returns all items of a kind as they are stored.
func (w *World) Items(kind store.Kind) []store.Item {
	w.Helper()
	var out []store.Item
	for q := (store.Query{Kind: kind, Limit: store.MaxPage}); ; {
		page, err := w.Store.List(context.Background(), q)
		if err != nil {
			w.Fatal(err)
		}
		out = append(out, page.Items...)
		if !page.More {
			return out
		}
		q.After = out[len(out)-1].ID
	}
}

// Entry is a record with what stands beside it.
type Entry struct {
	journal.Record
	Encoded  []byte
	Personal map[journal.Personal]string
	Position uint64
}

// Records returns the records from a position on.
func (w *World) Records(from uint64) []Entry {
	w.Helper()
	var out []Entry
	for raw, err := range w.Store.Records(context.Background(), from) {
		w.must(err)
		f, err := journal.DecodeFrame(bytes.Clone(raw.Data))
		w.must(err)
		at := f.Position
		for encoded, err := range f.Records() {
			w.must(err)
			r, err := journal.DecodeRecord(encoded)
			w.must(err)
			out = append(out, Entry{Record: r, Encoded: encoded, Personal: map[journal.Personal]string{}, Position: at})
			at++
		}
		values, err := f.Personal()
		w.must(err)
		for _, p := range values {
			out[len(out)-int(f.Count)+int(p.Record)].Personal[p.Field] = p.Value
		}
	}
	return slices.DeleteFunc(out, func(e Entry) bool { return e.Position < from })
}

func (w *World) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// Position returns how many records there are.
func (w *World) Position() uint64 {
	w.Helper()
	head, err := w.Store.Head(context.Background())
	w.must(err)
	return head.Position
}

// Begin begins an operation as the administrator.
func (w *World) Begin(op *gate.Operation) *gate.Call {
	w.Helper()
	c, err := w.Gate().Begin(context.Background(), op, gate.Proof{Local: w.Admin})
	w.must(err)
	return c
}

// Staging is the operation that [World.Stage] runs: what no surface offers yet.
var Staging = &gate.Operation{Number: 900, Name: "stage", Event: "Stage", Permission: "haven:Stage", Mutates: true, Internal: true}

// Stage commits changes through the gate, in one operation.
func (w *World) Stage(changes ...gate.Change) {
	w.Helper()
	w.must(w.Gate().Do(context.Background(), w.Begin(Staging), gate.Request{}, func(gate.Approved) (gate.Outcome, error) {
		return gate.Outcome{Changes: changes}, nil
	}))
}

// Principal adds a principal with a bearer token; one that is no administrator has no rights.
func (w *World) Principal(name string, administrator bool) (gate.ID, secret.Bytes) {
	w.Helper()
	changes, id, token := w.Person(name, administrator)
	w.Stage(changes...)
	return id, token
}

// Person makes the changes that [World.Principal] commits: the principal, then its credential.
func (w *World) Person(name string, administrator bool) ([]gate.Change, gate.ID, secret.Bytes) {
	w.Helper()
	token, err := identity.NewToken(w.System.Config().Random)
	w.must(err)
	id, err := gate.NewID(w.Clock.Wall(), w.System.Config().Random)
	w.must(err)
	changes, err := identity.Administrator(id, name, token, w.Clock.Wall())
	w.must(err)
	if !administrator {
		without := strings.Replace(string(changes[0].Body), `"administrator":true,`, "", 1)
		if without == string(changes[0].Body) {
			w.Fatalf("no mark of an administrator in %s", without)
		}
		changes[0].Body, changes[0].Index[0] = []byte(without), ""
	}
	return changes, id, token
}

// Log collects what a system logs.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns what was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
