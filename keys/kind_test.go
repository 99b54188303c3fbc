package keys_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/keys"
)

// TestKinds walks the table of kinds: keys of each kind do what the table says, both ways there is,
// and refuse everything else.
func TestKinds(t *testing.T) {
	for _, k := range keys.Kinds() {
		if testing.Short() && (k.Spec == crypt.RSA3072 || k.Spec == crypt.RSA4096) {
			continue // they take seconds each, and differ from RSA_2048 in length alone
		}
		t.Run(fmt.Sprintf("%s/%s/%s", k.Type, k.Spec, k.Usage), func(t *testing.T) {
			t.Parallel()
			w := gatetest.New(t)
			r := newRig(w)
			made, err := r.km.CreateKey(background, keys.CreateRequest{Purpose: "a test", Type: k.Type, Spec: k.Spec, Usage: k.Usage})
			if crypt.Supported(k.Spec, k.Usage) != nil { // in FIPS 140-3 mode
				if !errors.Is(err, gate.Unsupported) {
					t.Errorf("created: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if made.Type != k.Type || made.Spec != k.Spec || made.Usage != k.Usage {
				t.Errorf("made %s %s %s", made.Type, made.Spec, made.Usage)
			}
			r.everyOperation(made, k)
			w.Clock.Advance(1) // old and new are different keys, and the old one goes on
			if _, err := r.km.RotateKey(background, made.ID); err != nil {
				t.Fatal(err)
			}
			r.everyOperation(made, k)
		})
	}
}

// everyOperation does with the key what any key can do, and compares what passes with the table.
func (r *rig) everyOperation(key *keys.Key, kind keys.Kind) {
	r.Helper()
	uses := map[*gate.Operation]func(string) error{
		gate.Encrypt: r.encrypts, gate.Sign: r.signs, gate.GenerateMAC: r.makesMACs, gate.GetPublicKey: r.showsPublicKey,
		gate.DeriveSharedSecret: r.agrees, gate.Encapsulate: r.encapsulates, gate.HPKESeal: r.seals,
		gate.ReEncrypt: r.reEncrypts, gate.GenerateDataKey: r.makesDataKeys, gate.GenerateDataKeyPair: r.makesPairs,
	}
	for op, use := range uses {
		err := use(key.ID)
		if may := slices.Contains(kind.Operations(), op); may && err != nil || !may && !errors.Is(err, gate.InvalidKeyUsage) {
			r.Errorf("%s with %s %s for %s: %v", op.Name, kind.Type, kind.Spec, kind.Usage, err)
		}
	}
}

var message = []byte("Blood group 0 negative")

func (r *rig) encrypts(key string) error {
	sealed, err := r.km.Encrypt(background, keys.EncryptRequest{Key: key, Plaintext: message})
	if err != nil {
		return err
	}
	opened, err := r.km.Decrypt(background, keys.DecryptRequest{Key: key, Ciphertext: sealed.Ciphertext})
	return same(opened, err, func() bool { return string(opened.Plaintext) == string(message) && opened.Version == sealed.Version })
}

func same[T any](_ *T, err error, holds func() bool) error {
	if err == nil && !holds() {
		return errors.New("the answer is another")
	}
	return err
}

func (r *rig) signs(key string) error {
	signed, err := r.km.Sign(background, keys.SignRequest{Key: key, Message: message})
	if err != nil {
		return err
	}
	for _, ref := range []string{key, fmt.Sprintf("%s@%d", key, signed.Version)} {
		valid, err := r.km.Verify(background, keys.VerifyRequest{Key: ref, Message: message, Signature: signed.Signature})
		if err := same(valid, err, func() bool { return valid.Valid && valid.Version == signed.Version }); err != nil {
			return err
		}
	}
	signed.Signature[len(signed.Signature)-1] ^= 1
	invalid, err := r.km.Verify(background, keys.VerifyRequest{Key: key, Message: message, Signature: signed.Signature})
	return same(invalid, err, func() bool { return !invalid.Valid && invalid.Reason == "" })
}

func (r *rig) makesMACs(key string) error {
	made, err := r.km.GenerateMAC(background, keys.MACRequest{Key: key, Message: message})
	if err != nil {
		return err
	}
	valid, err := r.km.VerifyMAC(background, keys.VerifyMACRequest{Key: key, Message: message, MAC: made.MAC})
	if err := same(valid, err, func() bool { return valid.Valid && valid.Version == made.Version }); err != nil {
		return err
	}
	made.MAC[0] ^= 1
	invalid, err := r.km.VerifyMAC(background, keys.VerifyMACRequest{Key: key, Message: message, MAC: made.MAC})
	return same(invalid, err, func() bool { return !invalid.Valid })
}

func (r *rig) showsPublicKey(key string) error {
	public, err := r.km.GetPublicKey(background, key)
	return same(public, err, func() bool { return len(public.PublicKey) > 0 && len(public.Fingerprint) == 64 })
}

// agrees on a secret with another key of the same spec: both sides get the same.
func (r *rig) agrees(key string) error {
	doc, err := r.km.DescribeKey(background, key)
	if err != nil {
		return err
	}
	peer := key
	if doc.Usage == crypt.KeyAgreement {
		made, err := r.km.CreateKey(background, keys.CreateRequest{Purpose: "a peer", Type: keys.Transport, Spec: doc.Spec, Usage: doc.Usage})
		if err != nil {
			return err
		}
		peer = made.ID
	}
	one, err := r.agree(named(key, int(doc.Version)), peer)
	if err != nil {
		return err
	}
	other, err := r.agree(peer, key)
	return same(&other, err, func() bool { return string(one) == string(other) && len(one) > 0 })
}

func (r *rig) agree(key, with string) ([]byte, error) {
	var der []byte
	if public, err := r.km.GetPublicKey(background, with); err == nil {
		der = public.PublicKey
	}
	agreed, err := r.km.DeriveSharedSecret(background, keys.AgreeRequest{Key: key, PublicKey: der})
	if err != nil {
		return nil, err
	}
	return agreed.SharedSecret, nil
}

func (r *rig) encapsulates(key string) error {
	made, err := r.km.Encapsulate(background, keys.EncapsulateRequest{Key: key})
	if err != nil {
		return err
	}
	got, err := r.km.Decapsulate(background, keys.DecapsulateRequest{Key: named(key, int(made.Version)), Ciphertext: made.Ciphertext})
	return same(got, err, func() bool {
		return string(got.SharedSecret) == string(made.SharedSecret) && len(made.SharedSecret) == 32
	})
}

func (r *rig) seals(key string) error {
	sealed, err := r.km.HPKESeal(background, keys.SealRequest{Key: key, Plaintext: message})
	if err != nil {
		return err
	}
	opened, err := r.km.HPKEOpen(background, keys.OpenRequest{Ciphertext: sealed.Ciphertext})
	return same(opened, err, func() bool { return string(opened.Plaintext) == string(message) })
}

func (r *rig) reEncrypts(key string) error {
	from, err := r.km.CreateKey(background, keys.CreateRequest{Purpose: "a source", Type: keys.Data})
	if err != nil {
		return err
	}
	sealed, err := r.km.Encrypt(background, keys.EncryptRequest{Key: from.ID, Plaintext: message})
	if err != nil {
		return err
	}
	moved, err := r.km.ReEncrypt(background, keys.ReEncryptRequest{Ciphertext: sealed.Ciphertext, Key: key})
	if err != nil {
		return err
	}
	opened, err := r.km.Decrypt(background, keys.DecryptRequest{Key: key, Ciphertext: moved.Ciphertext})
	return same(opened, err, func() bool { return string(opened.Plaintext) == string(message) })
}

func (r *rig) makesDataKeys(key string) error {
	made, err := r.km.GenerateDataKey(background, keys.DataKeyRequest{Key: key})
	return same(made, err, func() bool { return len(made.Plaintext) == 32 })
}

func (r *rig) makesPairs(key string) error {
	made, err := r.km.GenerateDataKeyPair(background, keys.DataKeyPairRequest{Key: key, Spec: crypt.P256})
	if err != nil {
		return err
	}
	opened, err := r.km.Decrypt(background, keys.DecryptRequest{Ciphertext: made.PrivateKeyCiphertext})
	return same(opened, err, func() bool {
		return string(opened.Plaintext) == string(made.PrivateKeyPlaintext) && len(made.PublicKey) > 0
	})
}
