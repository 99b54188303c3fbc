package crashtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/gate"
)

// audit checks the whole history of the round: on the running server what it holds, and after it
// ended the order of the calls, the records, and the store.
func (r *round) audit(ctx context.Context) error {
	p, err := r.start(ctx, ending{})
	if err != nil {
		return err
	}
	defer p.kill()
	err = r.catchUp(p)
	if err == nil {
		err = r.inspect(p)
	}
	if errors.Is(err, errStopped) && (!p.hasEnded() || p.err != nil) {
		r.violated("start", "the server stopped answering with nothing done to it; stderr: %s", p.stderr.String())
		return nil
	}
	if err != nil {
		return err
	}
	if r.rng.IntN(2) == 0 {
		p.kill()
	} else if code := p.terminate(); code != 0 {
		r.violated("exit", "SIGTERM ended the server with %d; stderr: %s", code, p.stderr.String())
	}
	r.order()
	if err := r.ledger.read(ctx, r.servers.folder, r.violated); err != nil {
		r.violated("start", "the store does not open: %v", err)
		return nil
	}
	r.ledger.compare(r.history, r.violated)
	r.ledger.count(r.world.keys, r.violated)
	return r.fsck(ctx)
}

// inspect looks at everything that the clients know of, on a server nobody else uses.
func (r *round) inspect(p *process) error {
	c, err := newCaller(p.cfg, r, rand.New(rand.NewPCG(r.rng.Uint64(), 0)))
	if err != nil {
		return err
	}
	defer func() { r.history = append(r.history, c.calls...) }()
	defer c.api.Close()
	for _, k := range r.world.keys {
		if err := r.look(c, k); err != nil {
			return err
		}
	}
	if err := r.listed(c); err != nil {
		return err
	}
	for from := 0; from < len(r.world.written); from += client.MaxBatch {
		if err := r.decipher(c, r.world.written[from:min(from+client.MaxBatch, len(r.world.written))]); err != nil {
			return err
		}
	}
	return nil
}

// listed compares the list of all keys with the keys that were created: none more, none less.
func (r *round) listed(c *caller) error {
	count, cursor := 0, ""
	for {
		var page *client.KeyPage
		line, _ := c.do(call{op: gate.ListKeys}, func() (err error) {
			page, err = c.api.ListKeys(context.Background(), client.ListKeysRequest{Type: client.Data, Limit: 100, Cursor: cursor})
			return err
		})
		if !line.done() {
			return errStopped
		}
		for i := range page.Keys {
			count++
			if id, _ := gate.ParseID(page.Keys[i].KeyID); r.world.byID[id] == nil {
				r.violated("write", "key %s is there and nobody was told of it", page.Keys[i].KeyID)
			}
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if count != len(r.world.keys) {
		r.violated("write", "%d keys are listed, %d were created", count, len(r.world.keys))
	}
	return nil
}

// decipher decrypts what was ever encrypted, in one call.
func (r *round) decipher(c *caller, written []ciphertext) error {
	items := make([]client.BatchItem, len(written))
	for i := range written {
		items[i].Decrypt = &client.DecryptRequest{Ciphertext: written[i].bytes, Context: written[i].context()}
	}
	var results []client.BatchResult
	line, _ := c.do(call{op: gate.Batch, items: len(items)}, func() (err error) {
		results, err = c.api.Batch(context.Background(), items)
		return err
	})
	if !line.done() {
		return errStopped
	}
	for i := range results {
		if why := written[i].wrong(&results[i]); why != "" {
			r.violated("ciphertext", "number %d of key %s version %d: %s", written[i].number, written[i].key.id, written[i].version, why)
		}
	}
	return nil
}

// wrong tells why the answer to a decryption is not the one that the key's state asks for, or "".
func (w *ciphertext) wrong(result *client.BatchResult) string {
	possible := w.key.life.decrypts(w.version)
	switch {
	case result.Err == nil && !possible:
		return "it decrypted, and the key's state forbids it"
	case result.Err == nil && !bytes.Equal(result.Decrypt.Plaintext, w.plain):
		return "it decrypted to something else"
	case result.Err != nil && possible:
		return fmt.Sprintf("it did not decrypt: %v", result.Err)
	case result.Err != nil && !errors.Is(result.Err, client.InvalidState):
		return fmt.Sprintf("it is to be refused for its key's state, and was for: %v", result.Err)
	}
	return ""
}

// order finds uses that were done after a call that forbade them had returned.
func (r *round) order() {
	for ; r.judged < len(r.history); r.judged++ {
		u := &r.history[r.judged]
		k := r.world.byID[u.key]
		if k == nil || u.op.Use == 0 || !u.done() {
			continue
		}
		if why := k.forbids(u); why != "" {
			r.suspect(k.id)
			r.violated("revoked", "%s with key %s version %d was done (request %s): %s", u.op.Name, u.key, u.version, u.request, why)
		}
	}
}

func (r *round) fsck(ctx context.Context) error {
	report, err := haven.Fsck(ctx, haven.Config{DataDir: r.servers.folder}, nil)
	if err != nil {
		r.violated("fsck", "it could not look: %v", err)
		return nil
	}
	for _, f := range report.Findings {
		r.violated("fsck", "%s", f)
	}
	return nil
}
