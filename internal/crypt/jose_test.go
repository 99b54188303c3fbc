package crypt_test

import (
	"crypto"
	"crypto/fips140"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/haven-health/haven/internal/crypt"
)

// joseAlgorithms are the names of RFC 7518 and RFC 8037. JOSE has no HMAC with SHA-224 and no
// Ed25519ph; of ML-DSA (RFC 9964) go-jose has nothing yet.
var joseAlgorithms = map[crypt.Algorithm]jose.SignatureAlgorithm{
	crypt.PSSWithSHA256: jose.PS256, crypt.PSSWithSHA384: jose.PS384, crypt.PSSWithSHA512: jose.PS512,
	crypt.PKCS1WithSHA256: jose.RS256, crypt.PKCS1WithSHA384: jose.RS384, crypt.PKCS1WithSHA512: jose.RS512,
	crypt.ECDSAWithSHA256: jose.ES256, crypt.ECDSAWithSHA384: jose.ES384, crypt.ECDSAWithSHA512: jose.ES512,
	crypt.PureEd25519:    jose.EdDSA,
	crypt.HMACWithSHA256: jose.HS256, crypt.HMACWithSHA384: jose.HS384, crypt.HMACWithSHA512: jose.HS512,
}

// TestJOSE: JWKs and JWSs made here are read by go-jose, and what go-jose makes is read here.
func TestJOSE(t *testing.T) {
	if fips140.Enabled() {
		return // What is exchanged is the same.
	}
	p := newPeer(t, "go-jose "+pinnedVersion(t, "../../go.mod", `github.com/go-jose/go-jose/v4 v(\S+)\n`))
	forEachSpec(t, crypt.SignVerify, func(use crypt.Use, v sample) {
		if joseAlgorithms[use.Algorithms[0]] == "" {
			return
		}
		k := must(crypt.OpenSigningKey(v.Spec, v.material(), rand.Reader))(t)
		public := readJWK(p, v)
		private := must(x509.ParsePKCS8PrivateKey(v.Material))(t)
		for _, a := range use.Algorithms {
			if alg := joseAlgorithms[a]; alg != "" {
				exchangeJWS(p, v.Spec, a, jwsKeys{
					sign:   func(m []byte) ([]byte, error) { return k.Sign(a, crypt.Raw, m) },
					verify: func(m, signature []byte) error { return k.Verify(a, crypt.Raw, m, signature) },
					there:  jose.SigningKey{Algorithm: alg, Key: private}, public: public,
				})
			}
		}
	})
	forEachSpec(t, crypt.GenerateVerifyMAC, func(use crypt.Use, v sample) {
		a := use.Algorithms[0]
		if alg := joseAlgorithms[a]; alg != "" {
			k := must(crypt.OpenMACKey(v.Spec, v.material()))(t)
			exchangeJWS(p, v.Spec, a, jwsKeys{
				sign:   func(m []byte) ([]byte, error) { return k.Generate(a, m) },
				verify: func(m, mac []byte) error { return k.Verify(a, m, mac) },
				there:  jose.SigningKey{Algorithm: alg, Key: []byte(v.Material)}, public: []byte(v.Material),
			})
		}
	})
	p.report()
}

// readJWK has go-jose read the JWK of a sample, which has the same thumbprint there and comes back
// with the same members.
func readJWK(p *peer, v sample) *jose.JSONWebKey {
	const what = "JWK"
	ours := must(crypt.ParsePublicKey(v.Spec, v.PublicKey))(p.t)
	var k jose.JSONWebKey
	err := json.Unmarshal(must(ours.JWK())(p.t), &k)
	if err == nil {
		thumbprint := must(k.Thumbprint(crypto.SHA256))(p.t)
		err = same([]byte(base64.RawURLEncoding.EncodeToString(thumbprint)), []byte(must(ours.Thumbprint())(p.t)))
	}
	p.there(v.Spec, what, err)

	theirs := jose.JSONWebKey{Key: must(x509.ParsePKIXPublicKey(v.PublicKey))(p.t)}
	var members map[string]any
	err = json.Unmarshal(must(theirs.MarshalJSON())(p.t), &members)
	if err == nil { // as RFC 7638 has it: in the order of their names, without spaces
		err = same(must(json.Marshal(members))(p.t), must(ours.JWK())(p.t))
	}
	p.here(v.Spec, what, err)
	return &k
}

// jwsKeys is one key, here and there.
type jwsKeys struct {
	sign   func(message []byte) ([]byte, error)
	verify func(message, signature []byte) error
	there  jose.SigningKey
	public any
}

func exchangeJWS(p *peer, s crypt.Spec, a crypt.Algorithm, k jwsKeys) {
	p.t.Helper()
	base64url := base64.RawURLEncoding.EncodeToString
	payload := []byte("Haven keeps the record.")
	input := base64url([]byte(`{"alg":"`+string(k.there.Algorithm)+`"}`)) + "." + base64url(payload)
	signature := must(k.sign([]byte(input)))(p.t)
	if strings.HasPrefix(string(a), "ECDSA") {
		signature = must(jwsSignature(s, signature))(p.t)
	}
	read := func(compact string) error {
		jws, err := jose.ParseSigned(compact, []jose.SignatureAlgorithm{k.there.Algorithm})
		if err != nil {
			return err
		}
		got, err := jws.Verify(k.public)
		if err != nil {
			return err
		}
		return same(got, payload)
	}
	p.there(s, a, read(input+"."+base64url(signature)))
	p.refused(s, a, read(input+"."+base64url(altered(signature))))
	p.refused(s, a, read(input[:len(input)-4]+"AAAA."+base64url(signature)))

	signer := must(jose.NewSigner(k.there, nil))(p.t)
	theirs := must(must(signer.Sign(payload))(p.t).CompactSerialize())(p.t)
	end := strings.LastIndexByte(theirs, '.')
	message, signature := []byte(theirs[:end]), must(base64.RawURLEncoding.DecodeString(theirs[end+1:]))(p.t)
	given := func(signature []byte) []byte {
		if strings.HasPrefix(string(a), "ECDSA") {
			return must(derSignature(s, signature))(p.t)
		}
		return signature
	}
	p.here(s, a, k.verify(message, given(signature)))
	p.refused(s, a, k.verify(message, given(altered(signature))))
	p.refused(s, a, k.verify(altered(message), given(signature)))
}

// scalarSize is the length of each half of an ECDSA signature in JWS (RFC 7518, 3.4).
var scalarSize = map[crypt.Spec]int{crypt.P256: 32, crypt.P384: 48, crypt.P521: 66}

// jwsSignature makes of an ECDSA signature in DER, as Haven and AWS KMS make it, that of JWS: r ‖ s,
// both of the curve's length.
func jwsSignature(s crypt.Spec, der []byte) ([]byte, error) {
	var v struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &v); err != nil || len(rest) > 0 {
		return nil, errors.New("not a signature in DER")
	}
	n := scalarSize[s]
	raw := make([]byte, 2*n)
	v.R.FillBytes(raw[:n])
	v.S.FillBytes(raw[n:])
	return raw, nil
}

// derSignature is the other way round.
func derSignature(s crypt.Spec, raw []byte) ([]byte, error) {
	n := scalarSize[s]
	if len(raw) != 2*n {
		return nil, errors.New("not a signature of JWS")
	}
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:n]), new(big.Int).SetBytes(raw[n:])})
}
