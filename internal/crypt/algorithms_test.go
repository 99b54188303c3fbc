package crypt_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// sample is a file of testdata/algorithms: material of a spec as an earlier build stored it, and
// what it made of it. The keys are for tests and protect nothing. -update writes files that are
// absent and changes none: they are what compatibility means.
type sample struct {
	Spec       crypt.Spec `json:"spec"`
	Material   hexBytes   `json:"material"`
	CheckValue string     `json:"check_value"`
	PublicKey  hexBytes   `json:"public_key,omitempty"`
	JWK        string     `json:"jwk,omitempty"`
	Thumbprint string     `json:"thumbprint,omitempty"`
	Made       []made     `json:"made"`
}

// made is one result: a signature or MAC of message, what decrypts to it, or the secret shared with
// a peer or encapsulated.
type made struct {
	Algorithm   crypt.Algorithm   `json:"algorithm"`
	MessageType crypt.MessageType `json:"message_type,omitempty"`
	Message     hexBytes          `json:"message"`
	Peer        hexBytes          `json:"peer,omitempty"`
	Output      hexBytes          `json:"output"`
}

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

const samples = "testdata/algorithms"

// sampleOf reads the sample of a spec.
func sampleOf(t testing.TB, s crypt.Spec) sample {
	t.Helper()
	path := filepath.Join(samples, string(s)+".json")
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) && *update {
		b, err = json.MarshalIndent(newSample(t, s), "", "  ")
		if err == nil {
			err = os.WriteFile(path, append(b, '\n'), 0o644)
		}
	}
	var v sample
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (v sample) material() secret.Bytes { return newSecret(v.Material) }

// must returns a value that comes without an error.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newSample(t testing.TB, spec crypt.Spec) sample {
	m := must(crypt.GenerateMaterial(spec, rand.Reader))(t)
	v := sample{Spec: spec, Material: secret.Expose(m), CheckValue: must(crypt.CheckValue(spec, m))(t)}
	p, err := crypt.PublicKeyOf(spec, m)
	if err == nil {
		v.PublicKey = p.Bytes()
		if b, err := p.JWK(); err == nil {
			v.JWK, v.Thumbprint = string(b), must(p.Thumbprint())(t)
		}
	}
	row := must(crypt.Table().Row(spec))(t)
	for _, u := range row.Uses {
		for _, a := range u.Algorithms {
			v.Made = append(v.Made, results(t, spec, m, p, u.Usage, a)...)
		}
	}
	return v
}

// messageOf returns a message of a type that an algorithm takes.
func messageOf(t testing.TB, a crypt.Algorithm, mt crypt.MessageType) []byte {
	switch mt {
	case crypt.Digest:
		return sequence(crypt.HashSize(a), 1)
	case crypt.ExternalMu:
		return sequence(64, 2)
	}
	return []byte("Haven keeps the record.")
}

// results are what a key makes by one algorithm.
func results(t testing.TB, spec crypt.Spec, m secret.Bytes, p *crypt.PublicKey, u crypt.Usage, a crypt.Algorithm) (out []made) {
	message := messageOf(t, a, crypt.Raw)
	switch u {
	case crypt.SignVerify:
		k := must(crypt.OpenSigningKey(spec, m, rand.Reader))(t)
		for _, mt := range must(crypt.Table().Algorithm(a))(t).Verifies {
			message := messageOf(t, a, mt)
			out = append(out, made{a, mt, message, nil, must(k.Sign(a, mt, message))(t)})
		}
		return out
	case crypt.GenerateVerifyMAC:
		k := must(crypt.OpenMACKey(spec, m))(t)
		return []made{{a, "", message, nil, must(k.Generate(a, message))(t)}}
	case crypt.KeyAgreement:
		k := must(crypt.OpenAgreementKey(spec, m))(t)
		other := must(crypt.GenerateMaterial(spec, rand.Reader))(t)
		peer := must(crypt.PublicKeyOf(spec, other))(t).Bytes()
		return []made{{a, "", nil, peer, secret.Expose(must(k.Agree(peer))(t))}}
	case crypt.EncapsulateDecapsulate:
		shared, ciphertext, err := p.Encapsulate()
		if err != nil {
			t.Fatal(err)
		}
		return []made{{a, "", secret.Expose(shared), nil, ciphertext}}
	case crypt.SealOpen:
		return []made{{a, "", message, nil, must(p.Seal(testID, 3, contextOf(t, "patient", "p-1"), message))(t)}}
	}
	if spec == crypt.SymmetricDefault {
		k := must(crypt.NewKey(testID, 3, m.Clone(), rand.Reader))(t)
		return []made{{a, "", message, nil, encrypt(t, k, contextOf(t, "patient", "p-1"), message)}}
	}
	return []made{{a, "", message, nil, must(p.Encrypt(rand.Reader, a, message))(t)}}
}

