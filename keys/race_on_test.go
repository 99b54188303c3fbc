//go:build race

package keys_test

// raceDetector makes everything some ten times slower; long walks are shortened under it.
const raceDetector = true
