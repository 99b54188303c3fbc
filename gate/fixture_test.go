package gate_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/memory"
)

// fixture is a store with one key of two versions, and another node at it.
type fixture struct {
	*gatetest.World
	key        string
	id, master gate.ID
	ciphertext []byte // of version 2
	given      []byte // what the row under test begins from
	clerk      gate.ID
	hook       *hooked
	other      *gatetest.World
	credential string // of the nurse whom staffed makes
}

// hooked is a store that does something when its head is read, as the sequencer does after it
// closed a batch.
type hooked struct {
	*memory.Store
	times atomic.Int32
	do    func()
}

func (h *hooked) Head(ctx context.Context) (store.Head, error) {
	if h.times.Load() > 0 {
		h.times.Add(-1)
		h.do()
	}
	return h.Store.Head(ctx)
}

var setting = store.Ref{Kind: store.KindSetting, ID: "test"}

func newFixture(t *testing.T) *fixture {
	shared := memory.New(1)
	f := &fixture{hook: &hooked{Store: shared}}
	f.World = gatetest.New(t, func(cfg *haven.Config) { cfg.Store = f.hook })
	f.useKey(keys.Kind{Type: keys.Data})
	km := f.KeyManager()
	c, err := km.Encrypt(background, keys.EncryptRequest{Key: f.key, Plaintext: []byte("kept")})
	f.must(err)
	masters, err := km.ListKeys(background, keys.ListRequest{Type: keys.Master})
	f.must(err)
	f.ciphertext = c.Ciphertext
	f.master, _ = gate.ParseID(masters.Keys[0].ID)
	f.clerk, _ = f.Principal("clerk", false)
	f.Stage(gate.Change{Ref: setting, Body: []byte("1")})
	f.other = gatetest.New(t, func(cfg *haven.Config) { cfg.Store = shared })
	f.other.Damaged = true // the first node checks
	f.hook.do = f.meddle
	return f
}

// useKey makes a key of the kind, with two versions, the fixture's own.
func (f *fixture) useKey(of keys.Kind) {
	f.Helper()
	k, err := f.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "Patient data encryption", Type: of.Type, Spec: of.Spec, Usage: of.Usage})
	f.must(err)
	_, err = f.KeyManager().RotateKey(background, k.ID)
	f.must(err)
	f.key = k.ID
	f.id, _ = gate.ParseID(k.ID)
}

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// meddle lets the other node touch the administrator's principal without changing it.
func (f *fixture) meddle() {
	principal := store.Ref{Kind: store.KindPrincipal, ID: string(f.Admin[:])}
	f.elsewhere(gate.Change{Ref: setting, Body: []byte("2"), Also: []store.Ref{principal}})
}

// elsewhere lets the other node change an item. It is called by a sequencer, which a fatal failure
// would end.
func (f *fixture) elsewhere(change gate.Change) {
	items, _, err := f.hook.Store.Get(background, change.Ref)
	if err == nil {
		var c *gate.Call
		change.Before = &items[0]
		if c, err = f.other.Gate().Begin(background, gatetest.Staging, gate.Proof{Local: f.Admin}); err == nil {
			err = f.other.Gate().Do(background, c, gate.Request{}, func(gate.Approved) (gate.Outcome, error) {
				return gate.Outcome{Changes: []gate.Change{change}}, nil
			})
		}
	}
	if err != nil {
		f.Errorf("the other node: %v", err)
	}
}

// token is a bearer token of a test's making.
func token(text string) secret.Bytes { return secret.New([]byte(text)) }

// expire gives the fixture a key whose first version is at the end of its life.
func (f *fixture) expire() {
	f.Helper()
	k, err := f.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "Short-lived", Type: keys.Data, LifetimeDays: 1})
	f.must(err)
	_, err = f.KeyManager().RotateKey(background, k.ID)
	f.must(err)
	f.key = k.ID
	f.id, _ = gate.ParseID(k.ID)
	f.Clock.Advance(lifecycle.Day)
}
