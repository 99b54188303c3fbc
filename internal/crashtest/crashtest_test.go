package crashtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/journal"
)

const module = "../.."

// build builds the server into the test's folder, and says where.
func build(t *testing.T) Config {
	t.Helper()
	folder := t.TempDir()
	binary, err := Build(t.Context(), module, folder)
	if err != nil {
		t.Fatal(err)
	}
	return Config{Binary: binary, Folder: folder, Seed: rand.Uint64(), Log: t.Output()}
}

// TestCrashes runs a few cycles, and shows that each check fails on a history that was tampered
// with.
func TestCrashes(t *testing.T) {
	cfg := build(t)
	var err error
	if cfg.Points, err = Points(module); err != nil {
		t.Fatal(err)
	}
	cfg = cfg.withDefaults()
	t.Logf("seed %d", cfg.Seed)
	report := &Report{Seed: cfg.Seed, KilledAt: map[string]int{}, Refused: map[client.Code]int{}}
	r := newRound(&cfg, report, "round")
	r.plan = newPlan(cfg.Points, rand.New(rand.NewPCG(cfg.Seed, 1)))
	if err := r.run(t.Context(), 6); err != nil {
		t.Fatal(err)
	}
	if len(report.Violations) > 0 || report.Acknowledged == 0 || r.ledger.records == 0 || len(r.world.written) == 0 {
		t.Fatalf("the run itself: %+v", report)
	}
	for _, planted := range tamperings() {
		t.Run(planted.rule, func(t *testing.T) {
			report.Violations = nil
			if err := planted.tamper(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			other := slices.ContainsFunc(report.Violations, func(v Violation) bool { return v.Rule != planted.rule })
			if len(report.Violations) == 0 || other {
				t.Errorf("found %v", report.Violations)
			}
		})
	}
}

// tampering is something untrue, and the rule whose check must find it.
type tampering struct {
	rule   string
	tamper func(context.Context, *round) error
}

func tamperings() []tampering {
	return []tampering{
		{"ciphertext", func(ctx context.Context, r *round) error {
			for i := range r.world.written {
				r.world.written[i].plain[0] ^= 1
				defer func() { r.world.written[i].plain[0] ^= 1 }()
			}
			return r.audit(ctx)
		}},
		{"write", func(ctx context.Context, r *round) error {
			k := r.world.keys[0]
			defer func(l life) { k.life = l }(k.life)
			k.life.versions = append(slices.Clone(k.life.versions), client.Active)
			return r.audit(ctx)
		}},
		{"record", func(ctx context.Context, r *round) error {
			r.history = append(r.history, call{op: gate.GenerateRandom, answered: time.Second, request: gate.ID{1}})
			return r.audit(ctx)
		}},
		{"revoked", func(_ context.Context, r *round) error {
			k := r.world.keys[0]
			k.stops = append(k.stops, stop{from: time.Second})
			r.history = append(r.history, call{op: gate.Decrypt, key: k.id, version: 1, invoked: time.Minute, answered: time.Minute + 1})
			r.order()
			return nil
		}},
		{"start", func(ctx context.Context, r *round) error {
			if err := os.WriteFile(filepath.Join(r.servers.folder, "store.db"), []byte("no database"), 0o600); err != nil {
				return err
			}
			if _, err := r.start(ctx, ending{}); err == nil {
				return errors.New("it started")
			}
			return nil
		}},
	}
}

func TestWhatIsForbidden(t *testing.T) {
	const at = 10 * time.Second
	use := func(op *gate.Operation, version uint32, invoked, answered time.Duration) *call {
		return &call{op: op, version: version, invoked: invoked, answered: answered}
	}
	k := &key{
		stops: []stop{
			{from: at, until: 2 * at},
			{version: 1, from: 3 * at},
			{version: 2, protectOnly: true, from: 4 * at},
			{version: 4, through: true, from: 5 * at},
		},
		primaries: []primary{{6, 6 * at}},
	}
	for name, c := range map[string]struct {
		use       *call
		forbidden bool
	}{
		"before a stop":             {use(gate.Encrypt, 3, at-2, at-1), false},
		"begun before a stop":       {use(gate.Encrypt, 3, at-1, at+1), false},
		"within a stop":             {use(gate.Encrypt, 3, at+1, at+2), true},
		"after a stop was lifted":   {use(gate.Encrypt, 3, 2*at+1, 2*at+2), false},
		"ended after the lift":      {use(gate.Encrypt, 3, at+1, 2*at+1), false},
		"of a compromised version":  {use(gate.Decrypt, 1, 3*at+1, 3*at+2), true},
		"of another version":        {use(gate.Decrypt, 3, 3*at+1, 3*at+2), false},
		"decrypt, deprecated":       {use(gate.Decrypt, 2, 4*at+1, 4*at+2), false},
		"encrypt, deprecated":       {use(gate.Encrypt, 2, 4*at+1, 4*at+2), true},
		"of a compromised key":      {use(gate.Decrypt, 4, 5*at+1, 5*at+2), true},
		"of a version made since":   {use(gate.Decrypt, 5, 5*at+1, 5*at+2), false},
		"bare, with the old one":    {use(gate.Encrypt, 5, 6*at+1, 6*at+2), true},
		"bare, begun before":        {use(gate.Encrypt, 5, 6*at-1, 6*at+2), false},
		"bare, with the new one":    {use(gate.Encrypt, 6, 6*at+1, 6*at+2), false},
		"decrypt, with the old one": {use(gate.Decrypt, 5, 6*at+1, 6*at+2), false},
	} {
		if why := k.forbids(c.use); (why != "") != c.forbidden {
			t.Errorf("%s: %q", name, why)
		}
	}
}

func TestRecordsOfCalls(t *testing.T) {
	id, other := gate.ID{1}, gate.ID{2}
	asked := call{op: gate.Encrypt, key: id, version: 2, answered: 1, request: id}
	right := journal.Record{Operation: gate.Encrypt.Number, Outcome: journal.Allowed, Request: id, Key: id, Version: 2}
	for name, c := range map[string]struct {
		call    func(*call)
		record  func(*journal.Record)
		rule    string
		records int
	}{
		"right":                {records: 1},
		"none":                 {records: 0, rule: "no record"},
		"two":                  {records: 2, rule: "twice"},
		"other operation":      {record: func(r *journal.Record) { r.Operation = gate.Decrypt.Number }, records: 1, rule: "another operation"},
		"other key":            {record: func(r *journal.Record) { r.Key = other }, records: 1, rule: "of key"},
		"other version":        {record: func(r *journal.Record) { r.Version = 1 }, records: 1, rule: "another version"},
		"other request":        {record: func(r *journal.Record) { r.Request = other }, records: 1, rule: "no record"},
		"refused, and done":    {call: func(c *call) { c.code = client.InvalidState }, records: 1, rule: "its record says allowed"},
		"silent":               {call: func(c *call) { c.answered = 0 }, records: 1},
		"never invoked":        {call: func(c *call) { c.op, c.answered = gate.Decrypt, 0 }, records: 1, rule: "no answer told of"},
		"nothing was promised": {call: func(c *call) { c.code = client.NoSpace }, records: 0},
	} {
		t.Run(name, func(t *testing.T) {
			line, record := asked, right
			if c.call != nil {
				c.call(&line)
			}
			if c.record != nil {
				c.record(&record)
			}
			var found []string
			violated := func(_, format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
			l := newLedger()
			for range c.records {
				l.record(&record, violated)
			}
			l.compare([]call{line}, violated)
			if all := strings.Join(found, "\n"); (c.rule == "") != (all == "") || !strings.Contains(all, c.rule) {
				t.Errorf("found %q, want %q", all, c.rule)
			}
		})
	}
}

func TestChangesAreCounted(t *testing.T) {
	id := gate.ID{1}
	record := func(op *gate.Operation, flags journal.Flags) *journal.Record {
		return &journal.Record{Operation: op.Number, Outcome: journal.Allowed, Flags: flags, Key: id, Request: [16]byte{byte(op.Number), byte(flags)}}
	}
	for name, c := range map[string]struct {
		records []*journal.Record
		done    int
		wrong   bool
	}{
		"once":               {[]*journal.Record{record(gate.RotateKey, 0)}, 1, false},
		"once, and a replay": {[]*journal.Record{record(gate.RotateKey, 0), record(gate.RotateKey, journal.Replay)}, 1, false},
		"lost":               {nil, 1, true},
		"done twice":         {[]*journal.Record{record(gate.RotateKey, 0)}, 0, true},
	} {
		l, wrong := newLedger(), false
		violated := func(string, string, ...any) { wrong = true }
		l.record(record(gate.CreateKey, 0), violated)
		for _, r := range c.records {
			l.record(r, violated)
		}
		if l.count([]*key{{id: id, done: map[uint16]int{gate.RotateKey.Number: c.done}}}, violated); wrong != c.wrong {
			t.Errorf("%s: violated %v", name, wrong)
		}
	}
}

func TestEveryPointHasItsTurn(t *testing.T) {
	points, err := Points(module)
	if err != nil {
		t.Fatal(err)
	}
	p, turns := newPlan(points, rand.New(rand.NewPCG(1, 1))), map[string]int{}
	for range 10 * len(points) {
		e := p.ending()
		if turns[e.point]++; e.point != "" && (e.passage < 1 || e.passage > maxPassage) {
			t.Errorf("%s at passage %d", e.point, e.passage)
		}
		p.missed(e)
	}
	for _, name := range points {
		if turns[name] == 0 {
			t.Errorf("%s had no turn", name)
		}
	}
	if turns[""] == 0 {
		t.Error("no random moment")
	}
}
