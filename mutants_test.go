//go:build faults

package haven_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// mutants are the defects planted here, and those in package keys that only the whole system shows,
// and the test that catches each.
var mutants = []struct{ name, test string }{
	{"wraps-cleared-early", "TestRewrapGoesOnAfterRestart"},
	{"rewrap-not-recorded-as-recovery", "TestRecovery"},
	{"root-key-not-noted", "TestMasterMadeDuringARotationOfTheRootKey"},
	{"root-key-from-memory", "TestSealAttachedAfterARotationNobodyWaitedFor"},
}

// TestMutantsAreCaught runs this test binary again with each defect planted: the test named must
// fail.
func TestMutantsAreCaught(t *testing.T) {
	if os.Getenv("HAVEN_MUTANT") != "" {
		return // this is such a run
	}
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^"+m.test+"$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), "HAVEN_MUTANT="+m.name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: "+m.test) {
				t.Errorf("%s did not catch it: %v\n%s", m.test, err, out)
			}
		})
	}
}
