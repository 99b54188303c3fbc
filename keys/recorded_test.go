package keys_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/memory"
)

// TestUsesAreRecorded: what the record of each use says: the key and version, by which algorithm,
// for which context and with which result.
func TestUsesAreRecorded(t *testing.T) {
	f := newFinder(t)
	ids := map[string]string{}
	kinds := map[string]keys.Kind{"SIGNER": signer, "MAC": macKey, "PARTY": party, "KEM": kem, "RSA": rsaKey, "DATA": dataKey}
	if sealing() {
		kinds["RECEIVER"] = receiver
	}
	for name, kind := range kinds {
		ids[name] = f.of(kind)
	}
	some := f.contextOf("patient", "17")
	signature, mac := f.sign(ids["SIGNER"]), f.mac(ids["MAC"])
	public, err1 := f.km.GetPublicKey(background, ids["PARTY"])
	enclosed, err := f.km.Encapsulate(background, keys.EncapsulateRequest{Key: ids["KEM"]})
	f.ok(errors.Join(err1, err))
	var sealed *keys.SealAnswer
	if sealing() {
		sealed, err = f.km.HPKESeal(background, keys.SealRequest{Key: ids["RECEIVER"], Plaintext: message, Context: some})
		f.ok(err)
	}
	encrypted, err := f.km.Encrypt(background, keys.EncryptRequest{Key: ids["DATA"], Plaintext: message, Context: some})
	f.ok(err)
	for name := range ids {
		f.rotate(ids[name])
	}

	for want, use := range map[string]func() error{
		"Sign SIGNER@2 algorithm=ECDSA_SHA_256": func() error {
			_, err := f.km.Sign(background, keys.SignRequest{Key: ids["SIGNER"], Message: message})
			return err
		},
		"Verify SIGNER@1 algorithm=ECDSA_SHA_256;valid=true": func() error {
			_, err := f.km.Verify(background, keys.VerifyRequest{Key: ids["SIGNER"], Message: message, Signature: signature})
			return err
		},
		"Verify SIGNER@2 algorithm=ECDSA_SHA_256;valid=false": func() error {
			_, err := f.km.Verify(background, keys.VerifyRequest{Key: ids["SIGNER"], Message: message, Signature: mac})
			return err
		},
		"GenerateMac MAC@2 algorithm=HMAC_SHA_256": func() error {
			_, err := f.km.GenerateMAC(background, keys.MACRequest{Key: ids["MAC"], Message: message})
			return err
		},
		"VerifyMac MAC@1 algorithm=HMAC_SHA_256;valid=true": func() error {
			_, err := f.km.VerifyMAC(background, keys.VerifyMACRequest{Key: ids["MAC"], Message: message, MAC: mac})
			return err
		},
		"VerifyMac MAC@2 algorithm=HMAC_SHA_256;valid=false": func() error {
			_, err := f.km.VerifyMAC(background, keys.VerifyMACRequest{Key: ids["MAC"], Message: message, MAC: signature})
			return err
		},
		"GetPublicKey PARTY@1": func() error {
			_, err := f.km.GetPublicKey(background, ids["PARTY"]+"@1")
			return err
		},
		"DeriveSharedSecret PARTY@2 algorithm=ECDH": func() error {
			_, err := f.km.DeriveSharedSecret(background, keys.AgreeRequest{Key: ids["PARTY"] + "@2", PublicKey: public.PublicKey})
			return err
		},
		"Encapsulate KEM@2 algorithm=ML_KEM": func() error {
			_, err := f.km.Encapsulate(background, keys.EncapsulateRequest{Key: ids["KEM"]})
			return err
		},
		"Decapsulate KEM@1 algorithm=ML_KEM": func() error {
			_, err := f.km.Decapsulate(background, keys.DecapsulateRequest{Key: ids["KEM"] + "@1", Ciphertext: enclosed.Ciphertext})
			return err
		},
		"HPKESeal RECEIVER@2 for its context": func() error {
			_, err := f.km.HPKESeal(background, keys.SealRequest{Key: ids["RECEIVER"], Plaintext: message, Context: some})
			return err
		},
		"HPKEOpen RECEIVER@1 for its context": func() error {
			_, err := f.km.HPKEOpen(background, keys.OpenRequest{Ciphertext: sealed.Ciphertext, Context: some})
			return err
		},
		"ReEncrypt DATA@1 to=RSA@2 for its context": func() error {
			_, err := f.km.ReEncrypt(background, keys.ReEncryptRequest{Ciphertext: encrypted.Ciphertext, SourceContext: some, Key: ids["RSA"]})
			return err
		},
		"GenerateDataKeyPair DATA@2 spec=ECC_NIST_P256 for its context": func() error {
			_, err := f.km.GenerateDataKeyPair(background, keys.DataKeyPairRequest{Key: ids["DATA"], Spec: crypt.P256, Context: some})
			return err
		},
	} {
		if strings.Contains(want, "RECEIVER") && !sealing() {
			continue
		}
		position := f.Position()
		f.ok(use())
		records := f.Records(position)
		if len(records) != 1 {
			t.Errorf("%s: %d records", want, len(records))
			continue
		}
		if got := told(&records[0], ids, some); got != want {
			t.Errorf("the record says %q, want %q", got, want)
		}
	}
}

