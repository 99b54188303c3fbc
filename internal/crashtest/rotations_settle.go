package crashtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/embedded"
)

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// settle starts the server a last time, waits until it has wrapped anew what was left, and checks
// all that there is.
func (r *rotations) settle(ctx context.Context) error {
	p, err := r.start(ctx, "")
	if err != nil {
		r.violated("start", "%v", err)
		return err
	}
	defer p.kill()
	api, err := client.New(p.cfg)
	if err != nil {
		return err
	}
	defer api.Close()
	if err := r.rewrapped(ctx, api); err != nil {
		return err
	}
	if err := r.wrappers(ctx, api); err != nil {
		return err
	}
	if err := r.decryptAll(ctx, api); err != nil {
		return err
	}
	if code := p.terminate(); code != 0 {
		r.violated("exit", "SIGTERM ended the server with %d; stderr: %s", code, p.stderr.String())
	}
	if err := r.oldRoot(ctx); err != nil {
		return err
	}
	report, err := haven.Fsck(ctx, haven.Config{DataDir: r.servers.folder}, nil)
	if err != nil {
		r.violated("fsck", "it could not look: %v", err)
	}
	for _, f := range report.Findings {
		r.violated("fsck", "%s", f)
	}
	return nil
}

// rewrapped waits until no old version of a master wraps anything.
func (r *rotations) rewrapped(ctx context.Context, api *client.Client) error {
	began := time.Now()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		left, more := 0, false
		for _, master := range r.masters {
			k, err := api.DescribeKey(ctx, master)
			if err != nil {
				return err
			}
			left, more = left+k.RewrapLeft.Count, more || k.RewrapLeft.More
		}
		r.report.Settled = time.Since(began)
		if left == 0 && !more {
			return nil
		}
		if r.report.Settled > settleWithin {
			r.violated("rewrap", "at least %d versions are left with old master versions after %s", left, r.report.Settled)
			return nil
		}
		<-look.C
	}
}

// wrappers checks that every version of every key is wrapped by its master's primary.
func (r *rotations) wrappers(ctx context.Context, api *client.Client) error {
	by := map[string]string{}
	for i, key := range r.keys {
		master := r.masters[i%rotationMasters]
		if by[master] == "" {
			k, err := api.DescribeKey(ctx, master)
			if err != nil {
				return err
			}
			by[master] = k.KeyID + "@" + number(k.Version)
		}
		for cursor := ""; ; {
			page, err := api.ListKeyVersions(ctx, client.ListKeyVersionsRequest{Key: key, Limit: 100, Cursor: cursor})
			if err != nil {
				return err
			}
			for _, v := range page.Versions {
				r.report.Versions++
				if v.WrappedBy != by[master] {
					r.violated("rewrap", "key %s version %d is wrapped by %s, its master's primary is %s", key, v.Version, v.WrappedBy, by[master])
				}
			}
			if cursor = page.NextCursor; cursor == "" {
				break
			}
		}
	}
	return nil
}

// decryptAll decrypts what was ever encrypted.
func (r *rotations) decryptAll(ctx context.Context, api *client.Client) error {
	for from := 0; from < len(r.written); from += client.MaxBatch {
		part := r.written[from:min(from+client.MaxBatch, len(r.written))]
		items := make([]client.BatchItem, len(part))
		for i := range part {
			items[i].Decrypt = &client.DecryptRequest{Ciphertext: part[i].bytes}
		}
		results, err := api.Batch(ctx, items)
		if err != nil {
			return err
		}
		for i := range results {
			switch {
			case results[i].Err != nil:
				r.violated("ciphertext", "number %d does not decrypt: %v", part[i].number, results[i].Err)
			case !bytes.Equal(results[i].Decrypt.Plaintext, plaintext(part[i].number)):
				r.violated("ciphertext", "number %d decrypts to something else", part[i].number)
			}
			r.report.Ciphertexts++
		}
	}
	return nil
}

// oldRoot checks that no rotation of the root key is left to be finished.
func (r *rotations) oldRoot(ctx context.Context) error {
	fs, err := disk.Dir(r.servers.folder)
	if err != nil {
		return err
	}
	s, err := embedded.Open(ctx, embedded.Config{FS: fs, Rand: rand.Reader})
	if err != nil {
		return err
	}
	page, err := s.List(ctx, store.Query{Kind: store.KindSeal, Limit: store.MaxPage})
	if err = errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("crashtest: reading the seals: %w", err)
	}
	for _, item := range page.Items {
		if item.ID == "previous" {
			r.violated("rewrap", "the root key before the present one is still needed")
		}
	}
	return nil
}
