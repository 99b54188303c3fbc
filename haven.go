// Package haven is the key management system of the Haven Health Passport as a library: it wires
// the whole of it from a Config, with embedded defaults, and imports no cloud's libraries.
//
//	system, err := haven.Open(ctx, haven.Config{DataDir: "haven-dev"})
//	km := system.KeyManager()
//	key, err := km.CreateKey(ctx, keys.CreateRequest{Purpose: "Patient data encryption", Type: keys.Data, RotationDays: 90})
//
// It guarantees what package gate does for every way in: no operation without a durable record, no
// answer before it. It never acts without naming a principal: the library's own is the local
// administrator.
package haven

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/audit"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/identity/oidc"
	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/rotation"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/vault"
)

// Config says what a System is made of. The zero value of every field but DataDir is usable.
type Config struct {
	// DataDir is the folder of the embedded store, made on first start. Required unless Store is
	// given.
	DataDir string
	// Store replaces the embedded store. Who gives it closes it, after the System.
	Store store.Store
	// Seals open the store, by slot name; any one of them is enough. Empty: the key file
	// seal.key in DataDir, made at first start.
	Seals map[string]seal.Seal
	// Region and Account, of 12 digits, stand in ARNs, and the account is bound into the wrapping
	// of every key, so a store keeps those it was made with: another is refused. Empty: those, and
	// us-east-1 and 000000000000 for a new store.
	Region, Account string
	// CacheKeys bounds how many keys are held ready for use, unwrapped. 0: 100,000.
	CacheKeys int
	// Defaults are the periods of keys created without their own. nil: 90 days of use, replaced 7
	// days early, 30 days of grace.
	Defaults *lifecycle.Policy
	// Clock is the time; nil: the machine's.
	Clock clock.Clock
	// ClockGap is how long after the newest record a start takes the machine's clock up by itself:
	// beyond it time goes on from that record, with an alarm, until accept-clock. 0:
	// gate.DefaultClockGap, 7 days; negative: it always does.
	ClockGap time.Duration
	// Random is the source of keys, salts and ids; it must be cryptographically secure and safe
	// for concurrent use. nil: crypto/rand.
	Random io.Reader
	// Issuers are whose OpenID Connect tokens prove who calls. They are configuration and nothing
	// else: no operation adds one. Empty: none.
	Issuers []oidc.Issuer
	// AdvanceClock lets time pass on a Clock that can be moved, for advance-clock; it returns when that
	// is kept for the next start. nil: the clock cannot be moved.
	AdvanceClock func(time.Duration) error
	// NoScheduler leaves what is due to whoever calls check-rotation: nothing looks by itself.
	NoScheduler bool
	// Log receives what no answer may tell. nil: discarded.
	Log *slog.Logger
	// Failed is told that the storage failed under the journal: the process must stop, with exit
	// code 74. It may be told more than once, by several goroutines. nil: nobody is told, and every
	// operation is refused from then on.
	Failed func(error)
}

// DefaultCacheKeys is how many keys are held ready for use where nothing else is said.
const DefaultCacheKeys = 100_000

