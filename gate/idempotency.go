package gate

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"time"

	"github.com/haven-health/haven/store"
)

// idempotencyLife is how long an idempotency key is remembered.
const idempotencyLife = 24 * time.Hour

// MaxIdempotency is the longest idempotency key, in bytes.
const MaxIdempotency = 128

// idempotencyRef names the stored answer of a key: each principal and operation has its own.
func idempotencyRef(c *Call) store.Ref {
	h := sha256.New()
	h.Write([]byte("haven/idempotency/v1\x00"))
	h.Write(c.principal.ID[:])
	h.Write(binary.BigEndian.AppendUint16(nil, c.op.Number))
	if a := c.principal.Access; a.RoleID != "" { // of one session, not of all that assumed its role
		h.Write([]byte(a.ID))
	}
	h.Write([]byte(c.idempotency))
	return store.Ref{Kind: store.KindIdempotency, ID: string(h.Sum(nil))}
}

// A stored answer's body: version (1), when it is forgotten (8, ms), SHA-256 of what was asked
// (32), answer without secrets.
const storedHeader = 1 + 8 + 32

// replay answers from a stored answer, if there is one that is not forgotten; done says so.
// before is the forgotten one that a new answer replaces, if there is one.
func (g *Gate) replay(ctx context.Context, c *Call, req *Request, a Approved) (done bool, before *store.Item, err error) {
	ref := idempotencyRef(c)
	items, epoch, err := g.view.Get(ctx, ref)
	if err != nil {
		return false, nil, err
	}
	g.view.Note(&c.reading, epoch, ref)
	body := items[0].Body
	if items[0].Revision == 0 {
		return false, nil, nil
	}
	if forgotten(&items[0], a.now) {
		return false, &items[0], nil
	}
	if subtle.ConstantTimeCompare(body[9:storedHeader], c.body[:]) != 1 {
		return false, nil, Errorf(IdempotencyMismatch, "this Idempotency-Key was used for another request within 24 hours; take a new one")
	}
	return true, nil, req.Replay(body[storedHeader:])
}

// remember stages the stored answer, in the same commit as what it answers for.
func remember(c *Call, a Approved, before *store.Item, answer []byte) Change {
	until := a.Time().Add(idempotencyLife).UnixMilli()
	body := binary.BigEndian.AppendUint64([]byte{1}, uint64(until))
	body = append(body, c.body[:]...)
	return Change{Ref: idempotencyRef(c), Due: until, Before: before, Body: append(body, answer...)}
}
