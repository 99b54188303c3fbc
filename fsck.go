package haven

import (
	"context"
	"errors"
	"fmt"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/embedded"
	"github.com/haven-health/haven/vault"
)

// FsckReport is what a check of a store looked at and found.
type FsckReport struct {
	Frames   uint64         `json:"frames"`
	Records  uint64         `json:"records"`
	Items    uint64         `json:"items"`
	Findings []gate.Finding `json:"findings"`
}

// Fsck opens a store as [Open] does, checks all of it, and closes it: the storage's own structure,
// the whole chain of records, every item against its MAC and its last record, the stops chain,
// the set of access items, and how the keys hang together. It changes nothing in the data folder:
// what every start repairs after a crash is looked at as repaired.
//
// What is damaged is a finding, also where it keeps the store from being opened; then what can
// still be read is checked. An error means that it could not look, or not to the end, as without
// the right seal: what was found up to there comes with it.
func Fsck(ctx context.Context, cfg Config, progress func(float64)) (FsckReport, error) {
	report := FsckReport{Findings: []gate.Finding{}}
	l, err := load(ctx, cfg, embedded.Examine)
	if report.damage("store", err) {
		return report, report.inspect(ctx, cfg)
	}
	if err != nil {
		return report, err
	}
	if !l.Initialized() {
		return report, errors.Join(ErrNotInitialized, l.Close())
	}
	return report, errors.Join(l.fsck(ctx, &report, progress), l.Close())
}

func (l *Locked) fsck(ctx context.Context, report *FsckReport, progress func(float64)) error {
	if err := report.storage(l.store, func(e *embedded.Store) ([]embedded.Finding, error) { return e.Fsck(ctx) }); err != nil {
		return err
	}
	roots, integrity, err := l.openKeys(ctx, l.cfg.Seals)
	if report.damage("root key", err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer roots.destroy()
	defer integrity.Destroy()
	cfg, err := l.viewConfig(integrity, l.storeID, nil)
	if err != nil {
		return err
	}
	view, refused, err := gate.Examine(ctx, cfg)
	if err != nil {
		return err
	}
	report.Findings = append(report.Findings, refused...)
	if err := report.records(ctx, view, false, progress); err != nil {
		return err
	}
	ring := l.ring(view, roots, l.storeID, identity.New(identity.Config{View: view, Account: l.cfg.Account}))
	return report.keys(ctx, ring, l.vault(view, ring, l.storeID))
}

// inspect looks at what is left of the storage of a store that could not be opened.
func (r *FsckReport) inspect(ctx context.Context, cfg Config) error {
	if cfg.Store != nil {
		return nil
	}
	cfg = cfg.withDefaults()
	folder, err := disk.Dir(cfg.DataDir)
	if err != nil {
		return fmt.Errorf("haven: data folder: %w", err)
	}
	found, err := embedded.Inspect(ctx, embedded.Config{FS: folder, Rand: cfg.Random})
	r.add(found)
	return err
}

// Check does what Fsck does on an open system; nothing may change it meanwhile.
func (s *System) Check(ctx context.Context, progress func(float64)) (FsckReport, error) {
	report := FsckReport{Findings: []gate.Finding{}}
	err := report.storage(s.store, func(e *embedded.Store) ([]embedded.Finding, error) { return e.Fsck(ctx) })
	if err == nil {
		err = report.records(ctx, s.view, false, progress)
	}
	if err == nil {
		err = report.keys(ctx, s.ring, s.vault)
	}
	return report, err
}

// Scrub looks at a system at work for what only looking finds: an item rolled back or deleted, a
// record that rotted. Its findings raise the alarm that Alarms tells of.
func (s *System) Scrub(ctx context.Context) (FsckReport, error) {
	report := FsckReport{Findings: []gate.Finding{}}
	err := report.storage(s.store, func(e *embedded.Store) ([]embedded.Finding, error) { return e.Scrub(ctx) })
	if err == nil {
		err = report.records(ctx, s.view, true, nil)
	}
	s.alarms.findings.Store(uint64(len(report.Findings)))
	return report, err
}

// damage makes a finding of an error that tells of damage, and tells whether it is one.
func (r *FsckReport) damage(place string, err error) bool {
	f, damaged := gate.Found(place, err)
	if damaged {
		r.Findings = append(r.Findings, f)
	}
	return damaged
}

func (r *FsckReport) add(storage []embedded.Finding) {
	for _, f := range storage {
		r.Findings = append(r.Findings, gate.Finding{Place: f.Place, What: f.What})
	}
}

// storage adds what the embedded store finds in itself; others have nothing to say.
func (r *FsckReport) storage(s store.Store, look func(*embedded.Store) ([]embedded.Finding, error)) error {
	e, ok := s.(*embedded.Store)
	if !ok {
		return nil
	}
	found, err := look(e)
	r.add(found)
	return err
}

// records compares items and records.
func (r *FsckReport) records(ctx context.Context, view *gate.View, live bool, progress func(float64)) error {
	c, err := view.Check(ctx, live, progress)
	r.Frames, r.Records, r.Items = c.Frames, c.Records, c.Items
	r.Findings = append(r.Findings, c.Findings...)
	return err
}

// keys adds how the keys and the stored keys hang together.
func (r *FsckReport) keys(ctx context.Context, ring *keys.Ring, stored *vault.Manager) error {
	found, err := ring.Check(ctx)
	r.Findings = append(r.Findings, found...)
	if err != nil {
		return err
	}
	found, err = stored.Check(ctx)
	r.Findings = append(r.Findings, found...)
	return err
}

// Alarms is what an operator must look at.
type Alarms struct {
	// Tampered counts items met that failed their MAC; Findings is what the last scrub found.
	Tampered, Findings uint64
	// Clock tells that the wall clock jumped and is not believed.
	Clock bool
	// LowSpace tells that only restricting operations are accepted.
	LowSpace bool
	// Stalled tells that the store hangs, and that nothing is accepted until it returns.
	Stalled bool
}

// Alarms returns the alarms that stand.
func (s *System) Alarms() Alarms {
	return Alarms{
		Tampered: s.alarms.items.Load(), Findings: s.alarms.findings.Load(),
		Clock: s.view.Time().Alarm(), LowSpace: s.gate.LowSpace(), Stalled: s.gate.Stalled(),
	}
}
