package crashtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/haven-health/haven/client"
)

// RotationReport counts what a run of [RunRotations] did and found.
type RotationReport struct {
	Seed uint64
	// Kills of the server and of the command that rotates the root key; PointKills are those of the
	// server at a point of the re-wrap.
	ServerKills, PointKills, RootKills int
	Starts                             int
	// Rotations that were acknowledged, and those of the root key that were left to finish.
	Roots, Masters, Keys, Compromises int
	// Encrypted and Decrypted count calls that were acknowledged under load; Ciphertexts were all
	// decrypted at the end, under as many Versions.
	Encrypted, Decrypted int
	Ciphertexts          int
	Versions             int
	// Settled is how long the last start took to wrap anew what was left.
	Settled      time.Duration
	SlowestStart time.Duration
	Violations   []Violation
	Left         string // the data folder, kept because of violations
}

// Kills returns how many processes were killed.
func (r *RotationReport) Kills() int { return r.ServerKills + r.PointKills + r.RootKills }

// What a run of rotations works on.
const (
	rotationMasters  = 3 // the default one among them
	rotationKeys     = 24
	rotationUsers    = 6
	rotationRotators = 2
	// settleWithin is how long re-wrapping may take at the end, on a machine that is busy.
	settleWithin = 2 * time.Minute
)

// rotations is a run: one data folder, on which the root key, masters and keys are rotated in turn.
type rotations struct {
	cfg     *Config
	report  *RotationReport
	rng     *rand.Rand
	servers server

	masters, keys []string

	mu      sync.Mutex
	written []sealedText
}

// sealedText is a ciphertext that was returned; its number tells its plaintext.
type sealedText struct {
	bytes  []byte
	number uint64
}

// RunRotations rotates the root key, the masters and the keys in turn while clients encrypt, and
// kills cfg.Cycles processes at random moments and points. Each is followed by a cold start from
// nothing but the data folder, elsewhere each time. In the end everything that was ever encrypted
// must decrypt, no version be left with an old master version, and a check find nothing.
//
// Its error says that it could not go on; what Haven did wrong is in the report.
func RunRotations(ctx context.Context, cfg Config) (*RotationReport, error) {
	cfg = cfg.withDefaults()
	r := &rotations{
		cfg: &cfg, report: &RotationReport{Seed: cfg.Seed}, rng: rand.New(rand.NewPCG(cfg.Seed, 3)),
		servers: server{
			binary: cfg.Binary, mutant: cfg.Mutant,
			folder: filepath.Join(cfg.Folder, "rotations-0"), ready: filepath.Join(cfg.Folder, "ready.json"),
		},
	}
	if err := r.prepare(ctx); err != nil {
		return r.report, err
	}
	for turn := 0; r.report.Kills() < cfg.Cycles && len(r.report.Violations) == 0; turn++ {
		if err := r.turn(ctx, turn); err != nil {
			return r.report, err
		}
	}
	if err := r.settle(ctx); err != nil {
		return r.report, err
	}
	if len(r.report.Violations) > 0 {
		r.report.Left = r.servers.folder
		return r.report, nil
	}
	return r.report, os.RemoveAll(r.servers.folder)
}

func (r *rotations) violated(rule, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.report.Violations) >= maxViolations {
		return
	}
	v := Violation{Rule: rule, Cycle: r.report.Kills(), What: fmt.Sprintf(format, args...)}
	r.report.Violations = append(r.report.Violations, v)
	fmt.Fprintln(r.cfg.Log, v)
}

