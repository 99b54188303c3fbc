package keys_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"
)

// TestUnderFIPS walks some random sequences in a process where only what FIPS 140-3 approves
// works: they do every operation on every state of a key. The closure adds nothing there.
func TestUnderFIPS(t *testing.T) {
	if fips140.Enforced() {
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.count=1", "-test.run=^TestSequences$")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only", "HAVEN_SEQUENCES=200")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
