//go:build !race

package keys_test

const raceDetector = false
