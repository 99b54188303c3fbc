package keys

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
)

// Manager is the Key Manager: one method an operation, each in the file of its name. Every method
// takes the call that the gate began, and returns when its record is durable.
type Manager struct {
	gate   *gate.Gate
	ring   *Ring
	random io.Reader
	policy lifecycle.Policy
	turns  turns // to advance a key
	// settled are turns to settle what is due of a key: an operation that does may advance it.
	settled turns
	// masters holds a token when a master key was changed since somebody looked.
	masters chan struct{}
}

// NewManager makes a manager over a ring whose gate is g. Policy holds the periods of keys that
// are created without their own.
func NewManager(g *gate.Gate, ring *Ring, random io.Reader, policy lifecycle.Policy) *Manager {
	return &Manager{
		gate: g, ring: ring, random: random, policy: policy,
		turns: newTurns(), settled: newTurns(), masters: make(chan struct{}, 1),
	}
}

// MastersChanged is ready once a master key was changed through this Manager: something may be left
// to Rewrap, which [Ring.RewrapDue] tells.
func (m *Manager) MastersChanged() <-chan struct{} { return m.masters }

func (m *Manager) masterChanged() {
	select {
	case m.masters <- struct{}{}:
	default: // nobody looked since the one before
	}
}

// replay returns how an operation answers again for an idempotency key, from what it stored.
func replay[T any](answer *T) func([]byte) error {
	return func(stored []byte) error {
		var whole T // nothing of an earlier run shows through
		if err := json.Unmarshal(stored, &whole); err != nil {
			return fmt.Errorf("keys: a stored answer: %w", err)
		}
		*answer = whole
		return nil
	}
}

// manage runs an operation on one key that stages changes and answers with the key's document.
func (m *Manager) manage(ctx context.Context, c *gate.Call, key, reason string, f func(*edit) error) (*Key, error) {
	if len(reason) > MaxReason {
		return nil, m.gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "a reason is at most %d bytes", MaxReason))
	}
	return m.change(ctx, c, gate.Request{References: []gate.Reference{{Text: key}}, Reason: reason}, f)
}

// change is manage for a request that says more; the key is its first reference.
func (m *Manager) change(ctx context.Context, c *gate.Call, req gate.Request, f func(*edit) error) (*Key, error) {
	var out Key
	var made fresh
	defer made.destroy()
	req.Replay = replay(&out)
	master := false
	err := m.gate.Do(ctx, c, req, func(a gate.Approved) (gate.Outcome, error) {
		e := m.edit(ctx, a, &made)
		master = e.body.Type == Master
		if err := f(e); err != nil {
			return gate.Outcome{}, err
		}
		return e.finish(&out)
	})
	if err != nil {
		return nil, err
	}
	if master {
		m.masterChanged()
	}
	return &out, nil
}

// edit is a key being changed: what its operation stages.
type edit struct {
	m      *Manager
	ctx    context.Context
	a      gate.Approved
	now    time.Time
	id     gate.ID
	named  uint32 // the version the caller named, 0: the whole key
	loaded *loadedKey
	body   keyBody
	made   *fresh
	// primary is the version the document shows, nil when the key has none.
	primary *versionBody
	// idle says that there is nothing to change, after all.
	idle   bool
	out    gate.Outcome
	answer func(*Key)
}

func (m *Manager) edit(ctx context.Context, a gate.Approved, made *fresh) *edit {
	t := a.Target(0)
	e := &edit{m: m, ctx: ctx, a: a, now: a.Time(), id: t.Key, named: t.Version, loaded: t.Domain.(*loadedKey), made: made}
	e.body = e.loaded.body
	return e
}

// version loads a version of the key for changing it.
func (e *edit) version(n uint32) (*loadedVersion, error) {
	return e.m.ring.version(e.ctx, e.a.Reading(), e.id, n)
}

// loadPrimary loads the primary, nil when there is none.
func (e *edit) loadPrimary() (*loadedVersion, error) {
	if e.body.Life.Primary == 0 {
		return nil, nil
	}
	return e.version(e.body.Life.Primary)
}

// kept refuses what is not done to a key that is to be destroyed, or was.
func (e *edit) kept() error {
	switch e.body.Life.Status() {
	case lifecycle.PendingDeletion:
		return e.refused(&lifecycle.Refusal{Reason: lifecycle.ReasonPendingDeletion})
	case lifecycle.Gone:
		return e.refused(&lifecycle.Refusal{Reason: lifecycle.ReasonDestroyed})
	}
	return nil
}

// refused names the key in a lifecycle refusal.
func (e *edit) refused(err error) error { return gate.Refused(e.id, err) }

