package benchmark

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/server"
)

// greeting is the first line a child writes: where it answers and what is needed to ask it.
type greeting struct {
	Endpoint string `json:"endpoint"`
	CA       string `json:"ca"`
	Token    string `json:"token"`
	Key      string `json:"key"`
	Signer   string `json:"signer,omitempty"` // Haven's alone
}

// usage is what a process has used so far.
type usage struct {
	CPU    time.Duration `json:"cpu"` // user and system
	Allocs uint64        `json:"allocs"`
	Bytes  uint64        `json:"bytes"`
}

func used() (usage, error) {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		return usage{}, fmt.Errorf("benchmark: getrusage: %w", err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano()), Allocs: m.Mallocs, Bytes: m.TotalAlloc}, nil
}

// Serve is the child process: args are the kind of server, Haven's data folder, and the file for
// records of the durable opponent. It greets on out, then answers each line of in until its end:
// "usage", "profile FILE" (begins a CPU profile), "profile-end FILE" (ends it and writes one of
// allocations beside it).
func Serve(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) != 3 {
		return errors.New("benchmark: a child has three arguments")
	}
	kind, data, file := args[0], args[1], args[2]
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var g greeting
	var run func() error
	var err error
	switch kind {
	case Haven:
		g, run, err = serveHaven(ctx, data)
	case Bare:
		g, run, err = servePlain(ctx, data, nil)
	case Durable:
		var l *groupLog
		if l, err = openGroupLog(file); err == nil {
			g, run, err = servePlain(ctx, data, l)
		}
	default:
		err = fmt.Errorf("benchmark: no server of kind %q", kind)
	}
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- run() }()
	err = control(g, in, out)
	cancel()
	return errors.Join(err, <-ended)
}

// control greets and answers until in ends.
func control(g greeting, in io.Reader, out io.Writer) error {
	answers := json.NewEncoder(out)
	if err := answers.Encode(g); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		command, argument, _ := strings.Cut(lines.Text(), " ")
		var err error
		switch command {
		case "profile":
			err = startProfile(argument)
		case "profile-end":
			pprof.StopCPUProfile()
			err = writeProfile(argument)
		}
		var u usage
		if err == nil {
			u, err = used()
		}
		if err == nil {
			err = answers.Encode(u)
		}
		if err != nil {
			return err
		}
	}
	return lines.Err()
}

func startProfile(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return pprof.StartCPUProfile(f) // the file lives as long as the profile
}

func writeProfile(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}

// serveHaven serves a store as haven serve would, making it with a data and a signing key if there is none;
// only the rate of one principal is not bounded, since all requests are one principal's.
func serveHaven(ctx context.Context, data string) (greeting, func() error, error) {
	s, err := haven.NewServer(ctx, haven.ServeConfig{
		Config: haven.Config{DataDir: data, Log: slog.New(slog.DiscardHandler)},
		Listen: "127.0.0.1:0", Initialize: true,
		PrincipalRate: server.Rate{PerSecond: 1e9, Burst: 1e9, Keys: 16},
	})
	if err != nil {
		return greeting{}, nil, err
	}
	system, unlocked := s.System()
	if !unlocked {
		return greeting{}, nil, errors.Join(s.Locked(), s.Close())
	}
	ca, err := os.ReadFile(caFile(data))
	if err != nil {
		return greeting{}, nil, errors.Join(err, s.Close())
	}
	g := greeting{Endpoint: s.Endpoint(), CA: string(ca)}
	if token, made := system.FirstToken(); made {
		key, err := system.KeyManager().CreateKey(ctx, keys.CreateRequest{Purpose: "Benchmark", Type: keys.Data})
		if err != nil {
			return greeting{}, nil, errors.Join(err, s.Close())
		}
		signer, err := system.KeyManager().CreateKey(ctx, keys.CreateRequest{Purpose: "Benchmark", Type: keys.Signing})
		if err != nil {
			return greeting{}, nil, errors.Join(err, s.Close())
		}
		g.Token, g.Key, g.Signer = string(secret.Expose(token)), key.ID, signer.ID
	}
	drop := server.LiftHeap()
	return g, func() error {
		defer drop()
		return s.Run(ctx, server.Announcement{})
	}, nil
}

// The files of Haven's own authority, which the opponents serve with too.
func caFile(data string) string    { return filepath.Join(data, "tls", "ca.crt") }
func certFile(data string) string  { return filepath.Join(data, "tls", "server.crt") }
func certKeyOf(data string) string { return filepath.Join(data, "tls", "server.key") }
