package rotation_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/rotation"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/memory"
	"github.com/haven-health/haven/store/storetest"
)

var background = context.Background()

const day = lifecycle.Day

// world is a system whose checks a test makes itself.
type world struct{ *gatetest.World }

func newWorld(t testing.TB, configure ...func(*haven.Config)) *world {
	early := func(c *haven.Config) { c.Defaults = &lifecycle.Policy{RotateEarlyDays: 7, GraceDays: 30} }
	return &world{gatetest.New(t, append([]func(*haven.Config){early}, configure...)...)}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// key makes a key that the default policy of a server governs, unless the request says otherwise.
func (w *world) key(req keys.CreateRequest) *keys.Key {
	w.Helper()
	if req.Type == "" {
		req.Type = keys.Data
	}
	if req.RotationDays == 0 {
		req.RotationDays = 90
	}
	req.Purpose = "test"
	k, err := w.KeyManager().CreateKey(background, req)
	w.must(err)
	return k
}

// check does what is due.
func (w *world) check() *rotation.CheckAnswer {
	w.Helper()
	out, err := w.RotationScheduler().CheckRotation(background, rotation.CheckRequest{})
	w.must(err)
	return out
}

// tell says in words what was due, of one key where one is named.
func tell(tasks []rotation.Task, key string) string {
	var out []string
	for _, t := range tasks {
		if key != "" && t.KeyID != key {
			continue
		}
		s := t.Do
		if t.Version != 0 {
			s += fmt.Sprintf(" %d", t.Version)
		}
		if t.NewVersion != 0 {
			s += fmt.Sprintf(">%d", t.NewVersion)
		}
		out = append(out, strings.TrimSpace(s+" "+t.Waits+t.Error))
	}
	return strings.Join(out, ", ")
}

// states are those of a key's versions, the first first.
func (w *world) states(key string) string {
	w.Helper()
	page, err := w.KeyManager().ListKeyVersions(background, keys.ListVersionsRequest{Key: key})
	w.must(err)
	var out []string
	for _, v := range slices.Backward(page.Versions) {
		out = append(out, v.State.String())
	}
	return strings.Join(out, " ")
}

// TestWholeLife: each deadline of a key is met by the check after it, and by none before it.
func TestWholeLife(t *testing.T) {
	w := newWorld(t)
	k := w.key(keys.CreateRequest{GraceDays: 30, LifetimeDays: 200})
	for _, step := range []struct {
		after        time.Duration // since the step before
		done, states string
	}{
		{83*day - time.Second, "", "active"},
		{time.Second, "rotate 1>2", "rotating active"},
		{30*day - time.Second, "", "rotating active"},
		{time.Second, "deprecate 1", "deprecated active"},
		{53 * day, "rotate 2>3", "deprecated rotating active"},
		{34 * day, "deprecate 2, expire 1", "expired deprecated active"},
		{30*day - time.Second, "", "expired deprecated active"},
		{time.Second, "destroy 1", "destroyed deprecated active"},
	} {
		w.Clock.Advance(step.after)
		if got := tell(w.check().Done, k.ID); got != step.done {
			t.Errorf("at %v: did %q, want %q", w.Clock.Wall().Sub(gatetest.Start), got, step.done)
		}
		if got := w.states(k.ID); got != step.states {
			t.Errorf("at %v: %s, want %s", w.Clock.Wall().Sub(gatetest.Start), got, step.states)
		}
	}
	w.Reopen()
	if again := w.check(); len(again.Done)+len(again.Failed)+len(again.Waiting) != 0 {
		t.Errorf("a check at once after another does %+v", again)
	}
	if _, err := w.KeyManager().CancelKeyDeletion(background, k.ID+"@1"); !errors.Is(err, gate.InvalidState) {
		t.Errorf("a destroyed version comes back: %v", err)
	}
}

// TestDestroyKey: a key is destroyed at its date with all its material, however many versions it has; what
// it signed still verifies.
func TestDestroyKey(t *testing.T) {
	w := newWorld(t)
	k := w.key(keys.CreateRequest{Type: keys.Signing})
	signed, err := w.KeyManager().Sign(background, keys.SignRequest{Key: k.ID, Message: []byte("m")})
	w.must(err)
	const versions = 70 // more than a page
	for range versions - 1 {
		_, err := w.KeyManager().RotateKey(background, k.ID)
		w.must(err)
	}
	_, err = w.KeyManager().ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: k.ID, Days: 7})
	w.must(err)
	w.Clock.Advance(7*day - time.Second)
	if got := tell(w.check().Done, k.ID); got != "" {
		t.Errorf("before its date: %s", got)
	}
	w.Clock.Advance(time.Second)
	from := w.Position()
	if got := tell(w.check().Done, k.ID); got != "destroy" {
		t.Errorf("did %q", got)
	}
	for _, e := range w.Records(from) {
		if e.Operation == gate.DestroyDue.Number && gate.ID(e.Key).String() != k.ID {
			t.Errorf("a record of key %s", e.Key)
		}
	}
	w.Reopen()
	if got := w.states(k.ID); strings.Count(got, "destroyed") != 50 { // a page of them
		t.Errorf("states %s", got)
	}
	verified, err := w.KeyManager().Verify(background, keys.VerifyRequest{Key: k.ID, Message: []byte("m"), Signature: signed.Signature, Algorithm: signed.Algorithm})
	if err != nil || !verified.Valid {
		t.Errorf("what it signed: %+v, %v", verified, err)
	}
	if _, err := w.KeyManager().Sign(background, keys.SignRequest{Key: k.ID, Message: []byte("m")}); !errors.Is(err, gate.InvalidState) {
		t.Errorf("it signs: %v", err)
	}
	if got := w.check(); len(got.Done)+len(got.Failed) != 0 {
		t.Errorf("again: %+v", got)
	}
}

