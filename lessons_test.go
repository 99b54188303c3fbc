package haven_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"iter"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/store"
)

// lessonTest is the name of a test that is owed for what went wrong elsewhere.
var lessonTest = regexp.MustCompile(`^TestLesson(\d\d)[A-Z]`)

// TestLessons: docs/lessons.md lists what went wrong elsewhere, and each row names tests that there are;
// each such test is in the list.
func TestLessons(t *testing.T) {
	page, err := os.ReadFile("docs/lessons.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{} // the row that a test is of
	for _, s := range module(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if m := lessonTest.FindStringSubmatch(f.Name.Name); m != nil {
					tests[f.Name.Name] = m[1]
				}
			}
		}
	}
	var rows []string
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !regexp.MustCompile(`^ \d+ $`).MatchString(cells[1]) {
			continue
		}
		number := fmt.Sprintf("%02s", strings.TrimSpace(cells[1]))
		rows = append(rows, number)
		found := 0
		for _, name := range regexp.MustCompile("`(Test[A-Za-z0-9_]+)`").FindAllStringSubmatch(cells[4], -1) {
			if tests[name[1]] != number {
				t.Errorf("lesson %s names %s, which is no test of it", number, name[1])
			}
			delete(tests, name[1])
			found++
		}
		if found == 0 {
			t.Errorf("lesson %s names no test", number)
		}
	}
	for n := 1; n <= 19; n++ {
		if !slices.Contains(rows, fmt.Sprintf("%02d", n)) {
			t.Errorf("lesson %d is not in docs/lessons.md", n)
		}
	}
	for name := range tests {
		t.Errorf("docs/lessons.md does not tell of %s", name)
	}
}

// unread is a store whose reads fail from the nth on.
type unread struct {
	store.Store
	left atomic.Int64
}

var errUnread = fmt.Errorf("a read that fails: %w", store.ErrUnavailable)

func (s *unread) fails() bool { return s.left.Add(-1) < 0 }

func (s *unread) Get(ctx context.Context, refs ...store.Ref) ([]store.Item, store.Epoch, error) {
	if s.fails() {
		return nil, store.Epoch{}, errUnread
	}
	return s.Store.Get(ctx, refs...)
}

func (s *unread) List(ctx context.Context, q store.Query) (store.Page, error) {
	if s.fails() {
		return store.Page{}, errUnread
	}
	return s.Store.List(ctx, q)
}

func (s *unread) Records(ctx context.Context, from uint64) iter.Seq2[store.Frame, error] {
	if s.fails() {
		return func(yield func(store.Frame, error) bool) { yield(store.Frame{}, errUnread) }
	}
	return s.Store.Records(ctx, from)
}

// TestLesson14RevokedFromTheFirstCall: what was revoked is refused from the first call after a start, to many
// at once; and a start whose reads fail, whichever they are, serves nobody what was revoked
// (CVE-2022-41316: a list of revocations that was loaded when it was first needed).
func TestLesson14RevokedFromTheFirstCall(t *testing.T) {
	s := newMemory(t)
	seals := map[string]seal.Seal{seal.Daily: keyFile(t)}
	system := open(t, s, seals)
	w := write(t, system)
	id, err := system.KeyManager().Decrypt(t.Context(), keys.DecryptRequest{Ciphertext: w.data})
	if err != nil {
		t.Fatal(err)
	}
	_, err = system.KeyManager().MarkCompromised(t.Context(), keys.CompromiseRequest{Key: id.KeyID.String(), Reason: "a test"})
	if err := errors.Join(err, system.Close()); err != nil {
		t.Fatal(err)
	}
	refused := func(system *haven.System) {
		var calls sync.WaitGroup
		for range 32 {
			calls.Go(func() {
				if _, err := system.KeyManager().Decrypt(context.Background(), keys.DecryptRequest{Ciphertext: w.data}); err == nil {
					t.Error("what was revoked is used")
				}
			})
		}
		calls.Wait()
	}
	system = open(t, s, seals)
	refused(system)
	if err := system.Close(); err != nil {
		t.Fatal(err)
	}
	started := 0
	for n := range int64(200) {
		failing := &unread{Store: s}
		failing.left.Store(n)
		system, err := haven.Open(t.Context(), haven.Config{Store: failing, Seals: seals})
		if err != nil {
			continue
		}
		started++
		refused(system)
		failing.left.Store(1 << 40)
		if err := system.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if started == 0 || started == 200 {
		t.Errorf("%d of 200 starts succeeded: the reads that fail are not those of a start", started)
	}
	_, err = open(t, s, seals).KeyManager().Decrypt(t.Context(), keys.DecryptRequest{Ciphertext: w.data})
	if !errors.Is(err, gate.InvalidState) {
		t.Errorf("revoked: %v", err)
	}
}
