package crashtest

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/gate"
)

// call is one line of the clients' journal: what was invoked, and what was answered.
type call struct {
	op      *gate.Operation
	cycle   int
	key     gate.ID
	version uint32 // of a use: the one answered; of a change: the one named
	named   bool   // a use that named its version
	items   int    // of a batch
	// invoked and answered are measured from the beginning of the round; answered is 0 when no
	// answer came.
	invoked, answered time.Duration
	code              client.Code // "" when it was done
	request           gate.ID     // of the answer
}

// done tells whether the call was acknowledged as done.
func (c *call) done() bool { return c.answered != 0 && c.code == "" }

// caller makes the calls of one goroutine, one at a time, and writes them down.
type caller struct {
	api     *client.Client
	rng     *rand.Rand
	began   time.Time
	cycle   int
	calls   []call
	request string // id of the answer to the call under way
	// idempotency is that of the next change.
	idempotency [16]byte
}

// errOnce keeps the client from trying again: what became of a call is for the harness to find out.
var errOnce = errors.New("crashtest: each call is tried once")

func newCaller(cfg client.Config, r *round, rng *rand.Rand) (*caller, error) {
	c := &caller{rng: rng, began: r.began, cycle: r.cycle}
	cfg.Random = idempotencySource{c}
	cfg.Wait = func(context.Context, time.Duration) error { return errOnce }
	cfg.Wrap = func(base http.RoundTripper) http.RoundTripper { return recorder{base, c} }
	var err error
	c.api, err = client.New(cfg)
	return c, err
}

// idempotencySource gives the client the idempotency key of the call under way, as often as it
// asks, so that a change can be repeated with its own after a crash.
type idempotencySource struct{ c *caller }

// Read implements io.Reader.
func (s idempotencySource) Read(b []byte) (int, error) { return copy(b, s.c.idempotency[:]), nil }

// recorder takes the request ids from the answers.
type recorder struct {
	http.RoundTripper
	c *caller
}

// RoundTrip implements http.RoundTripper.
func (r recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := r.RoundTripper.RoundTrip(request)
	if err == nil {
		r.c.request = answer.Header.Get("Haven-Request-Id")
	}
	return answer, err
}

// CloseIdleConnections closes those of the transport below.
func (r recorder) CloseIdleConnections() {
	if t, ok := r.RoundTripper.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

func (c *caller) now() time.Duration { return time.Since(c.began) }

func (c *caller) newIdempotency() (id [16]byte) {
	binary.BigEndian.PutUint64(id[:8], c.rng.Uint64())
	binary.BigEndian.PutUint64(id[8:], c.rng.Uint64())
	return id
}

// do makes a call and writes it down. answered is false when nothing came back: then it is not
// known whether it was done.
func (c *caller) do(line call, f func() error) (written *call, answered bool) {
	c.request = ""
	line.cycle, line.invoked = c.cycle, c.now()
	err := f()
	at := c.now()
	var refusal *client.Error
	switch {
	case err == nil:
		line.answered = at
	case errors.As(err, &refusal) && refusal.Code != client.UnexpectedAnswer:
		line.answered, line.code = at, refusal.Code
	}
	line.request, _ = gate.ParseID(c.request)
	c.calls = append(c.calls, line)
	return &c.calls[len(c.calls)-1], line.answered != 0
}

// change makes a change of a key.
func (c *caller) change(k *key, a *attempt) (*client.Key, *call, bool) {
	ctx := context.Background()
	c.idempotency = a.idempotency
	name := k.id.String()
	if a.change.version != 0 {
		name = versionName(k.id, a.change.version)
	}
	var doc *client.Key
	line, answered := c.do(call{op: a.change.op, key: k.id, version: a.change.version}, func() (err error) {
		switch a.change.op {
		case gate.RotateKey:
			doc, err = c.api.RotateKey(ctx, name)
		case gate.DisableKey:
			doc, err = c.api.DisableKey(ctx, name)
		case gate.EnableKey:
			doc, err = c.api.EnableKey(ctx, name)
		case gate.DeprecateVersion:
			doc, err = c.api.DeprecateVersion(ctx, name)
		case gate.MarkCompromised:
			doc, err = c.api.MarkCompromised(ctx, client.MarkCompromisedRequest{Key: name, Reason: "drill"})
		case gate.ScheduleKeyDeletion:
			doc, err = c.api.ScheduleKeyDeletion(ctx, client.ScheduleKeyDeletionRequest{Key: name, Days: 7})
		case gate.CancelKeyDeletion:
			doc, err = c.api.CancelKeyDeletion(ctx, name)
		}
		return err
	})
	return doc, line, answered
}

// create creates a key.
func (c *caller) create(a *attempt) (*client.Key, *call, bool) {
	c.idempotency = a.idempotency
	var doc *client.Key
	line, answered := c.do(call{op: gate.CreateKey}, func() (err error) {
		doc, err = c.api.CreateKey(context.Background(), client.CreateKeyRequest{Purpose: "Crash drill", Type: client.Data})
		return err
	})
	if doc != nil {
		line.key, _ = gate.ParseID(doc.KeyID)
	}
	return doc, line, answered
}
