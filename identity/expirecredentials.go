package identity

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// Expiring is a credential that has an end.
type Expiring struct {
	// ID is its id, Principal the ARN of whose it is.
	ID, Principal string
	At            time.Time
}

// Expiring tells when a stored credential ends; nothing of one without an end, nor of the session of a
// role, which is made to end.
func (d *Directory) Expiring(ctx context.Context, item *store.Item) (*Expiring, error) {
	b, err := decodeCredential(item)
	if err != nil || b.Expires.IsZero() || b.Type == session {
		return nil, err
	}
	arns, err := d.ARNsOf(ctx, []gate.ID{b.Principal})
	if err != nil {
		return nil, err
	}
	out := &Expiring{ID: b.KeyID, At: b.Expires, Principal: arns[b.Principal]}
	if out.ID == "" {
		out.ID = hex.EncodeToString([]byte(item.ID))
	}
	return out, nil
}

// ExpireCredentials deletes credentials that came to their end, which prove nobody any more, in the name
// of a call, and tells how many: of items, at most store.MaxGet, those that are such.
func (m *Manager) ExpireCredentials(ctx context.Context, c *gate.Call, items []store.Item) (deleted int, err error) {
	return m.gate.Sweep(ctx, c, gate.ExpireCredentials, items, func(item *store.Item, now time.Time) (bool, error) {
		b, err := decodeCredential(item)
		return err == nil && b.expired(now), err
	})
}
