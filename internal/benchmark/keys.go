package benchmark

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/keys"
)

// KeysConfig says how large a store is measured. Command and Folder are required, as in Config.
type KeysConfig struct {
	Command func(ctx context.Context, args ...string) *exec.Cmd
	Folder  string
	// Count is the number of data keys, Versions that of the versions of one key. 0: 1,000,000
	// and 10,000.
	Count, Versions int
	// Cell is how long one measurement of latencies takes. 0: 2 s.
	Cell     time.Duration
	Progress io.Writer
}

// KeysReport tells how Haven fares with many keys. Times are in milliseconds unless they say
// otherwise, sizes in bytes.
type KeysReport struct {
	Count             int     `json:"count"`
	CreatedPerSecond  float64 `json:"created_per_second"`
	DatabasePerKey    float64 `json:"database_bytes_per_key"`
	JournalPerKey     float64 `json:"journal_bytes_per_key"`
	Start             float64 `json:"start_to_first_encrypt_ms"`
	ResidentStart     int64   `json:"resident_after_start"`
	RandomKeys        int     `json:"random_keys"`
	Fill              float64 `json:"fill_cache_ms"`
	ResidentFilled    int64   `json:"resident_with_cache_filled"`
	HotP50            float64 `json:"hot_p50_us"`
	RandomP50         float64 `json:"random_p50_us"`
	Versions          int     `json:"versions"`
	FirstRotations    float64 `json:"first_rotations_p50_us"`
	LastRotations     float64 `json:"last_rotations_p50_us"`
	RotationsMeasured int     `json:"rotations_measured"`

	Targets []Target `json:"targets"`
}

// manyKeys is one run.
type manyKeys struct {
	cfg    KeysConfig
	data   string
	token  string
	ids    []string // of keys that are used at random
	report KeysReport
}

// RunKeys makes the keys and measures.
func RunKeys(ctx context.Context, cfg KeysConfig) (_ *KeysReport, err error) {
	if cfg.Count == 0 {
		cfg.Count = 1_000_000
	}
	if cfg.Versions == 0 {
		cfg.Versions = 10_000
	}
	if cfg.Cell == 0 {
		cfg.Cell = 2 * time.Second
	}
	if cfg.Progress == nil {
		cfg.Progress = io.Discard
	}
	folder, err := os.MkdirTemp(cfg.Folder, "haven-bench-")
	if err != nil {
		return nil, fmt.Errorf("benchmark: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	m := &manyKeys{cfg: cfg, data: filepath.Join(folder, "haven")}
	for _, step := range []func(context.Context) error{m.make, m.weigh, m.serve} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("benchmark: %w", err)
		}
	}
	m.judge()
	return &m.report, nil
}

// make makes keys and versions as a program that has Haven as a library would.
func (m *manyKeys) make(ctx context.Context) (err error) {
	system, err := haven.Open(ctx, haven.Config{DataDir: m.data, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, system.Close()) }()
	token, _ := system.FirstToken()
	m.token = string(secret.Expose(token))
	if err := m.rotate(ctx, system.KeyManager()); err != nil {
		return err
	}
	return m.create(ctx, system.KeyManager())
}

// makers is how many keys are made at once, so that the batches of the gate are large.
const makers = 512

func (m *manyKeys) create(ctx context.Context, km haven.KeyManager) error {
	var left atomic.Int64
	left.Store(int64(m.cfg.Count))
	sampleEvery := int64(max(1, m.cfg.Count/haven.DefaultCacheKeys))
	var mu sync.Mutex
	errs := make([]error, makers)
	var wait sync.WaitGroup
	began := time.Now()
	for i := range makers {
		wait.Go(func() {
			for errs[i] == nil {
				n := left.Add(-1)
				if n < 0 {
					return
				}
				var key *keys.Key
				key, errs[i] = km.CreateKey(ctx, keys.CreateRequest{Purpose: "Patient data encryption", Type: keys.Data})
				if errs[i] == nil && n%sampleEvery == 0 {
					mu.Lock()
					m.ids = append(m.ids, key.ID)
					mu.Unlock()
				}
				if n%100_000 == 0 {
					fmt.Fprintf(m.cfg.Progress, "%d keys to make\n", n)
				}
			}
		})
	}
	wait.Wait()
	m.report.Count = m.cfg.Count
	m.report.CreatedPerSecond = float64(m.cfg.Count) / time.Since(began).Seconds()
	m.ids = m.ids[:min(len(m.ids), haven.DefaultCacheKeys)]
	m.report.RandomKeys = len(m.ids)
	return errors.Join(errs...)
}

// rotate gives one key many versions.
func (m *manyKeys) rotate(ctx context.Context, km haven.KeyManager) error {
	key, err := km.CreateKey(ctx, keys.CreateRequest{Purpose: "Rotated often", Type: keys.Data})
	if err != nil {
		return err
	}
	took := make([]time.Duration, m.cfg.Versions-1)
	for i := range took {
		began := time.Now()
		if _, err := km.RotateKey(ctx, key.ID); err != nil {
			return err
		}
		took[i] = time.Since(began)
	}
	n := max(1, len(took)/10)
	m.report.Versions, m.report.RotationsMeasured = m.cfg.Versions, n
	m.report.FirstRotations, m.report.LastRotations = p50(took[:n]), p50(took[len(took)-n:])
	return nil
}