// check asserts that the result is still understood.
func (v made) check(t *testing.T, spec crypt.Spec, m secret.Bytes, u crypt.Usage) {
	t.Helper()
	var got []byte
	var err error
	want := []byte(v.Message)
	switch u {
	case crypt.SignVerify:
		k := must(crypt.OpenSigningKey(spec, m, rand.Reader))(t)
		got, err = v.Message, k.Verify(v.Algorithm, v.MessageType, v.Message, v.Output)
	case crypt.GenerateVerifyMAC:
		k := must(crypt.OpenMACKey(spec, m))(t)
		got, err = v.Message, k.Verify(v.Algorithm, v.Message, v.Output)
	case crypt.KeyAgreement:
		var s secret.Bytes
		s, err = must(crypt.OpenAgreementKey(spec, m))(t).Agree(v.Peer)
		got, want = secret.Expose(s), v.Output
	case crypt.EncapsulateDecapsulate:
		var s secret.Bytes
		s, err = must(crypt.OpenKEMKey(spec, m))(t).Decapsulate(v.Output)
		got = secret.Expose(s)
	case crypt.SealOpen:
		got, err = must(crypt.OpenHPKEKey(spec, testID, 3, m))(t).Open(contextOf(t, "patient", "p-1"), v.Output)
	case crypt.EncryptDecrypt:
		if spec == crypt.SymmetricDefault {
			got, err = keyOver(t, testID, 3, m.Clone()).Decrypt(contextOf(t, "patient", "p-1"), v.Output)
			break
		}
		got, err = must(crypt.OpenOAEPKey(spec, m))(t).Decrypt(v.Algorithm, v.Output)
	}
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s %s %s %s: %v", spec, u, v.Algorithm, v.MessageType, err)
	}
}

// unapproved tells whether this process refuses an algorithm.
func unapproved(t testing.TB, a crypt.Algorithm) bool {
	return !must(crypt.Table().Algorithm(a))(t).FIPS.AllowedHere()
}

// TestSamples: what earlier builds stored and made is read, whatever the row of the spec is; and
// where FIPS 140-3 mode forbids the spec, every way in says so.
func TestSamples(t *testing.T) {
	for _, row := range crypt.Table().Specs {
		v := sampleOf(t, row.Spec)
		m := v.material()
		if v.Spec != row.Spec || len(v.Made) == 0 {
			t.Errorf("%s: not its file, or an empty one", row.Spec)
		}
		if !row.FIPS.AllowedHere() {
			mustBeUnsupported(t, row, v)
			continue
		}
		if got := must(crypt.CheckValue(v.Spec, m))(t); got != v.CheckValue {
			t.Errorf("%s: check value %s", v.Spec, got)
		}
		if v.PublicKey != nil {
			v.checkPublicKey(t)
		} else if _, err := crypt.PublicKeyOf(v.Spec, m); err != crypt.ErrSpec {
			t.Errorf("%s has a public key: %v", v.Spec, err)
		}
		n := 0
		for _, u := range row.Uses {
			for _, x := range v.Made {
				if slices.Contains(u.Algorithms, x.Algorithm) && !unapproved(t, x.Algorithm) {
					x.check(t, v.Spec, m, u.Usage)
					n++
				}
			}
		}
		if n == 0 {
			t.Errorf("%s: nothing was read", v.Spec)
		}
	}
}

func (v sample) checkPublicKey(t *testing.T) {
	t.Helper()
	p := must(crypt.ParsePublicKey(v.Spec, v.PublicKey))(t)
	of := must(crypt.PublicKeyOf(v.Spec, v.material()))(t)
	if !bytes.Equal(p.Bytes(), v.PublicKey) || !bytes.Equal(of.Bytes(), v.PublicKey) || p.Spec() != v.Spec || p.Fingerprint() != v.CheckValue {
		t.Errorf("%s: another public key", v.Spec)
	}
	jwk, err := p.JWK()
	if thumbprint, err2 := p.Thumbprint(); string(jwk) != v.JWK || thumbprint != v.Thumbprint || err != err2 {
		t.Errorf("%s: JWK %s, %v %v", v.Spec, jwk, err, err2)
	}
	if v.JWK == "" && err != crypt.ErrEncoding {
		t.Errorf("%s: no JWK: %v", v.Spec, err)
	}
}

// mustBeUnsupported: no way in opens, and none panics.
func mustBeUnsupported(t *testing.T, row crypt.SpecRow, v sample) {
	t.Helper()
	m := v.material()
	errs := map[string]error{"Supported": crypt.Supported(row.Spec, row.Uses[0].Usage)}
	_, errs["GenerateMaterial"] = crypt.GenerateMaterial(row.Spec, rand.Reader)
	_, errs["CheckValue"] = crypt.CheckValue(row.Spec, m)
	_, errs["PublicKeyOf"] = crypt.PublicKeyOf(row.Spec, m)
	_, errs["ParsePublicKey"] = crypt.ParsePublicKey(row.Spec, v.PublicKey)
	_, errs["OpenSigningKey"] = crypt.OpenSigningKey(row.Spec, m, rand.Reader)
	_, errs["OpenMACKey"] = crypt.OpenMACKey(row.Spec, m)
	_, errs["OpenOAEPKey"] = crypt.OpenOAEPKey(row.Spec, m)
	_, errs["OpenAgreementKey"] = crypt.OpenAgreementKey(row.Spec, m)
	_, errs["OpenKEMKey"] = crypt.OpenKEMKey(row.Spec, m)
	_, errs["OpenHPKEKey"] = crypt.OpenHPKEKey(row.Spec, testID, 1, m)
	for name, err := range errs {
		if err != crypt.ErrUnsupported {
			t.Errorf("%s of %s: %v", name, row.Spec, err)
		}
	}
}

// forEachSpec calls f with the sample of every spec that this process may use with a usage.
func forEachSpec(t testing.TB, u crypt.Usage, f func(crypt.Use, sample)) {
	t.Helper()
	n := 0
	for _, row := range crypt.Table().Specs {
		for _, use := range row.Uses {
			if use.Usage == u && row.FIPS.AllowedHere() {
				n++
				f(use, sampleOf(t, row.Spec))
			}
		}
	}
	if n == 0 && (u != crypt.SealOpen || crypt.Supported(crypt.MLKEM768P256, u) == nil) {
		t.Fatalf("no spec has usage %s", u)
	}
}
