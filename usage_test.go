package haven_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	mrand "math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/embedded"
	"github.com/haven-health/haven/store/memory"
	"github.com/haven-health/haven/store/storetest"
)

var ctx = context.Background()

// used is what the records say of one version, by the number of the use: 1 protect, 2 process, 3
// verify.
type used struct {
	counts [4]uint64
	last   time.Time
}

// usesOf are the operations that count, told by hand.
var usesOf = map[*gate.Operation]int{
	gate.Encrypt: 1, gate.GenerateDataKey: 1, gate.Sign: 1, gate.GenerateMAC: 1,
	gate.Decrypt: 2, gate.ReEncrypt: 2, gate.VerifyMAC: 2, gate.Verify: 3,
}

// counting is a system on a simulated disk, whose process and power fail.
type counting struct {
	t      *testing.T
	rng    *mrand.Rand
	sim    *disk.Sim
	clock  *clock.Manual
	store  *embedded.Store
	system *haven.System

	data, signing, macs []string
	ciphertexts         [][]byte
	deaths              int
}

func newCounting(t *testing.T, seed uint64) *counting {
	c := &counting{t: t, rng: mrand.New(mrand.NewPCG(seed, 1)), sim: disk.NewSim(), clock: clock.NewManual(gatetest.Start)}
	c.open()
	for range 70 { // more than one commit of a checkpoint tells of
		c.data = append(c.data, c.create(keys.Data, ""))
	}
	c.signing, c.macs = []string{c.create(keys.Signing, "")}, []string{c.create(keys.Signing, "HMAC_256")}
	return c
}

func (c *counting) ok(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *counting) open() {
	c.t.Helper()
	var err error
	c.store, err = embedded.Open(ctx, embedded.Config{FS: c.sim, Rand: rand.Reader, LowSpace: -1, Reserve: -1, SegmentSize: 16 << 10})
	c.ok(err)
	c.system, err = haven.Open(ctx, haven.Config{Store: c.store, Seals: gatetest.Seals(), Clock: c.clock})
	c.ok(err)
}

func (c *counting) create(kind keys.Type, spec keys.Spec) string {
	c.t.Helper()
	k, err := c.system.KeyManager().CreateKey(ctx, keys.CreateRequest{Purpose: "counted", Type: kind, Spec: spec})
	c.ok(err)
	return k.ID
}

// restart ends the process: well, or by a power cut, which the simulated disk may have had before.
func (c *counting) restart(well bool) {
	if well {
		c.ok(c.system.Close())
		c.ok(c.store.Close())
	} else {
		c.deaths++
		c.sim.PowerCut(c.rng)
		_ = c.system.Close() // its disk is dead
		_ = c.store.Close()
	}
	c.open()
}

func (c *counting) one(of []string) string { return of[c.rng.IntN(len(of))] }

// work does one random operation; it may fail.
func (c *counting) work() {
	km := c.system.KeyManager()
	c.clock.Advance(time.Duration(c.rng.IntN(50)) * time.Millisecond)
	key := c.one(c.data)
	switch c.rng.IntN(10) {
	case 0, 1, 2:
		out, err := km.Encrypt(ctx, keys.EncryptRequest{Key: key, Plaintext: []byte("x")})
		if err == nil {
			c.ciphertexts = append(c.ciphertexts, out.Ciphertext)
		}
	case 3:
		_, _ = km.Encrypt(ctx, keys.EncryptRequest{Key: key}) // too short: a failure is no use
	case 4:
		if len(c.ciphertexts) > 0 {
			_, _ = km.Decrypt(ctx, keys.DecryptRequest{Ciphertext: c.ciphertexts[c.rng.IntN(len(c.ciphertexts))]})
		}
	case 5:
		if len(c.ciphertexts) > 0 {
			_, _ = km.ReEncrypt(ctx, keys.ReEncryptRequest{Ciphertext: c.ciphertexts[c.rng.IntN(len(c.ciphertexts))], Key: key})
		}
	case 6:
		made, err := km.Sign(ctx, keys.SignRequest{Key: c.one(c.signing), Message: []byte("x")})
		if err == nil {
			_, _ = km.Verify(ctx, keys.VerifyRequest{Key: c.one(c.signing), Message: []byte("x"), Signature: made.Signature})
			_, _ = km.Verify(ctx, keys.VerifyRequest{Key: c.one(c.signing), Message: []byte("y"), Signature: made.Signature})
		}
	case 7:
		made, err := km.GenerateMAC(ctx, keys.MACRequest{Key: c.one(c.macs), Message: []byte("x")})
		if err == nil {
			_, _ = km.VerifyMAC(ctx, keys.VerifyMACRequest{Key: c.one(c.macs), Message: []byte("x"), MAC: made.MAC})
			_, _ = km.VerifyMAC(ctx, keys.VerifyMACRequest{Key: c.one(c.macs), Message: []byte("y"), MAC: made.MAC})
		}
	case 8:
		items := make([]keys.BatchItem, 1+c.rng.IntN(5))
		for i := range items {
			items[i].DataKey = &keys.DataKeyRequest{Key: c.one(c.data)}
		}
		_, _ = km.Batch(ctx, items)
	case 9:
		_, _ = km.RotateKey(ctx, key)
		_, _ = km.GetPublicKey(ctx, c.one(c.signing)) // which uses nothing
	}
}

