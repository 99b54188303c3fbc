package haven

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity/oidc"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/embedded"
)

// Locked is a store that was opened and not yet unlocked: what is in it cannot be read or trusted.
type Locked struct {
	cfg     Config
	store   store.Store
	owned   bool
	storeID gate.ID
	slots   []seal.Slot
	// previous holds the root key before the present one, under the present one, while what it
	// wraps is being wrapped anew.
	previous  *seal.Slot
	integrity crypt.Wrapped
	exists    bool
}

// storeBody is what a store says of itself before it is unlocked.
type storeBody struct {
	Format  int     `json:"v"`
	ID      gate.ID `json:"id"`
	Region  string  `json:"region"`
	Account string  `json:"account"`
}

// Names of items.
const (
	rootStore     = "store"     // KindRoot: storeBody
	rootIntegrity = "integrity" // KindRoot: the integrity key, wrapped by the root key
	slotPrevious  = "previous"  // KindSeal: see Locked.previous
)

// Attempts counts what was tried while the store was locked: it is the first thing recorded.
type Attempts struct {
	Tried, Refused, Throttled uint64
}

// Load opens a store and reads what unlocking it needs. It takes the folder's lock.
func Load(ctx context.Context, cfg Config) (*Locked, error) { return load(ctx, cfg, embedded.Open) }

