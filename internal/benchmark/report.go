package benchmark

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
)

// Report is what a run measured: medians across its rounds.
type Report struct {
	Machine string   `json:"machine"`
	Rounds  int      `json:"rounds"`
	Lines   []Line   `json:"lines"`
	Targets []Target `json:"targets"`
}

// Line is one measurement. Figures of a batch are per item, but its latencies; figures of crypt
// are of the bare call: see call.
type Line struct {
	Server      string `json:"server"`
	Operation   string `json:"operation"`
	Size        int    `json:"size"`
	Concurrency int    `json:"concurrency"`
	sample
}

// Target is a demand on a ratio: its median across the rounds, each of which compares two
// measurements that were taken one after the other.
type Target struct {
	Name  string  `json:"name"`
	Limit float64 `json:"limit"`
	// AtLeast tells that the limit is a least; otherwise it is a most.
	AtLeast bool    `json:"at_least"`
	Got     float64 `json:"got"`
	Met     bool    `json:"met"`
}

func median(values []float64) float64 {
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

func medians(samples []sample) sample {
	of := func(field func(*sample) float64) float64 {
		values := make([]float64, len(samples))
		for i := range samples {
			values[i] = field(&samples[i])
		}
		return median(values)
	}
	return sample{
		Rate: of(rate), P50: of(func(s *sample) float64 { return s.P50 }), P99: of(p99), CPU: of(cpu),
		Allocs: of(func(s *sample) float64 { return s.Allocs }), Bytes: of(func(s *sample) float64 { return s.Bytes }),
	}
}

func rate(s *sample) float64 { return s.Rate }
func p99(s *sample) float64  { return s.P99 }
func cpu(s *sample) float64  { return s.CPU }

func (b *bench) report() *Report {
	r := &Report{
		Machine: fmt.Sprintf("%s/%s, %d CPUs, %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version()),
		Rounds:  b.cfg.Rounds, Targets: b.targets(),
	}
	for _, m := range b.plan {
		r.Lines = append(r.Lines, Line{m.server, m.operation, m.size, m.concurrency, medians(m.samples)})
	}
	for _, c := range b.calls {
		r.Lines = append(r.Lines, Line{"crypt", c.operation, c.size, 1, medians(c.samples)})
	}
	return r
}

// targets compares Haven with the durable opponent and with the bare calls.
func (b *bench) targets() []Target {
	var out []Target
	for _, m := range b.plan {
		if m.server != Haven {
			continue
		}
		at := fmt.Sprintf("%s %d B × %d", m.operation, m.size, m.concurrency)
		add := func(what string, than []sample, field func(*sample) float64, limit float64, atLeast bool) {
			ratios := make([]float64, len(m.samples))
			for i := range ratios {
				ratios[i] = field(&m.samples[i]) / field(&than[i])
			}
			got := median(ratios)
			out = append(out, Target{Name: at + ": " + what, Limit: limit, AtLeast: atLeast, Got: got, Met: got >= limit == atLeast || got == limit})
		}
		switch {
		case m.operation == opEncrypt && m.size <= 64:
			durable := b.durable(m)
			add("CPU of (b)", durable, cpu, 1.3, false)
			add("p99 of (b)", durable, p99, 1.5, false)
			if m.concurrency > 1 {
				add("throughput of (b)", durable, rate, 0.75, true)
			}
		case m.operation == opEncrypt && m.concurrency > 1:
			add("throughput of (b)", b.durable(m), rate, 1.2, true)
		case m.operation == opBatch:
			add("CPU of the bare crypt call, per item", b.call(opEncrypt, m.size), cpu, 3, false)
		case m.operation == opSign || m.operation == opVerify:
			both := slices.Clone(b.beside(m, Haven).samples)
			for i, s := range b.call(m.operation, m.size) {
				both[i].CPU += s.CPU
			}
			add("CPU of the bare call and of encrypt together", both, cpu, 1, false)
		case m.operation == opCreate:
			add("rate of (b)'s encrypt", b.durable(m), rate, 0.25, true)
		}
	}
	return out
}

// durable returns the durable opponent's samples beside m.
func (b *bench) durable(m *measurement) []sample { return b.beside(m, Durable).samples }

// beside returns a server's encryption of the same size and concurrency as m.
func (b *bench) beside(m *measurement, server string) *measurement {
	i := slices.IndexFunc(b.plan, func(o *measurement) bool {
		return o.server == server && o.operation == opEncrypt && o.size == m.size && o.concurrency == m.concurrency
	})
	return b.plan[i]
}

// call returns the samples of an operation's bare call.
func (b *bench) call(operation string, size int) []sample {
	i := slices.IndexFunc(b.calls, func(c *call) bool { return c.operation == operation && c.size == size })
	return b.calls[i].samples
}

// WriteText writes the report as a table, targets last.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "%s; medians of %d rounds; batch: per item, latencies of the whole batch\n", r.Machine, r.Rounds)
	fmt.Fprintln(t, "server\toperation\tbytes\tconns\tper second\tp50 µs\tp99 µs\tCPU µs\tallocs\talloc bytes\t")
	for _, l := range r.Lines {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%.0f\t%.1f\t%.1f\t%.2f\t%.1f\t%.0f\t\n", l.Server, l.Operation, l.Size,
			l.Concurrency, l.Rate, l.P50, l.P99, l.CPU, l.Allocs, l.Bytes)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n(a) %s, (b) %s, (c) %s\n", Bare, Durable, Haven)
	return writeTargets(w, r.Targets)
}

func writeTargets(w io.Writer, targets []Target) error {
	for _, t := range targets {
		mark, bound := "✓", "at most"
		if !t.Met {
			mark = "✗"
		}
		if t.AtLeast {
			bound = "at least"
		}
		if _, err := fmt.Fprintf(w, "%s %-64s %8.2f ×  (%s %g ×)\n", mark, t.Name, t.Got, bound, t.Limit); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes the report as one JSON object.
func (r *Report) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
