package keys_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/lifecycle"
)

// Kinds that the tests of this and the neighbouring files make keys of; their first version is 1.
var (
	signer   = keys.Kind{Type: keys.Signing, Spec: crypt.P256, Usage: crypt.SignVerify}
	macKey   = keys.Kind{Type: keys.Signing, Spec: crypt.HMAC256, Usage: crypt.GenerateVerifyMAC}
	party    = keys.Kind{Type: keys.Transport, Spec: crypt.P256, Usage: crypt.KeyAgreement}
	kem      = keys.Kind{Type: keys.Transport, Spec: crypt.MLKEM768, Usage: crypt.EncapsulateDecapsulate}
	receiver = keys.Kind{Type: keys.Transport, Spec: crypt.MLKEM768P256, Usage: crypt.SealOpen}
	rsaKey   = keys.Kind{Type: keys.Transport, Spec: crypt.RSA2048, Usage: crypt.EncryptDecrypt}
	dataKey  = keys.Kind{Type: keys.Data, Spec: keys.SymmetricDefault, Usage: keys.EncryptDecrypt}
)

// of makes a key of a kind that expires 40 days after its creation once it is deprecated.
func (f *finder) of(kind keys.Kind) string {
	f.t.Helper()
	return f.make(keys.CreateRequest{Type: kind.Type, Spec: kind.Spec, Usage: kind.Usage, LifetimeDays: 40}).ID
}

func (f *finder) rotate(key string) {
	f.t.Helper()
	f.Clock.Advance(time.Millisecond)
	_, err := f.km.RotateKey(background, key)
	f.ok(err)
}

func (f *finder) sign(key string) []byte {
	f.t.Helper()
	a, err := f.km.Sign(background, keys.SignRequest{Key: key, Message: message})
	f.ok(err)
	return a.Signature
}

// verifies demands what a verification answers.
func (f *finder) verifies(key string, signature []byte, valid bool, version uint32, reason string) {
	f.t.Helper()
	a, err := f.km.Verify(background, keys.VerifyRequest{Key: key, Message: message, Signature: signature})
	f.ok(err)
	if a.Valid != valid || a.Version != version || a.Reason != reason {
		f.t.Errorf("verify with %s answers %+v, want %v, version %d, %q", key, *a, valid, version, reason)
	}
}

// because demands a refusal by the state, with its reason.
func (f *finder) because(err error, reason lifecycle.Reason) {
	f.t.Helper()
	var e *gate.Error
	if !errors.As(err, &e) || e.Code != gate.InvalidState || e.Reason != string(reason) {
		f.t.Errorf("answered %v, want a refusal because of %s", err, reason)
	}
}

func (f *finder) compromise(key string) {
	f.t.Helper()
	_, err := f.km.MarkCompromised(background, keys.CompromiseRequest{Key: key, Reason: "a test"})
	f.ok(err)
}

// TestSignaturesAcrossRotation: a bare key verifies by any of its versions, KEY@N by that one alone.
func TestSignaturesAcrossRotation(t *testing.T) {
	f := newFinder(t)
	key := f.of(signer)
	var signatures [][]byte
	for range 3 {
		signatures = append(signatures, f.sign(key))
		f.rotate(key)
	}
	for i, s := range signatures {
		made := uint32(i + 1)
		f.verifies(key, s, true, made, "")
		for n := uint32(1); n <= 4; n++ {
			f.verifies(fmt.Sprintf("%s@%d", key, n), s, n == made, n, "")
		}
	}
	other := f.of(signer)
	f.verifies(other, signatures[0], false, 1, "")
	for _, malformed := range [][]byte{[]byte("x"), append(signatures[0], 0), signatures[0][:8]} {
		f.verifies(key, malformed, false, 4, "")
	}
	for _, none := range [][]byte{nil, {}} {
		_, err := f.km.Verify(background, keys.VerifyRequest{Key: key, Message: message, Signature: none})
		f.refused(err, gate.InvalidRequest)
	}
}

// TestSignaturesOfCompromisedVersions: they are told, and not believed, whether the version or the
// whole key was marked; what other versions signed stays valid.
func TestSignaturesOfCompromisedVersions(t *testing.T) {
	f := newFinder(t)
	key := f.of(signer)
	first := f.sign(key)
	f.rotate(key)
	second := f.sign(key)
	f.compromise(key + "@1")
	f.verifies(key, first, false, 1, "compromised")
	f.verifies(key+"@1", first, false, 1, "compromised")
	f.verifies(key, second, true, 2, "")
	f.verifies(key+"@1", second, false, 1, "")

	f.compromise(key)
	f.verifies(key, first, false, 1, "compromised")
	f.verifies(key, second, false, 2, "compromised")
	f.verifies(key, []byte("x"), false, 0, "") // there is no primary any more
	public, err := f.km.GetPublicKey(background, key+"@2")
	f.ok(err)
	if public.State != lifecycle.Compromised {
		t.Errorf("the public key shows %s", public.State)
	}
	_, err = f.km.GetPublicKey(background, key)
	f.because(err, lifecycle.ReasonCompromised)
	_, err = f.km.Sign(background, keys.SignRequest{Key: key, Message: message})
	f.because(err, lifecycle.ReasonCompromised)

	f.rotate(key)
	f.verifies(key, first, false, 1, "compromised")
	f.verifies(key, f.sign(key), true, 3, "")
}

