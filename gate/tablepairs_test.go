package gate_test

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/keys"
)

// The kinds of key that the rows below are for.
var (
	signer   = keys.Kind{Type: keys.Signing, Spec: crypt.P256, Usage: crypt.SignVerify}
	macKey   = keys.Kind{Type: keys.Signing, Spec: crypt.HMAC256, Usage: crypt.GenerateVerifyMAC}
	party    = keys.Kind{Type: keys.Transport, Spec: crypt.P256, Usage: crypt.KeyAgreement}
	kem      = keys.Kind{Type: keys.Transport, Spec: crypt.MLKEM768, Usage: crypt.EncapsulateDecapsulate}
	receiver = keys.Kind{Type: keys.Transport, Spec: crypt.MLKEM768P256, Usage: crypt.SealOpen}
)

// using is a row of an operation that uses a key of a kind: ask makes its request, which fails as
// the code says when it is bad.
func using[Req, Answer any](of keys.Kind, fails gate.Code, ask func(f *fixture, bad bool) Req,
	do func(*keys.Manager, context.Context, *gate.Call, Req) (*Answer, error)) row {
	return row{
		run: func(f *fixture, c *gate.Call, fail bool) error {
			_, err := do(f.Manager(), background, c, ask(f, fail))
			return err
		},
		fails: fails, names: ofKey(2, true), of: of,
	}
}

// pairRows are the operations that use keys other than to encrypt.
func pairRows() map[string]row {
	x := []byte("x")
	return map[string]row{
		"sign": using(signer, gate.InvalidRequest, func(f *fixture, bad bool) keys.SignRequest {
			return keys.SignRequest{Key: f.key, Message: []byte(pick(bad, "", "x"))}
		}, (*keys.Manager).Sign),
		"verify": using(signer, gate.InvalidKeyUsage, func(f *fixture, bad bool) keys.VerifyRequest {
			return keys.VerifyRequest{Key: f.key, Message: x, Signature: f.given, Algorithm: keys.Algorithm(pick(bad, "HMAC_SHA_256", ""))}
		}, (*keys.Manager).Verify).after(func(f *fixture) {
			a, err := f.KeyManager().Sign(background, keys.SignRequest{Key: f.key, Message: x})
			f.must(err)
			f.given = a.Signature
		}),
		"generate-mac": using(macKey, gate.InvalidRequest, func(f *fixture, bad bool) keys.MACRequest {
			return keys.MACRequest{Key: f.key, Message: []byte(pick(bad, "", "x"))}
		}, (*keys.Manager).GenerateMAC),
		"verify-mac": using(macKey, gate.InvalidRequest, func(f *fixture, bad bool) keys.VerifyMACRequest {
			return keys.VerifyMACRequest{Key: f.key, Message: []byte(pick(bad, "", "x")), MAC: f.given}
		}, (*keys.Manager).VerifyMAC).after(func(f *fixture) {
			a, err := f.KeyManager().GenerateMAC(background, keys.MACRequest{Key: f.key, Message: x})
			f.must(err)
			f.given = a.MAC
		}),
		"get-public-key": using(signer, gate.NotFound, func(f *fixture, bad bool) keys.KeyRequest {
			return keys.KeyRequest{Key: pick(bad, absent, f.key)}
		}, (*keys.Manager).GetPublicKey),
		"derive-shared-secret": using(party, gate.InvalidRequest, func(f *fixture, bad bool) keys.AgreeRequest {
			return keys.AgreeRequest{Key: f.key + "@2", PublicKey: []byte(pick(bad, "x", string(f.given)))}
		}, (*keys.Manager).DeriveSharedSecret).after(func(f *fixture) {
			a, err := f.KeyManager().GetPublicKey(background, f.key)
			f.must(err)
			f.given = a.PublicKey
		}),
		"encapsulate": using(kem, gate.InvalidKeyUsage, func(f *fixture, bad bool) keys.EncapsulateRequest {
			return keys.EncapsulateRequest{Key: f.key, Algorithm: keys.Algorithm(pick(bad, "ECDH", ""))}
		}, (*keys.Manager).Encapsulate),
		"decapsulate": using(kem, gate.InvalidCiphertext, func(f *fixture, bad bool) keys.DecapsulateRequest {
			return keys.DecapsulateRequest{Key: f.key + "@2", Ciphertext: []byte(pick(bad, "x", string(f.given)))}
		}, (*keys.Manager).Decapsulate).after(func(f *fixture) {
			a, err := f.KeyManager().Encapsulate(background, keys.EncapsulateRequest{Key: f.key})
			f.must(err)
			f.given = a.Ciphertext
		}),
		"hpke-seal": using(receiver, gate.InvalidRequest, func(f *fixture, bad bool) keys.SealRequest {
			return keys.SealRequest{Key: f.key, Plaintext: []byte(pick(bad, "", "x"))}
		}, (*keys.Manager).HPKESeal),
		"hpke-open": using(receiver, gate.InvalidCiphertext, func(f *fixture, bad bool) keys.OpenRequest {
			return keys.OpenRequest{Ciphertext: []byte(pick(bad, "x", string(f.given)))}
		}, (*keys.Manager).HPKEOpen).after(func(f *fixture) {
			a, err := f.KeyManager().HPKESeal(background, keys.SealRequest{Key: f.key, Plaintext: x})
			f.must(err)
			f.given = a.Ciphertext
		}),
		"re-encrypt": using(keys.Kind{}, gate.NotFound, func(f *fixture, bad bool) keys.ReEncryptRequest {
			return keys.ReEncryptRequest{Ciphertext: f.ciphertext, Key: pick(bad, absent, "alias/haven-master")}
		}, (*keys.Manager).ReEncrypt),
		"generate-data-key-pair": using(keys.Kind{}, gate.InvalidRequest, func(f *fixture, bad bool) keys.DataKeyPairRequest {
			return keys.DataKeyPairRequest{Key: f.key, Spec: keys.Spec(pick(bad, "ML_DSA_44", "ECC_NIST_P256"))}
		}, (*keys.Manager).GenerateDataKeyPair),
	}
}
