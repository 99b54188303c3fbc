package pairwise_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/internal/pairwise"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store/embedded"
)

// workers ask at the same time, where nothing they ask for changes a key.
const workers = 4

// fewRows is how many rows of all parameters are asked where not every pair is.
const fewRows = 20

// extent is how much is asked: every pair, in rows drawn by the seed that HAVEN_PAIRWISE is; without
// it each level by itself and a few rows, always the same.
func extent(t *testing.T) (seed uint64, full bool) {
	text := os.Getenv("HAVEN_PAIRWISE")
	if text == "" {
		return 1, false
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("HAVEN_PAIRWISE is %q, not a seed", text)
	}
	return seed, true
}

// TestNeverDies asks a whole process for everything, with and without FIPS 140-3. It answers every
// call, none as an error of its own, each as its schema allows; it leaves one record for each; it is
// alive at the end, stops in order, and its store is whole.
func TestNeverDies(t *testing.T) {
	seed, full := extent(t)
	binary := build(t)
	for _, mode := range []string{"off", "only"} {
		t.Run("fips140="+mode, func(t *testing.T) {
			t.Parallel()
			w := &world{process: start(t, binary, mode), full: full}
			w.document = w.process.document()
			w.furnish()
			a := &asker{world: w, rng: mathrand.New(mathrand.NewPCG(seed, 1)), requests: map[gate.ID]string{}, statuses: map[int]int{}}
			for _, op := range w.document.operations() {
				a.operation(op)
			}
			w.stop()
			a.records()
			a.fsck()
			t.Logf("seed %d: %d calls of %d operations: %v", seed, a.calls, len(w.document.operations()), a.statuses)
		})
	}
}

// asker asks, and remembers what the journal must hold.
type asker struct {
	*world
	rng *mathrand.Rand

	mu       sync.Mutex
	calls    int
	passed   int // of the present operation
	requests map[gate.ID]string
	statuses map[int]int
}

// ask is one request.
type ask struct {
	method, path string
	header       http.Header
	body         []byte
}

// operation asks for one operation: its base, which must pass; the base with one parameter at each of
// its levels; rows of covering arrays of what can be read, and of
// all.
func (a *asker) operation(name string) {
	a.t.Helper()
	row := operation(name)
	if row == nil {
		a.t.Fatalf("%s is not in the gate's table", name)
	}
	refs, concurrent := a.keys, !row.Mutates
	if !concurrent {
		refs = a.victims()
	}
	parameters := a.document.fields(name)
	base := a.base(name, refs[0])
	levels := make([][]any, len(parameters), len(parameters)+3)
	for i, f := range parameters {
		if levels[i] = a.values(f, refs); levels[i] == nil {
			a.t.Fatalf("%s of %s has no values to be asked with: give it some in values_test.go", f.name, name)
		}
	}
	levels = append(levels, surroundings...)
	a.passed = 0
	var asks []ask
	first := make([]any, len(levels))
	for i := range levels {
		first[i] = levels[i][0]
		if i < len(parameters) {
			var given bool
			if first[i], given = base[parameters[i].name]; !given {
				first[i] = absent
			}
		}
	}
	asks = append(asks, a.ask(name, parameters, first))
	for i := range levels {
		for _, v := range levels[i] {
			one := append([]any(nil), first...)
			one[i] = v
			asks = append(asks, a.ask(name, parameters, one))
		}
	}
	rows := a.array(levels)
	for _, some := range a.legible(parameters, levels, concurrent) {
		rows = append(rows, a.array(some)...)
	}
	for _, row := range rows {
		asks = append(asks, a.ask(name, parameters, row))
	}
	if query, reads := a.document.query(name); reads {
		asks = append(asks, a.gets(name, query, refs)...)
	}
	a.all(name, asks, concurrent)
	if !a.excused(name) && a.passed == 0 {
		a.t.Errorf("no call of %s passed: give it a request in base that does", name)
	}
}

