package gate

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/store"
)

// LastUses are the days on which things of one kind, credentials or grants, were last used. Records do
// not tell it. It is made durable from time to time: what a crash takes is told again by the next use.
// Its methods may be called from several goroutines.
type LastUses struct {
	view *View
	kind store.Kind
	name string

	mu   sync.Mutex
	days map[string]lastUse // by the id of the thing's item
}

// lastUse is a day since 1970, and whether it is stored.
type lastUse struct {
	day  int64
	kept bool
}

// maxUses bounds how many days are remembered.
const maxUses = 100_000

// NewLastUses remembers for items of a kind, which name calls in the singular.
func NewLastUses(view *View, kind store.Kind, name string) *LastUses {
	return &LastUses{view: view, kind: kind, name: name, days: map[string]lastUse{}}
}

// Note notes a use, of the thing whose item has an id.
func (u *LastUses) Note(id []byte, now time.Time) {
	day := now.Unix() / (24 * 60 * 60)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.days[string(id)].day >= day {
		return
	}
	if len(u.days) >= maxUses {
		for other, use := range u.days { // what is stored is told by the store
			if use.kept {
				delete(u.days, other)
			}
		}
	}
	if len(u.days) < maxUses {
		u.days[string(id)] = lastUse{day: day}
	}
}

// dayBody is a stored day of last use.
type dayBody struct {
	Format int   `json:"v"`
	Day    int64 `json:"day"`
}

// useFormat is that of a dayBody.
const useFormat = 1

// ref is where the day of a thing is stored.
func (u *LastUses) ref(id string) store.Ref {
	return store.Ref{Kind: store.KindUsage, ID: u.name + "/" + id}
}

// usesPerCommit is how many days one record can tell of.
const usesPerCommit = 40

// Keep makes the days durable, in operations of Haven's own that commit runs.
func (u *LastUses) Keep(ctx context.Context, commit func(ctx context.Context, parameters string, f Function) error) error {
	for {
		some := u.some(usesPerCommit)
		if len(some) == 0 {
			return nil
		}
		if err := commit(ctx, fmt.Sprintf("%ss=%d", u.name, len(some)), func(Approved) (Outcome, error) { return u.stage(ctx, some) }); err != nil {
			return err
		}
		u.kept(some)
	}
}

type usedOn struct {
	id  string
	day int64
}

// some returns some of the days that are not stored, in an order of their own.
func (u *LastUses) some(n int) []usedOn {
	u.mu.Lock()
	defer u.mu.Unlock()
	var out []usedOn
	for id, use := range u.days {
		if len(out) == n {
			break
		}
		if !use.kept {
			out = append(out, usedOn{id, use.day})
		}
	}
	return out
}

// kept notes that days are stored, unless a newer one was noted meanwhile.
func (u *LastUses) kept(some []usedOn) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, s := range some {
		if u.days[s.id].day == s.day {
			u.days[s.id] = lastUse{s.day, true}
		}
	}
}

// stage stages the days that are newer than what is stored, of things that there still are.
func (u *LastUses) stage(ctx context.Context, some []usedOn) (Outcome, error) {
	var out Outcome
	for part := range slices.Chunk(some, store.MaxGet/2) {
		var refs []store.Ref
		for _, s := range part {
			refs = append(refs, store.Ref{Kind: u.kind, ID: s.id}, u.ref(s.id))
		}
		items, _, err := u.view.Get(ctx, refs...)
		if err != nil {
			return out, err
		}
		for i, s := range part {
			thing, before := &items[2*i], &items[2*i+1]
			day, err := u.decode(before)
			if err != nil {
				return out, err
			}
			if thing.Revision == 0 || day >= s.day {
				continue
			}
			body, err := json.Marshal(dayBody{Format: useFormat, Day: s.day}, json.Deterministic(true))
			if err != nil {
				return out, err
			}
			c := Change{Ref: before.Ref, Body: body}
			if before.Revision > 0 {
				c.Before = before
			}
			out.Changes = append(out.Changes, c)
		}
	}
	return out, nil
}

func (u *LastUses) decode(item *store.Item) (int64, error) {
	if item.Revision == 0 {
		return 0, nil
	}
	var b dayBody
	err := json.Unmarshal(item.Body, &b, json.RejectUnknownMembers(true))
	if err == nil && b.Format != useFormat {
		err = fmt.Errorf("format %d", b.Format)
	}
	if err != nil {
		return 0, Errorf(Internal, "the day of the last use of a %s cannot be read: %v", u.name, err)
	}
	return b.Day, nil
}

// Days tells the day of each thing's last use, UTC, as 2006-01-02; "" for never.
func (u *LastUses) Days(ctx context.Context, ids []string) ([]string, error) {
	out := make([]string, 0, len(ids))
	for part := range slices.Chunk(ids, store.MaxGet) {
		refs := make([]store.Ref, len(part))
		for i, id := range part {
			refs[i] = u.ref(id)
		}
		items, _, err := u.view.Get(ctx, refs...)
		if err != nil {
			return nil, err
		}
		for i := range items {
			day, err := u.decode(&items[i])
			if err != nil {
				return nil, err
			}
			out = append(out, u.latest(part[i], day))
		}
	}
	return out, nil
}

// latest is the later of a stored day and one that is noted, as text.
func (u *LastUses) latest(id string, stored int64) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	day := max(stored, u.days[id].day)
	if day == 0 {
		return ""
	}
	return time.Unix(day*24*60*60, 0).UTC().Format(time.DateOnly)
}

// Forget returns the changes that take away what is known of a thing's use, with the thing.
func (u *LastUses) Forget(ctx context.Context, id string) ([]Change, error) {
	items, _, err := u.view.Get(ctx, u.ref(id))
	if err != nil || items[0].Revision == 0 {
		return nil, err
	}
	return []Change{{Ref: items[0].Ref, Before: &items[0], Delete: true}}, nil
}
