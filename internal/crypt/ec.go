package crypt

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
)

type ecFamily struct {
	curve elliptic.Curve
	oid   asn1.ObjectIdentifier
}

func (f ecFamily) generate(random io.Reader) ([]byte, error) {
	k, err := ecdsa.GenerateKey(f.curve, random)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(k)
}

// parse accepts the four encodings that RFC 5915 allows inside PKCS #8: with and without the curve
// repeated, with and without the public key. Comparing with each refuses all else, a public key
// that is not the private key's included, which the standard library would ignore.
func (f ecFamily) parse(material []byte) (privateKey, []byte, bool) {
	k, encoding, ok := parsePKCS8[*ecdsa.PrivateKey](material)
	if !ok || k.Curve != f.curve {
		return nil, nil, false
	}
	for _, withCurve := range []bool{false, true} {
		for _, withPublic := range []bool{true, false} {
			if bytes.Equal(f.pkcs8(k, withCurve, withPublic), material) {
				return (*ecPrivate)(k), encoding, true
			}
		}
	}
	return nil, nil, false
}

// pkcs8 is one of the four.
func (f ecFamily) pkcs8(k *ecdsa.PrivateKey, withCurve, withPublic bool) []byte {
	scalar, err := k.Bytes()
	point, err2 := k.PublicKey.Bytes()
	if err != nil || err2 != nil {
		return nil
	}
	key := struct {
		Version int
		Scalar  []byte
		Curve   asn1.ObjectIdentifier `asn1:"optional,explicit,tag:0"`
		Public  asn1.BitString        `asn1:"optional,explicit,tag:1"`
	}{Version: 1, Scalar: scalar}
	if withCurve {
		key.Curve = f.oid
	}
	if withPublic {
		key.Public = asn1.BitString{Bytes: point, BitLength: 8 * len(point)}
	}
	inner, _ := asn1.Marshal(key)
	curve, _ := asn1.Marshal(f.oid)
	b, _ := asn1.Marshal(struct {
		Version   int
		Algorithm pkix.AlgorithmIdentifier
		Key       []byte
	}{0, pkix.AlgorithmIdentifier{
		Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1},
		Parameters: asn1.RawValue{FullBytes: curve},
	}, inner})
	return b
}

func (f ecFamily) parsePublic(encoded []byte) (publicKey, bool) {
	k, ok := parsePKIX[*ecdsa.PublicKey](encoded)
	if !ok || k.Curve != f.curve {
		return nil, false
	}
	return (*ecPublic)(k), true
}

type ecPrivate ecdsa.PrivateKey

func (k *ecPrivate) public() publicKey { return (*ecPublic)(&k.PublicKey) }

func (k *ecPrivate) sign(random io.Reader, in input) ([]byte, error) {
	return ecdsa.SignASN1(random, (*ecdsa.PrivateKey)(k), in.bytes)
}

type ecPublic ecdsa.PublicKey

func (k *ecPublic) encode() []byte { return pkixDER((*ecdsa.PublicKey)(k)) }

func (k *ecPublic) jwk() string {
	point, _ := (*ecdsa.PublicKey)(k).Bytes() // 4 ‖ x ‖ y; its error is for keys that were not parsed
	n := len(point) / 2
	return fmt.Sprintf(`{"crv":"%s","kty":"EC","x":"%s","y":"%s"}`,
		k.Curve.Params().Name, base64url(point[1:1+n]), base64url(point[1+n:]))
}

func (k *ecPublic) verify(in input, signature []byte) bool {
	return ecdsa.VerifyASN1((*ecdsa.PublicKey)(k), in.bytes, signature)
}
