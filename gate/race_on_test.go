//go:build race

package gate_test

// raceDetector makes everything some ten times slower; long runs are shortened under it.
const raceDetector = true
