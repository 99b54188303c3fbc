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

// A stored answer's body: version (1), when it is forgotten (8, ms), MAC of what was asked (32), answer
// without secrets. A hash without a key would let who reads the store guess a password that was asked to
// be stored.
const storedHeader = 1 + 8 + 32

// storedVersion is that of a stored answer's body; what has another is forgotten.
const storedVersion = 2

const askedLabel = "haven/asked/v1\x00"

// askedMAC stands for what a call asks.
func (g *Gate) askedMAC(c *Call) [32]byte {
	return g.view.mac(append([]byte(askedLabel), c.body[:]...))
}

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
	if asked := g.askedMAC(c); subtle.ConstantTimeCompare(body[9:storedHeader], asked[:]) != 1 {
		return false, nil, Errorf(IdempotencyMismatch, "this Idempotency-Key was used for another request within 24 hours; take a new one")
	}
	return true, nil, req.Replay(body[storedHeader:])
}

// remember stages the stored answer, in the same commit as what it answers for.
func (g *Gate) remember(c *Call, a Approved, before *store.Item, answer []byte) Change {
	until := a.Time().Add(idempotencyLife).UnixMilli()
	body := binary.BigEndian.AppendUint64([]byte{storedVersion}, uint64(until))
	asked := g.askedMAC(c)
	body = append(body, asked[:]...)
	return Change{Ref: idempotencyRef(c), Due: until, Before: before, Body: append(body, answer...)}
}