// TestDestroyInterrupted: a destruction that was cut short goes on with the next check, and nothing
// decrypts meanwhile.
func TestDestroyInterrupted(t *testing.T) {
	for cut := 2; cut <= 4; cut++ { // the check itself, and three pages
		faulty := storetest.NewFaulty(memory.New(1))
		w := newWorld(t, func(c *haven.Config) { c.Store = faulty })
		k := w.key(keys.CreateRequest{})
		secret, err := w.KeyManager().Encrypt(background, keys.EncryptRequest{Key: k.ID, Plaintext: []byte("x")})
		w.must(err)
		for range 69 {
			_, err := w.KeyManager().RotateKey(background, k.ID)
			w.must(err)
		}
		_, err = w.KeyManager().ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: k.ID, Days: 7})
		w.must(err)
		w.Clock.Advance(7 * day)
		faulty.FailCommit(cut, false, store.ErrUnavailable)
		_, err = w.RotationScheduler().CheckRotation(background, rotation.CheckRequest{})
		if !errors.Is(err, gate.Unavailable) {
			t.Errorf("cut at commit %d: %v", cut, err)
		}
		w.Reopen()
		if _, err := w.KeyManager().Decrypt(background, keys.DecryptRequest{Ciphertext: secret.Ciphertext}); err == nil {
			t.Errorf("cut at commit %d: it decrypts", cut)
		}
		if got := tell(w.check().Done, k.ID); got != "destroy" {
			t.Errorf("cut at commit %d: then did %q", cut, got)
		}
		for _, item := range w.Items(store.KindVersion) {
			if item.ID[:16] == string(id(k.ID)) && item.Index[0] != "" {
				t.Errorf("cut at commit %d: a version has material still", cut)
			}
		}
	}
}

// id is a key's, in bytes.
func id(text string) []byte {
	id, _ := gate.ParseID(text)
	return id[:]
}

// TestWaits: what cannot be done is told with its reason, is not tried, and is done once it can be.
func TestWaits(t *testing.T) {
	w := newWorld(t)
	k := w.key(keys.CreateRequest{})
	master := w.key(keys.CreateRequest{Type: keys.Master, RotationDays: keys.Never})
	child := w.key(keys.CreateRequest{Master: master.ID})
	_, err := w.KeyManager().DisableKey(background, k.ID)
	w.must(err)
	_, err = w.KeyManager().DisableKey(background, master.ID)
	w.must(err)
	w.Clock.Advance(83 * day)
	from := w.Position()
	out := w.check()
	if got := tell(out.Waiting, k.ID) + "; " + tell(out.Waiting, child.ID); got != "rotate 1 disabled; rotate 1 master_disabled" || len(out.Done)+len(out.Failed) != 0 {
		t.Errorf("waits %s; did %s; failed %s", got, tell(out.Done, ""), tell(out.Failed, ""))
	}
	if n := len(w.Records(from)); n != 1 {
		t.Errorf("%d records", n)
	}
	_, err = w.KeyManager().EnableKey(background, k.ID)
	w.must(err)
	_, err = w.KeyManager().ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: master.ID, Days: 7})
	w.must(err)
	out = w.check()
	if got := tell(out.Waiting, child.ID); got != "rotate 1 master_pending_deletion" || tell(out.Done, k.ID) != "rotate 1>2" {
		t.Errorf("waits %s; did %s", got, tell(out.Done, ""))
	}
	// A master key is not destroyed while it wraps anything.
	w.Clock.Advance(7 * day)
	if got := tell(w.check().Waiting, master.ID); got != "destroy still_wraps" {
		t.Errorf("the master key: %s", got)
	}
	_, err = w.KeyManager().CancelKeyDeletion(background, master.ID)
	w.must(err)
	_, err = w.KeyManager().EnableKey(background, master.ID)
	w.must(err)
	if got := tell(w.check().Done, child.ID); got != "rotate 1>2" {
		t.Errorf("the child then: %s", got)
	}
}

