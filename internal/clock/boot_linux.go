package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// suspended is how long the machine slept since it started: CLOCK_BOOTTIME goes on meanwhile and
// CLOCK_MONOTONIC does not. A key must not live longer because its server was suspended. Up to a
// millisecond counts as none: the two are not read at one moment.
func suspended() time.Duration {
	var boot, mono unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - mono.Nano()).Truncate(time.Millisecond)
}