// told says what a record does, with the keys by name.
func told(e *gatetest.Entry, ids map[string]string, some keys.Context) string {
	event := "?"
	for _, op := range gate.Operations() {
		if op.Number == e.Operation {
			event = op.Event
		}
	}
	text := fmt.Sprintf("%s %s@%d %s", event, gate.ID(e.Key), e.Version, e.Parameters)
	if string(e.Context) == string(some.Encoded()) {
		text = strings.TrimSpace(text) + " for its context"
	}
	if e.Outcome != journal.Allowed || gate.ID(e.Wrapping).IsZero() {
		text += fmt.Sprintf(" %v, wrapped by %s", e.Outcome, gate.ID(e.Wrapping))
	}
	for name, id := range ids {
		text = strings.ReplaceAll(text, id, name)
	}
	return strings.TrimSpace(text)
}

// drawn counts what is drawn for key material, as its caller's name tells.
type drawn struct{ times atomic.Int32 }

func (d *drawn) Read(p []byte) (int, error) {
	callers := make([]uintptr, 16)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for more := true; more; {
		var frame runtime.Frame
		if frame, more = frames.Next(); strings.HasSuffix(frame.Function, "crypt.GenerateMaterial") {
			d.times.Add(1)
		}
	}
	return rand.Read(p)
}

// meddled is a store in which another node touches the administrator's principal, once, when the
// head is read, as the sequencer does after it closed a batch.
type meddled struct {
	*memory.Store
	armed atomic.Bool
	touch func() error
	err   error
}

func (m *meddled) Head(ctx context.Context) (store.Head, error) {
	if m.armed.CompareAndSwap(true, false) {
		m.err = m.touch()
	}
	return m.Store.Head(ctx)
}

// TestRunAgainTakesTheSameMaterial: an operation that has to run again does not make its key again:
// an RSA key takes seconds.
func TestRunAgainTakesTheSameMaterial(t *testing.T) {
	shared := &meddled{Store: memory.New(1)}
	source := new(drawn)
	w := gatetest.New(t, func(cfg *haven.Config) { cfg.Store, cfg.Random = shared, source })
	other := gatetest.New(t, func(cfg *haven.Config) { cfg.Store = shared.Store })
	other.Damaged = true // the first node checks
	shared.touch = func() error {
		c, err := other.Gate().Begin(background, gatetest.Staging, gate.Proof{Local: w.Admin})
		if err != nil {
			return err
		}
		setting := store.Ref{Kind: store.KindSetting, ID: "test"}
		items, _, err := shared.Get(background, setting)
		if err != nil {
			return err
		}
		return other.Gate().Do(background, c, gate.Request{}, func(gate.Approved) (gate.Outcome, error) {
			return gate.Outcome{Changes: []gate.Change{{
				Ref: setting, Body: []byte("x"), Before: &items[0],
				Also: []store.Ref{{Kind: store.KindPrincipal, ID: string(w.Admin[:])}},
			}}}, nil
		})
	}
	w.Stage(gate.Change{Ref: store.Ref{Kind: store.KindSetting, ID: "test"}, Body: []byte("x")})

	again := func(what string, do func() error) {
		t.Helper()
		before, reruns := source.times.Load(), w.Gate().Counters().Reruns
		shared.armed.Store(true)
		if err := errors.Join(do(), shared.err); err != nil {
			t.Fatal(err)
		}
		if n := w.Gate().Counters().Reruns - reruns; n != 1 {
			t.Errorf("%s ran again %d times, want once", what, n)
		}
		if n := source.times.Load() - before; n != 1 {
			t.Errorf("%s made material %d times", what, n)
		}
	}
	var key *keys.Key
	km := w.KeyManager()
	again("create-key", func() (err error) {
		key, err = km.CreateKey(background, keys.CreateRequest{Purpose: "a test", Type: keys.Signing, Usage: crypt.GenerateVerifyMAC})
		return err
	})
	again("rotate-key", func() error {
		_, err := km.RotateKey(background, key.ID)
		return err
	})
	again("mark-compromised", func() error {
		_, err := km.MarkCompromised(background, keys.CompromiseRequest{Key: key.ID + "@2", Reason: "a test"})
		return err
	})
}