// told counts all records.
func (c *counting) told() map[string]used {
	c.t.Helper()
	out := map[string]used{}
	add := func(version string, use int, at int64) {
		u := out[version]
		u.counts[use]++
		if t := time.Unix(0, at).UTC(); t.After(u.last) {
			u.last = t
		}
		out[version] = u
	}
	byNumber := map[uint16]*gate.Operation{}
	for op := range usesOf {
		byNumber[op.Number] = op
	}
	for raw, err := range c.store.Records(ctx, 0) {
		c.ok(err)
		frame, err := journal.DecodeFrame(bytes.Clone(raw.Data))
		c.ok(err)
		for encoded, err := range frame.Records() {
			c.ok(err)
			r, err := journal.DecodeRecord(encoded)
			c.ok(err)
			op := byNumber[r.Operation]
			if op == nil || r.Outcome != journal.Allowed || strings.Contains(r.Parameters, "valid=false") {
				continue
			}
			add(fmt.Sprintf("%s@%d", gate.ID(r.Key), r.Version), usesOf[op], r.Time)
			if to, is := strings.CutPrefix(r.Parameters, "to="); is && op == gate.ReEncrypt {
				add(to, 1, r.Time)
			}
		}
	}
	return out
}

// check compares what is shown of every version with what the records tell.
func (c *counting) check(what string) {
	c.t.Helper()
	want := c.told()
	total := map[string]uint64{}
	for version, u := range want {
		key, _, _ := strings.Cut(version, "@")
		total[key] += u.counts[1] + u.counts[2] + u.counts[3]
	}
	km := c.system.KeyManager()
	got := map[string]used{}
	for req := (keys.ListRequest{Limit: 100}); ; {
		page, err := km.ListKeys(ctx, req)
		c.ok(err)
		for _, k := range page.Keys {
			if k.UseCount == nil || *k.UseCount != total[k.ID] {
				c.t.Fatalf("%s: key %s shows %v uses, the records tell of %d", what, k.ID, k.UseCount, total[k.ID])
			}
			versions, err := km.ListKeyVersions(ctx, keys.ListVersionsRequest{Key: k.ID, Limit: 100})
			c.ok(err)
			for _, v := range versions.Versions {
				if v.UseCount != v.ProtectCount+v.ProcessCount+v.VerifyCount {
					c.t.Fatalf("%s: %+v", what, v)
				}
				if v.UseCount > 0 {
					got[k.ID+"@"+strconv.Itoa(int(v.Version))] = used{[4]uint64{0, v.ProtectCount, v.ProcessCount, v.VerifyCount}, v.LastUsedAt}
				}
			}
		}
		if req.Cursor = page.NextCursor; req.Cursor == "" {
			break
		}
	}
	if !maps.Equal(got, want) {
		for v := range want {
			if got[v] != want[v] {
				c.t.Errorf("%s shows %v, the records tell %v", v, got[v], want[v])
			}
		}
		c.t.Fatalf("%s: %d versions used, want %d", what, len(got), len(want))
	}
}

