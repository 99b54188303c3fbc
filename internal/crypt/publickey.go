package crypt

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"math/big"
)

// MaxPublicKey is the longest encoded public key that is looked at, in bytes.
const MaxPublicKey = 8192

// PublicKey is the public half of a key pair, with what can be done with it alone. It may be used
// from several goroutines.
type PublicKey struct {
	row *SpecRow
	key publicKey
}

// publicKey is what a family does with its public keys; see also verifier, encrypter and the like.
type publicKey interface {
	encode() []byte
	// jwk returns the JWK with the members that RFC 7638 requires, as it requires: in the order of
	// their names, without spaces. It is empty when no standard defines one.
	jwk() string
}

// ParsePublicKey reads the public key of a key of the given spec, as [PublicKey.Bytes] returns it.
// There is one encoding: what parses encodes to the same bytes. It returns [ErrSpec],
// [ErrUnsupported] or [ErrPublicKey].
func ParsePublicKey(s Spec, encoded []byte) (*PublicKey, error) {
	row, err := matrix.approved(s)
	if err != nil {
		return nil, err
	}
	if len(encoded) > MaxPublicKey {
		return nil, ErrPublicKey
	}
	k, ok := row.family.parsePublic(encoded)
	if !ok || !bytes.Equal(k.encode(), encoded) {
		return nil, ErrPublicKey
	}
	return &PublicKey{row, k}, nil
}

// Spec returns the key's spec.
func (p *PublicKey) Spec() Spec { return p.row.Spec }

// Bytes returns the encoded key: the DER of an X.509 SubjectPublicKeyInfo, or for HPKE, for which
// no standard has one, the KEM id (2 bytes, RFC 9180) ‖ the serialised public key.
func (p *PublicKey) Bytes() []byte { return p.key.encode() }

// PEM returns the DER as PEM, of type PUBLIC KEY, or [ErrEncoding] for HPKE keys.
func (p *PublicKey) PEM() ([]byte, error) {
	if _, ok := p.key.(*hpkePublic); ok {
		return nil, ErrEncoding
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: p.Bytes()}), nil
}

// JWK returns the key as a JSON Web Key (RFC 7517; RFC 8037 for Ed25519, RFC 9964 for ML-DSA) with
// exactly the members that [PublicKey.Thumbprint] hashes: callers add "kid", "use" and the like. It
// returns [ErrEncoding] for ML-KEM and HPKE keys, for which no standard has one.
func (p *PublicKey) JWK() ([]byte, error) {
	s := p.key.jwk()
	if s == "" {
		return nil, ErrEncoding
	}
	return []byte(s), nil
}

// Thumbprint returns the JWK thumbprint, SHA-256 in base64url (RFC 7638), or [ErrEncoding].
func (p *PublicKey) Thumbprint() (string, error) {
	b, err := p.JWK()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return base64url(sum[:]), nil
}

// Fingerprint returns the hexadecimal SHA-256 of [PublicKey.Bytes].
func (p *PublicKey) Fingerprint() string {
	sum := sha256.Sum256(p.Bytes())
	return hex.EncodeToString(sum[:])
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// base64urlInt is a number without leading zeros, or with as many as size asks for.
func base64urlInt(n *big.Int, size int) string {
	return base64url(n.FillBytes(make([]byte, max(size, (n.BitLen()+7)/8))))
}

// pkixDER encodes a key of a type that crypto/x509 knows, which are all that it is called with.
func pkixDER(key any) []byte {
	b, _ := x509.MarshalPKIXPublicKey(key)
	return b
}

// spki is the SubjectPublicKeyInfo of a key whose algorithm has no parameters.
func spki(oid asn1.ObjectIdentifier, key []byte) []byte {
	b, _ := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{pkix.AlgorithmIdentifier{Algorithm: oid}, asn1.BitString{Bytes: key, BitLength: 8 * len(key)}})
	return b
}

// cutSPKI returns the key of n bytes that spki encoded.
func cutSPKI(oid asn1.ObjectIdentifier, n int, der []byte) ([]byte, bool) {
	whole := spki(oid, make([]byte, n))
	key, ok := bytes.CutPrefix(der, whole[:len(whole)-n])
	return key, ok && len(key) == n
}
