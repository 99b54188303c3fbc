package crypt

import (
	"crypto/x509"
)

// maxPKCS8 is the longest private key that is looked at, in bytes: RSA-4096 takes about 2,400.
const maxPKCS8 = 4096

// parsePKCS8 parses PKCS #8 and returns the one encoding of the key that Haven writes. The standard
// library ignores what follows the DER and what it has no use for in it; that is refused by
// comparing the encodings.
func parsePKCS8[K any](der []byte) (k K, encoding []byte, ok bool) {
	if len(der) > maxPKCS8 {
		return k, nil, false
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return k, nil, false
	}
	if k, ok = parsed.(K); !ok {
		return k, nil, false
	}
	encoding, err = x509.MarshalPKCS8PrivateKey(parsed)
	return k, encoding, err == nil
}

// parsePKIX parses a SubjectPublicKeyInfo.
func parsePKIX[K any](der []byte) (k K, ok bool) {
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return k, false
	}
	k, ok = parsed.(K)
	return k, ok
}