func load(ctx context.Context, cfg Config, open openFolder) (*Locked, error) {
	cfg = cfg.withDefaults()
	if err := oidc.Check(cfg.Issuers); err != nil {
		return nil, err
	}
	l := &Locked{cfg: cfg, store: cfg.Store}
	if l.store == nil {
		if cfg.DataDir == "" {
			return nil, errors.New("haven: Config needs DataDir or Store")
		}
		s, err := openEmbedded(ctx, &l.cfg, open)
		if err != nil {
			return nil, err
		}
		l.store, l.owned = s, true
	}
	if err := l.read(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close closes a store that was not unlocked.
func (l *Locked) Close() error {
	if l.owned {
		return l.store.Close()
	}
	return nil
}

// Initialized tells whether the store was ever given a root key.
func (l *Locked) Initialized() bool { return l.exists }

// Slots returns the attached seals, without the key that each holds wrapped: their wrapped keys
// are public, and useless without the seal.
func (l *Locked) Slots() []seal.Slot { return l.slots }

func (l *Locked) read(ctx context.Context) error {
	items, _, err := l.store.Get(ctx, rootRef(rootStore), rootRef(rootIntegrity))
	if err != nil {
		return fmt.Errorf("haven: reading the store: %w", err)
	}
	if items[0].Revision == 0 {
		head, err := l.store.Head(ctx)
		if err != nil {
			return fmt.Errorf("haven: reading the store: %w", err)
		}
		if head.Position > 0 {
			return gate.Errorf(gate.Tampered, "the store has records and not the item that says which store it is: it was deleted; keep the folder as it is and restore a backup")
		}
		l.cfg.Region = cmp.Or(l.cfg.Region, "us-east-1")
		l.cfg.Account = cmp.Or(l.cfg.Account, "000000000000")
		return nil
	}
	var body storeBody
	if err := json.Unmarshal(items[0].Body, &body); err != nil {
		return gate.Errorf(gate.Tampered, "the item that says which store it is cannot be read; keep the folder as it is and restore a backup")
	}
	if body.Format != 1 {
		return fmt.Errorf("haven: the store is of a format that this release does not know; use the release that wrote it")
	}
	l.exists, l.storeID, l.integrity = true, body.ID, items[1].Body
	if err := l.cfg.belongsTo(&body); err != nil {
		return err
	}
	page, err := l.store.List(ctx, store.Query{Kind: store.KindSeal, Limit: store.MaxPage})
	if err != nil {
		return fmt.Errorf("haven: reading the seals: %w", err)
	}
	for _, item := range page.Items {
		slot, err := seal.DecodeSlot(item.Body)
		if err != nil {
			return fmt.Errorf("haven: seal %q: %w: %w", item.ID, gate.Tampered, err)
		}
		if slot.Name == slotPrevious {
			l.previous = &slot
		} else {
			l.slots = append(l.slots, slot)
		}
	}
	return nil
}

// belongsTo takes region and account from the store, or refuses to call it by others: no key would
// unwrap, and the store would look altered.
func (c *Config) belongsTo(body *storeBody) error {
	c.Region = cmp.Or(c.Region, body.Region)
	c.Account = cmp.Or(c.Account, body.Account)
	if c.Region != body.Region || c.Account != body.Account {
		return fmt.Errorf("haven: the store was made for region %s and account %s, and the configuration says %s and %s: correct the configuration",
			body.Region, body.Account, c.Region, c.Account)
	}
	return nil
}

func rootRef(name string) store.Ref { return store.Ref{Kind: store.KindRoot, ID: name} }
func sealRef(name string) store.Ref { return store.Ref{Kind: store.KindSeal, ID: name} }

func integrityBinding(storeID gate.ID) blob.Binding {
	return blob.Binding{Store: storeID, Purpose: "integrity key", ID: rootIntegrity}
}

// Unlock opens the store with any of the seals, by slot name, and records what was tried before.
// It returns an error matching gate.Locked when none of them opens its slot; then it may be
// called again.
func (l *Locked) Unlock(ctx context.Context, seals map[string]seal.Seal, before Attempts) (*System, error) {
	s, err := l.unlock(ctx, seals)
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx, before); err != nil {
		s.discard()
		return nil, err
	}
	s.startRewrapping(ctx)
	s.startScheduler(ctx)
	return s, nil
}

// unlock opens the store and records nothing yet.
func (l *Locked) unlock(ctx context.Context, seals map[string]seal.Seal) (*System, error) {
	roots, integrity, err := l.openKeys(ctx, seals)
	if err != nil {
		return nil, err
	}
	defer integrity.Destroy()
	s, err := assemble(ctx, l, roots, integrity, l.storeID, nil)
	if err != nil {
		roots.destroy()
		return nil, err
	}
	// What was believed of these before the integrity key was there to check them.
	if _, _, err := s.view.Get(ctx, rootRef(rootStore), rootRef(rootIntegrity)); err != nil {
		s.discard()
		return nil, err
	}
	return s, nil
}

// openKeys opens the root keys and the integrity key, which the caller destroys.
func (l *Locked) openKeys(ctx context.Context, seals map[string]seal.Seal) (*roots, secret.Bytes, error) {
	root, err := l.openRoot(ctx, seals)
	if err != nil {
		return nil, secret.Bytes{}, err
	}
	roots, err := l.openRoots(ctx, root)
	if err != nil {
		root.Destroy()
		return nil, secret.Bytes{}, err
	}
	integrity, err := roots.Unwrap(integrityBinding(l.storeID), l.integrity)
	if err != nil {
		roots.destroy()
		return nil, secret.Bytes{}, gate.Errorf(gate.Tampered, "the root key does not open the integrity key: it was altered, or the store was mixed from two; restore it from one backup")
	}
	return roots, integrity, nil
}

// discard gives up a system without touching its store.
func (s *System) discard() {
	s.gate.Close()
	s.issuers.Close()
	s.roots.destroy()
	s.secrets.key.Destroy()
}

// openRoot tries each slot whose seal was given.
func (l *Locked) openRoot(ctx context.Context, seals map[string]seal.Seal) (*seal.Root, error) {
	var failed []error
	for _, slot := range l.slots {
		s, given := seals[slot.Name]
		if !given || s.Kind() != slot.Kind {
			continue
		}
		root, err := seal.Open(ctx, l.storeID, slot, s, l.cfg.Random)
		if err == nil {
			return root, nil
		}
		failed = append(failed, fmt.Errorf("seal %s: %w", slot.Name, err))
	}
	if len(failed) == 0 {
		failed = append(failed, fmt.Errorf("no seal was given for any of the store's slots: %s", l.slotNames()))
	}
	return nil, fmt.Errorf("haven: %w: %w", gate.Locked, errors.Join(failed...))
}

// slotNames lists the slots for people: each its name and kind of seal.
func (l *Locked) slotNames() string {
	var names []string
	for _, s := range l.slots {
		names = append(names, fmt.Sprintf("%s (%s)", s.Name, s.Kind))
	}
	return strings.Join(names, ", ")
}

// under is a root key as the seal of the one before it.
type under struct {
	root  *seal.Root
	store gate.ID
}

func (under) Kind() string { return seal.KindKeeper }
func (under) ID() string   { return "root key" }

func (u under) binding() blob.Binding {
	return blob.Binding{Store: u.store, Purpose: "previous root key", ID: slotPrevious}
}

func (u under) Wrap(_ context.Context, plaintext secret.Bytes) (seal.Sealed, error) {
	w, err := u.root.Wrap(u.binding(), plaintext)
	return seal.Sealed{Ciphertext: w}, err
}

func (u under) Unwrap(_ context.Context, s seal.Sealed) (secret.Bytes, error) {
	b, err := u.root.Unwrap(u.binding(), crypt.Wrapped(s.Ciphertext))
	if errors.Is(err, crypt.ErrDecrypt) {
		err = seal.ErrWrong
	}
	return b, err
}

// alarms counts what an operator must look at.
type alarms struct {
	items, findings atomic.Uint64
}

func (a *alarms) tampered(store.Ref) { a.items.Add(1) }