// TestResume: a suspension for a time ends, and what it held up is done in the same check.
func TestResume(t *testing.T) {
	w := newWorld(t)
	k := w.key(keys.CreateRequest{})
	w.Clock.Advance(60 * day)
	_, err := w.KeyManager().DisableKeyFor(background, k.ID, 24*day)
	w.must(err)
	w.Clock.Advance(24 * day)
	if got := tell(w.check().Done, k.ID); got != "rotate 1>2" && got != "resume, rotate 1>2" && got != "rotate 1>2, resume" {
		t.Errorf("did %s", got)
	}
	shown, err := w.KeyManager().DescribeKey(background, k.ID)
	w.must(err)
	if !shown.Enabled || shown.Version != 2 {
		t.Errorf("enabled %v, version %d", shown.Enabled, shown.Version)
	}
}

// TestDryRun: it tells what a check then does, and does nothing.
func TestDryRun(t *testing.T) {
	w := newWorld(t)
	for range 5 {
		w.key(keys.CreateRequest{})
	}
	w.Clock.Advance(83 * day)
	from := w.Position()
	dry, err := w.RotationScheduler().CheckRotation(background, rotation.CheckRequest{DryRun: true})
	w.must(err)
	if n := len(w.Records(from)); n != 1 || len(dry.Due) != 5 || len(dry.Done) != 0 || dry.More {
		t.Errorf("%d records, %+v", n, dry)
	}
	some, err := w.RotationScheduler().CheckRotation(background, rotation.CheckRequest{DryRun: true, Limit: 2})
	w.must(err)
	if len(some.Due) != 2 || !some.More {
		t.Errorf("at most 2: %+v", some)
	}
	some, err = w.RotationScheduler().CheckRotation(background, rotation.CheckRequest{Limit: 2})
	w.must(err)
	if len(some.Done) != 2 || !some.More {
		t.Errorf("at most 2 done: %+v", some)
	}
	if done := w.check(); len(done.Done) != 3 || done.More {
		t.Errorf("then %+v", done)
	}
}

// TestOnce: of many schedulers that check at one time, each thing is done by one.
func TestOnce(t *testing.T) {
	w := newWorld(t)
	const due = 100
	for range due {
		w.key(keys.CreateRequest{})
	}
	w.Clock.Advance(83 * day)
	from := w.Position()
	var group sync.WaitGroup
	var mu sync.Mutex
	done := map[string]int{}
	for range 5 {
		group.Go(func() {
			out := w.check()
			mu.Lock()
			defer mu.Unlock()
			for _, t := range append(out.Done, out.Failed...) {
				done[t.KeyID+t.Error]++
			}
		})
	}
	group.Wait()
	rotated := 0
	for _, e := range w.Records(from) {
		if e.Operation == gate.RotateDue.Number && len(e.Changes) > 0 {
			rotated++
		}
	}
	if rotated != due || len(done) != due {
		t.Errorf("%d rotations of %d keys, %d due", rotated, len(done), due)
	}
	for key, n := range done {
		if n != 1 {
			t.Errorf("%s: %d times", key, n)
		}
	}
}

// TestOneFails: what cannot be read is told, and keeps nothing else from being done.
func TestOneFails(t *testing.T) {
	bent := &bent{Store: memory.New(1)}
	w := newWorld(t, func(c *haven.Config) { c.Store = bent })
	bad, good := w.key(keys.CreateRequest{}), w.key(keys.CreateRequest{})
	w.Damaged = true
	bent.key = string(id(bad.ID))
	w.Reopen()
	w.Clock.Advance(83 * day)
	out, err := w.RotationScheduler().CheckRotation(background, rotation.CheckRequest{})
	if err != nil || tell(out.Done, good.ID) != "rotate 1>2" || len(out.Failed) != 1 || out.Failed[0].Error != "tampered" {
		t.Errorf("%+v, %v", out, err)
	}
}

// bent is a store in which somebody altered the item of a key.
type bent struct {
	store.Store
	key string
}

