package crypt

import (
	"crypto"
	"crypto/mlkem"
	"encoding/asn1"
	"io"

	"github.com/haven-health/haven/internal/secret"
)

// mlkemFamily is ML-KEM (FIPS 203). Its functions are those of one parameter set.
type mlkemFamily struct {
	oid        asn1.ObjectIdentifier
	publicSize int
	make       func() (seed []byte, err error)
	private    func(seed []byte) (crypto.Decapsulator, error)
	public     func(b []byte) (crypto.Encapsulator, error)
}

var (
	mlkem768 = mlkemFamily{oidMLKEM768, mlkem.EncapsulationKeySize768,
		func() ([]byte, error) { return seedOf(mlkem.GenerateKey768()) },
		func(seed []byte) (crypto.Decapsulator, error) { return mlkem.NewDecapsulationKey768(seed) },
		func(b []byte) (crypto.Encapsulator, error) { return mlkem.NewEncapsulationKey768(b) }}
	mlkem1024 = mlkemFamily{oidMLKEM1024, mlkem.EncapsulationKeySize1024,
		func() ([]byte, error) { return seedOf(mlkem.GenerateKey1024()) },
		func(seed []byte) (crypto.Decapsulator, error) { return mlkem.NewDecapsulationKey1024(seed) },
		func(b []byte) (crypto.Encapsulator, error) { return mlkem.NewEncapsulationKey1024(b) }}
)

func seedOf(k interface{ Bytes() []byte }, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return k.Bytes(), nil
}

func (f mlkemFamily) generate(io.Reader) ([]byte, error) { return f.make() }

func (f mlkemFamily) parse(material []byte) (privateKey, []byte, bool) {
	k, err := f.private(material)
	if err != nil {
		return nil, nil, false
	}
	return mlkemPrivate{k, f.oid}, material, true
}

func (f mlkemFamily) parsePublic(encoded []byte) (publicKey, bool) {
	b, ok := cutSPKI(f.oid, f.publicSize, encoded)
	if !ok {
		return nil, false
	}
	k, err := f.public(b)
	return mlkemPublic{k, f.oid}, err == nil
}

type mlkemPrivate struct {
	crypto.Decapsulator
	oid asn1.ObjectIdentifier
}

func (k mlkemPrivate) public() publicKey { return mlkemPublic{k.Encapsulator(), k.oid} }

type mlkemPublic struct {
	crypto.Encapsulator
	oid asn1.ObjectIdentifier
}

func (k mlkemPublic) encode() []byte { return spki(k.oid, k.Bytes()) }

// jwk: JOSE has no ML-KEM keys yet.
func (mlkemPublic) jwk() string { return "" }

// KEMKey is one version of a key that decapsulates shared secrets: ML-KEM. Methods may be called
// from several goroutines, Destroy too.
type KEMKey struct {
	held   held[mlkemPrivate]
	public *PublicKey
}

// OpenKEMKey opens material of an ML-KEM key; it keeps nothing of the argument. It returns
// [ErrSpec], [ErrUnsupported] or [ErrMaterial].
func OpenKEMKey(s Spec, material secret.Bytes) (*KEMKey, error) {
	inner, row, _, err := openFor[mlkemPrivate](s, EncapsulateDecapsulate, material)
	if err != nil {
		return nil, err
	}
	k := &KEMKey{public: &PublicKey{row, inner.public()}}
	k.held.hold(inner)
	return k, nil
}

// Decapsulate returns the 32-byte shared secret of a ciphertext. It returns [ErrDecrypt] for one of
// another length than the spec's, or [ErrDestroyed]. A ciphertext that is altered or another key's
// gives another secret and no error (FIPS 203, implicit rejection): what is done with the secret
// has to show that both sides have the same.
func (k *KEMKey) Decapsulate(ciphertext []byte) (secret.Bytes, error) {
	inner, err := k.held.get()
	if err != nil {
		return secret.Bytes{}, err
	}
	shared, err := inner.Decapsulate(ciphertext)
	if err != nil {
		return secret.Bytes{}, ErrDecrypt
	}
	return secret.New(shared), nil
}

// Public returns the public half.
func (k *KEMKey) Public() *PublicKey { return k.public }

// Destroy makes later calls return [ErrDestroyed].
func (k *KEMKey) Destroy() { k.held.destroy() }

// Encapsulate makes a 32-byte shared secret and the ciphertext that gives it to the key's holder.
// It returns [ErrSpec] when keys of this spec do not encapsulate, or [ErrUnsupported].
func (p *PublicKey) Encapsulate() (shared secret.Bytes, ciphertext []byte, err error) {
	if err := Supported(p.row.Spec, EncapsulateDecapsulate); err != nil {
		return secret.Bytes{}, nil, err
	}
	s, ciphertext := p.key.(mlkemPublic).Encapsulate()
	return secret.New(s), ciphertext, nil
}