// legible leaves junk out, so that what is behind the reading meets in pairs, too: with any key, and
// with a good key of each kind, where the operation leaves it good.
func (a *asker) legible(parameters []field, levels [][]any, leaves bool) (out [][][]any) {
	read, key := make([][]any, len(levels)), -1
	for i := range levels {
		if i >= len(parameters) {
			read[i] = levels[i][:1]
			continue
		}
		for _, v := range levels[i] {
			if _, bad := v.(junk); !bad {
				read[i] = append(read[i], v)
			}
		}
		if parameters[i].name == "key" {
			key = i
		}
	}
	out = append(out, read)
	for _, name := range slices.Sorted(maps.Keys(a.kinds)) {
		if key < 0 || !leaves || !a.full {
			break
		}
		some := slices.Clone(read)
		some[key] = []any{a.kinds[name]}
		out = append(out, some)
	}
	return out
}

// excused tells of operations that cannot pass here: a version does not expire while the test runs,
// the clock is the machine's, and a FIPS 140-3 module may be older than HPKE.
func (a *asker) excused(name string) bool {
	return name == "restore-version" || name == "advance-clock" || a.kinds[hpke] == "" && (name == "hpke-seal" || name == "hpke-open")
}

// surroundings are levels of what a request has besides its parameters: its Idempotency-Key, its
// Content-Type, and what is wrong with its body as a whole.
var surroundings = [][]any{
	{"", "again", "0123456789-once", "two words", "żółć", string(bytes.Repeat([]byte("k"), 300))},
	{"application/json", "", "text/plain", "application/json; charset=utf-8"},
	{"", "unknown member", "member twice", "trailing", "cut", "array", "empty", "not UTF-8"},
}

// array returns rows of levels.
func (a *asker) array(levels [][]any) (out [][]any) {
	counts := make([]int, len(levels))
	for i := range levels {
		counts[i] = len(levels[i])
	}
	for _, row := range a.rows(counts) {
		values := make([]any, len(row))
		for i, v := range row {
			values[i] = levels[i][v]
		}
		out = append(out, values)
	}
	return out
}

func (a *asker) rows(counts []int) [][]int {
	if a.full {
		return pairwise.Rows(counts, a.rng)
	}
	return pairwise.Random(counts, fewRows, a.rng)
}

// ask makes a request of the values of parameters and surroundings.
func (a *asker) ask(name string, parameters []field, values []any) ask {
	var b bytes.Buffer
	b.WriteByte('{')
	write := func(name string, value any) {
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		text, err := encode(value)
		a.must(err)
		fmt.Fprintf(&b, "%q:%s", name, text)
	}
	for i, f := range parameters {
		if values[i] != absent {
			write(f.name, plain(values[i]))
		}
	}
	around := values[len(parameters):]
	switch around[2] {
	case "unknown member":
		write("no_such_member", 1)
	case "member twice":
		write("key", "a")
		write("key", "a")
	}
	b.WriteByte('}')
	body := b.Bytes()
	switch around[2] {
	case "trailing":
		body = append(body, "{}"...)
	case "cut":
		body = body[:len(body)-1]
	case "array":
		body = append(append([]byte("["), body...), ']')
	case "empty":
		body = nil
	case "not UTF-8":
		body = append(body[:len(body)-1], "\"\xff\":1}"...)
	}
	header := http.Header{}
	if key := around[0].(string); key != "" {
		header.Set("Idempotency-Key", key)
	}
	if media := around[1].(string); media != "" {
		header.Set("Content-Type", media)
	}
	return ask{http.MethodPost, "/v1/" + name, header, body}
}

// encode writes JSON as it is given, raw parts that are no JSON included.
func encode(v any) ([]byte, error) {
	switch v := v.(type) {
	case raw:
		return v, nil
	case object:
		b := []byte{'{'}
		for name, value := range v {
			if len(b) > 1 {
				b = append(b, ',')
			}
			text, err := encode(value)
			if err != nil {
				return nil, err
			}
			b = append(append(strconv.AppendQuote(b, name), ':'), text...)
		}
		return append(b, '}'), nil
	case []any:
		b := []byte{'['}
		for i, value := range v {
			if i > 0 {
				b = append(b, ',')
			}
			text, err := encode(value)
			if err != nil {
				return nil, err
			}
			b = append(b, text...)
		}
		return append(b, ']'), nil
	}
	return json.Marshal(v)
}