// TestSignaturesOfDestroyedVersions: a version that was destroyed in good order verifies what it
// signed, for good; one that was compromised first does not.
func TestSignaturesOfDestroyedVersions(t *testing.T) {
	for _, compromised := range []bool{false, true} {
		f := newFinder(t)
		key := f.of(signer)
		old := f.sign(key)
		f.rotate(key)
		f.pass(41) // grace and lifetime are over
		_, err := f.km.Sign(background, keys.SignRequest{Key: key + "@1", Message: message})
		f.because(err, lifecycle.ReasonExpired)
		f.verifies(key, old, true, 1, "")
		if compromised {
			f.compromise(key + "@1")
		}
		_, err = f.km.ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: key + "@1", Days: 7})
		f.ok(err)
		f.pass(8)

		public, err := f.km.GetPublicKey(background, key+"@1")
		f.ok(err)
		if public.State != lifecycle.Destroyed || public.Version != 1 || len(public.PublicKey) == 0 {
			t.Errorf("the public key shows %+v", public)
		}
		reason := ""
		if compromised {
			reason = "compromised"
		}
		f.verifies(key, old, !compromised, 1, reason)
		f.verifies(key+"@1", old, !compromised, 1, reason)
		_, err = f.km.Sign(background, keys.SignRequest{Key: key + "@1", Message: message})
		f.because(err, lifecycle.ReasonDestroyed)
	}
}

// TestSignaturesOfStoppedKeys: a disabled key and one that is to be destroyed answer nothing.
func TestSignaturesOfStoppedKeys(t *testing.T) {
	f := newFinder(t)
	key := f.of(signer)
	signature := f.sign(key)
	refused := func(reason lifecycle.Reason) {
		t.Helper()
		_, err := f.km.Sign(background, keys.SignRequest{Key: key, Message: message})
		f.because(err, reason)
		_, err = f.km.Verify(background, keys.VerifyRequest{Key: key, Message: message, Signature: signature})
		f.because(err, reason)
		_, err = f.km.GetPublicKey(background, key)
		f.because(err, reason)
	}
	_, err := f.km.DisableKey(background, key)
	f.ok(err)
	refused(lifecycle.ReasonDisabled)
	_, err = f.km.EnableKey(background, key)
	f.ok(err)
	f.verifies(key, signature, true, 1, "")
	_, err = f.km.ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: key, Days: 7})
	f.ok(err)
	refused(lifecycle.ReasonPendingDeletion)
}

// TestManyVersions: a bare key is compared with its newest 100 versions; older ones are reached by
// naming them, and the answer says that some were not asked.
func TestManyVersions(t *testing.T) {
	f := newFinder(t)
	key := f.of(macKey)
	made, err := f.km.GenerateMAC(background, keys.MACRequest{Key: key, Message: message})
	f.ok(err)
	for range 99 {
		f.rotate(key)
	}
	f.verifiesMAC(key, made.MAC, true, 1, "")
	f.rotate(key)
	f.verifiesMAC(key, made.MAC, false, 101, "incomplete")
	f.verifiesMAC(key+"@1", made.MAC, true, 1, "")
	f.verifiesMAC(key+"@101", made.MAC, false, 101, "")
}

