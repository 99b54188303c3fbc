// Package fipstest runs tests in a process where FIPS 140-3 is as a test wants it: the mode is a
// process's own and cannot be changed in one. It is for tests alone; it never skips.
package fipstest

import (
	"os"
	"os/exec"
	"testing"
)

// Run runs the calling test's own binary once more under GODEBUG=fips140=mode ("on" or "only"), with
// further environment, "NAME=VALUE", and arguments, "-test.run=…". It leaves out what -short does: make fips
// runs all of it. What fails there fails t.
func Run(t *testing.T, mode string, environment []string, arguments ...string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, append(arguments, "-test.count=1", "-test.short")...)
	c.Env = append(append(os.Environ(), environment...), "GODEBUG=fips140="+mode)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("fips140=%s: %v\n%s", mode, err, out)
	}
}
