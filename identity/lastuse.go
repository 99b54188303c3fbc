package identity

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// uses are the days on which credentials last proved somebody, where no item tells yet. Records name
// the principal, not the credential, so that nothing else tells.
type uses struct {
	mu   sync.Mutex
	days map[[32]byte]int64 // since 1970
}

// maxUses bounds how many days wait to be kept.
const maxUses = 100_000

// note notes a use: once a day for each credential that is held decoded, so that a use costs no lock.
func (u *uses) note(hash [32]byte, c *credentialBody, now time.Time) {
	day := now.Unix() / (24 * 60 * 60)
	if c.used.Load() == day || c.used.Swap(day) == day {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.days) < maxUses {
		u.days[hash] = max(day, u.days[hash])
	}
}

// useBody is a stored day of last use.
type useBody struct {
	Format int   `json:"v"`
	Day    int64 `json:"day"`
}

func useRef(credential string) store.Ref {
	return store.Ref{Kind: store.KindUsage, ID: "credential/" + credential}
}

// usesPerCommit is how many days one record can tell of.
const usesPerCommit = 40

// KeepUses makes durable on which days credentials were last used, in operations of Haven's own that
// commit runs. What a crash takes is told again by the next use.
func (d *Directory) KeepUses(ctx context.Context, commit func(ctx context.Context, parameters string, f gate.Function) error) error {
	for {
		some := d.uses.some(usesPerCommit)
		if len(some) == 0 {
			return nil
		}
		if err := commit(ctx, fmt.Sprintf("credentials=%d", len(some)), func(gate.Approved) (gate.Outcome, error) {
			return d.stageUses(ctx, some)
		}); err != nil {
			return err
		}
		d.uses.kept(some)
	}
}

// some returns some of the days, in an order of their own.
func (u *uses) some(n int) []use {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := make([]use, 0, min(n, len(u.days)))
	for hash, day := range u.days {
		if len(out) == n {
			break
		}
		out = append(out, use{hash, day})
	}
	return out
}

type use struct {
	hash [32]byte
	day  int64
}

// kept forgets days, unless a newer one was noted meanwhile.
func (u *uses) kept(some []use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, s := range some {
		if u.days[s.hash] == s.day {
			delete(u.days, s.hash)
		}
	}
}

// stageUses stages the days that are newer than what is stored, of credentials that there still are.
func (d *Directory) stageUses(ctx context.Context, some []use) (gate.Outcome, error) {
	var out gate.Outcome
	for part := range slices.Chunk(some, store.MaxGet/2) {
		var refs []store.Ref
		for _, s := range part {
			refs = append(refs, credentialRef(s.hash), useRef(string(s.hash[:])))
		}
		items, _, err := d.view.Get(ctx, refs...)
		if err != nil {
			return out, err
		}
		for i, s := range part {
			credential, before := &items[2*i], &items[2*i+1]
			day, err := decodeUse(before)
			if err != nil {
				return out, err
			}
			if credential.Revision == 0 || day >= s.day {
				continue
			}
			body, err := encode(useBody{Format: bodyFormat, Day: s.day})
			if err != nil {
				return out, err
			}
			c := gate.Change{Ref: before.Ref, Body: body}
			if before.Revision > 0 {
				c.Before = before
			}
			out.Changes = append(out.Changes, c)
		}
	}
	return out, nil
}

func decodeUse(item *store.Item) (int64, error) {
	if item.Revision == 0 {
		return 0, nil
	}
	b, err := decode(item, func(b *useBody) int { return b.Format })
	if err != nil {
		return 0, err
	}
	return b.Day, nil
}

// lastUses tells the day of each credential's last use; "" for never.
func (d *Directory) lastUses(ctx context.Context, credentials []store.Item) ([]string, error) {
	out := make([]string, 0, len(credentials))
	for part := range slices.Chunk(credentials, store.MaxGet) {
		refs := make([]store.Ref, len(part))
		for i := range part {
			refs[i] = useRef(part[i].ID)
		}
		items, _, err := d.view.Get(ctx, refs...)
		if err != nil {
			return nil, err
		}
		for i := range items {
			day, err := decodeUse(&items[i])
			if err != nil {
				return nil, err
			}
			out = append(out, d.uses.day([32]byte([]byte(part[i].ID)), day))
		}
	}
	return out, nil
}

// day is the later of a stored day and one that waits, as text.
func (u *uses) day(hash [32]byte, stored int64) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	day := max(stored, u.days[hash])
	if day == 0 {
		return ""
	}
	return time.Unix(day*24*60*60, 0).UTC().Format(time.DateOnly)
}
