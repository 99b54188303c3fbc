//go:build faults

package embedded_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// mutants are the defects planted in this package and in journal, and the test that catches each.
var mutants = []struct{ name, test string }{
	{"answer-before-sync", "TestPowerCuts"},
	{"skip-directory-sync", "TestPowerCuts"},
	{"outbox-deleted-early", "TestPowerCuts"},
	{"tail-not-cut", "TestPowerCuts"},
	{"blind-write", "TestConformance"},
	{"retry-failed-sync", "TestFailingDisk"},
	{"log-of-any-file", "TestRefusesAnotherTimesFile"},
	{"log-without-generation", "TestRefusesAnotherTimesFile"},
}

// TestMutantsAreCaught runs this test binary again with each defect planted: the test named must
// fail.
func TestMutantsAreCaught(t *testing.T) {
	if os.Getenv("HAVEN_MUTANT") != "" {
		return // this is such a run
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^"+m.test+"$")
			cmd.Env = append(os.Environ(), "HAVEN_MUTANT="+m.name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: "+m.test) {
				t.Errorf("%s did not catch it: %v\n%s", m.test, err, out)
			}
		})
	}
}
