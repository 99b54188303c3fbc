package server_test

import (
	"runtime"
	"testing"

	"github.com/haven-health/haven/server"
)

// TestLiftHeap asserts that what is lifted counts for the collector until it is dropped.
func TestLiftHeap(t *testing.T) {
	const floor = 64 << 20
	inUse := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := inUse()
	drop := server.LiftHeap()
	lifted := inUse()
	drop()
	if after := inUse(); lifted < before+floor/2 || after > lifted-floor/2 {
		t.Errorf("heap in use: %d before, %d lifted, %d after", before, lifted, after)
	}
}
