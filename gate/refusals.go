package gate

import (
	"bytes"
	"slices"
	"sync"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/internal/blob"
)

// MaxRefusals is how many refusals are kept to be explained, the latest.
const MaxRefusals = 10_000

// Refusal is a request that decisions refused, as they saw it: its policies are those that were in
// force. It is not to be changed.
type Refusal struct {
	// Decision is the id that the caller was told.
	Decision ID
	Caller   ID
	Asked    *access.Request
}

// refusals keeps the latest refusals, by their decisions' ids. They are in memory alone: what is durable
// of a refusal is its record.
type refusals struct {
	mu   sync.Mutex
	by   map[ID]Refusal
	ring []ID
	next int
}

// keep keeps a copy of what was asked: the call uses its own for the next question.
func (r *refusals) keep(decision, caller ID, asked *access.Request) {
	kept := *asked
	kept.Values, kept.RequestTags = slices.Clone(asked.Values), slices.Clone(asked.RequestTags)
	if asked.Object != nil {
		object := *asked.Object
		kept.Object = &object
	}
	if pairs, ok := asked.Context.(*blob.Pairs); ok {
		own := blob.Pairs(bytes.Clone(*pairs))
		kept.Context = &own
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = make(map[ID]Refusal)
	}
	if _, again := r.by[decision]; !again {
		if len(r.ring) < MaxRefusals {
			r.ring = append(r.ring, decision)
		} else {
			delete(r.by, r.ring[r.next])
			r.ring[r.next] = decision
			r.next = (r.next + 1) % MaxRefusals
		}
	}
	r.by[decision] = Refusal{decision, caller, &kept}
}

// Refusal returns a refusal by its decision's id, while it is among the latest MaxRefusals since the
// gate was opened. Who may learn of it is for the caller to ask.
func (g *Gate) Refusal(decision ID) (Refusal, bool) {
	g.refusals.mu.Lock()
	defer g.refusals.mu.Unlock()
	r, ok := g.refusals.by[decision]
	return r, ok
}
