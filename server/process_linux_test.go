package server_test

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/haven-health/haven/server"
)

// protectedChild, when set, makes the test binary the process under test.
const protectedChild = "HAVEN_TEST_PROTECTED_CHILD"

func TestProtectProcess(t *testing.T) {
	if os.Getenv(protectedChild) != "" {
		protectAndReport()
		return
	}
	command := exec.Command(os.Args[0], "-test.run=^TestProtectProcess$")
	command.Env = append(os.Environ(), protectedChild+"=1")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if want := "dumpable=0 core=0 consistent=true"; !strings.Contains(string(out), want) {
		t.Errorf("got %s, want %s", out, want)
	}
}

// protectAndReport asks the kernel what came of it. Whether memory may be locked depends on the
// machine; the result must agree with the kernel and a refusal must be in the log.
func protectAndReport() {
	logged := new(logBuffer)
	got := server.ProtectProcess(must(server.NewLogger(logged, "text", slog.LevelInfo)))
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		panic(err)
	}
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil {
		panic(err)
	}
	locked := !strings.Contains(string(must(os.ReadFile("/proc/self/status"))), "VmLck:\t       0 kB")
	warned := strings.Contains(logged.String(), "process protection is missing")
	consistent := got.NotDumpable && got.NoCore && got.Locked == locked && got.Locked != warned
	fmt.Printf("dumpable=%d core=%d consistent=%t %+v %s\n", dumpable, core.Cur, consistent, got, logged)
}
