package crypt_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"
)

// TestUnderFIPS runs this package's tests in a process where only what FIPS 140-3 approves works,
// and in one where it is merely preferred; make fips runs the slow ones too.
func TestUnderFIPS(t *testing.T) {
	if fips140.Enabled() {
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"only", "on"} {
		args := []string{"-test.count=1", "-test.skip=OpenSSL|Altered|ImportRefuses|SignLimits"}
		if mode == "on" {
			args = append(args, "-test.run=Password|RoundTrip|Kit")
		}
		cmd := exec.CommandContext(t.Context(), self, args...)
		cmd.Env = append(os.Environ(), "GODEBUG=fips140="+mode)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("fips140=%s: %v\n%s", mode, err, out)
		}
	}
}