// TestUsesAreWhatTheRecordsTell: whatever was done, kept, ended or cut short, each version shows as many
// uses as the records tell of.
func TestUsesAreWhatTheRecordsTell(t *testing.T) {
	for seed := range uint64(3) {
		c := newCounting(t, seed)
		for round := range 12 {
			for range 100 + c.rng.IntN(200) {
				c.work()
			}
			what := fmt.Sprintf("seed %d, round %d", seed, round)
			switch c.rng.IntN(5) {
			case 0:
				c.ok(c.system.KeepCounts(ctx))
			case 1:
				c.restart(true)
			case 2:
				c.restart(false)
			default: // cut within a checkpoint
				c.sim.CutPowerAt(1 + int64(c.rng.IntN(30)))
				if c.system.KeepCounts(ctx) != nil || c.rng.IntN(2) == 0 {
					c.restart(false)
				} else {
					c.sim.CutPowerAt(0)
				}
			}
			c.check(what)
		}
		c.restart(true)
		c.check("after all")
		if c.deaths < 2 || len(c.ciphertexts) < 50 {
			t.Errorf("%d deaths, %d ciphertexts: too little happened", c.deaths, len(c.ciphertexts))
		}
		c.ok(c.system.Close())
		c.ok(c.store.Close())
	}
}

// TestCheckpointOfUses: what was kept is not read again; a checkpoint with no news changes nothing; and
// none makes another operation run again.
func TestCheckpointOfUses(t *testing.T) {
	c := newCounting(t, 7)
	for range 300 {
		c.work()
	}
	before, err := c.store.Head(ctx)
	c.ok(err)
	c.ok(c.system.KeepCounts(ctx))
	after, err := c.store.Head(ctx)
	c.ok(err)
	if after.Epoch != before.Epoch || after.Position == before.Position {
		t.Errorf("a checkpoint led from %+v to %+v", before, after)
	}
	c.ok(c.system.KeepCounts(ctx))
	if again, err := c.store.Head(ctx); err != nil || again != after {
		t.Errorf("a checkpoint without news led from %+v to %+v, %v", after, again, err)
	}
	page, err := c.store.List(ctx, store.Query{Kind: store.KindUsage, Limit: store.MaxPage})
	c.ok(err)
	if len(page.Items) < 62 {
		t.Errorf("%d items: not more than one commit tells of", len(page.Items))
	}
	c.check("after a checkpoint")
	report, err := c.system.Check(ctx, nil)
	c.ok(err)
	for _, f := range report.Findings {
		t.Error(f)
	}
	c.restart(true)
	c.ok(c.system.Close())
	c.ok(c.store.Close())
}

