package keys_test

import (
	"bytes"
	"crypto/fips140"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// external makes a key whose material is imported.
func (r *rig) external(req keys.CreateRequest) *keys.Key {
	r.Helper()
	req.Purpose, req.Origin = "made elsewhere", keys.External
	k, err := r.km.CreateKey(background, req)
	if err != nil {
		r.Fatal(err)
	}
	return k
}

// parameters gets parameters for a key; wrapping keys are as short as what they wrap allows.
func (r *rig) parameters(key string) *keys.ImportParameters {
	r.Helper()
	p, err := r.km.GetParametersForImport(background, keys.ImportParametersRequest{Key: key, WrappingKeySpec: wrappingSpec, Algorithm: wrapping})
	if err != nil {
		r.Fatal(err)
	}
	return p
}

// wrapping is an algorithm that takes, with a key of wrappingSpec, all that can be imported where the
// test runs.
var wrapping, wrappingSpec = func() (keys.Algorithm, keys.Spec) {
	if fips140.Enabled() {
		return crypt.OAEPWithSHA256, crypt.RSA3072
	}
	return crypt.RSAAESKeyWrap, crypt.RSA2048
}()

func (r *rig) wrapMaterial(p *keys.ImportParameters, material []byte) []byte {
	r.Helper()
	public, err := crypt.ParsePublicKey(p.WrappingKeySpec, p.PublicKey)
	if err != nil {
		r.Fatal(err)
	}
	w, err := public.WrapMaterial(rand.Reader, p.Algorithm, secret.New(bytes.Clone(material)))
	if err != nil {
		r.Fatal(err)
	}
	return w
}

// bring imports material and returns the key's document.
func (r *rig) bring(key string, material []byte, ends time.Time) (*keys.Key, error) {
	r.Helper()
	p := r.parameters(key)
	return r.km.ImportKeyMaterial(background, keys.ImportRequest{Key: key, ImportToken: p.ImportToken, EncryptedMaterial: r.wrapMaterial(p, material), ValidTo: ends})
}

func (r *rig) mustBring(key string, material []byte, ends time.Time) *keys.Key {
	r.Helper()
	k, err := r.bring(key, material, ends)
	if err != nil {
		r.Fatal(err)
	}
	return k
}

func aesKey(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

// materials returns material of every spec that is imported here: RSA keys are not where FIPS 140-3
// mode rules.
func materials(t testing.TB) map[keys.Spec][]byte {
	t.Helper()
	out := map[keys.Spec][]byte{}
	for _, row := range crypt.Table().Specs {
		if !row.Import || crypt.Importable(wrapping, row.Spec) != nil || fips140.Enabled() && strings.HasPrefix(string(row.Spec), "RSA") {
			continue
		}
		m, err := crypt.GenerateMaterial(row.Spec, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		out[row.Spec] = secret.Expose(m)
	}
	return out
}

// TestImport imports material of every kind that may be, and uses it as what it was outside: a
// signature verifies with the public half that never was in Haven.
func TestImport(t *testing.T) {
	r := newRig(gatetest.New(t))
	given := materials(t)
	imported := map[keys.Spec]bool{}
	for _, kind := range keys.Kinds() {
		material, has := given[kind.Spec]
		req := keys.CreateRequest{Type: kind.Type, Spec: kind.Spec, Usage: kind.Usage}
		if !has {
			req.Purpose, req.Origin = "not imported", keys.External
			if _, err := r.km.CreateKey(background, req); !errors.Is(err, gate.Unsupported) {
				t.Errorf("%v: %v", kind, err)
			}
			continue
		}
		k := r.external(req)
		if k.State != lifecycle.Pending || k.Version != 1 || k.Origin != keys.External {
			t.Errorf("%v: a new key shows %+v", kind, k)
		}
		before := r.Position()
		p := r.parameters(k.ID)
		if p.Version != 1 || p.Spec != kind.Spec || p.ValidTo.Sub(r.Clock.Wall()) != 24*time.Hour {
			t.Errorf("%v: parameters %+v", kind, p)
		}
		k = r.mustBring(k.ID, material, time.Time{})
		if k.State != lifecycle.Active || k.Version != 1 || k.Versions != 1 {
			t.Errorf("%v: imported, it shows %+v", kind, k)
		}
		for _, e := range r.Records(before) {
			if bytes.Contains(e.Encoded, p.ImportToken[:64]) || bytes.Contains(e.Encoded, material[:28]) {
				t.Errorf("%v: %s is in a record", kind, k.ID)
			}
		}
		r.sameOutside(k, kind, material)
		imported[kind.Spec] = true
	}
	if len(imported) != len(given) {
		t.Errorf("imported %v", imported)
	}
}

// sameOutside holds what Haven computes against what the owner of the material does.
func (r *rig) sameOutside(k *keys.Key, kind keys.Kind, material []byte) {
	r.Helper()
	page, err := r.km.ListKeyVersions(background, keys.ListVersionsRequest{Key: k.ID})
	if err != nil {
		r.Fatal(err)
	}
	want, err := crypt.CheckValue(kind.Spec, secret.New(bytes.Clone(material)))
	if err != nil || page.Versions[0].CheckValue != want || want == "" {
		r.Errorf("%v: check value %q, want %q, %v", kind, page.Versions[0].CheckValue, want, err)
	}
	switch kind.Usage {
	case crypt.SignVerify:
		a, err := r.km.Sign(background, keys.SignRequest{Key: k.ID, Message: []byte("m"), Algorithm: firstAlgorithm(kind)})
		if err != nil {
			r.Fatal(err)
		}
		public, err := crypt.PublicKeyOf(kind.Spec, secret.New(bytes.Clone(material)))
		if err != nil {
			r.Fatal(err)
		}
		if err := public.Verify(firstAlgorithm(kind), crypt.Raw, []byte("m"), a.Signature); err != nil {
			r.Errorf("%v: the signature does not verify outside: %v", kind, err)
		}
	case keys.EncryptDecrypt:
		c, err := r.km.Encrypt(background, keys.EncryptRequest{Key: k.ID, Plaintext: []byte("p")})
		if err != nil {
			r.Fatal(err)
		}
		d, err := r.km.Decrypt(background, keys.DecryptRequest{Key: k.ID, Ciphertext: c.Ciphertext})
		if err != nil || string(d.Plaintext) != "p" {
			r.Errorf("%v: %v", kind, err)
		}
	case crypt.GenerateVerifyMAC:
		if _, err := r.km.GenerateMAC(background, keys.MACRequest{Key: k.ID, Message: []byte("m")}); err != nil {
			r.Errorf("%v: %v", kind, err)
		}
	}
}

func firstAlgorithm(k keys.Kind) keys.Algorithm {
	row, _ := crypt.Table().Row(k.Spec)
	for _, u := range row.Uses {
		if u.Usage == k.Usage {
			return u.Algorithms[0]
		}
	}
	return ""
}

// TestImportRefuses spoils an import in every way there is: the answer is one, and the key as before.
func TestImportRefuses(t *testing.T) {
	r := newRig(gatetest.New(t))
	victim := r.external(keys.CreateRequest{Type: keys.Signing, Spec: crypt.P256})
	other := r.external(keys.CreateRequest{Type: keys.Signing, Spec: crypt.P256})
	secretKey := r.external(keys.CreateRequest{Type: keys.Data})
	hmac := r.external(keys.CreateRequest{Type: keys.Signing, Spec: crypt.HMAC384})
	edwards := r.external(keys.CreateRequest{Type: keys.Signing, Spec: crypt.Ed25519})
	given := materials(t)
	good := given[crypt.P256]
	p, q := r.parameters(victim.ID), r.parameters(other.ID)

	refused := func(what string, km *rig, key string, token, wrapped []byte) {
		t.Helper()
		before, err := r.km.DescribeKey(background, key)
		if err != nil {
			t.Fatal(err)
		}
		_, err = km.km.ImportKeyMaterial(background, keys.ImportRequest{Key: key, ImportToken: token, EncryptedMaterial: wrapped})
		var e *gate.Error
		if !errors.As(err, &e) || e.Code != gate.InvalidCiphertext || !strings.Contains(e.Detail, "nothing was changed") {
			t.Errorf("%s: %v", what, err)
		}
		after, err := r.km.DescribeKey(background, key)
		if err != nil || !reflect.DeepEqual(after, before) {
			t.Errorf("%s changed the key: %+v, was %+v, %v", what, after, before, err)
		}
	}
	w := r.wrapMaterial(p, good)
	refused("no token", r, victim.ID, nil, w)
	refused("no material", r, victim.ID, p.ImportToken, nil)
	refused("another key's token", r, victim.ID, q.ImportToken, r.wrapMaterial(q, good))
	refused("wrapped to another key's parameters", r, victim.ID, p.ImportToken, r.wrapMaterial(q, good))
	for i := range p.ImportToken { // each bit of the head, and some of the rest
		if i > 60 && i%97 != 0 {
			continue
		}
		bad := bytes.Clone(p.ImportToken)
		bad[i] ^= 1 << (i % 8)
		refused(fmt.Sprintf("byte %d of the token altered", i), r, victim.ID, bad, w)
		refused(fmt.Sprintf("the token cut to %d bytes", i), r, victim.ID, p.ImportToken[:i], w)
	}
	refused("a token with more behind", r, victim.ID, append(bytes.Clone(p.ImportToken), 0), w)
	for i := 0; i < len(w); i += 31 {
		bad := bytes.Clone(w)
		bad[i] ^= 1
		refused(fmt.Sprintf("byte %d of the material altered", i), r, victim.ID, p.ImportToken, bad)
		refused(fmt.Sprintf("the material cut to %d bytes", i), r, victim.ID, p.ImportToken, w[:i])
	}
	if !fips140.Enabled() {
		public, err := crypt.ParsePublicKey(p.WrappingKeySpec, p.PublicKey)
		r.fatal(err)
		oaep, err := public.WrapMaterial(rand.Reader, crypt.OAEPWithSHA256, secret.New(bytes.Clone(good)))
		r.fatal(err)
		refused("another algorithm than the token's", r, victim.ID, p.ImportToken, oaep)
	}
	for _, bad := range badMaterial(t, given) {
		refused(bad.what, r, victim.ID, p.ImportToken, r.wrapMaterial(p, bad.material))
	}
	for n, k := range map[int]*keys.Key{31: secretKey, 33: secretKey, 47: hmac, 49: hmac, 32: edwards, 64: edwards} {
		params := r.parameters(k.ID)
		refused(fmt.Sprintf("%s of %d bytes", k.Spec, n), r, k.ID, params.ImportToken, r.wrapMaterial(params, bytes.Repeat([]byte{9}, n)))
	}
	clerk, _ := r.Principal("clerk", true)
	stranger := &rig{World: r.World, km: r.As(clerk).KeyManager()}
	refused("somebody else's token", stranger, victim.ID, p.ImportToken, w)

	// All that was spoilt was spoilt by what was done to it: as given, it is taken, once.
	done := r.km
	_, err := done.ImportKeyMaterial(background, keys.ImportRequest{Key: victim.ID, ImportToken: p.ImportToken, EncryptedMaterial: w})
	r.fatal(err)
	refused("the same once more", r, victim.ID, p.ImportToken, w)
	late := r.parameters(victim.ID)
	if late.Version != 2 {
		t.Errorf("the next material is version %d", late.Version)
	}
	r.Clock.Advance(24 * time.Hour)
	refused("a day late", r, victim.ID, late.ImportToken, r.wrapMaterial(late, good))
	superseded := r.parameters(victim.ID)
	another, err := crypt.GenerateMaterial(crypt.P256, rand.Reader)
	r.fatal(err)
	r.mustBring(victim.ID, secret.Expose(another), time.Time{})
	refused("parameters of a version that another import made", r, victim.ID, superseded.ImportToken, r.wrapMaterial(superseded, good))
}

func (r *rig) fatal(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

type badly struct {
	what     string
	material []byte
}

// badMaterial is what a P-256 key does not take.
func badMaterial(t testing.TB, given map[keys.Spec][]byte) []badly {
	t.Helper()
	good := given[crypt.P256]
	off := bytes.Clone(good)
	off[len(off)-1] ^= 1 // of the public point's y
	out := []badly{
		{"another curve", given[crypt.P384]}, {"a secret key", given[crypt.HMAC256]}, {"an Ed25519 key", given[crypt.Ed25519]},
		{"a trailing byte", append(bytes.Clone(good), 0)}, {"a byte short", good[:len(good)-1]}, {"a point off the curve", off},
		{"a public key", publicDER(t, good)}, {"nothing but zeros", make([]byte, len(good))},
	}
	if fips140.Enabled() {
		return out
	}
	return append(out, badly{"an RSA key", given[crypt.RSA2048]})
}

func publicDER(t testing.TB, der []byte) []byte {
	t.Helper()
	p, err := crypt.PublicKeyOf(crypt.P256, secret.New(bytes.Clone(der)))
	if err != nil {
		t.Fatal(err)
	}
	return p.Bytes()
}

// TestImportRefusesRSA: another size, and an exponent that the standard library takes.
func TestImportRefusesRSA(t *testing.T) {
	r := newRig(gatetest.New(t))
	if fips140.Enabled() {
		_, err := r.km.CreateKey(background, keys.CreateRequest{Purpose: "x", Type: keys.Signing, Spec: crypt.RSA2048, Origin: keys.External})
		if !errors.Is(err, gate.Unsupported) {
			t.Errorf("an RSA key to be imported: %v", err)
		}
		return
	}
	k := r.external(keys.CreateRequest{Type: keys.Signing, Spec: crypt.RSA2048})
	given := materials(t)
	exponent3, err := os.ReadFile("testdata/rsa2048-exponent3.der")
	r.fatal(err)
	for what, material := range map[string][]byte{"another size": given[crypt.RSA3072], "an exponent of 3": exponent3} {
		if _, err := r.bring(k.ID, material, time.Time{}); !errors.Is(err, gate.InvalidCiphertext) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = r.km.GetParametersForImport(background, keys.ImportParametersRequest{Key: k.ID, Algorithm: "RSAES_PKCS1_V1_5"})
	if !errors.Is(err, gate.InvalidRequest) {
		t.Errorf("PKCS #1 v1.5: %v", err)
	}
	_, err = r.km.GetParametersForImport(background, keys.ImportParametersRequest{Key: k.ID, WrappingKeySpec: crypt.P256})
	if !errors.Is(err, gate.InvalidRequest) {
		t.Errorf("a wrapping key on a curve: %v", err)
	}
}

// TestImportedLife walks an imported key through its life: unused until its material is there, its
// material's end, its return, its rotation, its compromise.
func TestImportedLife(t *testing.T) {
	r := newRig(gatetest.New(t))
	k := r.external(keys.CreateRequest{Type: keys.Data, RotationDays: 60})
	refused := func(what, reason, text string, err error) {
		t.Helper()
		var e *gate.Error
		if !errors.As(err, &e) || e.Reason != reason || !strings.Contains(e.Detail, text) {
			t.Errorf("%s: %v", what, err)
		}
	}
	encrypt := func(key string) ([]byte, error) {
		c, err := r.km.Encrypt(background, keys.EncryptRequest{Key: key, Plaintext: []byte("p")})
		if err != nil {
			return nil, err
		}
		return c.Ciphertext, nil
	}
	decrypt := func(c []byte) error {
		_, err := r.km.Decrypt(background, keys.DecryptRequest{Ciphertext: c})
		return err
	}
	r.listed(k.ID, "material_missing", "pending")
	_, err := encrypt(k.ID)
	refused("a use without material", "pending", "has no material yet", err)
	_, err = r.km.RotateKey(background, k.ID)
	refused("a rotation", "needs_material", "get-parameters-for-import", err)
	_, err = r.km.DeleteImportedKeyMaterial(background, k.ID)
	refused("deleting what is not there", "pending", "", err)

	// The end of the material takes away what needs it; the same material brings it back.
	ends := r.Clock.Wall().Add(10 * lifecycle.Day)
	k = r.mustBring(k.ID, aesKey(1), ends)
	if !k.ValidTo.Equal(ends) {
		t.Errorf("valid to %s, want %s", k.ValidTo, ends)
	}
	r.listed(k.ID, "active")
	old, err := encrypt(k.ID)
	r.fatal(err)
	r.pass(10)
	r.listed(k.ID, "material_missing") // though no record of the end was written yet
	_, err = encrypt(k.ID)
	refused("encrypting after the end", "material_expired", "import the same again", err)
	refused("decrypting after the end", "material_expired", "", decrypt(old))
	r.found(k.ID, 1)
	r.Reopen()
	r.km = r.KeyManager()
	if _, err := r.bring(k.ID+"@1", aesKey(2), time.Time{}); !errors.Is(err, gate.InvalidCiphertext) {
		t.Errorf("other material as version 1: %v", err)
	}
	k = r.mustBring(k.ID+"@1", aesKey(1), time.Time{})
	if !k.ValidTo.IsZero() || k.Version != 1 {
		t.Errorf("brought back, it shows %+v", k)
	}
	r.fatal(decrypt(old))

	// Deleting is at once, once more is nothing, and the wrapped bytes are gone.
	for range 2 {
		_, err = r.km.DeleteImportedKeyMaterial(background, k.ID)
		r.fatal(err)
	}
	refused("decrypting what was deleted", "material_expired", "", decrypt(old))
	r.listed(k.ID, "material_missing")
	_, err = r.km.DisableKey(background, k.ID)
	r.fatal(err)
	r.listed(k.ID)
	_, err = r.km.EnableKey(background, k.ID)
	r.fatal(err)
	r.mustBring(k.ID+"@1", aesKey(1), time.Time{})
	r.fatal(decrypt(old))

	// At the end of its cryptoperiod it only processes, until new material makes a new primary.
	r.pass(60)
	_, err = encrypt(k.ID)
	refused("encrypting after the cryptoperiod", "needs_material", "import-key-material", err)
	r.fatal(decrypt(old))
	k = r.mustBring(k.ID, aesKey(3), time.Time{})
	if k.Version != 2 || k.PreviousVersion != 1 {
		t.Errorf("rotated, it shows %+v", k)
	}
	_, err = encrypt(k.ID)
	r.fatal(err)
	r.fatal(decrypt(old))

	// Compromise makes no new primary: there is nothing to make it of. No import leaves it.
	k, err = r.km.MarkCompromised(background, keys.CompromiseRequest{Key: k.ID + "@2", Reason: "a test"})
	r.fatal(err)
	if k.Version != 0 || k.Versions != 2 {
		t.Errorf("compromised, it shows %+v", k)
	}
	_, err = encrypt(k.ID)
	refused("after the compromise", "compromised", "", err)
	_, err = r.parametersOf(k.ID + "@2")
	refused("bringing compromised material back", "compromised", "", err)
	if k = r.mustBring(k.ID, aesKey(4), time.Time{}); k.Version != 3 {
		t.Errorf("after the compromise, it shows %+v", k)
	}
	r.fatal(decrypt(old))
}

// listed asserts by which of the states a key with or without material is listed, and that its document,
// its version's and the list tell the same of the material.
func (r *rig) listed(key string, states ...string) {
	r.Helper()
	for _, state := range []string{"material_missing", "pending", "active"} {
		page, err := r.km.ListKeys(background, keys.ListRequest{State: state})
		r.fatal(err)
		found := slices.ContainsFunc(page.Keys, func(k keys.Key) bool { return k.ID == key })
		if want := slices.Contains(states, state); found != want {
			r.Errorf("listed by state %s: %t, want %t", state, found, want)
		}
	}
	k, err := r.km.DescribeKey(background, key)
	r.fatal(err)
	versions, err := r.km.ListKeyVersions(background, keys.ListVersionsRequest{Key: key})
	r.fatal(err)
	if v := versions.Versions[0]; v.MaterialExpired != k.MaterialExpired || v.CheckValue != k.CheckValue || !v.ValidTo.Equal(k.ValidTo) {
		r.Errorf("the key shows %+v, its version %+v", k, v)
	}
}

// parametersOf only asks for parameters.
func (r *rig) parametersOf(key string) (*keys.ImportParameters, error) {
	return r.km.GetParametersForImport(background, keys.ImportParametersRequest{Key: key, WrappingKeySpec: crypt.RSA2048})
}

// found checks that a version is among what is due.
func (r *rig) found(key string, version uint32) {
	r.Helper()
	due, err := r.Store.Due(background, store.DueQuery{Before: r.Clock.Wall().Add(time.Second).UnixMilli(), Limit: 100})
	r.fatal(err)
	id, _ := gate.ParseID(key)
	for _, ref := range due.Items {
		if ref.Kind == store.KindVersion && ref.ID == string(id[:])+string([]byte{0, 0, 0, byte(version)}) {
			return
		}
	}
	r.Errorf("version %d is not among what is due", version)
}

// TestImportNotExternal: keys that make their own material take none.
func TestImportNotExternal(t *testing.T) {
	r := newRig(gatetest.New(t))
	k, err := r.km.CreateKey(background, keys.CreateRequest{Purpose: "own", Type: keys.Data})
	r.fatal(err)
	_, err = r.parametersOf(k.ID)
	if answer(err) != "not_external" {
		t.Errorf("parameters: %v", err)
	}
	if _, err = r.km.DeleteImportedKeyMaterial(background, k.ID); answer(err) != "not_external" {
		t.Errorf("deleting: %v", err)
	}
	_, err = r.km.CreateKey(background, keys.CreateRequest{Purpose: "x", Type: keys.Data, Origin: "AWS_KMS"})
	if answer(err) != "invalid_request" {
		t.Errorf("another origin: %v", err)
	}
}

// TestImportedMaster: a master key's material may be imported. It wraps, does not end and is not
// deleted while it does.
func TestImportedMaster(t *testing.T) {
	r := newRig(gatetest.New(t))
	k := r.external(keys.CreateRequest{Type: keys.Master})
	if _, err := r.km.CreateKey(background, keys.CreateRequest{Purpose: "early", Type: keys.Data, Master: k.ID}); answer(err) != "pending" {
		t.Errorf("a key under a master without material: %v", err)
	}
	if _, err := r.bring(k.ID, aesKey(1), r.Clock.Wall().Add(time.Hour)); !errors.Is(err, gate.InvalidRequest) {
		t.Errorf("a master whose material ends: %v", err)
	}
	r.mustBring(k.ID, aesKey(1), time.Time{})
	child := r.external(keys.CreateRequest{Type: keys.Data, Master: k.ID})
	r.mustBring(child.ID, aesKey(2), time.Time{})
	if _, err := r.km.DeleteImportedKeyMaterial(background, k.ID); answer(err) != "still_wraps" {
		t.Errorf("deleting the material of a master: %v", err)
	}
	p := r.parameters(child.ID)
	// The master rotates by an import; parameters that its older version wraps stay good. Those that
	// a compromised version wraps do not.
	r.mustBring(k.ID, aesKey(3), time.Time{})
	_, err := r.km.ImportKeyMaterial(background, keys.ImportRequest{Key: child.ID, ImportToken: p.ImportToken, EncryptedMaterial: r.wrapMaterial(p, aesKey(4))})
	r.fatal(err)
	p = r.parameters(child.ID)
	_, err = r.km.MarkCompromised(background, keys.CompromiseRequest{Key: k.ID + "@2", Reason: "a test"})
	r.fatal(err)
	_, err = r.km.ImportKeyMaterial(background, keys.ImportRequest{Key: child.ID, ImportToken: p.ImportToken, EncryptedMaterial: r.wrapMaterial(p, aesKey(5))})
	if answer(err) != "compromised" {
		t.Errorf("through a compromised master version: %v", err)
	}
}

// FuzzImportToken: what parses, encodes to the same bytes.
func FuzzImportToken(f *testing.F) {
	r := newRig(gatetest.New(f))
	k := r.external(keys.CreateRequest{Type: keys.Data})
	f.Add(r.parameters(k.ID).ImportToken)
	f.Add([]byte("HI\x01\x01\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if again, ok := keys.RecodeImportToken(b); ok && !bytes.Equal(again, b) {
			t.Errorf("%x became %x", b, again)
		}
	})
}

// TestImportNew: a rotation needs new material. What a compromised version had is refused for good,
// so that what was signed with it is not believed again.
func TestImportNew(t *testing.T) {
	r := newRig(gatetest.New(t))
	for _, kind := range []keys.Kind{{keys.Data, keys.SymmetricDefault, keys.EncryptDecrypt}, {keys.Signing, crypt.P256, crypt.SignVerify}} {
		material, another := aesKey(1), aesKey(2)
		if kind.Spec == crypt.P256 {
			fresh, err := crypt.GenerateMaterial(crypt.P256, rand.Reader)
			r.fatal(err)
			material, another = materials(t)[crypt.P256], secret.Expose(fresh)
		}
		k := r.external(keys.CreateRequest{Purpose: "elsewhere", Type: kind.Type, Spec: kind.Spec})
		r.mustBring(k.ID, material, time.Time{})
		for _, step := range []func(){
			func() {},
			func() {
				_, err := r.km.MarkCompromised(background, keys.CompromiseRequest{Key: k.ID + "@1", Reason: "stolen"})
				r.fatal(err)
			},
		} {
			step()
			_, err := r.bring(k.ID, material, time.Time{})
			var e *gate.Error
			if !errors.As(err, &e) || e.Reason != "same_material" {
				t.Errorf("%s: the same material: %v", kind.Spec, err)
			}
		}
		if next := r.mustBring(k.ID, another, time.Time{}); next.Version != 2 {
			t.Errorf("%s: new material became version %d", kind.Spec, next.Version)
		}
	}
}