func (b *bent) Get(ctx context.Context, refs ...store.Ref) ([]store.Item, store.Epoch, error) {
	items, epoch, err := b.Store.Get(ctx, refs...)
	for i := range items {
		if items[i].Kind == store.KindKey && items[i].ID == b.key {
			items[i].Body[len(items[i].Body)-1] ^= 1
		}
	}
	return items, epoch, err
}

// TestListDue: it lists what comes due, oldest first, page by page, and nothing twice.
func TestListDue(t *testing.T) {
	w := newWorld(t)
	want := map[string]bool{}
	for i := range 12 {
		want[w.key(keys.CreateRequest{RotationDays: keys.Days(20 + i)}).ID] = true
	}
	w.key(keys.CreateRequest{RotationDays: 365})
	seen, last := map[string]bool{}, time.Time{}
	req := rotation.DueRequest{Days: 60, Limit: 5}
	for pages := 1; ; pages++ {
		page, err := w.RotationScheduler().Due(background, req)
		w.must(err)
		for _, task := range page.Due {
			if seen[task.KeyID] || task.At.Before(last) || task.Do != "rotate" || task.Version != 1 || !task.ExpiresAt.After(task.At) {
				t.Errorf("%+v after %v", task, last)
			}
			seen[task.KeyID], last = true, task.At
		}
		if req.Cursor = page.NextCursor; req.Cursor == "" {
			break
		}
	}
	for key := range want {
		if !seen[key] {
			t.Errorf("%s is missing", key)
		}
	}
	if len(seen) != len(want) {
		t.Errorf("%d listed, want %d", len(seen), len(want))
	}
	for _, req := range []rotation.DueRequest{{Days: -1}, {Days: 36501}, {Limit: 101}, {Cursor: "x"}, {Cursor: "AAAAAAAAAAAA"}} {
		if _, err := w.RotationScheduler().Due(background, req); !errors.Is(err, gate.InvalidRequest) {
			t.Errorf("%+v: %v", req, err)
		}
	}
}

// TestCredentialsEnd: the end of a credential is told before it comes, and what ended is deleted, with the
// sessions that nobody is told of.
func TestCredentialsEnd(t *testing.T) {
	w := newWorld(t)
	people := w.Identity()
	_, err := people.CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.Service, Name: "clinic-api"})
	w.must(err)
	ends := w.Clock.Wall().Add(10 * day)
	made, err := people.CreateCredential(background, identity.CreateCredentialRequest{Principal: "clinic-api", Type: "bearer", ExpiresAt: ends})
	w.must(err)
	_, err = people.CreateCredential(background, identity.CreateCredentialRequest{Principal: "clinic-api", Type: "access-key"})
	w.must(err)
	page, err := w.RotationScheduler().Due(background, rotation.DueRequest{})
	w.must(err)
	if len(page.Due) != 1 || page.Due[0].Do != "expire" || page.Due[0].Credential != made.ID || !page.Due[0].At.Equal(ends) ||
		page.Due[0].ARN != "arn:aws:iam::000000000000:user/clinic-api" {
		t.Errorf("due: %+v", page.Due)
	}
	count := len(w.Items(store.KindCredential))
	w.Clock.Advance(10*day - time.Millisecond)
	w.check()
	if n := len(w.Items(store.KindCredential)); n != count {
		t.Errorf("%d credentials before the end, want %d", n, count)
	}
	w.Clock.Advance(time.Millisecond)
	w.check()
	if n := len(w.Items(store.KindCredential)); n != count-1 {
		t.Errorf("%d credentials after it, want %d", n, count-1)
	}
}

// TestExecute: of the keys named, those that are due are rotated.
func TestExecute(t *testing.T) {
	w := newWorld(t)
	due, later, disabled := w.key(keys.CreateRequest{}), w.key(keys.CreateRequest{RotationDays: 365}), w.key(keys.CreateRequest{})
	_, err := w.KeyManager().DisableKey(background, disabled.ID)
	w.must(err)
	w.Clock.Advance(83 * day)
	out, err := w.RotationScheduler().ExecuteRotations(background, due.ID, later.ARN, disabled.ID, due.ID)
	w.must(err)
	var got []string
	for _, r := range out.Rotations {
		got = append(got, fmt.Sprintf("%d>%d%s%s", r.Version, r.NewVersion, r.Waits, r.Error))
	}
	if s := strings.Join(got, " "); s != "1>2 1>0 1>0disabled 1>0" {
		t.Errorf("%s", s)
	}
	if _, err := w.RotationScheduler().ExecuteRotations(background, "alias/nothing"); !errors.Is(err, gate.NotFound) {
		t.Errorf("no such key: %v", err)
	}
}

