package crashtest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/haven-health/haven/client"
)

// load lets clients use the keys, and others rotate masters or keys, until the process dies, or for a
// random time.
func (r *rotations) load(p *process, kind int) error {
	span := time.Duration(r.rng.Int64N(int64(r.cfg.Load)))
	if kind == 1 {
		span *= 4 // re-wrapping begins a while after the rotation
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	var crowd sync.WaitGroup
	start := func(work func(context.Context, *client.Client, *rand.Rand) error) error {
		api, err := client.New(p.cfg)
		if err != nil {
			return err
		}
		rng := rand.New(rand.NewPCG(r.rng.Uint64(), 0))
		crowd.Go(func() {
			defer api.Close()
			for ctx.Err() == nil && work(ctx, api, rng) == nil {
			}
		})
		return nil
	}
	var err error
	for i := 0; i < rotationUsers && err == nil; i++ {
		err = start(r.use)
	}
	rotate := r.rotateKey
	if kind == 1 {
		rotate = r.rotateMaster
	}
	for i := 0; kind != 0 && i < rotationRotators && err == nil; i++ {
		err = start(rotate)
	}
	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
	}
	p.kill()
	stop()
	crowd.Wait()
	return err
}

// use encrypts with some key, or decrypts some old ciphertext. Its error says that the server ended.
func (r *rotations) use(ctx context.Context, api *client.Client, rng *rand.Rand) error {
	if rng.IntN(3) == 0 {
		return r.decrypt(ctx, api, rng)
	}
	text := sealedText{number: rng.Uint64()}
	out, err := api.Encrypt(ctx, client.EncryptRequest{Key: r.keys[rng.IntN(len(r.keys))], Plaintext: plaintext(text.number)})
	if err != nil {
		return r.expected("encrypt", err)
	}
	text.bytes = out.Ciphertext
	r.mu.Lock()
	defer r.mu.Unlock()
	r.written = append(r.written, text)
	r.report.Encrypted++
	return nil
}

func (r *rotations) decrypt(ctx context.Context, api *client.Client, rng *rand.Rand) error {
	r.mu.Lock()
	if len(r.written) == 0 {
		r.mu.Unlock()
		return nil
	}
	text := r.written[rng.IntN(len(r.written))]
	r.mu.Unlock()
	out, err := api.Decrypt(ctx, client.DecryptRequest{Ciphertext: text.bytes})
	if err != nil {
		return r.expected("decrypt", err)
	}
	if !bytes.Equal(out.Plaintext, plaintext(text.number)) {
		r.violated("ciphertext", "number %d decrypted to something else", text.number)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Decrypted++
	return nil
}

func (r *rotations) rotateKey(ctx context.Context, api *client.Client, rng *rand.Rand) error {
	_, err := api.RotateKey(ctx, r.keys[rng.IntN(len(r.keys))])
	return r.rotated("rotate-key", err, &r.report.Keys)
}

// rotateMaster rotates some master, or has a version of it revoked, which rotates it, too.
func (r *rotations) rotateMaster(ctx context.Context, api *client.Client, rng *rand.Rand) error {
	master := r.masters[rng.IntN(len(r.masters))]
	if rng.IntN(4) > 0 {
		_, err := api.RotateKey(ctx, master)
		return r.rotated("rotate-key", err, &r.report.Masters)
	}
	k, err := api.DescribeKey(ctx, master)
	if err != nil {
		return r.expected("describe-key", err)
	}
	_, err = api.MarkCompromised(ctx, client.MarkCompromisedRequest{Key: master + "@" + number(k.Version), Reason: "drill"})
	return r.rotated("mark-compromised", err, &r.report.Compromises)
}

func (r *rotations) rotated(what string, err error, count *int) error {
	if err != nil {
		if errors.Is(err, client.InvalidState) && what == "mark-compromised" {
			return nil // another was first
		}
		return r.expected(what, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	*count++
	return nil
}

// expected takes an error that a call may end with: no answer, when the server died, which it
// returns, or that others changed the same key at once. Any other breaks a promise.
func (r *rotations) expected(what string, err error) error {
	var refused *client.Error
	switch {
	case !errors.As(err, &refused), refused.Code == client.Unavailable, refused.Code == client.UnexpectedAnswer:
		return errStopped
	case refused.Code == client.Contended:
		return nil
	}
	r.violated("ciphertext", "%s was refused: %v", what, err)
	return errStopped
}
