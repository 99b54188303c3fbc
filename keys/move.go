package keys

import (
	"context"
	"errors"
	"fmt"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// moveTo stages putting the key under another master: the key, and a page of its versions, wrapped
// by that master's primary, the newest first: so many are moved. primary is the key's, nil if it has
// none, to be written with the life next. The key is marked as moving while versions are left for moveRest.
func (e *edit) moveTo(master string, primary *loadedVersion, next lifecycle.Version) (moved int, err error) {
	if e.body.Type == Master {
		return 0, gate.Errorf(gate.InvalidRequest, "a master key is wrapped by the root key; leave master out")
	}
	if e.body.Master, err = e.m.ring.masterOf(e.ctx, e.a, master); err != nil {
		return 0, err
	}
	var numbers []uint32
	if numbers, e.body.Moving, err = e.elsewhere(); err != nil {
		return 0, err
	}
	written := false
	for _, n := range numbers {
		body, v, err := e.moved(n)
		if err != nil {
			return 0, err
		}
		if primary != nil && n == next.Number {
			body.Life, written = next, true
		}
		if err := e.putVersion(body, v); err != nil {
			return 0, err
		}
	}
	if primary != nil && !written && primary.body.Life != next {
		err = e.changeVersion(primary, next)
	}
	return len(numbers), err
}

// elsewhere returns up to a page of the key's versions that another than its master wraps.
func (e *edit) elsewhere() (numbers []uint32, more bool, err error) {
	return e.versionsThat(func(v *versionBody) bool { return len(v.wrapped) > 0 && v.by != e.body.Master })
}

// versionsThat returns up to a page of the key's versions that are so, the newest first.
func (e *edit) versionsThat(are func(*versionBody) bool) (numbers []uint32, more bool, err error) {
	q := store.Query{Kind: store.KindVersion, Prefix: string(e.id[:]), Reverse: true, Limit: store.MaxPage}
	for more = true; more; {
		page, err := e.m.ring.cfg.View.List(e.ctx, q)
		if err != nil {
			return nil, false, err
		}
		for i := range page.Items {
			v, err := decodeVersion(&page.Items[i])
			if err != nil {
				return nil, false, err
			}
			if !are(v) {
				continue
			}
			if len(numbers) == rewrapPage {
				return numbers, true, nil
			}
			numbers = append(numbers, v.Life.Number)
		}
		if more = page.More; more {
			q.After = page.Items[len(page.Items)-1].ID
		}
	}
	return numbers, false, nil
}

// moved wraps a version anew under the key's master. The master that wraps it now must allow its
// use: what is stopped with its master is not taken from under it.
func (e *edit) moved(n uint32) (*versionBody, *loadedVersion, error) {
	v, err := e.version(n)
	if err != nil {
		return nil, nil, err
	}
	r := e.m.ring
	from := gate.Target{Key: e.id, Version: n, Wrapping: v.body.by, WrappingVer: v.body.byVer}
	if err := r.above(e.ctx, e.a.Reading(), &from); err != nil {
		return nil, nil, err
	}
	if err := from.CheckMaster(e.now); err != nil {
		return nil, nil, err
	}
	material, err := r.unwrap(e.ctx, e.a, e.id, v, true)
	if err != nil {
		return nil, nil, err
	}
	defer material.Destroy()
	body := v.body
	if err := r.wrap(e.ctx, e.a, e.id, e.body.Master, &body, material); err != nil {
		return nil, nil, err
	}
	e.out.Wrapping, e.out.WrappingVer = body.by, body.byVer
	e.out.Recovery = e.out.Recovery || from.Recovery
	return &body, v, nil
}

// moveRest goes on where moveTo ended, within its call, a page an operation, and with the last one the
// key is no longer marked as moving. What a crash leaves stays with the master it was with, and usable:
// the same update-key takes it along.
func (m *Manager) moveRest(ctx context.Context, c *gate.Call, key string) error {
	for more := true; more; {
		own, err := m.gate.Own(ctx, c, gate.Rewrap)
		if err != nil {
			return err
		}
		req := gate.Request{References: []gate.Reference{{Text: key}}}
		err = m.gate.Do(ctx, own, req, func(a gate.Approved) (gate.Outcome, error) {
			e := m.edit(ctx, a, nil)
			var numbers []uint32
			var err error
			if numbers, more, err = e.elsewhere(); err != nil {
				return gate.Outcome{}, err
			}
			for _, n := range numbers {
				body, v, err := e.moved(n)
				if err != nil {
					return gate.Outcome{}, err
				}
				if err := e.putVersion(body, v); err != nil {
					return gate.Outcome{}, err
				}
			}
			e.out.Parameters = fmt.Sprintf("versions=%d", len(numbers))
			if more || !e.body.Moving {
				return e.out, nil
			}
			e.body.Moving = false
			change, err := keyChange(e.id, &e.body, &e.loaded.item)
			e.out.Changes = append(e.out.Changes, change)
			return e.out, err
		})
		if err != nil {
			return unmoved(err)
		}
	}
	return nil
}

// unmoved tells of an error what was done before it.
func unmoved(err error) error {
	var e *gate.Error
	if !errors.As(err, &e) {
		return err
	}
	told := *e
	told.Detail += "; the key has its new master, but some of its versions are with another yet: the same update-key takes them along"
	return &told
}