func (c Config) withDefaults() Config {
	if c.CacheKeys == 0 {
		c.CacheKeys = DefaultCacheKeys
	}
	if c.Defaults == nil {
		p := lifecycle.DefaultPolicy()
		c.Defaults = &p
	}
	if c.Clock == nil {
		c.Clock = clock.System()
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// System is a whole Haven, unlocked.
type System struct {
	cfg       Config
	store     store.Store
	owned     bool // the store is closed with the system
	storeID   gate.ID
	roots     *roots
	sealing   sync.Mutex // held by what changes slots or the root key
	view      *gate.View
	gate      *gate.Gate
	ring      *keys.Ring
	manager   *keys.Manager
	audit     *audit.Reader
	rotation  *rotation.Scheduler
	vault     *vault.Manager
	issuers   *oidc.Issuers
	people    *identity.Manager
	directory *identity.Directory
	secrets   *accessKeys
	admin     gate.ID
	// token is the first administrator's, if this opening made the store.
	token     secret.Bytes
	alarms    alarms
	pinned    pinned
	rewrapper rewrapper
	checks    checks
}

// Open opens a store, making it when there is none, and unlocks it with the seals of the Config.
// It returns an error matching gate.Locked when none of them opens it.
func Open(ctx context.Context, cfg Config) (*System, error) {
	locked, err := Load(ctx, cfg)
	if err != nil {
		return nil, err
	}
	var s *System
	if locked.Initialized() {
		s, err = locked.Unlock(ctx, locked.cfg.Seals, Attempts{})
	} else {
		s, err = locked.first(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, locked.Close())
	}
	return s, nil
}

// DefaultAdministrator is the name of the administrator that a first start creates.
const DefaultAdministrator = "administrator"

// Gate returns the door, for surfaces.
func (s *System) Gate() *gate.Gate { return s.gate }

// Manager returns the Key Manager, for surfaces: it takes calls that the gate began.
func (s *System) Manager() *keys.Manager { return s.manager }

// Audit returns the audit trail, for surfaces: it takes calls that the gate began.
func (s *System) Audit() *audit.Reader { return s.audit }

// IdentityManager manages principals, for surfaces: it takes calls that the gate began.
func (s *System) IdentityManager() *identity.Manager { return s.people }

// Config returns the configuration, its defaults filled in.
func (s *System) Config() Config { return s.cfg }

// FirstToken returns the first administrator's bearer token if this opening made the store; ok
// is false otherwise. It is nowhere else: show it once.
func (s *System) FirstToken() (token secret.Bytes, ok bool) { return s.token, s.token.Len() > 0 }

// Close lets what is under way finish, and closes. Nothing durable depends on it.
func (s *System) Close() error {
	s.stopScheduler()
	s.stopRewrapping()
	if err := s.keepCounts(context.Background()); err != nil {
		s.cfg.Log.Warn("the counts of uses could not be kept; the next start counts them again", slog.Any("error", err))
	}
	if err := s.pin(context.Background(), gate.Shutdown); err != nil { // as when the disk is full, or failed
		s.cfg.Log.Warn("the journal's end could not be pinned", slog.Any("error", err))
	}
	s.discard()
	if s.owned {
		return s.store.Close()
	}
	return nil
}

// assemble wires a system over an unlocked store.
func assemble(ctx context.Context, l *Locked, roots *roots, integrity secret.Bytes, storeID gate.ID, auth gate.Authenticator) (*System, error) {
	s := &System{cfg: l.cfg, store: l.store, owned: l.owned, storeID: storeID, roots: roots}
	cfg, err := l.viewConfig(integrity, storeID, s.alarms.tampered)
	if err != nil {
		return nil, err
	}
	if s.view, err = gate.NewView(ctx, cfg); err != nil {
		return nil, err
	}
	roots.view = s.view
	secrets, err := newAccessKeys(integrity, storeID, &l.cfg)
	if err != nil {
		return nil, err
	}
	s.secrets = secrets
	if s.issuers, err = oidc.New(l.cfg.Issuers, l.cfg.Log); err != nil {
		return nil, err
	}
	s.directory = identity.New(identity.Config{View: s.view, Account: l.cfg.Account, Region: l.cfg.Region, Secrets: secrets, Issuers: s.issuers})
	s.ring = l.ring(s.view, roots, storeID, s.directory)
	s.vault = l.vault(s.view, s.ring, storeID)
	if auth == nil {
		if s.admin, err = localAdministrator(ctx, s.directory); err != nil {
			return nil, err
		}
		auth = s.directory
	}
	s.gate = gate.New(gate.Config{
		View: s.view, Random: l.cfg.Random, Authenticator: auth, Resolver: resolver{s.ring, s.vault},
		Advance: func(ctx context.Context, c *gate.Call, key gate.ID, why lifecycle.Reason) error {
			return s.manager.Advance(ctx, c, key, why)
		},
		Authorize: access.Decide, Granted: s.ring.Granted, Approvals: s.directory, Region: l.cfg.Region, Log: l.cfg.Log, Failed: l.cfg.Failed,
	})
	s.audit = audit.NewReader(audit.Config{Gate: s.gate, StoreID: storeID, Region: l.cfg.Region, Account: l.cfg.Account})
	s.people = identity.NewManager(s.gate, s.directory, l.cfg.Random)
	s.manager = keys.NewManager(s.gate, s.ring, l.cfg.Random, *l.cfg.Defaults)
	s.vault.Wire(s.gate)
	s.rotation = s.newScheduler()
	return s, nil
}

func (l *Locked) viewConfig(integrity secret.Bytes, storeID gate.ID, tampered func(store.Ref)) (gate.ViewConfig, error) {
	mac, err := crypt.NewMAC(integrity)
	if err != nil {
		return gate.ViewConfig{}, fmt.Errorf("haven: integrity key: %w", err)
	}
	return gate.ViewConfig{
		Store: l.store, Clock: l.cfg.Clock, StoreID: storeID, Tampered: tampered, ClockGap: l.cfg.ClockGap,
		MAC: func(message []byte) [32]byte { return mac.Sum(message) },
	}, nil
}

func (l *Locked) ring(view *gate.View, roots *roots, storeID gate.ID, people keys.People) *keys.Ring {
	return keys.NewRing(keys.RingConfig{
		View: view, Root: roots, StoreID: storeID, Random: l.cfg.Random, CacheKeys: l.cfg.CacheKeys,
		Place: keys.Place{Region: l.cfg.Region, Account: l.cfg.Account}, People: people,
	})
}

func localAdministrator(ctx context.Context, d *identity.Directory) (gate.ID, error) {
	ids, err := d.Administrators(ctx)
	if err != nil {
		return gate.ID{}, err
	}
	if len(ids) == 0 {
		return gate.ID{}, gate.Errorf(gate.Tampered, "the store has no administrator; restore it from a backup")
	}
	return ids[0], nil
}