// TestFormsOfMessages: one form at a time, of the length and algorithm that fit it.
func TestFormsOfMessages(t *testing.T) {
	f := newFinder(t)
	key := f.of(signer)
	long, digest := make([]byte, keys.MaxMessage+1), make([]byte, 32)
	for _, c := range []struct {
		name string
		req  keys.SignRequest
		code gate.Code
	}{
		{"none", keys.SignRequest{}, gate.InvalidRequest},
		{"an empty message", keys.SignRequest{Message: []byte{}}, gate.InvalidRequest},
		{"a message and a digest", keys.SignRequest{Message: message, Digest: digest}, gate.InvalidRequest},
		{"a digest and an empty message", keys.SignRequest{Message: []byte{}, Digest: digest}, gate.InvalidRequest},
		{"too long", keys.SignRequest{Message: long}, gate.InvalidRequest},
		{"a digest of another length", keys.SignRequest{Digest: digest[1:]}, gate.InvalidRequest},
		{"another's form", keys.SignRequest{ExternalMu: make([]byte, 64)}, gate.InvalidKeyUsage},
		{"another's algorithm", keys.SignRequest{Message: message, Algorithm: crypt.PureEd25519}, gate.InvalidKeyUsage},
		{"no algorithm", keys.SignRequest{Message: message, Algorithm: "ECDSA"}, gate.InvalidKeyUsage},
	} {
		c.req.Key = key
		_, err := f.km.Sign(background, c.req)
		if !errors.Is(err, c.code) {
			t.Errorf("sign %s: %v, want %s", c.name, err, c.code)
		}
		_, err = f.km.Verify(background, keys.VerifyRequest{
			Key: key, Message: c.req.Message, Digest: c.req.Digest, ExternalMu: c.req.ExternalMu, Algorithm: c.req.Algorithm, Signature: []byte("x"),
		})
		if !errors.Is(err, c.code) {
			t.Errorf("verify %s: %v, want %s", c.name, err, c.code)
		}
		if err != nil && strings.Contains(err.Error(), string(message)) {
			t.Errorf("%s: the error quotes the message", c.name)
		}
	}
	if _, err := f.km.Sign(background, keys.SignRequest{Key: key, Message: long[1:]}); err != nil {
		t.Errorf("the longest message: %v", err)
	}
}

// TestWhatIsWrongIsNamed: each refusal says the one thing that is wrong.
func TestWhatIsWrongIsNamed(t *testing.T) {
	f := newFinder(t)
	key, mac := f.of(signer), f.of(macKey)
	sign := func(key string, req keys.SignRequest) error {
		req.Key = key
		_, err := f.km.Sign(background, req)
		return err
	}
	show := func(key string) error { _, err := f.km.GetPublicKey(background, key); return err }
	open := func(ciphertext []byte) error {
		_, err := f.km.Decapsulate(background, keys.DecapsulateRequest{Key: f.of(kem), Ciphertext: ciphertext})
		return err
	}
	for _, c := range []struct {
		err       error
		says, not string
	}{
		{sign(key, keys.SignRequest{Digest: make([]byte, 31)}), "the digest", "µ"},
		{sign(key, keys.SignRequest{ExternalMu: make([]byte, 64)}), "ECDSA_SHA_256 does not take external_mu", "has no such algorithm"},
		{sign(key, keys.SignRequest{Message: message, Algorithm: crypt.PureEd25519}), "has no such algorithm", "does not take"},
		{show(mac), "has no public half", "get-public-key"},
		{open([]byte("x")), "not as long", "context"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.says) || strings.Contains(c.err.Error(), c.not) {
			t.Errorf("answered %v, want %q and not %q", c.err, c.says, c.not)
		}
	}
	if crypt.Supported(crypt.MLDSA44, crypt.SignVerify) == nil {
		ml := f.make(keys.CreateRequest{Type: keys.Signing, Spec: crypt.MLDSA44}).ID
		if err := sign(ml, keys.SignRequest{ExternalMu: make([]byte, 63)}); err == nil || !strings.Contains(err.Error(), "µ") || strings.Contains(err.Error(), "digest") {
			t.Errorf("a µ of 63 bytes: %v", err)
		}
	}
}

// constant is randomness that makes the same key material every time.
type constant struct{}

func (constant) Read(p []byte) (int, error) {
	callers := make([]uintptr, 16)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for more := true; more; {
		var frame runtime.Frame
		if frame, more = frames.Next(); strings.HasSuffix(frame.Function, "crypt.GenerateMaterial") {
			for i := range p {
				p[i] = 7
			}
			return len(p), nil
		}
	}
	return rand.Read(p)
}

// TestCompromisedBeforeOthers: a signature that a compromised version fits is not believed because
// another version, of the same material, fits it too.
func TestCompromisedBeforeOthers(t *testing.T) {
	w := gatetest.New(t, func(cfg *haven.Config) { cfg.Random = constant{} })
	f := &finder{t: t, rig: newRig(w)}
	key := f.make(keys.CreateRequest{Type: keys.Signing, Spec: crypt.Ed25519}).ID
	signature := f.sign(key)
	f.rotate(key)
	if string(signature) != string(f.sign(key)) {
		t.Fatal("the versions have different material")
	}
	f.verifies(key, signature, true, 2, "")
	f.compromise(key + "@1")
	f.verifies(key, signature, false, 1, "compromised")
	f.verifies(key+"@2", signature, true, 2, "") // who names a version means that one
}
