package vault

import (
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// RotateStoredKey generates the value anew, as the stored key says: the new version is current, the one
// before it previous.
func (m *Manager) RotateStoredKey(ctx context.Context, c *gate.Call, ref Reference) (*StoreAnswer, error) {
	var out StoreAnswer
	var made value
	defer func() { made.bytes.Destroy() }()
	err := m.on(ctx, c, ref, gate.Request{Replay: replay(&out)}, func(a gate.Approved, f *found) (gate.Outcome, error) {
		o, err := m.rotate(ctx, a, f, &made)
		if err != nil {
			return o, err
		}
		out = StoreAnswer{ARN: m.arn(f.body.Name, f.body.Suffix), VersionID: f.body.Stages[Current].String()}
		o.Answer, err = json.Marshal(&out)
		return o, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// rotate stages a new current version. made is what was generated, kept for when the operation runs again.
func (m *Manager) rotate(ctx context.Context, a gate.Approved, f *found, made *value) (o gate.Outcome, err error) {
	if err := f.available(); err != nil {
		return o, err
	}
	if f.body.Generate == "" {
		return o, gate.Errorf(gate.InvalidRequest, "the value of %s was not generated here: store another with store-key", f.body.Name)
	}
	if made.bytes.Len() == 0 {
		if *made, err = m.generate(f.body.Generate); err != nil {
			return o, err
		}
	}
	f.body.Rotated = a.Time()
	return o, m.add(ctx, a, f, &o, made, Current, f.body.Metadata)
}

// Due is what a deadline asks to be done about a stored key.
type Due struct {
	// Destroy tells that it is to be deleted, otherwise it is to be rotated.
	Destroy bool
	At      time.Time
	ARN     string
	ID      gate.ID
}

// Due returns what a stored item asks for, nil if nothing.
func (m *Manager) Due(_ context.Context, item *store.Item) (*Due, error) {
	b, err := decodeStored(item)
	if err != nil || b.due().IsZero() {
		return nil, err
	}
	return &Due{Destroy: !b.Deletion.IsZero(), At: b.due(), ARN: m.arn(b.Name, b.Suffix), ID: gate.ID([]byte(item.ID))}, nil
}

// Settle does what was due, as Haven's own work in the caller's name, and tells whether there was anything
// left to do.
func (m *Manager) Settle(ctx context.Context, c *gate.Call, d *Due) (done bool, err error) {
	op := gate.RotateStoredDue
	if d.Destroy {
		op = gate.DestroyStored
	}
	own, err := m.gate.Own(ctx, c, op)
	if err != nil {
		return false, err
	}
	var made value
	defer func() { made.bytes.Destroy() }()
	err = m.gate.Do(ctx, own, gate.Request{}, func(a gate.Approved) (o gate.Outcome, err error) {
		done = false
		f := &found{}
		if err := m.load(ctx, a.Reading(), f, d.ID); err != nil {
			return o, err
		}
		f.asked = f.body.Name
		if b := f.body; b.due().IsZero() || b.due().After(a.Time()) || b.Deletion.IsZero() == d.Destroy {
			return o, nil // somebody else was first, or it is not to be done any more
		}
		done = true
		if d.Destroy {
			o, err = m.destroy(ctx, a, f)
		} else {
			o, err = m.rotate(ctx, a, f, &made)
		}
		o.Parameters = about(f.body.Name, o.Parameters)
		return o, err
	})
	return done && err == nil, err
}

// destroy stages the deletion of a stored key: its name, itself and every version.
func (m *Manager) destroy(ctx context.Context, a gate.Approved, f *found) (o gate.Outcome, err error) {
	items, epoch, err := m.cfg.View.Get(ctx, nameRef(f.body.Name))
	if err != nil {
		return o, err
	}
	m.cfg.View.Note(a.Reading(), epoch, nameRef(f.body.Name))
	page, err := m.cfg.View.List(ctx, store.Query{Kind: store.KindStoredVersion, Prefix: string(f.id[:]), Limit: 2 * MaxVersions})
	if err != nil {
		return o, err
	}
	o.Stops = []gate.Stop{{Ref: storedRef(f.id), What: gate.Destroyed}}
	if len(page.Items) > destroyPage { // the rest in the next operation
		page.Items = page.Items[:destroyPage]
		gone := map[gate.ID]bool{}
		for i := range page.Items {
			gone[gate.ID([]byte(page.Items[i].ID[16:]))] = true
		}
		f.body.Versions = slices.DeleteFunc(f.body.Versions, func(v gate.ID) bool { return gone[v] })
		change, err := storedChange(f.id, f.body, f.item)
		if err != nil {
			return o, err
		}
		o.Stops, o.Changes = nil, []gate.Change{change}
	} else {
		o.Changes = []gate.Change{{Ref: f.item.Ref, Before: f.item, Delete: true}, {Ref: items[0].Ref, Before: &items[0], Delete: true}}
	}
	for i := range page.Items {
		m.cfg.View.Note(a.Reading(), page.Epoch, page.Items[i].Ref)
		o.Changes = append(o.Changes, gate.Change{Ref: page.Items[i].Ref, Before: &page.Items[i], Delete: true})
	}
	return o, nil
}

// destroyPage is how many versions one operation deletes: as many as one record can tell of.
const destroyPage = 40
