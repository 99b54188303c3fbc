package crypt

import (
	"encoding/asn1"
	"fmt"
	"io"

	"filippo.io/mldsa"
	"filippo.io/mldsa/mldsacrypto"
)

// mldsaFamily is ML-DSA (FIPS 204), hedged, with an empty context string. The library takes the
// randomness of signatures from the system.
type mldsaFamily struct {
	parameters mldsa.Parameters
	oid        asn1.ObjectIdentifier
}

func (f mldsaFamily) generate(random io.Reader) ([]byte, error) {
	return readRandom(random, mldsa.PrivateKeySize)
}

func (f mldsaFamily) parse(material []byte) (privateKey, []byte, bool) {
	k, err := mldsa.NewPrivateKey(f.parameters, material)
	if err != nil {
		return nil, nil, false
	}
	return mldsaPrivate{k, f.oid}, material, true
}

func (f mldsaFamily) parsePublic(encoded []byte) (publicKey, bool) {
	b, ok := cutSPKI(f.oid, f.parameters.PublicKeySize(), encoded)
	if !ok {
		return nil, false
	}
	k, err := mldsa.NewPublicKey(f.parameters, b)
	return mldsaPublic{k, f.oid}, err == nil
}

type mldsaPrivate struct {
	key *mldsa.PrivateKey
	oid asn1.ObjectIdentifier
}

func (k mldsaPrivate) public() publicKey { return mldsaPublic{k.key.PublicKey(), k.oid} }

func (k mldsaPrivate) sign(random io.Reader, in input) ([]byte, error) {
	if in.kind == ExternalMu {
		return k.key.Sign(random, in.bytes, mldsacrypto.MLDSAMu)
	}
	return k.key.Sign(random, in.bytes, nil)
}

type mldsaPublic struct {
	key *mldsa.PublicKey
	oid asn1.ObjectIdentifier
}

func (k mldsaPublic) encode() []byte { return spki(k.oid, k.key.Bytes()) }

func (k mldsaPublic) jwk() string {
	return fmt.Sprintf(`{"alg":"%s","kty":"AKP","pub":"%s"}`, k.key.Parameters(), base64url(k.key.Bytes()))
}

func (k mldsaPublic) verify(in input, signature []byte) bool {
	return mldsa.Verify(k.key, in.bytes, signature, nil) == nil
}
