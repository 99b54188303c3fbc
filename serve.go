package haven

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haven-health/haven/api/native"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/server"
	"github.com/haven-health/haven/store"
)

// ServeConfig says how a System is put on the network. Config.DataDir and Listen are required.
type ServeConfig struct {
	Config
	// Listen is the TCP address, "host:port"; port 0 picks a free one.
	Listen string
	// Hosts are further names and addresses for the own certificate. Optional.
	Hosts []string
	// CertFile and KeyFile are a certificate chain and its key made elsewhere, and CAFile what
	// clients should trust then. Optional: see server.Config.
	CertFile, KeyFile, CAFile string
	// AccessLog writes a record of each request to Config.Log. False: none.
	AccessLog bool
	// Limits bound connections, requests and times. Zero fields mean the defaults.
	Limits server.Limits
	// PrincipalRate bounds the calls of one principal. Zero: 10,000 a second, bursts of 20,000,
	// 65,536 principals remembered: most of a machine, and not all of it from others.
	PrincipalRate server.Rate
	// ScrubEvery is how often everything stored is looked at. 0: DefaultScrub; negative: never.
	ScrubEvery time.Duration
	// Initialize makes a store when there is none, as Open does. False: that is an error.
	Initialize bool
	// ListenerClock is the time for certificates and rates. Optional: nil takes Config.Clock. A
	// test that moves Config.Clock leaves this one alone, for clients judge certificates by theirs.
	ListenerClock clock.Clock
	// Version is the release, as OpenAPI tells it. Optional.
	Version string
}

// ErrNotInitialized says that a store was never given a root key.
var ErrNotInitialized = errors.New("haven: the data folder holds no store yet: run haven init")

// Server is a System on the network. It may be locked: then it answers nothing but health, and
// the unseal socket.
type Server struct {
	cfg     ServeConfig
	locked  *Locked
	system  atomic.Pointer[System] // nil while locked
	http    *server.Server
	callers *server.RateLimiter
	failed  chan error // holds the first failure of the storage
	stopped atomic.Bool
	// unlocking is held while seals are tried: a store is unlocked once.
	unlocking sync.Mutex
	sealedBy  error // why no seal opened the store at the start; nil when one did
}

