package haven_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/memory"
)

// keyFile returns a new key file seal.
func keyFile(t *testing.T) *seal.KeyFile {
	t.Helper()
	f, err := seal.NewKeyFile(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func passphrase(t *testing.T, text string) *seal.Passphrase {
	t.Helper()
	p, err := seal.NewPassphrase(secret.New([]byte(text)), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newMemory(t *testing.T) store.Store {
	t.Helper()
	s := memory.New(1)
	t.Cleanup(func() { s.Close() })
	return s
}

// open starts a system from cold with nothing but a store and some seals.
func open(t *testing.T, s store.Store, seals map[string]seal.Seal) *haven.System {
	t.Helper()
	system, err := haven.Open(t.Context(), haven.Config{Store: s, Seals: seals})
	if err != nil {
		t.Fatalf("open with %v: %v", names(seals), err)
	}
	return system
}

func names(seals map[string]seal.Seal) (out []string) {
	for n := range seals {
		out = append(out, n)
	}
	return out
}

// sound closes a system after checking everything in it.
func sound(t *testing.T, system *haven.System) {
	t.Helper()
	report, err := system.Check(context.Background(), nil)
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("fsck: %v %v", report.Findings, err)
	}
	if err := system.Close(); err != nil {
		t.Error(err)
	}
}

// written is data encrypted under a key and under a data key of a master, to be read back later.
type written struct{ data, master []byte }

func write(t *testing.T, system *haven.System) written {
	t.Helper()
	km := system.KeyManager()
	key, err := km.CreateKey(t.Context(), keys.CreateRequest{Purpose: "Patient data encryption", Type: keys.Data})
	if err != nil {
		t.Fatal(err)
	}
	data, err := km.Encrypt(t.Context(), keys.EncryptRequest{Key: key.ID, Plaintext: []byte("blood group 0")})
	if err != nil {
		t.Fatal(err)
	}
	master, err := km.Encrypt(t.Context(), keys.EncryptRequest{Key: "alias/haven-master", Plaintext: []byte("allergies")})
	if err != nil {
		t.Fatal(err)
	}
	return written{data.Ciphertext, master.Ciphertext}
}

func read(t *testing.T, system *haven.System, w written) {
	t.Helper()
	for want, ciphertext := range map[string][]byte{"blood group 0": w.data, "allergies": w.master} {
		got, err := system.KeyManager().Decrypt(t.Context(), keys.DecryptRequest{Ciphertext: ciphertext})
		if err != nil || string(got.Plaintext) != want {
			t.Errorf("decrypting %q: %v", want, err)
		}
	}
}

func TestRotateSealIsProvenByColdStarts(t *testing.T) {
	s := newMemory(t)
	seals := map[string]seal.Seal{seal.Daily: keyFile(t), seal.Recovery: passphrase(t, "six words nobody would ever guess here")}
	system := open(t, s, seals)
	w := write(t, system)
	for range 2 {
		if err := system.RotateSeal(t.Context(), seals, gate.ID{}); err != nil {
			t.Fatal(err)
		}
		read(t, system, w)
	}
	sound(t, system)
	for name, one := range seals {
		system := open(t, s, map[string]seal.Seal{name: one})
		read(t, system, w)
		write(t, system)
		sound(t, system)
	}
}

func TestRotateSealNeedsEverySeal(t *testing.T) {
	s := newMemory(t)
	seals := map[string]seal.Seal{seal.Daily: keyFile(t), seal.Recovery: keyFile(t)}
	system := open(t, s, seals)
	w := write(t, system)
	err := system.RotateSeal(t.Context(), map[string]seal.Seal{seal.Daily: seals[seal.Daily]}, gate.ID{})
	if !errors.Is(err, seal.ErrSeals) {
		t.Fatalf("rotating without the recovery seal: %v", err)
	}
	read(t, system, w)
	sound(t, system)
	system = open(t, s, map[string]seal.Seal{seal.Recovery: seals[seal.Recovery]})
	read(t, system, w)
	sound(t, system)
}

// failing refuses commits after a number of them, as a process that dies does.
type failing struct {
	store.Store
	left int
}

func (f *failing) Commit(ctx context.Context, b *store.Batch) error {
	if f.left--; f.left < 0 {
		return store.ErrUnavailable
	}
	return f.Store.Commit(ctx, b)
}

func TestRotateSealCutOffAtEachCommitIsFinishedAtTheNextStart(t *testing.T) {
	for commits := range 4 {
		s := newMemory(t)
		seals := map[string]seal.Seal{seal.Daily: keyFile(t)}
		system := open(t, s, seals)
		w := write(t, system)
		sound(t, system)

		cut := &failing{Store: s, left: 1 + commits} // one is the start's own record
		system = open(t, cut, seals)
		if err := system.RotateSeal(t.Context(), seals, gate.ID{}); (err != nil) != (commits < 3) {
			t.Fatalf("cut after %d commits: %v", commits, err)
		}
		if err := system.Close(); err != nil {
			t.Fatal(err)
		}
		system = open(t, s, seals)
		read(t, system, w)
		if err := system.RotateSeal(t.Context(), seals, gate.ID{}); err != nil {
			t.Errorf("rotating again after a cut at commit %d: %v", commits, err)
		}
		sound(t, system)
		system = open(t, s, seals)
		read(t, system, w)
		sound(t, system)
	}
}

func TestMigrateSeal(t *testing.T) {
	s := newMemory(t)
	old, next, recovery := keyFile(t), passphrase(t, "correct horse battery staple nine"), keyFile(t)
	system := open(t, s, map[string]seal.Seal{seal.Daily: old})
	w := write(t, system)
	if err := system.MigrateSeal(t.Context(), seal.Daily, nil, next, gate.ID{}); err == nil {
		t.Error("a slot was replaced without its seal")
	}
	if err := system.MigrateSeal(t.Context(), seal.Daily, recovery, next, gate.ID{}); err == nil {
		t.Error("a slot was replaced with another's seal")
	}
	if err := system.MigrateSeal(t.Context(), seal.Recovery, nil, recovery, gate.ID{}); err != nil {
		t.Fatal(err)
	}
	if err := system.MigrateSeal(t.Context(), seal.Daily, old, next, gate.ID{}); err != nil {
		t.Fatal(err)
	}
	sound(t, system)
	for name, one := range map[string]seal.Seal{seal.Daily: next, seal.Recovery: recovery} {
		system := open(t, s, map[string]seal.Seal{name: one})
		read(t, system, w)
		sound(t, system)
	}
	_, err := haven.Open(t.Context(), haven.Config{Store: s, Seals: map[string]seal.Seal{seal.Daily: old}})
	if !errors.Is(err, gate.Locked) {
		t.Errorf("the seal that was replaced: %v, want locked", err)
	}
}

func TestUnlockWithTheWrongSealSaysWhichAndNothingElse(t *testing.T) {
	s := newMemory(t)
	sound(t, open(t, s, map[string]seal.Seal{seal.Daily: passphrase(t, "the right one, long enough")}))
	_, err := haven.Open(t.Context(), haven.Config{Store: s, Seals: map[string]seal.Seal{seal.Daily: passphrase(t, "the wrong one, long enough")}})
	if !errors.Is(err, gate.Locked) || !errors.Is(err, seal.ErrWrong) {
		t.Fatalf("wrong passphrase: %v", err)
	}
	if text := err.Error(); !strings.Contains(text, seal.Daily) || strings.Contains(text, "long enough") {
		t.Errorf("the error names the slot and no passphrase: %q", text)
	}
}

func TestDetachSealLeavesALostOneBehind(t *testing.T) {
	s := newMemory(t)
	daily, lost := keyFile(t), keyFile(t)
	system := open(t, s, map[string]seal.Seal{seal.Daily: daily, seal.Recovery: lost})
	w := write(t, system)
	if err := system.DetachSeal(t.Context(), "other", gate.ID{}); !errors.Is(err, gate.NotFound) {
		t.Errorf("detaching a slot that is not there: %v", err)
	}
	if err := system.DetachSeal(t.Context(), seal.Recovery, gate.ID{}); err != nil {
		t.Fatal(err)
	}
	if err := system.DetachSeal(t.Context(), seal.Daily, gate.ID{}); !errors.Is(err, gate.InvalidState) {
		t.Errorf("detaching the last seal: %v", err)
	}
	if err := system.RotateSeal(t.Context(), map[string]seal.Seal{seal.Daily: daily}, gate.ID{}); err != nil {
		t.Fatal(err)
	}
	sound(t, system)
	system = open(t, s, map[string]seal.Seal{seal.Daily: daily})
	read(t, system, w)
	sound(t, system)
	if _, err := haven.Open(t.Context(), haven.Config{Store: s, Seals: map[string]seal.Seal{seal.Recovery: lost}}); !errors.Is(err, gate.Locked) {
		t.Errorf("the lost seal: %v, want locked", err)
	}
}