// TestUsesUnderLoad: a reader is behind by less than a second, however much happens.
func TestUsesUnderLoad(t *testing.T) {
	w := gatetest.New(t)
	km := w.KeyManager()
	k, err := km.CreateKey(ctx, keys.CreateRequest{Purpose: "busy", Type: keys.Data})
	if err != nil {
		t.Fatal(err)
	}
	count := func() uint64 {
		t.Helper()
		doc, err := km.DescribeKey(ctx, k.ID)
		if err != nil {
			t.Fatal(err)
		}
		return *doc.UseCount
	}
	if n := count(); n != 0 {
		t.Fatalf("%d uses of a new key", n)
	}
	items := make([]keys.BatchItem, keys.MaxBatch)
	for i := range items {
		items[i].Encrypt = &keys.EncryptRequest{Key: k.ID, Plaintext: []byte("x")}
	}
	for range 10 {
		if _, err := km.Batch(ctx, items); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(); n < 4000 || n >= 10_000 {
		t.Errorf("%d of 10,000 uses at once: one reader took in too little, or all", n)
	}
	w.Clock.Advance(time.Second)
	if n := count(); n != 10_000 {
		t.Errorf("%d of 10,000 uses after a second", n)
	}
}

// TestUsesCountedElsewhere: a process that finds the checkpoint moved counts on from there.
func TestUsesCountedElsewhere(t *testing.T) {
	w := gatetest.New(t)
	k, err := w.KeyManager().CreateKey(ctx, keys.CreateRequest{Purpose: "shared", Type: keys.Data})
	if err != nil {
		t.Fatal(err)
	}
	other := gatetest.New(t, func(cfg *haven.Config) { cfg.Store = w.Store })
	other.Damaged = true // the first checks
	for i := range 5 {
		for _, node := range []*gatetest.World{w, other} {
			if _, err := node.KeyManager().Encrypt(ctx, keys.EncryptRequest{Key: k.ID, Plaintext: []byte("x")}); err != nil {
				t.Fatal(err)
			}
			if err := node.System.KeepCounts(ctx); err != nil && !errors.Is(err, keys.ErrOvertaken) {
				t.Fatal(err)
			}
		}
		for _, node := range []*gatetest.World{w, other} {
			if doc, err := node.KeyManager().DescribeKey(ctx, k.ID); err != nil || *doc.UseCount != uint64(2*i+2) {
				t.Errorf("%d uses, want %d; %v", *doc.UseCount, 2*i+2, err)
			}
		}
	}
}

// between is a store that does something before it reads items of counts, once.
type between struct {
	store.Store
	do func()
}

func (b *between) Get(ctx context.Context, refs ...store.Ref) ([]store.Item, store.Epoch, error) {
	if do := b.do; do != nil && refs[0].Kind == store.KindUsage && len(refs[0].ID) == 20 {
		b.do = nil
		do()
	}
	return b.Store.Get(ctx, refs...)
}

// TestUsesWhileTheyAreKept: a reader between whose two looks a checkpoint was made, or two, counts
// nothing twice and misses nothing.
func TestUsesWhileTheyAreKept(t *testing.T) {
	b := &between{Store: memory.New(1)}
	w := gatetest.New(t, func(cfg *haven.Config) { cfg.Store = b })
	km := w.KeyManager()
	k, err := km.CreateKey(ctx, keys.CreateRequest{Purpose: "kept", Type: keys.Data})
	if err != nil {
		t.Fatal(err)
	}
	use := func() {
		if _, err := km.Encrypt(ctx, keys.EncryptRequest{Key: k.ID, Plaintext: []byte("x")}); err != nil {
			t.Error(err)
		}
	}
	keep := func() {
		if err := w.KeepCounts(ctx); err != nil {
			t.Error(err)
		}
	}
	for n := uint64(1); n <= 6; n += 2 {
		use()
		for what, do := range map[string]func(){"none": nil, "one": keep, "another use and one": func() { use(); keep() }} {
			b.do = do
			doc, err := km.DescribeKey(ctx, k.ID)
			if err != nil {
				t.Fatal(err)
			}
			again, err := km.DescribeKey(ctx, k.ID)
			if err != nil || *doc.UseCount != *again.UseCount || *doc.UseCount < n {
				t.Errorf("%s between: %d uses, then %d; %v", what, *doc.UseCount, *again.UseCount, err)
			}
		}
	}
}

// TestCheckpointOfUsesCutShort: a checkpoint that ended after any of its commits is finished by the next
// process, which shows what there was before and after.
func TestCheckpointOfUsesCutShort(t *testing.T) {
	for n := 1; n <= 3; n++ { // 130 keys: three commits
		for _, written := range []bool{false, true} {
			faulty := storetest.NewFaulty(memory.New(1))
			w := gatetest.New(t, func(cfg *haven.Config) { cfg.Store = faulty })
			w.Damaged = true // the second checks
			for range 130 {
				k, err := w.KeyManager().CreateKey(ctx, keys.CreateRequest{Purpose: "kept", Type: keys.Data})
				if err == nil {
					_, err = w.KeyManager().Encrypt(ctx, keys.EncryptRequest{Key: k.ID, Plaintext: []byte("x")})
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			faulty.FailCommit(n, written, store.ErrUnavailable)
			if err := w.KeepCounts(ctx); err == nil {
				t.Fatal("a checkpoint went on over a failed commit")
			}
			next := gatetest.New(t, func(cfg *haven.Config) { cfg.Store = faulty })
			once := func(what string) {
				t.Helper()
				for req := (keys.ListRequest{Type: keys.Data, Limit: 100}); ; {
					page, err := next.KeyManager().ListKeys(ctx, req)
					if err != nil {
						t.Fatal(err)
					}
					for _, k := range page.Keys {
						if *k.UseCount != 1 {
							t.Fatalf("commit %d failed, written %v: %s, %d uses of one", n, written, what, *k.UseCount)
						}
					}
					if req.Cursor = page.NextCursor; req.Cursor == "" {
						return
					}
				}
			}
			once("at first")
			if err := next.KeepCounts(ctx); err != nil {
				t.Fatal(err)
			}
			once("once finished")
			next.Reopen()
			once("in the next process")
		}
	}
}
