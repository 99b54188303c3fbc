//go:build faults

package crashtest

import (
	"slices"
	"testing"
)

// mutants are defects that killing a process shows, and the rule that each breaks.
var mutants = []struct{ name, rule string }{
	{"answer-without-record", "record"},
	{"answer-before-commit", "write"},
}

// mutantsOfRotations are defects that killing a process between two pages of a re-wrap shows.
var mutantsOfRotations = []struct{ name, rule string }{
	{"wraps-cleared-early", "rewrap"},
}

// TestMutantsAreCaught runs a server with each defect planted: the rule named must be found broken.
func TestMutantsAreCaught(t *testing.T) {
	cfg := build(t)
	cfg.Cycles, cfg.Every = 24, 4
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			cfg.Mutant, cfg.Folder = m.name, t.TempDir()
			report, err := Run(t.Context(), cfg)
			if err != nil {
				t.Log(err)
			}
			if !slices.ContainsFunc(report.Violations, func(v Violation) bool { return v.Rule == m.rule }) {
				t.Errorf("no violation of %q in %d cycles: %v", m.rule, report.Cycles, report.Violations)
			}
		})
	}
	cfg.Cycles = 40
	for _, m := range mutantsOfRotations {
		t.Run(m.name, func(t *testing.T) {
			cfg.Mutant, cfg.Folder = m.name, t.TempDir()
			report, err := RunRotations(t.Context(), cfg)
			if err != nil {
				t.Log(err)
			}
			if !slices.ContainsFunc(report.Violations, func(v Violation) bool { return v.Rule == m.rule }) {
				t.Errorf("no violation of %q: %+v", m.rule, report)
			}
		})
	}
}
