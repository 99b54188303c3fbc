package keys_test

import (
	"crypto/fips140"
	"testing"

	"github.com/haven-health/haven/internal/fipstest"
)

// TestUnderFIPS walks some random sequences in a process where only what FIPS 140-3 approves
// works: they do every operation on every state of a key. The closure adds nothing there.
func TestUnderFIPS(t *testing.T) {
	if fips140.Enforced() {
		return
	}
	fipstest.Run(t, "only", []string{"HAVEN_SEQUENCES=200"}, "-test.run=^TestSequences$")
}
