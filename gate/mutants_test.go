//go:build faults

package gate_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mutants are the defects planted in this package, and the test that catches each.
var mutants = []struct{ name, test string }{
	{"epoch-read-before-close", "TestRecordOfRerun"},
	{"recheck-only-when-moved", "TestStaleUse"},
	{"stale-fill-installed", "TestStaleFill"},
	{"stale-composition-used", "TestComposed"},
	{"later-load-hides-earlier-epoch", "TestEarlierEpochCounts"},
	{"load-of-undone-kept", "TestLoadDuringFailure"},
	{"inserted-deny-does-not-bump", "TestInsertedAccessItem"},
	{"changes-not-staged-in-memory", "TestCache"},
	{"failed-stop-stands", "TestFaultAtEachCommit"},
	{"uncertain-counts-as-unwritten", "TestFaultAtEachCommit"},
	{"refusal-not-checked-again", "TestRefusalRunsAgain"},
	{"everything-allowed", "TestRecordOfDenial"},
	{"failure-not-recorded", "TestRecordOfFailure"},
	{"answer-without-record", "TestRecordOfSuccess"},
	{"answer-before-commit", "TestFailClosed"},
}

// TestMutantsAreCaught runs this test binary again with each defect planted: the test named must
// fail. Without one it must pass.
func TestMutantsAreCaught(t *testing.T) {
	if os.Getenv("HAVEN_MUTANT") != "" {
		return // this is such a run
	}
	tests := map[string]bool{}
	for _, m := range mutants {
		tests[m.test] = true
		t.Run(m.name, func(t *testing.T) {
			out, err := run(m.test, m.name)
			if err == nil || !strings.Contains(out, "--- FAIL: "+m.test) {
				t.Errorf("%s did not catch it: %v\n%s", m.test, err, out)
			}
		})
	}
	for test := range tests {
		if out, err := run(test, "none"); err != nil || strings.Contains(out, "no tests to run") {
			t.Errorf("%s without a defect: %v\n%s", test, err, out)
		}
	}
}

// TestEveryMutantIsInTheTable reads the package's source for planted defects.
func TestEveryMutantIsInTheTable(t *testing.T) {
	planted := map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`fault\.Mutant\("([^"]+)"\)`).FindAllStringSubmatch(string(source), -1) {
			planted[found[1]] = true
		}
	}
	for _, m := range mutants {
		if !planted[m.name] {
			t.Errorf("%s is not planted", m.name)
		}
		delete(planted, m.name)
	}
	for name := range planted {
		t.Errorf("no test catches %s", name)
	}
}

func run(test, mutant string) (string, error) {
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), "HAVEN_MUTANT="+mutant)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
