package crypt

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	_ "crypto/sha1" // of OAEP, as AWS KMS has it; nothing is signed with it
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"fmt"
	"io"

	"github.com/haven-health/haven/internal/secret"
)

// rsaExponent is the only public exponent: that of every key generated here or in AWS KMS.
const rsaExponent = 65537

type rsaFamily struct{ bits int }

func (f rsaFamily) generate(random io.Reader) ([]byte, error) {
	k, err := rsa.GenerateKey(random, f.bits)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(k)
}

// parse leaves the relations between the numbers to the standard library and checks what it lets
// pass: the size, two primes of equal length, and the exponent.
func (f rsaFamily) parse(material []byte) (privateKey, []byte, bool) {
	k, encoding, ok := parsePKCS8[*rsa.PrivateKey](material)
	if !ok || k.N.BitLen() != f.bits || k.E != rsaExponent || len(k.Primes) != 2 ||
		k.Primes[0].BitLen() != f.bits/2 || k.Primes[1].BitLen() != f.bits/2 {
		return nil, nil, false
	}
	return (*rsaPrivate)(k), encoding, bytes.Equal(encoding, material)
}

func (f rsaFamily) parsePublic(encoded []byte) (publicKey, bool) {
	k, ok := parsePKIX[*rsa.PublicKey](encoded)
	if !ok || k.N.BitLen() != f.bits || k.E != rsaExponent {
		return nil, false
	}
	return (*rsaPublic)(k), true
}

type rsaPrivate rsa.PrivateKey

func (k *rsaPrivate) public() publicKey { return (*rsaPublic)(&k.PublicKey) }

func (k *rsaPrivate) sign(random io.Reader, in input) ([]byte, error) {
	if isPSS(in.algorithm) {
		return rsa.SignPSS(random, (*rsa.PrivateKey)(k), in.hash, in.bytes, pssOptions(in.hash))
	}
	return rsa.SignPKCS1v15(random, (*rsa.PrivateKey)(k), in.hash, in.bytes)
}

type rsaPublic rsa.PublicKey

func (k *rsaPublic) encode() []byte { return pkixDER((*rsa.PublicKey)(k)) }

func (k *rsaPublic) jwk() string {
	return fmt.Sprintf(`{"e":"AQAB","kty":"RSA","n":"%s"}`, base64urlInt(k.N, 0))
}

func (k *rsaPublic) verify(in input, signature []byte) bool {
	if isPSS(in.algorithm) {
		return rsa.VerifyPSS((*rsa.PublicKey)(k), in.hash, in.bytes, signature, pssOptions(in.hash)) == nil
	}
	return rsa.VerifyPKCS1v15((*rsa.PublicKey)(k), in.hash, in.bytes, signature) == nil
}

func isPSS(a Algorithm) bool { return a == PSSWithSHA256 || a == PSSWithSHA384 || a == PSSWithSHA512 }

func pssOptions(h crypto.Hash) *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
}

// OAEPKey is one version of an RSA key that decrypts. There is no PKCS #1 v1.5 decryption: its
// errors tell an attacker the plaintext (Bleichenbacher, CRYPTO 1998). Methods may be called from
// several goroutines, Destroy too.
type OAEPKey struct {
	held   held[*rsaPrivate]
	use    *Use
	public *PublicKey
}

// OpenOAEPKey opens material of an RSA key; it keeps nothing of the argument. It returns
// [ErrSpec], [ErrUnsupported] or [ErrMaterial].
func OpenOAEPKey(s Spec, material secret.Bytes) (*OAEPKey, error) {
	inner, row, use, err := openFor[*rsaPrivate](s, EncryptDecrypt, material)
	if err != nil {
		return nil, err
	}
	k := &OAEPKey{use: use, public: &PublicKey{row, inner.public()}}
	k.held.hold(inner)
	return k, nil
}

// Decrypt decrypts what [PublicKey.Encrypt] made. The plaintext is the caller's to zero. It returns
// [ErrDecrypt] whatever is wrong with the ciphertext, [ErrAlgorithm], [ErrUnsupported] or
// [ErrDestroyed].
func (k *OAEPKey) Decrypt(a Algorithm, ciphertext []byte) ([]byte, error) {
	row, err := k.use.algorithm(a)
	if err != nil {
		return nil, err
	}
	inner, err := k.held.get()
	if err != nil {
		return nil, err
	}
	plaintext, err := rsa.DecryptOAEP(row.hash.New(), nil, (*rsa.PrivateKey)(inner), ciphertext, nil)
	if err != nil {
		return nil, ErrDecrypt
	}
	return plaintext, nil
}

// Public returns the public half.
func (k *OAEPKey) Public() *PublicKey { return k.public }

// Destroy makes later calls return [ErrDestroyed].
func (k *OAEPKey) Destroy() { k.held.destroy() }

// Encrypt encrypts to the holder of an RSA key: RSAES-OAEP (RFC 8017) with an empty label and the
// algorithm's hash for mask generation too. The seed comes from random, which must be
// cryptographically secure. It returns [ErrSpec], [ErrAlgorithm], [ErrUnsupported], [ErrSize] when
// the plaintext is longer than modulus − 2·hash − 2 bytes, or the reader's error.
func (p *PublicKey) Encrypt(random io.Reader, a Algorithm, plaintext []byte) ([]byte, error) {
	k, ok := p.key.(*rsaPublic)
	if !ok {
		return nil, ErrSpec
	}
	_, use, err := matrix.use(p.row.Spec, EncryptDecrypt)
	if err != nil {
		return nil, err
	}
	row, err := use.algorithm(a)
	if err != nil {
		return nil, err
	}
	if len(plaintext) > k.N.BitLen()/8-2*row.hash.Size()-2 {
		return nil, ErrSize
	}
	ciphertext, err := rsa.EncryptOAEP(row.hash.New(), random, (*rsa.PublicKey)(k), plaintext, nil)
	if err != nil {
		return nil, fmt.Errorf("crypt: encrypting: %w", err)
	}
	return ciphertext, nil
}
