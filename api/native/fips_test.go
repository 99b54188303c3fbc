package native_test

import (
	"crypto/fips140"
	"testing"

	"github.com/haven-health/haven/internal/fipstest"
)

// TestUnderFIPS runs this package's tests in a process where only what FIPS 140-3 approves works.
func TestUnderFIPS(t *testing.T) {
	if fips140.Enforced() {
		return
	}
	// The fuzz targets' readers use no cryptography, nor do the documents made by others.
	fipstest.Run(t, "only", nil, "-test.skip=Fuzz|TestReadersAgree|TestJSONTestSuite")
}