// prepare makes the store, the masters, and keys below each.
func (r *rotations) prepare(ctx context.Context) error {
	if _, err := r.servers.initialize(ctx, ""); err != nil {
		return err
	}
	p, err := r.start(ctx, "")
	if err != nil {
		return err
	}
	defer p.kill()
	api, err := client.New(p.cfg)
	if err != nil {
		return err
	}
	defer api.Close()
	r.masters = []string{"alias/haven-master"}
	for len(r.masters) < rotationMasters {
		k, err := api.CreateKey(ctx, client.CreateKeyRequest{Purpose: "Crash drill", Type: client.Master})
		if err != nil {
			return err
		}
		r.masters = append(r.masters, k.KeyID)
	}
	for i := range rotationKeys {
		k, err := api.CreateKey(ctx, client.CreateKeyRequest{Purpose: "Crash drill", Type: client.Data, Master: r.masters[i%rotationMasters]})
		if err != nil {
			return err
		}
		r.keys = append(r.keys, k.KeyID)
	}
	return nil
}

// turn rotates what it is the turn of, and ends with a kill under load.
func (r *rotations) turn(ctx context.Context, n int) error {
	if err := r.move(); err != nil {
		return err
	}
	kind := n % 3
	if kind == 0 {
		if err := r.rotateRoot(ctx); err != nil {
			return err
		}
	}
	point := ""
	if kind == 1 && r.rng.IntN(2) == 0 {
		point = fmt.Sprintf("%s%s:%d", ofRotations, [...]string{"staged", "durable"}[r.rng.IntN(2)], 1+r.rng.IntN(12))
	}
	p, err := r.start(ctx, point)
	if errors.Is(err, errStopped) && p.killed() && point != "" {
		r.report.PointKills++
		return nil
	}
	if err != nil {
		r.violated("start", "%v", err)
		return err
	}
	defer p.kill()
	if err := r.load(p, kind); err != nil {
		return err
	}
	switch {
	case !p.killed():
		r.violated("exit", "the server ended by itself: %v; stderr: %s", p.err, p.stderr.String())
	case p.ours:
		r.report.ServerKills++
	default:
		r.report.PointKills++
	}
	return nil
}

// move puts the data folder elsewhere: a start depends on nothing but what is in it.
func (r *rotations) move() error {
	to := filepath.Join(r.cfg.Folder, fmt.Sprintf("rotations-%d", r.report.Starts))
	if err := os.Rename(r.servers.folder, to); err != nil {
		return err
	}
	r.servers.folder = to
	return nil
}

// rotateRoot rotates the root key with the server stopped. Most of the time it is killed meanwhile,
// at a random moment or a point on its way; the next start finishes what it began.
func (r *rotations) rotateRoot(ctx context.Context) error {
	limited, point := ctx, ""
	switch r.rng.IntN(4) {
	case 0:
	case 1:
		if len(r.cfg.Points) > 0 {
			point = fmt.Sprintf("%s:%d", r.cfg.Points[r.rng.IntN(len(r.cfg.Points))], 1+r.rng.IntN(6))
		}
	default:
		var stop context.CancelFunc
		limited, stop = context.WithTimeout(ctx, time.Duration(1+r.rng.Int64N(int64(120*time.Millisecond))))
		defer stop()
	}
	cmd := r.servers.command(limited, point, "seal", "rotate", "--data", r.servers.folder)
	var stderr tail
	cmd.Stdout, cmd.Stderr = io.Discard, &stderr
	err := cmd.Run()
	switch {
	case err == nil:
		r.report.Roots++
	case signaled(err):
		r.report.RootKills++
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil: // its time was over before it began
	default:
		r.violated("start", "haven seal rotate: %v: %s", err, stderr.String())
	}
	return nil
}

func (r *rotations) start(ctx context.Context, point string) (*process, error) {
	p, err := r.servers.start(ctx, point)
	r.report.Starts++
	if err != nil {
		if p != nil && point == "" {
			err = fmt.Errorf("%w; stderr: %s", err, p.stderr.String())
		}
		return p, err
	}
	r.report.SlowestStart = max(r.report.SlowestStart, p.took)
	p.cfg.Wait = func(context.Context, time.Duration) error { return errOnce }
	return p, nil
}
