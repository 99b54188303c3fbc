package crypt

import (
	"crypto/sha3"
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

// muSize is the length of tr and µ in FIPS 204, in bytes.
const muSize = 64

// ExternalMu reads a message of any length to its end and returns its representative µ under the key,
// with an empty context string (FIPS 204, algorithm 7, line 6), which signs it as [ExternalMu]. Nobody
// but that key's owner can use it. It returns [ErrSpec] for keys that are not of ML-DSA, or the reader's
// error.
func (p *PublicKey) ExternalMu(message io.Reader) ([]byte, error) {
	k, ok := p.key.(mldsaPublic)
	if !ok {
		return nil, ErrSpec
	}
	h := sha3.NewSHAKE256()
	h.Write(sha3.SumSHAKE256(k.key.Bytes(), muSize))
	h.Write([]byte{0, 0}) // the message itself, not a hash of it; a context string of no bytes
	if _, err := io.Copy(h, message); err != nil {
		return nil, fmt.Errorf("crypt: reading a message: %w", err)
	}
	mu := make([]byte, muSize)
	h.Read(mu)
	return mu, nil
}
