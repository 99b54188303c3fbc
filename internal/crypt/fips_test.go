package crypt_test

import (
	"crypto/fips140"
	"testing"

	"github.com/haven-health/haven/internal/fipstest"
)

// TestUnderFIPS runs this package's tests in a process where only what FIPS 140-3 approves works,
// and in one where it is merely preferred; make fips runs the slow ones too.
func TestUnderFIPS(t *testing.T) {
	if fips140.Enabled() {
		return
	}
	const slow = "-test.skip=OpenSSL|Altered|ImportRefuses|SignLimits|GenerateMaterial|Envelope"
	fipstest.Run(t, "only", nil, slow)
	fipstest.Run(t, "on", nil, slow, "-test.run=Password|RoundTrip|Kit")
}
