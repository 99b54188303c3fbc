package crypt

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/haven-health/haven/internal/secret"
)

// MaxImport is the longest wrapped material that is looked at, in bytes, as in AWS KMS.
const MaxImport = 6144

// importAlgorithms are what material is wrapped with for import.
var importAlgorithms = &Use{Algorithms: []Algorithm{OAEPWithSHA256, RSAAESKeyWrap}}

// ImportAlgorithms returns what material may be wrapped with for import. Under FIPS 140-3 mode only
// the first is available: the AES key wrap is ours, not the module's.
func ImportAlgorithms() []Algorithm { return slices.Clone(importAlgorithms.Algorithms) }

// Importable tells whether material of a spec may be imported here, wrapped with an algorithm: nil,
// [ErrSpec], [ErrAlgorithm], or [ErrUnsupported] when FIPS 140-3 mode forbids it.
func Importable(a Algorithm, s Spec) error {
	row, err := matrix.approved(s)
	if err != nil {
		return err
	}
	if !row.Import {
		return ErrSpec
	}
	_, err = importAlgorithms.algorithm(a)
	return err
}

// MaterialID tells whether material imported into a version of a key is what was there before:
// HMAC-SHA-256(material, "haven/material/v1" ‖ 0 ‖ key id ‖ version ‖ spec). Unlike the check value,
// which is for people, nobody finds other material that has it. It is not shown: whoever has it can
// try guesses of material that can be guessed.
func MaterialID(id [16]byte, version uint32, s Spec, material secret.Bytes) []byte {
	mac := hmac.New(sha256.New, secret.Expose(material))
	mac.Write([]byte("haven/material/v1\x00"))
	mac.Write(id[:])
	mac.Write(binary.BigEndian.AppendUint32(nil, version))
	mac.Write([]byte(s))
	return mac.Sum(nil)
}

// UnwrapMaterial returns imported material, in the encoding in which it is stored. The key is a
// one-time wrapping key; what is wrapped is the key's bytes for AES and HMAC, and PKCS #8 in DER
// for RSA (public exponent 65537), EC and Ed25519, without attributes. It returns [ErrMaterial] for
// everything that is wrong with the wrapping or with what is in it; [ErrSpec] when material of the
// spec is not imported, [ErrAlgorithm], [ErrUnsupported] or [ErrDestroyed].
func (k *OAEPKey) UnwrapMaterial(a Algorithm, s Spec, wrapped []byte) (secret.Bytes, error) {
	row, err := matrix.approved(s)
	if err != nil {
		return secret.Bytes{}, err
	}
	if _, err = importAlgorithms.algorithm(a); err != nil {
		return secret.Bytes{}, err
	}
	if len(wrapped) > MaxImport {
		return secret.Bytes{}, ErrMaterial
	}
	b, err := k.unwrap(a, wrapped)
	if err == ErrDecrypt {
		err = ErrMaterial
	}
	if err != nil {
		return secret.Bytes{}, err
	}
	defer clear(b)
	return row.importMaterial(b)
}

// unwrap returns what is wrapped, whatever it is, or [ErrDecrypt].
func (k *OAEPKey) unwrap(a Algorithm, wrapped []byte) ([]byte, error) {
	if a == OAEPWithSHA256 {
		return k.Decrypt(OAEPWithSHA256, wrapped)
	}
	n := k.public.key.(*rsaPublic).N.BitLen() / 8
	if len(wrapped) < n {
		return nil, ErrDecrypt
	}
	kek, err := k.Decrypt(OAEPWithSHA256, wrapped[:n])
	if err != nil {
		return nil, err
	}
	defer clear(kek)
	if len(kek) != KeySize {
		return nil, ErrDecrypt
	}
	b, ok := unwrapPadded(kek, wrapped[n:])
	if !ok {
		return nil, ErrDecrypt
	}
	return b, nil
}

// WrapMaterial wraps material for import: what the owner of a key does, with the wrapping key that
// was given for it. It returns [ErrSpec] when the public key is no RSA key, [ErrAlgorithm],
// [ErrUnsupported], [ErrSize] when there is nothing to wrap or too much for the algorithm, or the
// error of random, which must be cryptographically secure.
func (p *PublicKey) WrapMaterial(random io.Reader, a Algorithm, material secret.Bytes) ([]byte, error) {
	if _, err := importAlgorithms.algorithm(a); err != nil {
		return nil, err
	}
	if material.Len() == 0 || material.Len() > maxPKCS8 {
		return nil, ErrSize
	}
	if a == OAEPWithSHA256 {
		return p.Encrypt(random, a, secret.Expose(material))
	}
	kek, err := readRandom(random, KeySize)
	if err != nil {
		return nil, fmt.Errorf("crypt: wrapping: %w", err)
	}
	defer clear(kek)
	wrapped, err := p.Encrypt(random, OAEPWithSHA256, kek)
	if err != nil {
		return nil, err
	}
	return append(wrapped, wrapPadded(kek, secret.Expose(material))...), nil
}
