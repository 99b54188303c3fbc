package crashtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/client"
)

// startWithin is how long a start may take, on a machine that is busy with something else.
const startWithin = 60 * time.Second

// server is how processes of one data folder are started.
type server struct {
	binary, folder, mutant string
	ready                  string // the ready file
	token                  client.Token
	// wrapper is a command that runs the binary, such as strace with its flags. Optional.
	wrapper []string
}

func (s *server) command(ctx context.Context, point string, args ...string) *exec.Cmd {
	argv := append(append([]string(nil), s.wrapper...), s.binary)
	argv = append(argv, args...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "HAVEN_FAULT_POINT="+point, "HAVEN_MUTANT="+s.mutant, "GOMAXPROCS=2")
	return cmd
}

// initialize makes the store. With a point it may be killed there; then what it left must be a
// store that is whole, whose token nobody knows, or one that can still be initialized.
func (s *server) initialize(ctx context.Context, point string) (killed bool, err error) {
	out, err := s.command(ctx, point, "init", "--data", s.folder, "--output", "json").Output()
	if signaled(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("haven init: %w", withStderr(err))
	}
	var answer struct {
		Token client.Token `json:"token"`
	}
	if err := json.Unmarshal(out, &answer); err != nil || answer.Token == "" {
		return false, fmt.Errorf("haven init answered no token")
	}
	s.token = answer.Token
	return false, nil
}

func withStderr(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return err
}

func signaled(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// process is a running server.
type process struct {
	cmd    *exec.Cmd
	pid    int           // of the server itself, which a wrapper may have started
	ended  chan struct{} // closed when it ended
	err    error         // of its end
	stderr tail
	took   time.Duration // from its start to its first answer
	ours   bool          // kill ended it, and not a point
	cfg    client.Config
}

// start starts a server and waits until it answers. When it ends before, the process is returned
// with errStopped.
func (s *server) start(ctx context.Context, point string) (*process, error) {
	// Not in the data folder: where that is full it could not be written.
	ready := s.ready
	if err := os.Remove(ready); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	p := &process{ended: make(chan struct{})}
	p.cmd = s.command(ctx, point, "serve", "--data", s.folder, "--listen", "127.0.0.1:0", "--ready-file", ready)
	p.cmd.Stderr = &p.stderr
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for time.Since(began) < startWithin {
		select {
		case <-p.ended:
			return p, errStopped
		case <-ctx.Done():
			return p, ctx.Err()
		case <-look.C:
		}
		if p.readReady(ready) {
			p.took = time.Since(began)
			p.cfg.Token = s.token
			return p, nil
		}
	}
	p.kill()
	return p, fmt.Errorf("no ready file after %s; stderr: %s", startWithin, p.stderr.String())
}

func (p *process) readReady(name string) bool {
	b, err := os.ReadFile(name)
	if err != nil {
		return false
	}
	var ready struct {
		Endpoint string `json:"endpoint"`
		CAFile   string `json:"ca_file"`
		PID      int    `json:"pid"`
	}
	if json.Unmarshal(b, &ready) != nil || ready.Endpoint == "" {
		return false
	}
	p.pid = ready.PID
	p.cfg = client.Config{Endpoint: ready.Endpoint, CAFile: ready.CAFile, Connections: 1}
	return true
}

// killed tells whether a process that ended was killed, and not by its own decision.
func (p *process) killed() bool { return signaled(p.err) }

func (p *process) exitCode() int { return p.cmd.ProcessState.ExitCode() }

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// signal sends a signal to a process that has not ended: its id cannot be another's, because
// nobody waited for it yet.
func (p *process) signal(sig syscall.Signal) {
	if p.hasEnded() {
		return
	}
	pid := p.cmd.Process.Pid
	if p.pid != 0 {
		pid = p.pid
	}
	_ = syscall.Kill(pid, sig) // it may end at this moment
}

// kill ends the process as a crash does, and waits for it.
func (p *process) kill() {
	if !p.hasEnded() {
		p.ours = true
	}
	p.signal(syscall.SIGKILL)
	if p.pid == 0 {
		_ = p.cmd.Process.Kill()
	}
	<-p.ended
}

// terminate asks the process to stop, and returns its exit code.
func (p *process) terminate() int {
	p.signal(syscall.SIGTERM)
	<-p.ended
	return p.exitCode()
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const maxTail = 4 << 10

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if len(t.b) > maxTail {
		t.b = append([]byte(nil), t.b[len(t.b)-maxTail:]...)
	}
	return len(b), nil
}

// String returns what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.b))
}
