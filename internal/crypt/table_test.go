package crypt_test

import (
	"crypto/rand"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// TestPage holds the documentation to the table that the code executes; -update writes it.
func TestPage(t *testing.T) {
	const path, mark = "../../docs/algorithms.md", "<!-- table -->\n"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, table, ok := strings.Cut(string(b), mark)
	if ok && *update {
		table = crypt.Table().Markdown()
		if err := os.WriteFile(path, []byte(text+mark+table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if !ok || table != crypt.Table().Markdown() {
		t.Errorf("%s does not end in Table().Markdown() (-update)", path)
	}
}

// TestTable: the table says nothing twice, and every word in it is one of its rows.
func TestTable(t *testing.T) {
	m := crypt.Table()
	seen := map[string]bool{}
	once := func(kind, name string) {
		if seen[kind+name] {
			t.Errorf("%s %s twice", kind, name)
		}
		seen[kind+name] = true
	}
	used := map[crypt.Algorithm]bool{}
	for _, row := range m.Specs {
		once("spec", string(row.Spec))
		for _, u := range row.Uses {
			once("usage "+string(row.Spec), string(u.Usage))
			for _, a := range u.Algorithms {
				once("algorithm "+string(row.Spec)+string(u.Usage), string(a))
				used[a] = true
			}
		}
		if row.DataKeyPair && !row.Import {
			t.Errorf("%s: data key pairs and import have the same encoding", row.Spec)
		}
	}
	for _, a := range crypt.ImportAlgorithms() {
		used[a] = true
	}
	for _, row := range m.Algorithms {
		once("algorithm", string(row.Algorithm))
		if !used[row.Algorithm] {
			t.Errorf("no spec has %s", row.Algorithm)
		}
		for _, v := range row.Verifies {
			if !slices.Contains(row.Signs, v) {
				t.Errorf("%s verifies %s and does not sign it", row.Algorithm, v)
			}
		}
	}
	for a := range used {
		if _, err := m.Algorithm(a); err != nil {
			t.Errorf("%s has no row", a)
		}
	}
	if len(m.Specs) != 19 || len(m.Algorithms) != 23 {
		t.Errorf("%d specs, %d algorithms", len(m.Specs), len(m.Algorithms))
	}
}

func TestUnknownSpecs(t *testing.T) {
	for _, s := range []crypt.Spec{"", "RSA_1024", "ECC_SECG_P256K1", "rsa_2048", "ML_KEM_512", "SM2"} {
		if _, err := crypt.GenerateMaterial(s, rand.Reader); err != crypt.ErrSpec {
			t.Errorf("GenerateMaterial %q: %v", s, err)
		}
		if _, err := crypt.CheckValue(s, secret.Bytes{}); err != crypt.ErrSpec {
			t.Errorf("CheckValue %q: %v", s, err)
		}
		if _, err := crypt.PublicKeyOf(s, secret.Bytes{}); err != crypt.ErrSpec {
			t.Errorf("PublicKeyOf %q: %v", s, err)
		}
		if _, err := crypt.ParsePublicKey(s, nil); err != crypt.ErrSpec {
			t.Errorf("ParsePublicKey %q: %v", s, err)
		}
		if err := crypt.Supported(s, crypt.SignVerify); err != crypt.ErrSpec {
			t.Errorf("Supported %q: %v", s, err)
		}
	}
	if _, err := crypt.Table().Algorithm("RSAES_PKCS1_V1_5"); err != crypt.ErrAlgorithm {
		t.Errorf("PKCS #1 v1.5 encryption: %v", err)
	}
}

// openers open material for each usage.
var openers = map[crypt.Usage]func(crypt.Spec, secret.Bytes) (interface{ Destroy() }, error){
	crypt.SignVerify: func(s crypt.Spec, m secret.Bytes) (interface{ Destroy() }, error) {
		return crypt.OpenSigningKey(s, m, rand.Reader)
	},
	crypt.GenerateVerifyMAC: func(s crypt.Spec, m secret.Bytes) (interface{ Destroy() }, error) {
		return crypt.OpenMACKey(s, m)
	},
	crypt.KeyAgreement: func(s crypt.Spec, m secret.Bytes) (interface{ Destroy() }, error) {
		return crypt.OpenAgreementKey(s, m)
	},
	crypt.EncapsulateDecapsulate: func(s crypt.Spec, m secret.Bytes) (interface{ Destroy() }, error) {
		return crypt.OpenKEMKey(s, m)
	},
	crypt.SealOpen: func(s crypt.Spec, m secret.Bytes) (interface{ Destroy() }, error) {
		return crypt.OpenHPKEKey(s, testID, 1, m)
	},
	crypt.EncryptDecrypt: func(s crypt.Spec, m secret.Bytes) (interface{ Destroy() }, error) {
		return crypt.OpenOAEPKey(s, m)
	},
}

// TestUsages opens the material of every spec for every usage: what the table says, and nothing
// else. Material that is not the spec's is refused with the one error.
func TestUsages(t *testing.T) {
	for _, row := range crypt.Table().Specs {
		v := sampleOf(t, row.Spec)
		for usage, open := range openers {
			has := slices.ContainsFunc(row.Uses, func(u crypt.Use) bool { return u.Usage == usage })
			want := error(nil)
			switch {
			case !row.FIPS.AllowedHere():
				want = crypt.ErrUnsupported
			case !has || row.Spec == crypt.SymmetricDefault:
				want = crypt.ErrSpec
			}
			if _, err := open(row.Spec, v.material()); err != want {
				t.Errorf("%s of %s: %v, want %v", usage, row.Spec, err, want)
			}
			if want != nil {
				continue
			}
			for what, b := range spoilt(v.Material) {
				if _, err := open(row.Spec, newSecret(b)); err != crypt.ErrMaterial {
					t.Errorf("%s of %s with %s: %v", usage, row.Spec, what, err)
				}
			}
		}
		if row.FIPS.AllowedHere() {
			if _, err := crypt.CheckValue(row.Spec, newSecret(v.Material[1:])); err != crypt.ErrMaterial {
				t.Errorf("CheckValue of %s: %v", row.Spec, err)
			}
			if _, err := crypt.PublicKeyOf(row.Spec, newSecret(v.Material[1:])); err != crypt.ErrMaterial {
				t.Errorf("PublicKeyOf of %s: %v", row.Spec, err)
			}
		}
	}
}

func spoilt(b []byte) map[string][]byte {
	return map[string][]byte{
		"nothing": nil, "a byte less": b[:len(b)-1], "a byte more": append(slices.Clone(b), 0), "a byte before": append([]byte{0}, b...),
		"5,000 bytes": make([]byte, 5000),
	}
}

// TestSpecsAreNotExchanged: no spec's material or public key passes for another's, unless any bytes
// of a length are material: what binds those to their spec is the wrapping.
func TestSpecsAreNotExchanged(t *testing.T) {
	for _, row := range crypt.Table().Specs {
		if !row.FIPS.AllowedHere() {
			continue
		}
		for _, other := range crypt.Table().Specs {
			if row.Spec == other.Spec {
				continue
			}
			v := sampleOf(t, other.Spec)
			_, err := crypt.CheckValue(row.Spec, v.material())
			anyBytes := !strings.HasPrefix(row.Material, "PKCS") && !strings.HasPrefix(row.Material, "KEM") &&
				len(v.Material) == len(sampleOf(t, row.Spec).Material)
			if err != crypt.ErrMaterial && !anyBytes {
				t.Errorf("material of %s as %s: %v", other.Spec, row.Spec, err)
			}
			if _, err := crypt.ParsePublicKey(row.Spec, v.PublicKey); err != crypt.ErrPublicKey {
				t.Errorf("public key of %s as %s: %v", other.Spec, row.Spec, err)
			}
		}
	}
}

// TestApproval: what the modes and versions of the FIPS 140-3 module allow.
func TestApproval(t *testing.T) {
	for _, c := range []struct {
		a      crypt.Approval
		only   bool
		module string
		want   bool
	}{
		{crypt.NotApproved, false, "latest", true}, {crypt.NotApproved, true, "latest", false},
		{crypt.Approved, true, "v1.0.0", true}, {crypt.ApprovedSince, false, "v1.0.0", true},
		{crypt.ApprovedSince, true, "v1.0.0", false}, {crypt.ApprovedSince, true, "v1.25.9", false},
		{crypt.ApprovedSince, true, "v1.26.0", true}, {crypt.ApprovedSince, true, "v1.27.1", true},
		{crypt.ApprovedSince, true, "latest", true}, {crypt.ApprovedSince, true, "unknown", false},
	} {
		if got := c.a.AllowedIn(c.only, c.module); got != c.want {
			t.Errorf("%s in %s, only %v: %v", c.a, c.module, c.only, got)
		}
	}
}
