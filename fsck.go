package haven

import (
	"context"
	"errors"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store/embedded"
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
// the set of access items, and how the keys hang together. It repairs what a crash left between a
// commit and what follows it, as every start does, and changes nothing else. An error means that
// it could not look; what it found is in the report.
func Fsck(ctx context.Context, cfg Config, progress func(float64)) (FsckReport, error) {
	l, err := Load(ctx, cfg)
	if err != nil {
		return FsckReport{}, err
	}
	if !l.Initialized() {
		return FsckReport{}, errors.Join(ErrNotInitialized, l.Close())
	}
	s, err := l.unlock(ctx, l.cfg.Seals)
	if err != nil {
		return FsckReport{}, errors.Join(err, l.Close())
	}
	report, err := s.Check(ctx, progress)
	s.discard()
	return report, errors.Join(err, l.Close())
}

// Check does what Fsck does on an open system; nothing may change it meanwhile.
func (s *System) Check(ctx context.Context, progress func(float64)) (FsckReport, error) {
	var storage []embedded.Finding
	if e, ok := s.store.(*embedded.Store); ok {
		var err error
		if storage, err = e.Fsck(ctx); err != nil {
			return FsckReport{}, err
		}
	}
	report, err := s.check(ctx, storage, false, progress)
	if err != nil {
		return report, err
	}
	graph, err := s.ring.Check(ctx)
	report.Findings = append(report.Findings, graph...)
	if errors.Is(err, gate.Tampered) && len(report.Findings) > 0 {
		err = nil // the damaged item stands among the findings; how the rest hangs together it hides
	}
	return report, err
}

// Scrub looks at a system at work for what only looking finds: an item rolled back or deleted, a
// record that rotted. Its findings raise the alarm that Alarms tells of.
func (s *System) Scrub(ctx context.Context) (FsckReport, error) {
	var storage []embedded.Finding
	if e, ok := s.store.(*embedded.Store); ok {
		var err error
		if storage, err = e.Scrub(ctx); err != nil {
			return FsckReport{}, err
		}
	}
	report, err := s.check(ctx, storage, true, nil)
	s.alarms.findings.Store(uint64(len(report.Findings)))
	return report, err
}

func (s *System) check(ctx context.Context, storage []embedded.Finding, live bool, progress func(float64)) (FsckReport, error) {
	report := FsckReport{Findings: []gate.Finding{}}
	for _, f := range storage {
		report.Findings = append(report.Findings, gate.Finding{Place: f.Place, What: f.What})
	}
	c, err := s.view.Check(ctx, live, progress)
	report.Frames, report.Records, report.Items = c.Frames, c.Records, c.Items
	report.Findings = append(report.Findings, c.Findings...)
	return report, err
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
