//go:build !race

package crypt_test

// raceDetector says that everything is some twenty times slower.
const raceDetector = false