// TestScheduled: checks are made by the schedule, each once, also after a time when nobody ran; the first of
// a new store a day after it was made.
func TestScheduled(t *testing.T) {
	w := newWorld(t)
	ran := func() bool {
		ran, err := w.Scheduler().Scheduled(background, gate.Proof{Local: w.Admin})
		w.must(err)
		return ran
	}
	if ran() {
		t.Error("a check at once")
	}
	w.Clock.Advance(day)
	if !ran() || ran() {
		t.Error("not one check after a day")
	}
	w.Reopen()
	if ran() {
		t.Error("a check again after a restart")
	}
	k := w.key(keys.CreateRequest{})
	w.Clock.Advance(100*day + time.Hour) // off for so long
	if !ran() || ran() {
		t.Error("not one check after months")
	}
	if got := w.states(k.ID); got != "rotating active" {
		t.Errorf("it did %s", got)
	}
	set, err := w.RotationScheduler().Schedule(background, rotation.ScheduleRequest{Expression: "cron(0 3 * * ? *)", Timezone: "Europe/Berlin"})
	w.must(err)
	if next := set.NextCheckAt; next.Hour() != 1 || !next.After(w.Clock.Wall()) || next.Sub(w.Clock.Wall()) > day {
		t.Errorf("the next at %v", next)
	}
	w.Clock.Advance(time.Second)
	w.must(w.RotationScheduler().ScheduleRotationCheck(background, "rate(1 hour)"))
	if !ran() || ran() {
		t.Error("a rate does not begin with one check")
	}
	w.Clock.Advance(59 * time.Minute)
	if ran() {
		t.Error("a check before its time")
	}
	w.Clock.Advance(time.Minute)
	if !ran() {
		t.Error("no check after an hour")
	}
	status, err := w.RotationScheduler().Status(background)
	w.must(err)
	if status.Expression != "rate(1 hour)" || !status.NextCheckAt.Equal(w.Clock.Wall().Add(time.Hour)) || !status.LastCheckAt.Equal(w.Clock.Wall()) {
		t.Errorf("%+v at %v", status, w.Clock.Wall())
	}
	for _, expression := range []string{"", "rate(1 week)", "rate(0 days)", "cron(0 8 * * *)", "at(2020-01-01T00:00:00)"} {
		if err := w.RotationScheduler().ScheduleRotationCheck(background, expression); !errors.Is(err, gate.InvalidRequest) {
			t.Errorf("%q: %v", expression, err)
		}
	}
}

// TestNotice: what a person should know of is told once, within a week before it happens; what waits is
// told each time.
func TestNotice(t *testing.T) {
	var log bytes.Buffer
	w := newWorld(t, func(c *haven.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	s := w.Scheduler()
	w.key(keys.CreateRequest{RotationDays: 12}) // whose rotation nobody needs to know of
	gone, waits := w.key(keys.CreateRequest{RotationDays: keys.Never}), w.key(keys.CreateRequest{RotationDays: 20})
	_, err := w.KeyManager().ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: gone.ID, Days: 10})
	w.must(err)
	_, err = w.KeyManager().DisableKey(background, waits.ID)
	w.must(err)
	for d := 1; d <= 14; d++ {
		w.Clock.Advance(day)
		log.Reset()
		_, err := s.Scheduled(background, gate.Proof{Local: w.Admin})
		w.must(err)
		want := map[int]string{3: "it comes due soon", 6: "waits for somebody", 13: "waits for somebody", 14: "waits for somebody"}[d]
		if got := log.String(); want == "" && got != "" || !strings.Contains(got, want) || strings.Count(got, "\n") > 1 {
			t.Errorf("day %d: %q, want %q", d, got, want)
		}
		if d == 3 && s.Figures().Coming != 2 { // the deletion, and a rotation
			t.Errorf("%d are coming", s.Figures().Coming)
		}
	}
}

// TestScheduledTogether: of several schedulers whose time comes at once, one check stands as the schedule's
// last, and each thing was done once.
func TestScheduledTogether(t *testing.T) {
	w := newWorld(t)
	for range 40 {
		w.key(keys.CreateRequest{})
	}
	w.Clock.Advance(83 * day)
	from := w.Position()
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			if _, err := w.Scheduler().Scheduled(background, gate.Proof{Local: w.Admin}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	rotated, ended := 0, 0
	for _, e := range w.Records(from) {
		switch {
		case e.Operation == gate.RotateDue.Number && len(e.Changes) > 0:
			rotated++
		case e.Operation == gate.CheckRotation.Number && len(e.Changes) > 0:
			ended++
		}
	}
	if rotated != 40 || ended != 1 {
		t.Errorf("%d rotations, %d ends", rotated, ended)
	}
}
