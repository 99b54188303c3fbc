package native_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"
)

// TestUnderFIPS runs this package's tests in a process where only what FIPS 140-3 approves works.
func TestUnderFIPS(t *testing.T) {
	if fips140.Enforced() {
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The fuzz targets' readers use no cryptography, nor do the documents made by others.
	cmd := exec.CommandContext(t.Context(), self, "-test.count=1", "-test.skip=Fuzz|TestReadersAgree|TestJSONTestSuite")
	cmd.Env = append(os.Environ(), "GODEBUG=fips140=only")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
