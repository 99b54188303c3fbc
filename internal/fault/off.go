//go:build !faults

package fault

// Enabled tells whether faults can be planted in this build.
const Enabled = false

// Point marks a place where a test may kill the process.
func Point(string) {}

// Mutant tells whether the named defect is planted.
func Mutant(string) bool { return false }
