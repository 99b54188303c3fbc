package keys_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/lifecycle"
)

// rig asks the real system what the model is asked.
type rig struct {
	*gatetest.World
	km  haven.KeyManager
	day int // of the model; the clock follows it
}

func newRig(w *gatetest.World) *rig { return &rig{World: w, km: w.KeyManager(), day: 1} }

// realKey is a key of the system and a ciphertext of each of its versions.
type realKey struct {
	id          string
	ciphertexts [][]byte
}

var background = context.Background()

func (r *rig) pass(days int) {
	r.day += days
	r.Clock.Advance(time.Duration(days) * lifecycle.Day)
}

// answer is an error in the model's words.
func answer(err error) string {
	var e *gate.Error
	switch {
	case err == nil:
		return "ok"
	case !errors.As(err, &e):
		return err.Error()
	case e.Code == gate.InvalidState:
		return e.Reason
	}
	return e.Code.String()
}

// create makes a key as the model has it when new.
func (r *rig) create(k *modelKey, master string) *realKey {
	r.Helper()
	t := keys.Data
	if k.master == nil {
		t = keys.Master
	}
	made, err := r.km.CreateKey(background, keys.CreateRequest{
		Purpose: "a test", Type: t, Master: master, RotationDays: days(k.rotation), GraceDays: days(k.graceDays), LifetimeDays: days(k.lifetime),
	})
	if err != nil {
		r.Fatal(err)
	}
	real := &realKey{id: made.ID}
	r.keep(real, 1)
	return real
}

func days(n int) keys.Days {
	if n == never {
		return keys.Never
	}
	return keys.Days(n)
}

// keep encrypts with each version that is new, so that it can be asked to decrypt later.
func (r *rig) keep(k *realKey, versions int) {
	r.Helper()
	for n := len(k.ciphertexts) + 1; n <= versions; n++ {
		out, err := r.km.Encrypt(background, keys.EncryptRequest{Key: named(k.id, n), Plaintext: []byte("kept")})
		if err != nil {
			r.Fatalf("a new primary does not encrypt: %v", err)
		}
		k.ciphertexts = append(k.ciphertexts, out.Ciphertext)
	}
}

func named(key string, n int) string {
	if n == 0 {
		return key
	}
	return fmt.Sprintf("%s@%d", key, n)
}

// do asks the system for an event.
func (r *rig) do(k *realKey, e event) error {
	var err error
	ref := named(k.id, e.version)
	switch e.op {
	case "encrypt":
		_, err = r.km.Encrypt(background, keys.EncryptRequest{Key: ref, Plaintext: []byte("new")})
	case "decrypt":
		_, err = r.km.Decrypt(background, keys.DecryptRequest{Ciphertext: k.ciphertexts[e.version-1]})
	case "rotate":
		_, err = r.km.RotateKey(background, ref)
	case "deprecate":
		_, err = r.km.DeprecateVersion(background, ref)
	case "compromise":
		req := keys.CompromiseRequest{Key: ref, Reason: "a test"}
		if e.version != 0 {
			req.NewPrimary = &e.replace
		}
		_, err = r.km.MarkCompromised(background, req)
	case "disable":
		_, err = r.km.DisableKeyFor(background, ref, time.Duration(e.days)*lifecycle.Day)
	case "restore":
		_, err = r.km.RestoreVersion(background, ref)
	case "enable":
		_, err = r.km.EnableKey(background, ref)
	case "update":
		_, err = r.km.UpdateKey(background, keys.UpdateRequest{Key: ref, Purpose: "another"})
	case "schedule":
		_, err = r.km.ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: ref, Days: e.days})
	case "cancel":
		_, err = r.km.CancelKeyDeletion(background, ref)
	default:
		panic("no event " + e.op)
	}
	return err
}

// same compares what the system shows of a key with the model.
func (r *rig) same(k *realKey, m *modelKey) error {
	doc, err := r.km.DescribeKey(background, k.id)
	if err != nil {
		return err
	}
	state := ""
	if doc.State.Valid() {
		state = doc.State.String()
	}
	got := fmt.Sprintf("%d of %d, %s, enabled %v until %d, deleted %d", doc.Version, doc.Versions, state, doc.Enabled, r.dayOf(doc.DisabledUntil), r.dayOf(doc.DeletionDate))
	until := never
	if m.status(r.day) == "disabled" {
		until = m.until
	}
	want := fmt.Sprintf("%d of %d, %s, enabled %v until %d, deleted %d", m.primary, len(m.versions), m.state(r.day), m.status(r.day) == "", until, m.deletion)
	if got != want {
		return fmt.Errorf("the key shows %s, want %s", got, want)
	}
	page, err := r.km.ListKeyVersions(background, keys.ListVersionsRequest{Key: k.id})
	if err != nil {
		return err
	}
	if len(page.Versions) != len(m.versions) {
		return fmt.Errorf("%d versions, want %d", len(page.Versions), len(m.versions))
	}
	for _, v := range page.Versions {
		n := int(v.Version)
		got := fmt.Sprintf("%s, deleted %d", v.State, r.dayOf(v.DeletionDate))
		if want := fmt.Sprintf("%s, deleted %d", m.effective(n, r.day), m.versions[n-1].deletion); got != want {
			return fmt.Errorf("version %d shows %s, want %s", n, got, want)
		}
	}
	return nil
}

// wrapped compares what wraps each version of a key, and what the master says it wraps, with the
// model.
func (r *rig) wrapped(master, k *realKey, m *modelKey) error {
	page, err := r.km.ListKeyVersions(background, keys.ListVersionsRequest{Key: k.id})
	if err != nil {
		return err
	}
	want := map[uint32]int{}
	for _, v := range page.Versions {
		by := m.versions[v.Version-1].wrappedBy
		if want := named(master.id, by); v.WrappedBy != want {
			return fmt.Errorf("version %d is wrapped by %s, want %s", v.Version, v.WrappedBy, want)
		}
		want[uint32(by)]++
	}
	if page, err = r.km.ListKeyVersions(background, keys.ListVersionsRequest{Key: master.id}); err != nil {
		return err
	}
	for _, v := range page.Versions {
		if v.Wraps == nil || v.Wraps.Count != want[v.Version] || v.Wraps.More {
			return fmt.Errorf("version %d of the master says that it wraps %+v, want %d", v.Version, v.Wraps, want[v.Version])
		}
	}
	return nil
}

func (r *rig) dayOf(t time.Time) int {
	if t.IsZero() {
		return never
	}
	return int(t.Sub(r.Clock.Wall())/lifecycle.Day) + r.day
}
