package lifecycle_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/lifecycle"
)

// TestMarkdown holds the documentation to the table. After a deliberate change of the table:
// HAVEN_UPDATE=1 go test ./lifecycle
func TestMarkdown(t *testing.T) {
	const golden = "testdata/table.md"
	got := lifecycle.Table().Markdown()
	if os.Getenv("HAVEN_UPDATE") == "1" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the table differs from %s:\n%s", golden, got)
	}
}

// TestTable compares the rows with the test's own table: what the documentation prints is what
// was tested.
func TestTable(t *testing.T) {
	answer := map[lifecycle.Right]string{
		lifecycle.Yes: "ok", lifecycle.Untrusted: "untrusted", lifecycle.YesUnlessCompromised: "ok",
	}
	table := lifecycle.Table()
	for s := lifecycle.Pending; s <= lifecycle.Destroyed; s++ {
		row := table.Rows[s]
		if row.State != s {
			t.Errorf("row %d is of %s", s, row.State)
		}
		want := oracle[s.String()]
		for i, use := range []lifecycle.Use{lifecycle.Protect, lifecycle.Protect, lifecycle.Process, lifecycle.VerifySignature} {
			got, ok := answer[row.Uses[use]]
			if !ok {
				got = string(row.Reason)
			}
			if named := i == 1; row.Uses[use] == lifecycle.WhenNamed && named {
				got = "ok"
			}
			if got != want[i] {
				t.Errorf("%s, %s: %s, want %s", s, use, got, want[i])
			}
		}
	}
	for i, m := range table.Moves[1:] {
		if int(m.Operation) != i+1 || m.Name == "" || m.Key == 0 {
			t.Errorf("move %d: %+v", i+1, m)
		}
		for from := lifecycle.Pending; from <= lifecycle.Destroyed; from++ {
			row := table.Rows[from]
			if m.To != 0 && m.From.Has(from) && !row.Next.Has(m.To) {
				t.Errorf("%s leads from %s to %s, its row does not", m.Name, from, m.To)
			}
		}
	}
}