// gets asks by GET for each level of each parameter, and for rows of all.
func (a *asker) gets(name string, query []string, refs []string) (asks []ask) {
	var levels [][]any
	for _, parameter := range query {
		for _, f := range a.document.fields(name) {
			if f.name == parameter {
				levels = append(levels, a.values(f, refs))
			}
		}
	}
	if len(levels) != len(query) {
		a.t.Errorf("GET %s takes %v, its POST does not", name, query)
		return nil
	}
	odd := []any{"", "no_such_parameter=1", "%zz"}
	if len(query) > 0 {
		odd = append(odd, query[0]+"=a&"+query[0]+"=b")
	}
	levels = append(levels, odd)
	for _, row := range a.array(levels) {
		values := url.Values{}
		for i, parameter := range query {
			if row[i] != absent {
				values.Set(parameter, fmt.Sprint(plain(row[i])))
			}
		}
		text := values.Encode()
		if more := row[len(query)].(string); more != "" {
			text += "&" + more
		}
		asks = append(asks, ask{http.MethodGet, "/v1/" + name + "?" + text, http.Header{}, nil})
	}
	return asks
}

// all sends requests and judges the answers.
func (a *asker) all(name string, asks []ask, concurrent bool) {
	a.t.Helper()
	n := 1
	if concurrent {
		n = workers
	}
	var wg sync.WaitGroup
	next := make(chan ask)
	for range n {
		wg.Go(func() {
			for ask := range next {
				if err := a.one(name, ask); err != nil {
					a.t.Errorf("%s %.200s %v %.500s: %v", ask.method, ask.path, ask.header, ask.body, err)
				}
			}
		})
	}
	for _, ask := range asks {
		next <- ask
	}
	close(next)
	wg.Wait()
}

func (a *asker) one(name string, ask ask) error {
	got, err := a.send(ask.method, ask.path, ask.header, ask.body)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	a.statuses[got.status]++
	if got.status == http.StatusOK {
		a.passed++
	}
	if got.status >= 500 {
		return fmt.Errorf("%d %s", got.status, got.body)
	}
	if got.status == http.StatusRequestURITooLong || got.status == http.StatusRequestHeaderFieldsTooLarge {
		return nil // net/http's, before Haven is asked
	}
	id, ok := gate.ParseID(got.header.Get("Haven-Request-Id"))
	if !ok || a.requests[id] != "" {
		return fmt.Errorf("%d with the request id %q", got.status, got.header.Get("Haven-Request-Id"))
	}
	a.requests[id] = name
	if err := a.document.allowed(name, got); err != nil {
		return fmt.Errorf("%d %.300s: %w", got.status, got.body, err)
	}
	return nil
}

func operation(name string) *gate.Operation {
	for _, op := range gate.Operations() {
		if op.Name == name && !op.Internal {
			return op
		}
	}
	return nil
}

// records reads the journal of the stopped server: each call has one record, of its operation.
func (a *asker) records() {
	a.t.Helper()
	fs, err := disk.Dir(a.folder)
	a.must(err)
	s, err := embedded.Open(context.Background(), embedded.Config{FS: fs, Rand: rand.Reader})
	a.must(err)
	defer s.Close()
	found := map[gate.ID]int{}
	for frame, err := range s.Records(context.Background(), 0) {
		a.must(err)
		decoded, err := journal.DecodeFrame(frame.Data)
		a.must(err)
		for encoded, err := range decoded.Records() {
			a.must(err)
			r, err := journal.DecodeRecord(encoded)
			a.must(err)
			if name := a.requests[r.Request]; name != "" && r.Flags&journal.BatchItem == 0 {
				if found[r.Request]++; operation(name).Number != r.Operation {
					a.t.Errorf("%s was recorded as operation %d", name, r.Operation)
				}
			}
		}
	}
	for id, name := range a.requests {
		if found[id] != 1 {
			a.t.Errorf("%s %s has %d records", name, id, found[id])
		}
	}
}

// fsck checks the store of the stopped server.
func (a *asker) fsck() {
	a.t.Helper()
	report, err := haven.Fsck(context.Background(), haven.Config{DataDir: a.folder}, nil)
	a.must(err)
	for _, f := range report.Findings {
		a.t.Error(f)
	}
}
