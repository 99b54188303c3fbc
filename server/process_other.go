//go:build !linux

package server

import (
	"log/slog"
	"syscall"
)

// Protection is what could be had against others reading the process's memory: nothing here.
// Servers run on Linux; other systems are for developing.
type Protection struct{ NotDumpable, NoCore, Locked bool }

// ProtectProcess warns that it protects nothing on this system.
func ProtectProcess(log *slog.Logger) Protection {
	log.Warn("process protection is missing: this system is for developing only")
	return Protection{}
}

func openFilesLimit() (limit int, known bool) { return 0, false }

// privateSocket leaves it to the data folder, which is 0700.
func privateSocket(_, _ string, _ syscall.RawConn) error { return nil }
