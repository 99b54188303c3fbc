package crypt_test

import (
	"bytes"
	"crypto/fips140"
	"crypto/hpke"
	"testing"

	"github.com/tink-crypto/tink-go/v2/hybrid"
	tinkhpke "github.com/tink-crypto/tink-go/v2/hybrid/hpke"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"

	"github.com/haven-health/haven/internal/crypt"
)

// TestTink opens with Tink what was sealed here, and the other way round, with keys of both. Of
// Haven's suites Tink has X-Wing. It exports nothing: commitments are neither looked at nor made there.
// So what it sealed gets the commitment that the recipient's own exporter makes; bouncyCastle.sealed
// is without that help. ML-KEM and X25519 are the Go standard library's in Tink too: the combiner, the
// key schedule and the encodings are Tink's own.
func TestTink(t *testing.T) {
	if fips140.Enabled() {
		return // X-Wing is not approved.
	}
	p := newPeer(t, "Tink "+pinnedVersion(t, "../../go.mod", `github.com/tink-crypto/tink-go/v2 v(\S+)\n`))
	parameters := must(tinkhpke.NewParameters(tinkhpke.ParametersOpts{
		KEMID: tinkhpke.X_WING, KDFID: tinkhpke.HKDFSHA256, AEADID: tinkhpke.AES256GCM, Variant: tinkhpke.VariantNoPrefix,
	}))(t)
	v := sampleOf(t, crypt.XWing)
	tinkSealed(p, parameters, v.Material[2:34], v.Material[34:])

	made := keyset.NewManager()
	id := must(made.AddNewKeyFromParameters(parameters))(t)
	if err := made.SetPrimary(id); err != nil {
		t.Fatal(err)
	}
	entry := must(must(made.Handle())(t).Primary())(t)
	private := entry.Key().(*tinkhpke.PrivateKey)
	public := must(private.PublicKey())(t).(*tinkhpke.PublicKey)
	tinkSealed(p, parameters, private.PrivateKeyBytes().Data(insecuresecretdataaccess.Token{}), public.PublicKeyBytes())
	p.report()
}

func tinkSealed(p *peer, parameters *tinkhpke.Parameters, seed, public []byte) {
	const s = crypt.XWing
	kem := must(hpke.NewKEM(0x647a))(p.t)
	k := must(crypt.OpenHPKEKey(s, testID, 3, newSecret(bytes.Join([][]byte{{0x64, 0x7a}, seed, public}, nil))))(p.t)
	c, plaintext := contextOf(p.t, "patient", "p-1"), []byte("plaintext")

	secretSeed := secretdata.NewBytesFromData(seed, insecuresecretdataaccess.Token{})
	decrypter := must(hybrid.NewHybridDecrypt(tinkHandle(p.t, must(tinkhpke.NewPrivateKey(secretSeed, 0, parameters))(p.t))))(p.t)
	header, enc, _, ciphertext := sealedParts(s, must(k.Seal(c, plaintext))(p.t))
	info := sealedInfo(header, c)
	theirForm := append(bytes.Clone(enc), ciphertext...)
	got, err := decrypter.Decrypt(theirForm, info)
	if err == nil {
		err = same(got, plaintext)
	}
	p.there(s, crypt.HPKE, err)
	for _, bad := range [][2][]byte{{altered(theirForm), info}, {theirForm, altered(info)}} {
		_, err := decrypter.Decrypt(bad[0], bad[1])
		p.refused(s, crypt.HPKE, err)
	}

	encrypter := must(hybrid.NewHybridEncrypt(tinkHandle(p.t, must(tinkhpke.NewPublicKey(public, 0, parameters))(p.t))))(p.t)
	theirs := must(encrypter.Encrypt(plaintext, info))(p.t)
	enc, ciphertext = theirs[:len(enc)], theirs[len(enc):]
	recipient := must(hpke.NewRecipient(enc, must(kem.NewPrivateKey(seed))(p.t), hpke.HKDFSHA256(), hpke.AES256GCM(), info))(p.t)
	commitment := must(recipient.Export("haven/hpke/v1 commitment", 32))(p.t)
	got, err = k.Open(c, bytes.Join([][]byte{header, enc, commitment, ciphertext}, nil))
	if err == nil {
		err = same(got, plaintext)
	}
	p.here(s, crypt.HPKE, err)
	_, err = k.Open(c, bytes.Join([][]byte{header, enc, commitment, altered(ciphertext)}, nil))
	p.refused(s, crypt.HPKE, err)
}

// tinkHandle is a keyset of one key.
func tinkHandle(t *testing.T, k key.Key) *keyset.Handle {
	t.Helper()
	m := keyset.NewManager()
	id := must(m.AddKey(k))(t)
	if err := m.SetPrimary(id); err != nil {
		t.Fatal(err)
	}
	return must(m.Handle())(t)
}