// NewServer takes the data folder, opens the listeners and unlocks with the seals of the Config.
// When none of them opens the store the server is made nevertheless, locked. It must be run, or
// closed.
func NewServer(ctx context.Context, cfg ServeConfig) (*Server, error) {
	cfg.PrincipalRate = cmp.Or(cfg.PrincipalRate, server.Rate{PerSecond: 10_000, Burst: 20_000, Keys: 1 << 16})
	if cfg.DataDir == "" {
		return nil, errors.New("haven: ServeConfig needs DataDir")
	}
	s := &Server{cfg: cfg, failed: make(chan error, 1)}
	s.cfg.Failed = s.storageFailed
	var err error
	if s.locked, err = Load(ctx, s.cfg.Config); err != nil {
		return nil, err
	}
	s.cfg.Config = s.locked.cfg
	if s.cfg.ListenerClock == nil {
		s.cfg.ListenerClock = s.cfg.Clock
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) open(ctx context.Context) error {
	if !s.locked.Initialized() && !s.cfg.Initialize {
		return ErrNotInitialized
	}
	var err error
	if s.callers, err = server.NewRateLimiter(s.cfg.PrincipalRate, s.cfg.ListenerClock); err != nil {
		return err
	}
	if s.http, err = s.listen(); err != nil {
		return err
	}
	s.register(s.http.Registry())
	err = s.unlock(ctx)
	if errors.Is(err, gate.Locked) {
		s.sealedBy = err
		s.cfg.Log.Warn("no seal opens the store; it stays locked until haven unseal", slog.Any("error", err))
		return nil
	}
	return err
}

func (s *Server) listen() (*server.Server, error) {
	folder, err := disk.Dir(s.cfg.DataDir)
	if err != nil {
		return nil, fmt.Errorf("haven: data folder: %w", err)
	}
	return server.New(server.Config{
		Listen: s.cfg.Listen, DataDir: s.cfg.DataDir, Disk: folder,
		Hosts: s.cfg.Hosts, CertFile: s.cfg.CertFile, KeyFile: s.cfg.KeyFile, CAFile: s.cfg.CAFile,
		Clock: s.cfg.ListenerClock, Log: s.cfg.Log, AccessLog: s.cfg.AccessLog, Limits: s.cfg.Limits,
		Readiness: s.readiness, Unseal: s.unseal,
	})
}

func (s *Server) unlock(ctx context.Context) error {
	var system *System
	var err error
	if s.locked.Initialized() {
		system, err = s.locked.Unlock(ctx, s.cfg.Seals, Attempts{})
	} else {
		system, err = s.locked.first(ctx)
	}
	if err == nil {
		s.serve(system)
	}
	return err
}

// serve lets requests in.
func (s *Server) serve(system *System) {
	s.system.Store(system)
	s.http.SetHandler(native.New(native.Config{
		Gate: system.Gate(), Keys: system.Manager(), Audit: system.Audit(), Identity: system.IdentityManager(), Rotation: system.Scheduler(), Vault: system.Vault(), Allow: s.callers.Allow, Version: s.cfg.Version,
	}))
}

// unseal tries a passphrase on each slot that takes one. The unseal socket calls it, one at a
// time and while locked.
func (s *Server) unseal(ctx context.Context, passphrase []byte) error {
	phrase, err := seal.NewPassphrase(secret.New(append([]byte(nil), passphrase...)), s.cfg.Random)
	if err != nil {
		return fmt.Errorf("%w: %w", server.ErrUnsealRefused, err)
	}
	defer phrase.Destroy()
	s.unlocking.Lock()
	defer s.unlocking.Unlock()
	if s.system.Load() != nil || s.locked == nil { // another was first, or the server stops
		return nil
	}
	seals := map[string]seal.Seal{}
	for _, slot := range s.locked.Slots() {
		if slot.Kind == seal.KindPassphrase {
			seals[slot.Name] = phrase
		}
	}
	if len(seals) == 0 {
		return fmt.Errorf("%w: restart the server with a seal that opens it: %s", server.ErrUnsealImpossible, s.locked.slotNames())
	}
	system, err := s.locked.Unlock(ctx, seals, Attempts(s.http.UnsealAttempts()))
	switch {
	case errors.Is(err, seal.ErrWrong):
		return fmt.Errorf("%w: %w", server.ErrUnsealRefused, err)
	case err != nil:
		return err
	}
	s.serve(system)
	return nil
}

// storageFailed is told by the gate that the process must end. The first reason counts.
func (s *Server) storageFailed(err error) {
	s.stopped.Store(true)
	select {
	case s.failed <- err:
	default:
	}
}

// System returns the system once it is unlocked.
func (s *Server) System() (system *System, unlocked bool) {
	system = s.system.Load()
	return system, system != nil
}

// Locked says why the server started locked, for those who started it; nil when it did not.
func (s *Server) Locked() error { return s.sealedBy }

// Slots returns what may unlock the store, as [Locked.Slots] does; nil once the server is closed.
func (s *Server) Slots() []seal.Slot {
	s.unlocking.Lock()
	defer s.unlocking.Unlock()
	if s.locked == nil {
		return nil
	}
	return s.locked.Slots()
}

// Endpoint is the URL clients use, with the port that was picked.
func (s *Server) Endpoint() string { return s.http.Endpoint() }

// CAFile is the path of the certificates that clients should trust.
func (s *Server) CAFile() string { return s.http.CAFile() }

// Run serves until the context ends, then lets what is under way finish and closes everything.
// The announcement's region and account are filled in. It returns nil after a stop that was asked
// for, and an error matching store.ErrFailed when the storage failed under the journal.
func (s *Server) Run(ctx context.Context, ready server.Announcement) error {
	ready.Region, ready.Account = s.cfg.Region, s.cfg.Account
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watching sync.WaitGroup
	watching.Go(func() { s.scrub(ctx) })
	watching.Go(func() { s.watchAlarms(ctx) })
	watching.Go(func() { s.retrySeals(ctx) })
	watching.Go(func() { s.keepPinning(ctx) })
	watching.Go(func() { s.recordStrangers(ctx) })
	watching.Go(func() { s.countUses(ctx) })
	served := make(chan error, 1)
	go func() { served <- s.http.Run(ctx, ready) }()
	var err error
	select {
	case err = <-served:
	case failure := <-s.failed:
		cancel()
		err = fmt.Errorf("haven: %w: %w", store.ErrFailed, errors.Join(failure, <-served))
	}
	cancel()
	watching.Wait() // they read the store that is closed now
	return errors.Join(err, s.Close())
}

// Close closes listeners, system and store at once. It may be called more than once.
func (s *Server) Close() error {
	var err error
	if s.http != nil {
		err = s.http.Close()
	}
	s.unlocking.Lock()
	defer s.unlocking.Unlock()
	if s.locked == nil {
		return err
	}
	locked := s.locked
	s.locked = nil
	if system := s.system.Load(); system != nil {
		return errors.Join(err, system.Close())
	}
	return errors.Join(err, locked.Close())
}

// readiness says why this server should get no traffic, besides what package server knows.
func (s *Server) readiness() []string {
	var reasons []string
	if s.stopped.Load() {
		reasons = append(reasons, "storage_failed")
	}
	system := s.system.Load()
	if system == nil {
		return reasons
	}
	if system.gate.LowSpace() {
		reasons = append(reasons, "low_space")
	}
	if system.gate.Stalled() {
		reasons = append(reasons, "store_stalled")
	}
	return reasons
}
