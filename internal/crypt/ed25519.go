package crypt

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"fmt"
	"io"
)

// ed25519Family is Ed25519 and Ed25519ph (RFC 8032, FIPS 186-5). Which signatures verify in the
// cases that the standards leave open is the standard library's choice, pinned by tests: the check
// is without the cofactor, and R has to be encoded canonically.
type ed25519Family struct{}

func (ed25519Family) generate(random io.Reader) ([]byte, error) {
	_, k, err := ed25519.GenerateKey(random)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(k)
}

func (ed25519Family) parse(material []byte) (privateKey, []byte, bool) {
	k, encoding, ok := parsePKCS8[ed25519.PrivateKey](material)
	return ed25519Private(k), encoding, ok && (bytes.Equal(encoding, material) || bytes.Equal(withPublicKey(k, encoding), material))
}

// withPublicKey is version 2 of PKCS #8 (RFC 5958), which has the public key too: what Java's
// programs write by default.
func withPublicKey(k ed25519.PrivateKey, encoding []byte) []byte {
	b := append([]byte{0x30, 0x51, 0x02, 0x01, 0x01}, encoding[5:]...) // SEQUENCE, version 1: they count from 0
	b = append(b, 0x81, 0x21, 0x00)                                    // [1] BIT STRING
	return append(b, k[ed25519.SeedSize:]...)
}

func (ed25519Family) parsePublic(encoded []byte) (publicKey, bool) {
	k, ok := parsePKIX[ed25519.PublicKey](encoded)
	return ed25519Public(k), ok
}

type ed25519Private ed25519.PrivateKey

func (k ed25519Private) public() publicKey {
	return ed25519Public(ed25519.PrivateKey(k).Public().(ed25519.PublicKey))
}

func (k ed25519Private) sign(random io.Reader, in input) ([]byte, error) {
	return ed25519.PrivateKey(k).Sign(random, in.bytes, in.hash) // SHA-512 means Ed25519ph
}

type ed25519Public ed25519.PublicKey

func (k ed25519Public) encode() []byte { return pkixDER(ed25519.PublicKey(k)) }

func (k ed25519Public) jwk() string {
	return fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":"%s"}`, base64url(k))
}

func (k ed25519Public) verify(in input, signature []byte) bool {
	return ed25519.VerifyWithOptions(ed25519.PublicKey(k), in.bytes, signature, &ed25519.Options{Hash: in.hash}) == nil
}
