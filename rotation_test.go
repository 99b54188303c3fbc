package haven_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/store"
)

// pausing is a store in which one reading of an alias, and one answer to a commit that touched an
// item, wait until they are let go.
type pausing struct {
	store.Store
	alias  string
	read   *pause
	ref    store.Ref
	answer *pause
}

// pause holds up the first that comes.
type pause struct {
	once          sync.Once
	reached, gone chan struct{}
}

func newPause() *pause { return &pause{reached: make(chan struct{}), gone: make(chan struct{})} }

func (p *pause) wait() {
	p.once.Do(func() {
		close(p.reached)
		<-p.gone
	})
}

func (s *pausing) Get(ctx context.Context, refs ...store.Ref) ([]store.Item, store.Epoch, error) {
	items, epoch, err := s.Store.Get(ctx, refs...)
	if slices.Contains(refs, store.Ref{Kind: store.KindAlias, ID: s.alias}) {
		s.read.wait()
	}
	return items, epoch, err
}

func (s *pausing) Commit(ctx context.Context, b *store.Batch) error {
	err := s.Store.Commit(ctx, b)
	if s.answer != nil && slices.Contains(b.Touched, s.ref) {
		s.answer.wait()
	}
	return err
}

// createPaused creates a master key that is wrapped already when the store holds it up, and sends
// how that ended.
func createPaused(t *testing.T, system *haven.System, s *pausing) (ended chan error) {
	t.Helper()
	ended = make(chan error, 1)
	go func() {
		_, err := system.KeyManager().CreateKey(t.Context(), keys.CreateRequest{Purpose: "Test", Type: keys.Master, Alias: "alias/" + s.alias})
		ended <- err
	}()
	<-s.read.reached
	return ended
}

// usable starts from cold and uses every key named.
func usable(t *testing.T, s store.Store, seals map[string]seal.Seal, ids ...string) {
	t.Helper()
	system := open(t, s, seals)
	for _, id := range ids {
		if _, err := system.KeyManager().Encrypt(t.Context(), keys.EncryptRequest{Key: id, Plaintext: []byte("x")}); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	sound(t, system)
}

// A master key that was wrapped before a rotation and is stored after it is wrapped again.
func TestMasterMadeDuringARotationOfTheRootKey(t *testing.T) {
	inner, seals := newMemory(t), map[string]seal.Seal{seal.Daily: keyFile(t)}
	s := &pausing{Store: inner, alias: "slow", read: newPause()}
	system := open(t, s, seals)
	ended := createPaused(t, system, s)
	if err := system.RotateSeal(t.Context(), seals, gate.ID{}); err != nil {
		t.Error(err)
	}
	close(s.read.gone)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	sound(t, system)
	usable(t, inner, seals, "alias/slow", "alias/"+keys.DefaultMaster)
}

// The same, of one that is wrapped when the rotation is durable and its own process has not heard so.
func TestMasterMadeBeforeARotationIsKnownToBeDurable(t *testing.T) {
	inner, seals := newMemory(t), map[string]seal.Seal{seal.Daily: keyFile(t)}
	s := &pausing{
		Store: inner, alias: "slow", read: newPause(), answer: newPause(),
		ref: store.Ref{Kind: store.KindRoot, ID: "integrity"},
	}
	system := open(t, s, seals)
	rotated := make(chan error, 1)
	go func() { rotated <- system.RotateSeal(t.Context(), seals, gate.ID{}) }()
	<-s.answer.reached
	ended := createPaused(t, system, s)
	close(s.answer.gone)
	if err := <-rotated; err != nil {
		t.Error(err)
	}
	close(s.read.gone)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	sound(t, system)
	usable(t, inner, seals, "alias/slow", "alias/"+keys.DefaultMaster)
}

// A rotation whose caller gave up is durable all the same: no slot gets the root key before it again.
func TestSealAttachedAfterARotationNobodyWaitedFor(t *testing.T) {
	inner, seals := newMemory(t), map[string]seal.Seal{seal.Daily: keyFile(t)}
	s := &pausing{Store: inner, answer: newPause(), ref: store.Ref{Kind: store.KindRoot, ID: "integrity"}}
	system := open(t, s, seals)
	w := write(t, system)
	ctx, giveUp := context.WithCancel(t.Context())
	rotated := make(chan error, 1)
	go func() { rotated <- system.RotateSeal(ctx, seals, gate.ID{}) }()
	<-s.answer.reached
	giveUp()
	if err := <-rotated; err == nil {
		t.Error("a rotation ended before it was durable")
	}
	close(s.answer.gone)
	if err := system.MigrateSeal(t.Context(), seal.Recovery, nil, keyFile(t), gate.ID{}); !errors.Is(err, gate.InvalidState) {
		t.Errorf("a slot of the root key before: %v", err)
	}
	read(t, system, w)
	sound(t, system)
	system = open(t, inner, seals)
	read(t, system, w)
	sound(t, system)
}

// Whatever goes on at once, what was answered is there after a cold start.
func TestMastersMadeWhileTheRootKeyRotates(t *testing.T) {
	dir := t.TempDir() + "/data"
	system, err := haven.Open(t.Context(), haven.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	seals := system.Config().Seals
	km := system.KeyManager()
	stop := make(chan struct{})
	var mu sync.Mutex
	var ids []string
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				key, err := km.CreateKey(t.Context(), keys.CreateRequest{Purpose: "Test", Type: keys.Master})
				if err == nil {
					_, err = km.RotateKey(t.Context(), key.ID)
				}
				if err != nil && !errors.Is(err, gate.Contended) {
					t.Error(err)
				}
				if key != nil {
					mu.Lock()
					ids = append(ids, key.ID)
					mu.Unlock()
				}
			}
		})
	}
	workers.Go(func() { // slots change meanwhile, one at a time
		for i := range 4 {
			err := system.MigrateSeal(t.Context(), seal.Daily, seals[seal.Daily], seals[seal.Daily], gate.ID{})
			if err != nil && !errors.Is(err, gate.Contended) {
				t.Errorf("seal %d: %v", i, err)
			}
		}
	})
	for i := range 4 {
		if err := system.RotateSeal(t.Context(), seals, gate.ID{}); err != nil {
			t.Error(fmt.Errorf("rotation %d: %w", i, err))
		}
	}
	close(stop)
	workers.Wait()
	if err := system.Close(); err != nil {
		t.Error(err)
	}
	if len(ids) == 0 {
		t.Fatal("no master was made meanwhile")
	}
	if system, err = haven.Open(t.Context(), haven.Config{DataDir: dir}); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if _, err := system.KeyManager().Encrypt(t.Context(), keys.EncryptRequest{Key: id, Plaintext: []byte("x")}); err != nil {
			t.Errorf("%s of %d: %v", id, len(ids), err)
		}
	}
	if err := system.Close(); err != nil {
		t.Error(err)
	}
}
