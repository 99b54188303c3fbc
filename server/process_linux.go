package server

import (
	"fmt"
	"log/slog"
	"syscall"

	"golang.org/x/sys/unix"
)

// Protection is what could be had against others reading the process's memory.
type Protection struct {
	// NotDumpable: no core, and no other process of the same user may attach or read memory.
	NotDumpable bool
	// NoCore: the kernel writes no core file.
	NoCore bool
	// Locked: no page is written to swap.
	Locked bool
}

// ProtectProcess protects the whole process, not single buffers: the standard library copies key
// material where nobody can wipe it. It is called once, first thing in main. What cannot be had
// is logged as a warning and shown in the result; it is the caller's to refuse to go on.
//
// Memory is locked only when the process may lock without limit. Under a limit, locking succeeds
// and the next allocation beyond it fails, which would end the process at its busiest hour.
func ProtectProcess(log *slog.Logger) Protection {
	var got Protection
	try := func(done *bool, what string, err error) {
		*done = err == nil
		if err != nil {
			log.Warn("process protection is missing", slog.String("type", what), slog.Any("error", err))
		}
	}
	try(&got.NotDumpable, "not dumpable", unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0))
	try(&got.NoCore, "no core", unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}))
	try(&got.Locked, "memory locked", lockMemory())
	return got
}

func lockMemory() error {
	unlimited, err := mayLockAll()
	if err != nil {
		return err
	}
	if !unlimited {
		return fmt.Errorf("RLIMIT_MEMLOCK is not unlimited and CAP_IPC_LOCK is not held: pages may be swapped; use encrypted swap or none")
	}
	return unix.Mlockall(unix.MCL_CURRENT | unix.MCL_FUTURE | unix.MCL_ONFAULT)
}

func mayLockAll() (bool, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		return false, err
	}
	if limit.Cur == unix.RLIM_INFINITY {
		return true, nil
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false, err
	}
	return data[unix.CAP_IPC_LOCK/32].Effective&(1<<(unix.CAP_IPC_LOCK%32)) != 0, nil
}

// openFilesLimit is how many files the process may have open.
func openFilesLimit() (limit int, known bool) {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return 0, false
	}
	return int(min(files.Cur, 1<<30)), true
}

// privateSocket sets a socket's mode before it is bound, so that there is no moment at which
// others could open it, whatever the umask.
func privateSocket(_, _ string, socket syscall.RawConn) error {
	var failed error
	if err := socket.Control(func(fd uintptr) { failed = unix.Fchmod(int(fd), 0o600) }); err != nil {
		return err
	}
	return failed
}
