package haven

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/haven-health/haven/gate"
)

// register adds what is known of the system to the server's metrics. No label holds a name, so
// the number of series is fixed and they tell nothing of keys or principals. While locked nothing
// here is asked: package server answers no metrics then.
func (s *Server) register(r *prometheus.Registry) {
	for _, c := range []struct {
		name, help string
		read       func(gate.Counters) uint64
	}{
		{"haven_commits_total", "Batches that became durable.", func(c gate.Counters) uint64 { return c.Batches }},
		{"haven_records_total", "Records that became durable: one for each operation.", func(c gate.Counters) uint64 { return c.Records }},
		{"haven_refused_by_store_total", "Operations refused because the store did not take their record.", func(c gate.Counters) uint64 { return c.Refused }},
		{"haven_reruns_total", "Operations run again because something they used had changed.", func(c gate.Counters) uint64 { return c.Reruns }},
		{"haven_contended_total", "Operations given up because what they used changed again.", func(c gate.Counters) uint64 { return c.Contended }},
		{"haven_unauthenticated_total", "Calls that proved nobody.", func(c gate.Counters) uint64 { return c.Unauthenticated }},
		{"haven_rate_limited_total", "Calls over their principal's rate.", func(c gate.Counters) uint64 { return c.RateLimited }},
	} {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: c.name, Help: c.help},
			s.counter(func(system *System) uint64 { return c.read(system.gate.Counters()) })))
	}
	r.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "haven_rewrapped_versions_total", Help: "Key versions wrapped anew because the master version that wrapped them is no longer primary.",
		}, s.counter(func(system *System) uint64 { return system.rewrapper.versions.Load() })),
		s.gauge("haven_rewrap_waiting", "Old master versions that still wrap keys and wait: their master key is stopped, or the last try failed.",
			func(system *System) float64 { return float64(system.rewrapper.waiting.Load()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "haven_rotation_done_total", Help: "Due things that checks did: rotations, ends of grace periods and lifetimes, destructions.",
		}, s.counter(func(system *System) uint64 { return system.rotation.Figures().Done })),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "haven_rotation_failed_total", Help: "Due things that checks could not do; each is tried again by the next check.",
		}, s.counter(func(system *System) uint64 { return system.rotation.Figures().Failed })),
		s.gauge("haven_rotation_overdue", "What the last check found due and left: it failed, or waits for somebody.",
			func(system *System) float64 { return float64(system.rotation.Figures().Overdue) }),
		s.gauge("haven_rotation_waiting", "Of that, what waits for somebody: material to import, a key to enable.",
			func(system *System) float64 { return float64(system.rotation.Figures().Waiting) }),
		s.gauge("haven_rotation_coming", "What comes due in the 7 days after the last scheduled check, 1,000 at most.",
			func(system *System) float64 { return float64(system.rotation.Figures().Coming) }),
		s.gauge("haven_rotation_checked_seconds", "When the last check of this process ended, in seconds since 1970; 0 before the first.",
			func(system *System) float64 {
				if at := system.rotation.Figures().Checked; !at.IsZero() {
					return float64(at.Unix())
				}
				return 0
			}),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "haven_tampered_items_total", Help: "Stored items that failed their check: look at each.",
		}, s.counter(func(system *System) uint64 { return system.alarms.items.Load() })),
		s.gauge("haven_store_low_space", "1 while only restricting operations are accepted for want of space.",
			func(system *System) float64 { return one(system.gate.LowSpace()) }),
		s.gauge("haven_store_stalled", "1 while every call is refused because the store hangs.",
			func(system *System) float64 { return one(system.gate.Stalled()) }),
		s.gauge("haven_store_failed", "1 once the storage failed; the process ends.",
			func(*System) float64 { return one(s.stopped.Load()) }),
		s.gauge("haven_clock_alarm", "1 while the wall clock is not believed: see accept-clock.",
			func(system *System) float64 { return one(system.view.Time().Alarm()) }),
		s.gauge("haven_oidc_issuers_failing", "OpenID Connect issuers that did not give their keys when last asked.",
			func(system *System) float64 { return float64(system.issuers.Failing()) }),
		s.gauge("haven_scrub_findings", "What the last scrub found that Haven did not write.",
			func(system *System) float64 { return float64(system.alarms.findings.Load()) }),
		s.gauge("haven_seal_generation", "How many root keys the store has had.",
			func(system *System) float64 { return float64(system.roots.Generation()) }),
	)
}

func (s *Server) counter(read func(*System) uint64) func() float64 {
	return func() float64 {
		if system := s.system.Load(); system != nil {
			return float64(read(system))
		}
		return 0
	}
}

func (s *Server) gauge(name, help string, read func(*System) float64) prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
		if system := s.system.Load(); system != nil {
			return read(system)
		}
		return 0
	})
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