func p50(took []time.Duration) float64 {
	slices.Sort(took)
	return microseconds(took[len(took)/2])
}

// weigh adds up what the store takes on the disk: the database, and the journal with its archive.
// The room held back for a full disk is not counted: it is as large for one key.
func (m *manyKeys) weigh(context.Context) error {
	n := float64(m.cfg.Count + m.cfg.Versions)
	return filepath.WalkDir(m.data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, ".reserve") {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".seg") {
			m.report.JournalPerKey += float64(info.Size()) / n
		} else {
			m.report.DatabasePerKey += float64(info.Size()) / n
		}
		return nil
	})
}

// serve starts a server on the store and uses the keys over the network.
func (m *manyKeys) serve(ctx context.Context) (err error) {
	began := time.Now()
	c, err := startChild(ctx, m.cfg.Command(ctx, Haven, m.data, "-"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	c.client.Token = m.token
	conns, err := c.client.connections(1)
	if err != nil {
		return err
	}
	if err := conns[0].do(m.encrypt(c, m.ids[0]), nil); err != nil {
		return err
	}
	m.report.Start = microseconds(time.Since(began)) / 1000
	if m.report.ResidentStart, err = resident(c.cmd.Process.Pid); err != nil {
		return err
	}
	if err := m.fill(c); err != nil {
		return err
	}
	return m.compare(c)
}

func (m *manyKeys) encrypt(c *child, id string) []byte {
	return c.client.request(opEncrypt, encryptBody(id, 32))
}

// fill uses each key twice, so that all are held ready.
func (m *manyKeys) fill(c *child) error {
	const n = 16
	conns, err := c.client.connections(n)
	if err != nil {
		return err
	}
	began := time.Now()
	errs := make([]error, n)
	var wait sync.WaitGroup
	for i, conn := range conns {
		wait.Go(func() {
			for at := i; at < 2*len(m.ids) && errs[i] == nil; at += n {
				errs[i] = conn.do(m.encrypt(c, m.ids[at%len(m.ids)]), nil)
			}
		})
	}
	wait.Wait()
	m.report.Fill = microseconds(time.Since(began)) / 1000
	if m.report.ResidentFilled, err = resident(c.cmd.Process.Pid); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// compare measures one hot key and random keys by turns.
func (m *manyKeys) compare(c *child) error {
	const rounds = 5
	hot := m.encrypt(c, m.ids[0])
	at := strings.Index(string(hot), m.ids[0])
	random := slices.Clone(hot)
	var hots, randoms []float64
	for range rounds {
		took, err := c.client.load(1, m.cfg.Cell/rounds, func(int) []byte { return hot })
		if err != nil {
			return err
		}
		hots = append(hots, p50(took))
		took, err = c.client.load(1, m.cfg.Cell/rounds, func(int) []byte {
			copy(random[at:], m.ids[rand.IntN(len(m.ids))])
			return random
		})
		if err != nil {
			return err
		}
		randoms = append(randoms, p50(took))
	}
	m.report.HotP50, m.report.RandomP50 = median(hots), median(randoms)
	return nil
}

// resident reads how much memory a process has in use.
func resident(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, after, found := strings.Cut(string(status), "VmRSS:")
	var kib int64
	if _, err := fmt.Sscan(after, &kib); !found || err != nil {
		return 0, errors.New("no VmRSS")
	}
	return kib << 10, nil
}

func (m *manyKeys) judge() {
	r := &m.report
	most := func(name string, got, limit float64) {
		r.Targets = append(r.Targets, Target{Name: name, Limit: limit, Got: got, Met: got <= limit})
	}
	most("start to first encrypt, s", r.Start/1000, 2)
	most("resident after start, MiB", float64(r.ResidentStart)/(1<<20), 200)
	most("store per key, database and journal, KB", (r.DatabasePerKey+r.JournalPerKey)/1000, 1.2)
	most("p50 of random keys to one hot key", r.RandomP50/r.HotP50, 2)
	most("last rotations to first", r.LastRotations/r.FirstRotations, 1.5)
}

// WriteText writes the report for people.
func (r *KeysReport) WriteText(w io.Writer) error {
	fmt.Fprintf(w, "%d keys made, %.0f a second\n", r.Count, r.CreatedPerSecond)
	fmt.Fprintf(w, "on disk per key: %.0f B database, %.0f B journal\n", r.DatabasePerKey, r.JournalPerKey)
	fmt.Fprintf(w, "start to first encrypt %.0f ms, %.0f MiB resident\n", r.Start, float64(r.ResidentStart)/(1<<20))
	fmt.Fprintf(w, "%d keys held ready after %.0f ms, %.0f MiB resident; p50: one hot key %.0f µs, random keys %.0f µs\n",
		r.RandomKeys, r.Fill, float64(r.ResidentFilled)/(1<<20), r.HotP50, r.RandomP50)
	fmt.Fprintf(w, "%d versions of one key; p50 of the first %d rotations %.0f µs, of the last %.0f µs\n\n",
		r.Versions, r.RotationsMeasured, r.FirstRotations, r.LastRotations)
	return writeTargets(w, r.Targets)
}

// WriteJSON writes the report as one JSON object.
func (r *KeysReport) WriteJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