func TestStateText(t *testing.T) {
	for s := lifecycle.Pending; s <= lifecycle.Destroyed; s++ {
		text, err := s.MarshalText()
		if err != nil || string(text) != strings.ToLower(s.String()) {
			t.Errorf("%s: %q, %v", s, text, err)
		}
		var back lifecycle.State
		if err := back.UnmarshalText(text); err != nil || back != s {
			t.Errorf("%q: %s, %v", text, back, err)
		}
	}
	if _, err := lifecycle.State(0).MarshalText(); err == nil {
		t.Error("the zero state was written")
	}
	for _, text := range []string{"", "Active", "active ", "enabled"} {
		if err := new(lifecycle.State).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func create(t *testing.T, p lifecycle.Policy) (lifecycle.Key, lifecycle.Version) {
	t.Helper()
	c, err := lifecycle.Create(p, now)
	if err != nil {
		t.Fatal(err)
	}
	return c.Key, c.New
}

// done returns what a transition made; it must not have been refused.
func done[T any](t *testing.T) func(T, error) T {
	return func(made T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
}

// TestDeadlines looks at each deadline one nanosecond before, at, and after it; then with the
// deadline at zero, which is never.
func TestDeadlines(t *testing.T) {
	end := now.Add(lifecycle.Day)
	active := lifecycle.Key{Primary: 1, Versions: 1}
	replaced := lifecycle.Key{Primary: 2, Versions: 2}
	version := func(s lifecycle.State, set func(*lifecycle.Version, time.Time)) func(time.Time) lifecycle.Version {
		return func(deadline time.Time) lifecycle.Version {
			v := lifecycle.Version{Number: 1, State: s, CreatedAt: now}
			set(&v, deadline)
			return v
		}
	}
	deletion := func(v *lifecycle.Version, d time.Time) { v.DeletionDate = d }
	for _, test := range []struct {
		name          string
		key           lifecycle.Key
		version       func(time.Time) lifecycle.Version
		use           lifecycle.Use
		before, after string
	}{
		{"cryptoperiod", active, version(lifecycle.Active, func(v *lifecycle.Version, d time.Time) { v.ExpiresAt = d }),
			lifecycle.Protect, "ok", "rotate_first"},
		{"grace", replaced, version(lifecycle.Rotating, func(v *lifecycle.Version, d time.Time) { v.GraceEndsAt = d }),
			lifecycle.Protect, "ok", "deprecated"},
		{"lifetime", replaced, version(lifecycle.Deprecated, func(v *lifecycle.Version, d time.Time) { v.LifetimeEndsAt = d }),
			lifecycle.Process, "ok", "expired"},
		{"pending", replaced, version(lifecycle.Pending, deletion), lifecycle.Process, "pending", "destroyed"},
		{"expired", replaced, version(lifecycle.Expired, deletion), lifecycle.Process, "expired", "destroyed"},
		{"compromised", replaced, version(lifecycle.Compromised, deletion), lifecycle.Process, "compromised", "destroyed"},
	} {
		for after, want := range map[time.Duration]string{-1: test.before, 0: test.after, 1: test.after} {
			got := verdict(lifecycle.Check(test.key, test.version(end), test.use, true, end.Add(after)))
			if got != want {
				t.Errorf("%s, %d ns after: %s, want %s", test.name, after, got, want)
			}
		}
		centuries := now.AddDate(5000, 0, 0)
		if got := verdict(lifecycle.Check(test.key, test.version(time.Time{}), test.use, true, centuries)); got != test.before {
			t.Errorf("%s, without a deadline: %s, want %s", test.name, got, test.before)
		}
	}
}

func TestPeriods(t *testing.T) {
	key, v := create(t, lifecycle.DefaultPolicy())
	if want := now.AddDate(0, 0, 90); !v.ExpiresAt.Equal(want) || !v.LifetimeEndsAt.IsZero() {
		t.Errorf("%+v, want the end at %s", v, want)
	}
	if want := now.AddDate(0, 0, 83); !key.NextRotation(v).Equal(want) || !lifecycle.NextDue(key, v).Equal(want) {
		t.Errorf("next rotation %s, want %s", key.NextRotation(v), want)
	}
	// The longest periods, and times from which they lead beyond what can be written.
	longest := lifecycle.Policy{
		RotationDays: lifecycle.MaxDays, RotateEarlyDays: lifecycle.MaxDays, GraceDays: lifecycle.MaxDays, LifetimeDays: lifecycle.MaxDays,
	}
	for _, from := range []time.Time{now, time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Unix(0, 0)} {
		c, err := lifecycle.Create(longest, from)
		if err != nil {
			t.Fatal(err)
		}
		if !c.New.ExpiresAt.After(from) || !c.New.LifetimeEndsAt.After(from) {
			t.Errorf("from %s: %+v", from, c.New)
		}
		if _, err := json.Marshal(c.New); err != nil {
			t.Error(err)
		}
	}
	for _, over := range []lifecycle.Policy{
		{RotationDays: lifecycle.MaxDays + 1}, {RotateEarlyDays: math.MaxUint32}, {GraceDays: math.MaxUint32},
		{LifetimeDays: lifecycle.MaxDays + 1},
	} {
		if _, err := lifecycle.Create(over, now); verdict(err) != "invalid_period" {
			t.Errorf("%+v: %v", over, err)
		}
		if _, err := lifecycle.CreateExternal(over, now); verdict(err) != "invalid_period" {
			t.Errorf("%+v: %v", over, err)
		}
	}
}

// A cryptoperiod shorter than the time it is replaced early must not be replaced at once, again
// and again.
func TestShortPeriodIsNotRotatedWithoutEnd(t *testing.T) {
	for days := uint32(1); days <= 20; days++ {
		key, v := create(t, lifecycle.Policy{RotationDays: days, RotateEarlyDays: 7})
		if next := key.NextRotation(v); !next.After(now) || next.After(v.ExpiresAt) {
			t.Errorf("of %d days: next rotation %s after the creation", days, next.Sub(now))
		}
	}
}

func TestStoredForm(t *testing.T) {
	local := time.FixedZone("elsewhere", 3600)
	c, err := lifecycle.Create(lifecycle.DefaultPolicy(), now.In(local))
	if err != nil {
		t.Fatal(err)
	}
	key, _ := json.Marshal(c.Key)
	version, _ := json.Marshal(c.New)
	if want := `{"primary":1,"versions":1,"rotation":90,"early":7,"grace":30}`; string(key) != want {
		t.Errorf("key %s, want %s", key, want)
	}
	if want := `{"n":1,"state":"active","created":"2028-10-27T23:59:59.000000999Z","expires":"2029-01-25T23:59:59.000000999Z"}`; string(version) != want {
		t.Errorf("version %s, want %s", version, want)
	}
	var back lifecycle.Version
	if err := json.Unmarshal(version, &back); err != nil || back != c.New {
		t.Errorf("read back %+v, %v, want %+v", back, err, c.New)
	}
}

func TestTooManyVersions(t *testing.T) {
	key, v := create(t, lifecycle.Policy{})
	key.Versions = math.MaxUint32
	_, rotated := lifecycle.Rotate(key, v, now)
	_, added := lifecycle.AddPending(key, now)
	if verdict(rotated) != "too_many_versions" || verdict(added) != "too_many_versions" {
		t.Errorf("rotate: %v, add: %v", rotated, added)
	}
	// The mark of a compromise does not depend on a new primary being possible.
	c, err := lifecycle.CompromiseVersion(key, v, true, now)
	if err != nil || c.Key.Primary != 0 || c.New.Number != 0 {
		t.Errorf("compromise: %+v, %v", c, err)
	}
}

func TestWrongVersion(t *testing.T) {
	key, first := create(t, lifecycle.Policy{})
	c := done[lifecycle.Change](t)(lifecycle.Rotate(key, first, now))
	if _, err := lifecycle.Rotate(c.Key, c.Old, now); verdict(err) != "wrong_version" {
		t.Errorf("rotate with an old version: %v", err)
	}
	if _, _, err := lifecycle.SetPolicy(c.Key, c.Old, lifecycle.Policy{}); verdict(err) != "wrong_version" {
		t.Errorf("policy with an old version: %v", err)
	}
	if _, err := lifecycle.Deprecate(c.Key, c.New, now); verdict(err) != "primary" {
		t.Errorf("deprecate the primary: %v", err)
	}
	if err := lifecycle.Check(c.Key, c.New, 0, true, now); err == nil {
		t.Error("a use that does not exist was allowed")
	}
	if got := verdict(lifecycle.Check(c.Key, lifecycle.Version{Number: 9}, lifecycle.Process, true, now)); got != "destroyed" {
		t.Errorf("a version without a state: %s", got)
	}
	stray := c.New
	stray.Number = 1 // active, and not the primary: no transition writes that
	if got := verdict(lifecycle.Check(c.Key, stray, lifecycle.Protect, true, now)); got != "deprecated" {
		t.Errorf("active beside the primary: %s", got)
	}
}

// An earlier version that is still rotating keeps its own deadline.
func TestRotateTwice(t *testing.T) {
	key, first := create(t, lifecycle.Policy{GraceDays: 30})
	one := done[lifecycle.Change](t)(lifecycle.Rotate(key, first, now))
	later := now.Add(10 * lifecycle.Day)
	two := done[lifecycle.Change](t)(lifecycle.Rotate(one.Key, one.New, later))
	if !one.Old.GraceEndsAt.Equal(now.Add(30*lifecycle.Day)) || !two.Old.GraceEndsAt.Equal(later.Add(30*lifecycle.Day)) {
		t.Errorf("grace to %s and %s", one.Old.GraceEndsAt, two.Old.GraceEndsAt)
	}
	if got := lifecycle.Effective(two.Key, one.Old, later); got != lifecycle.Rotating {
		t.Errorf("the first version is %s", got)
	}
}

func TestWrapsKeepsAVersion(t *testing.T) {
	long := now.AddDate(1, 0, 0)
	key := lifecycle.Key{Primary: 2, Versions: 2}
	v := lifecycle.Version{Number: 1, State: lifecycle.Deprecated, LifetimeEndsAt: now, Wraps: true}
	if got := lifecycle.Effective(key, v, long); got != lifecycle.Deprecated {
		t.Errorf("it is %s", got)
	}
	if _, changed := lifecycle.Advance(key, v, long); changed || !lifecycle.NextDue(key, v).IsZero() {
		t.Error("it is due to expire")
	}
	v.State, v.DeletionDate = lifecycle.Compromised, now
	if got := lifecycle.Effective(key, v, long); got != lifecycle.Compromised {
		t.Errorf("it is %s", got)
	}
	if _, err := lifecycle.DestroyVersion(key, v, long); verdict(err) != "still_wraps" {
		t.Errorf("destroy: %v", err)
	}
	v.Wraps = false
	if destroyed := done[lifecycle.Version](t)(lifecycle.DestroyVersion(key, v, long)); !destroyed.WasCompromised {
		t.Error("forgot that it was compromised")
	}
}

func TestSetPolicy(t *testing.T) {
	c := done[lifecycle.Change](t)(lifecycle.CreateExternal(lifecycle.Policy{RotationDays: 90}, now))
	activated := now.Add(50 * lifecycle.Day)
	c = done[lifecycle.Change](t)(lifecycle.Activate(c.Key, lifecycle.Version{}, c.New, activated))
	if !c.New.ExpiresAt.Equal(activated.Add(90 * lifecycle.Day)) {
		t.Errorf("the cryptoperiod ends at %s", c.New.ExpiresAt)
	}
	key, v, err := lifecycle.SetPolicy(c.Key, c.New, lifecycle.Policy{RotationDays: 10, LifetimeDays: 100})
	if err != nil || !v.ExpiresAt.Equal(activated.Add(10*lifecycle.Day)) || key.LifetimeDays != 100 {
		t.Errorf("%+v %+v %v", key, v, err)
	}
	if v = done[lifecycle.Version](t)(lifecycle.SetLifetime(key, v, activated)); !v.LifetimeEndsAt.Equal(now.Add(100 * lifecycle.Day)) {
		t.Errorf("the lifetime ends at %s", v.LifetimeEndsAt)
	}
	// A version that expired does not come back by a longer life.
	rotated := done[lifecycle.Change](t)(lifecycle.Import(key, v, lifecycle.Version{}, time.Time{}, activated))
	rotated.Key.LifetimeDays = 0
	v = done[lifecycle.Version](t)(lifecycle.SetLifetime(rotated.Key, rotated.Old, now.Add(100*lifecycle.Day)))
	if v.State != lifecycle.Expired || v.LifetimeEndsAt.IsZero() {
		t.Errorf("it is %s, its life ended %s", v.State, v.LifetimeEndsAt)
	}
	key.Disabled = true
	if _, _, err := lifecycle.SetPolicy(key, c.New, lifecycle.Policy{GraceDays: lifecycle.MaxDays + 1}); verdict(err) != "invalid_period" {
		t.Errorf("a policy over its limits: %v", err)
	}
	key.DeletionDate = now
	if _, _, err := lifecycle.SetPolicy(key, c.New, lifecycle.Policy{}); verdict(err) != "pending_deletion" {
		t.Errorf("the policy of a key that goes: %v", err)
	}
}

func TestNextDue(t *testing.T) {
	key := lifecycle.Key{Primary: 2, Versions: 2}
	at := func(days int) time.Time { return now.Add(time.Duration(days) * lifecycle.Day) }
	full := lifecycle.Version{Number: 1, ExpiresAt: at(1), GraceEndsAt: at(2), LifetimeEndsAt: at(3), DeletionDate: at(4)}
	for s, want := range map[lifecycle.State]time.Time{
		lifecycle.Pending: at(4), lifecycle.Active: {}, lifecycle.Rotating: at(2), lifecycle.Deprecated: at(3),
		lifecycle.Expired: at(4), lifecycle.Compromised: at(4), lifecycle.Destroyed: {},
	} {
		full.State = s
		if got := lifecycle.NextDue(key, full); !got.Equal(want) {
			t.Errorf("%s: due %s, want %s", s, got, want)
		}
	}
	full.State, key.Primary = lifecycle.Active, 1
	if got := lifecycle.NextDue(key, full); !got.Equal(at(1)) {
		t.Errorf("the primary: due %s", got)
	}
}

func TestCheckAllocatesNothing(t *testing.T) {
	key, v := create(t, lifecycle.DefaultPolicy())
	if n := testing.AllocsPerRun(100, func() {
		if lifecycle.Check(key, v, lifecycle.Protect, false, now) != nil {
			t.Error("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations a check", n)
	}
}
