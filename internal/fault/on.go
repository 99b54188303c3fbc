//go:build faults

package fault

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Enabled tells whether faults can be planted in this build.
const Enabled = true

var passed atomic.Int64

// Point kills the process, as a power cut would, when HAVEN_FAULT_POINT is its name; "name:3"
// kills it at the third passage. Names may hold colons themselves.
func Point(name string) {
	rest, ok := strings.CutPrefix(os.Getenv("HAVEN_FAULT_POINT"), name)
	if !ok {
		return
	}
	if nth, counted := strings.CutPrefix(rest, ":"); counted {
		n, err := strconv.ParseInt(nth, 10, 64)
		if err != nil || passed.Add(1) < n {
			return
		}
	} else if rest != "" {
		return
	}
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// Mutant tells whether the named defect is planted.
func Mutant(name string) bool { return os.Getenv("HAVEN_MUTANT") == name }
