package lifecycle_test

import (
	"errors"
	"time"

	"github.com/haven-health/haven/lifecycle"
)

// machine runs the same events through the package.
type machine struct {
	key      lifecycle.Key
	versions []lifecycle.Version // [0] is the zero Version: none
}

var start = time.Date(2026, 1, 31, 23, 59, 59, 999, time.UTC)

func onDay(day int) time.Time { return start.Add(time.Duration(day) * lifecycle.Day) }

func (m *machine) take(c lifecycle.Change, err error) error {
	if err != nil {
		return err
	}
	m.key = c.Key
	for _, v := range []lifecycle.Version{c.Old, c.New} {
		if int(v.Number) == len(m.versions) {
			m.versions = append(m.versions, v)
		}
		m.versions[v.Number] = v
	}
	return nil
}

func (m *machine) takeKey(k lifecycle.Key, err error) error {
	if err == nil {
		m.key = k
	}
	return err
}

func (m *machine) takeVersion(v lifecycle.Version, err error) error {
	if err == nil {
		m.versions[v.Number] = v
	}
	return err
}

func (m *machine) do(e event, withPrimary bool) error {
	k, v, now := m.key, m.versions[e.version], onDay(e.day)
	switch e.op {
	case "rotate":
		return m.take(lifecycle.Rotate(k, m.versions[k.Primary], now))
	case "add pending":
		return m.take(lifecycle.AddPending(k, now))
	case "activate":
		return m.take(lifecycle.Activate(k, m.versions[k.Primary], v, now))
	case "import":
		return m.take(lifecycle.Import(k, m.versions[k.Primary], v, end(e), now))
	case "import again":
		return m.takeVersion(lifecycle.ImportAgain(k, v, end(e), now))
	case "erase":
		return m.takeVersion(lifecycle.EraseMaterial(k, v, now))
	case "deprecate":
		return m.takeVersion(lifecycle.Deprecate(k, v, now))
	case "compromise":
		return m.take(lifecycle.CompromiseVersion(k, v, withPrimary, now))
	case "compromise key":
		return m.takeKey(lifecycle.CompromiseKey(k))
	case "disable":
		var until time.Time
		if e.days > 0 {
			until = onDay(e.day + e.days)
		}
		return m.takeKey(lifecycle.Disable(k, until, now))
	case "enable":
		return m.takeKey(lifecycle.Enable(k))
	case "schedule key":
		return m.takeKey(lifecycle.ScheduleKeyDeletion(k, e.days, now))
	case "cancel key":
		return m.takeKey(lifecycle.CancelKeyDeletion(k, now))
	case "destroy key":
		return m.takeKey(lifecycle.DestroyKey(k, now))
	case "schedule version":
		return m.takeVersion(lifecycle.ScheduleVersionDeletion(k, v, e.days, now))
	case "cancel version":
		return m.takeVersion(lifecycle.CancelVersionDeletion(k, v, now))
	case "restore":
		return m.takeVersion(lifecycle.RestoreVersion(k, v, now))
	case "destroy version":
		return m.takeVersion(lifecycle.DestroyVersion(k, v, now))
	case "advance":
		m.versions[e.version], _ = lifecycle.Advance(k, v, now)
	case "advance key":
		m.key, _ = lifecycle.AdvanceKey(k, now)
	default:
		panic("no operation " + e.op)
	}
	return nil
}

// end is when imported material ends: so many days after it came, never for 0.
func end(e event) (t time.Time) {
	if e.days != 0 {
		t = onDay(e.day + e.days)
	}
	return t
}

// verdict is Check's error in the model's words.
func verdict(err error) string {
	var refusal *lifecycle.Refusal
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, lifecycle.ErrUntrusted):
		return "untrusted"
	case errors.As(err, &refusal):
		return string(refusal.Reason)
	}
	return err.Error()
}