// putVersion stages a version; before is nil for a new one.
func (e *edit) putVersion(v *versionBody, before *loadedVersion) error {
	if e.body.Type == Master && v.Life.Number == e.body.Life.Primary {
		v.Life.Wraps = true // from now on keys may be wrapped by it
	}
	var change gate.Change
	var err error
	if before == nil {
		change, err = versionChange(e.id, e.body.Life, v, nil)
	} else {
		change, err = versionChange(e.id, e.body.Life, v, &before.item)
	}
	if err == nil {
		e.out.Changes = append(e.out.Changes, change)
	}
	if v.Life.Number == e.body.Life.Primary {
		e.primary = v
	}
	return err
}

// changeVersion stages a version with another life.
func (e *edit) changeVersion(v *loadedVersion, life lifecycle.Version) error {
	body := v.body
	body.Life = life
	return e.putVersion(&body, v)
}

// addVersion makes material for a new version and stages it.
func (e *edit) addVersion(life lifecycle.Version) error {
	v, err := e.m.ring.newMaterial(e.ctx, e.a, e.id, &e.body, life.Number, e.made)
	if err != nil {
		return err
	}
	v.Life = life
	e.out.Version, e.out.Wrapping, e.out.WrappingVer = life.Number, v.by, v.byVer
	return e.putVersion(v, nil)
}

// finish stages the key itself and writes the answer.
func (e *edit) finish(out *Key) (gate.Outcome, error) {
	if !e.idle {
		change, err := keyChange(e.id, &e.body, &e.loaded.item)
		if err != nil {
			return gate.Outcome{}, err
		}
		e.out.Changes = append(e.out.Changes, change)
	}
	if err := e.show(); err != nil {
		return gate.Outcome{}, err
	}
	*out = e.m.ring.document(e.id, &e.body, e.primary, e.now)
	if e.answer != nil {
		e.answer(out)
	}
	e.out.Key = e.id
	var err error
	e.out.Answer, err = json.Marshal(out)
	return e.out, err
}

// show loads the version that the document shows, unless the operation changed it.
func (e *edit) show() error {
	n := shown(e.body.Life)
	if e.primary != nil || n == 0 {
		return nil
	}
	v, err := e.version(n)
	if err == nil {
		e.primary = &v.body
	}
	return err
}

// shown is the version a key's document is about, 0 for none: the primary or, while imported
// material is awaited, the version that awaits it.
func shown(k lifecycle.Key) uint32 {
	if k.Primary == 0 && k.External {
		return k.Versions
	}
	return k.Primary
}

// document shows a key as a use at now would find it.
func (r *Ring) document(id gate.ID, b *keyBody, primary *versionBody, now time.Time) Key {
	life, _ := lifecycle.AdvanceKey(b.Life, now)
	k := Key{
		ID: id.String(), ARN: r.cfg.Place.ARN(id), Type: b.Type, Spec: b.Spec, Usage: b.Usage, Purpose: b.Purpose,
		Description: b.Description, Owner: b.Owner,
		Versions: b.Life.Versions, RotationDays: b.Life.RotationDays, GraceDays: b.Life.GraceDays,
		LifetimeDays: b.Life.LifetimeDays, CreatedAt: b.Created, CreatedBy: b.CreatedBy, Tags: b.Tags,
		Enabled: life.Status() == lifecycle.Enabled, DeletionDate: life.DeletionDate, Origin: b.origin(), Moving: b.Moving,
	}
	if life.Status() == lifecycle.Disabled {
		k.DisabledUntil = life.DisabledUntil
	}
	for _, name := range b.aliases() {
		k.Aliases = append(k.Aliases, "alias/"+name)
	}
	if len(k.Aliases) > 0 {
		k.Alias = k.Aliases[0]
	}
	if primary != nil && primary.Life.Number != b.Life.Primary && lifecycle.Effective(b.Life, primary.Life, now) != lifecycle.Pending {
		primary = nil
	}
	if primary != nil {
		k.Version = primary.Life.Number
		k.State = lifecycle.Effective(b.Life, primary.Life, now)
		k.ValidTo, k.MaterialExpired = primary.Life.MaterialEndsAt, primary.Life.WithoutMaterial(now)
		k.ExpiresAt, k.NextRotationAt = primary.Life.ExpiresAt, b.Life.NextRotation(primary.Life)
		k.WrappedBy, k.CheckValue = r.wrappedBy(primary), primary.Check
	} else if b.Life.Versions > 0 && b.Life.CompromisedThrough == b.Life.Versions {
		k.State = lifecycle.Compromised
	}
	return k
}

func (r *Ring) wrappedBy(v *versionBody) string {
	switch {
	case len(v.wrapped) == 0:
		return ""
	case v.by.IsZero():
		return "root"
	}
	return fmt.Sprintf("%s@%d", v.by, v.byVer)
}
