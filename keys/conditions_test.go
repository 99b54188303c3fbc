package keys_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/keys"
)

// conditional is one condition key that an operation has: do is allowed to who may with the value,
// and refused to who may only with the other.
type conditional struct {
	operation, operator, key, value, other string
	do                                     func(haven.KeyManager) error
}

// asked holds what the operations of the table are about.
type asked struct {
	*gatetest.World
	data, signer, mac, rsa, party, external, master string
	ciphertext, rsaCiphertext                       []byte
}

var seventeen = map[string]string{"patient": "17"}

func context17(t testing.TB) keys.Context {
	c, err := keys.ContextOf(seventeen)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newAsked(t *testing.T) *asked {
	f := &asked{World: gatetest.New(t)}
	km := f.KeyManager()
	create := func(req keys.CreateRequest) string {
		req.Purpose = "Patient data"
		k, err := km.CreateKey(background, req)
		if err != nil {
			t.Fatal(err)
		}
		return k.ID
	}
	f.data = create(keys.CreateRequest{Type: keys.Data, Alias: "alias/records", Tags: map[string]string{"team": "clinic"}})
	f.signer = create(keys.CreateRequest{Type: keys.Signing})
	f.mac = create(keys.CreateRequest{Type: keys.Signing, Usage: "GENERATE_VERIFY_MAC"})
	f.rsa = create(keys.CreateRequest{Type: keys.Transport, Spec: "RSA_2048", Usage: "ENCRYPT_DECRYPT"})
	f.party = create(keys.CreateRequest{Type: keys.Transport, Spec: "ECC_NIST_P256", Usage: "KEY_AGREEMENT"})
	f.external = create(keys.CreateRequest{Type: keys.Data, Origin: keys.External})
	f.master = create(keys.CreateRequest{Type: keys.Master, Alias: "alias/camps"})
	out, err := km.Encrypt(background, keys.EncryptRequest{Key: f.data, Plaintext: []byte("kept"), Context: context17(t)})
	if err != nil {
		t.Fatal(err)
	}
	f.ciphertext = out.Ciphertext
	if out, err = km.Encrypt(background, keys.EncryptRequest{Key: f.rsa, Plaintext: []byte("kept")}); err != nil {
		t.Fatal(err)
	}
	f.rsaCiphertext = out.Ciphertext
	if _, err := km.RotateKey(background, f.data); err != nil {
		t.Fatal(err)
	}
	return f
}

// problem drops an answer.
func problem[T any](_ T, err error) error { return err }

func (f *asked) rows() []conditional {
	encrypt := func(km haven.KeyManager) error {
		return problem(km.Encrypt(background, keys.EncryptRequest{Key: f.data, Plaintext: []byte("x"), Context: context17(f)}))
	}
	byAlias := func(km haven.KeyManager) error {
		return problem(km.Encrypt(background, keys.EncryptRequest{Key: "alias/records@2", Plaintext: []byte("x")}))
	}
	decrypt := func(km haven.KeyManager) error {
		return problem(km.Decrypt(background, keys.DecryptRequest{Ciphertext: f.ciphertext, Context: context17(f)}))
	}
	dataKey := func(km haven.KeyManager) error {
		return problem(km.GenerateDataKey(background, keys.DataKeyRequest{Key: f.data, Context: context17(f)}))
	}
	pair := func(km haven.KeyManager) error {
		return problem(km.GenerateDataKeyPair(background, keys.DataKeyPairRequest{Key: f.data, Spec: "ECC_NIST_P256", Context: context17(f)}))
	}
	reencrypt := func(to string) func(haven.KeyManager) error {
		return func(km haven.KeyManager) error {
			return problem(km.ReEncrypt(background, keys.ReEncryptRequest{Ciphertext: f.ciphertext, SourceContext: context17(f), Key: to, Context: context17(f)}))
		}
	}
	describe := func(km haven.KeyManager) error { return problem(km.DescribeKey(background, f.data)) }
	rsa := func(km haven.KeyManager) error {
		return problem(km.Encrypt(background, keys.EncryptRequest{Key: f.rsa, Plaintext: []byte("x"), Algorithm: "RSAES_OAEP_SHA_1"}))
	}
	const is, any = "StringEquals", "ForAnyValue:StringEquals"
	rows := []conditional{
		{"decrypt", is, "haven:VersionState", "rotating", "active", decrypt},
		{"encrypt", is, "haven:VersionState", "active", "rotating", encrypt},
		{"encrypt", is, "kms:RequestAlias", "alias/records", "alias/other", byAlias},
		{"encrypt", is, "kms:EncryptionAlgorithm", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", rsa},
		{"decrypt", is, "kms:EncryptionAlgorithm", "RSAES_OAEP_SHA_256", "RSAES_OAEP_SHA_1", func(km haven.KeyManager) error {
			return problem(km.Decrypt(background, keys.DecryptRequest{Key: f.rsa, Ciphertext: f.rsaCiphertext}))
		}},
		{"generate-data-key-pair", is, "kms:DataKeyPairSpec", "ECC_NIST_P256", "RSA_2048", pair},
		{"re-encrypt", "Bool", "kms:ReEncryptOnSameKey", "true", "false", reencrypt(f.data)},
		{"re-encrypt", "Bool", "kms:ReEncryptOnSameKey", "false", "true", reencrypt("alias/camps")},
	}
	// What every operation on a key has.
	for name, do := range map[string]func(haven.KeyManager) error{"encrypt": encrypt, "describe-key": describe} {
		rows = append(rows,
			conditional{name, is, "kms:KeySpec", "SYMMETRIC_DEFAULT", "RSA_2048", do},
			conditional{name, is, "kms:KeyUsage", "ENCRYPT_DECRYPT", "SIGN_VERIFY", do},
			conditional{name, is, "kms:KeyOrigin", "AWS_KMS", "EXTERNAL", do},
			conditional{name, is, "haven:KeyType", "data", "master", do},
			conditional{name, is, "haven:Purpose", "Patient data", "Letters", do},
			conditional{name, is, "aws:ResourceTag/team", "clinic", "camp", do},
			conditional{name, any, "kms:ResourceAliases", "alias/records", "alias/other", do},
			conditional{name, is, "kms:CallerAccount", f.System.Config().Account, "111122223333", do},
			conditional{name, is, "aws:RequestedRegion", f.System.Config().Region, "eu-west-1", do},
			conditional{name, "Bool", "kms:MultiRegion", "false", "true", do},
		)
	}
	// What every operation with an encryption context has.
	for name, do := range map[string]func(haven.KeyManager) error{
		"encrypt": encrypt, "decrypt": decrypt, "generate-data-key": dataKey, "generate-data-key-pair": pair, "re-encrypt": reencrypt(f.data),
	} {
		rows = append(rows,
			conditional{name, is, "kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_256", do},
			conditional{name, is, "kms:EncryptionContext:patient", "17", "18", do},
			conditional{name, any, "kms:EncryptionContextKeys", "patient", "ward", do},
		)
	}
	return append(append(rows, f.pairRows()...), f.manageRows()...)
}

func (f *asked) pairRows() []conditional {
	const is = "StringEquals"
	message := []byte("hello")
	digest := make([]byte, 32)
	mac, err := f.KeyManager().GenerateMAC(background, keys.MACRequest{Key: f.mac, Message: message})
	if err != nil {
		f.Fatal(err)
	}
	sign := func(km haven.KeyManager) error {
		return problem(km.Sign(background, keys.SignRequest{Key: f.signer, Message: message}))
	}
	verify := func(km haven.KeyManager) error {
		return problem(km.Verify(background, keys.VerifyRequest{Key: f.signer, Digest: digest, Signature: []byte("no")}))
	}
	party, err := f.KeyManager().GetPublicKey(background, f.party)
	if err != nil {
		f.Fatal(err)
	}
	return []conditional{
		{"sign", is, "kms:SigningAlgorithm", "ECDSA_SHA_256", "ECDSA_SHA_384", sign},
		{"sign", is, "kms:MessageType", "RAW", "DIGEST", sign},
		{"verify", is, "kms:SigningAlgorithm", "ECDSA_SHA_256", "ECDSA_SHA_384", verify},
		{"verify", is, "kms:MessageType", "DIGEST", "RAW", verify},
		{"generate-mac", is, "kms:MacAlgorithm", "HMAC_SHA_256", "HMAC_SHA_512", func(km haven.KeyManager) error {
			return problem(km.GenerateMAC(background, keys.MACRequest{Key: f.mac, Message: message}))
		}},
		{"verify-mac", is, "kms:MacAlgorithm", "HMAC_SHA_256", "HMAC_SHA_512", func(km haven.KeyManager) error {
			return problem(km.VerifyMAC(background, keys.VerifyMACRequest{Key: f.mac, Message: message, MAC: mac.MAC}))
		}},
		{"derive-shared-secret", is, "kms:KeyAgreementAlgorithm", "ECDH", "X25519", func(km haven.KeyManager) error {
			return problem(km.DeriveSharedSecret(background, keys.AgreeRequest{Key: f.party, PublicKey: party.PublicKey}))
		}},
	}
}

func (f *asked) manageRows() []conditional {
	const is, any, day = "StringEquals", "ForAnyValue:StringEquals", "NumericEquals"
	create := func(km haven.KeyManager) error {
		return problem(km.CreateKey(background, keys.CreateRequest{Purpose: "Letters", Type: keys.Signing, Spec: "ECC_NIST_P384", RotationDays: 90, Tags: map[string]string{"team": "camp"}}))
	}
	external := func(km haven.KeyManager) error {
		return problem(km.CreateKey(background, keys.CreateRequest{Purpose: "Letters", Type: keys.Data, Origin: keys.External}))
	}
	update := func(days keys.Days) func(haven.KeyManager) error {
		return func(km haven.KeyManager) error {
			return problem(km.UpdateKey(background, keys.UpdateRequest{Key: f.data, RotationDays: days}))
		}
	}
	tag := func(km haven.KeyManager) error {
		return problem(km.TagKey(background, keys.TagRequest{Key: f.data, Tags: map[string]string{"site": "camp-3"}}))
	}
	untag := func(km haven.KeyManager) error {
		return problem(km.UntagKey(background, keys.UntagRequest{Key: f.data, Names: []string{"site"}}))
	}
	parameters := func(km haven.KeyManager) error {
		return problem(km.GetParametersForImport(background, keys.ImportParametersRequest{Key: f.external, WrappingKeySpec: "RSA_2048"}))
	}
	material := func(ends bool) func(haven.KeyManager) error {
		return func(km haven.KeyManager) error {
			req := keys.ImportRequest{Key: f.external}
			if ends {
				req.ValidTo = gatetest.Start.AddDate(1, 0, 0)
			}
			return problem(km.ImportKeyMaterial(background, req))
		}
	}
	person(f.World, "nurse", statements(allows(`"kms:ListKeys"`, "*")))
	put := func(km haven.KeyManager) error {
		return problem(km.PutKeyPolicy(background, keys.PutPolicyRequest{Key: f.data, Document: statements(delegating), Bypass: true}))
	}
	grant := func(km haven.KeyManager) error {
		return problem(km.CreateGrant(background, keys.CreateGrantRequest{
			Key: f.data, Grantee: user("nurse"), Retiring: user("administrator"), Operations: []string{"Encrypt", "Decrypt"}, Equals: seventeen,
		}))
	}
	return []conditional{
		{"put-key-policy", "Bool", "kms:BypassPolicyLockoutSafetyCheck", "true", "false", put},
		{"create-key", "Bool", "kms:BypassPolicyLockoutSafetyCheck", "false", "true", create},
		{"create-grant", "ForAllValues:StringEquals", "kms:GrantOperations", `Encrypt","Decrypt`, "Encrypt", grant},
		{"create-grant", "ArnEquals", "kms:GranteePrincipal", user("nurse"), user("doctor"), grant},
		{"create-grant", "ArnEquals", "kms:RetiringPrincipal", user("administrator"), user("nurse"), grant},
		{"create-grant", is, "kms:GrantConstraintType", "EncryptionContextEquals", "EncryptionContextSubset", grant},
		{"create-grant", "Bool", "kms:GrantIsForAWSResource", "false", "true", grant},
		{"create-key", is, "kms:KeySpec", "ECC_NIST_P384", "RSA_2048", create},
		{"create-key", is, "kms:KeyUsage", "SIGN_VERIFY", "ENCRYPT_DECRYPT", create},
		{"create-key", is, "kms:KeyOrigin", "AWS_KMS", "EXTERNAL", create},
		{"create-key", is, "kms:KeyOrigin", "EXTERNAL", "AWS_KMS", external},
		{"create-key", is, "haven:KeyType", "signing", "data", create},
		{"create-key", is, "haven:Purpose", "Letters", "Patient data", create},
		{"create-key", is, "aws:RequestTag/team", "camp", "clinic", create},
		{"create-key", any, "aws:TagKeys", "team", "site", create},
		{"create-key", day, "kms:RotationPeriodInDays", "90", "30", create},
		{"update-key", day, "kms:RotationPeriodInDays", "30", "90", update(30)},
		{"update-key", "NumericGreaterThan", "kms:RotationPeriodInDays", "36500", "36501", update(keys.Never)},
		{"tag-key", is, "aws:RequestTag/site", "camp-3", "camp-4", tag},
		{"tag-key", any, "aws:TagKeys", "site", "team", tag},
		{"untag-key", any, "aws:TagKeys", "site", "team", untag},
		{"schedule-key-deletion", "NumericGreaterThanEquals", "kms:ScheduleKeyDeletionPendingWindowInDays", "30", "31", func(km haven.KeyManager) error {
			return problem(km.ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: f.rsa}))
		}},
		{"get-parameters-for-import", is, "kms:WrappingAlgorithm", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_256", parameters},
		{"get-parameters-for-import", is, "kms:WrappingKeySpec", "RSA_2048", "RSA_4096", parameters},
		{"import-key-material", is, "kms:ExpirationModel", "KEY_MATERIAL_EXPIRES", "KEY_MATERIAL_DOES_NOT_EXPIRE", material(true)},
		{"import-key-material", is, "kms:ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE", "KEY_MATERIAL_EXPIRES", material(false)},
		{"import-key-material", "DateLessThan", "kms:ValidTo", "2027-04-01", "2027-02-01", material(true)},
	}
}

// TestConditions: each operation has the condition keys that AWS KMS documents for it, and Haven's
// own, with their values.
func TestConditions(t *testing.T) {
	f := newAsked(t)
	for i, row := range f.rows() {
		for _, c := range []struct {
			value string
			want  bool
		}{{row.other, false}, {row.value, true}} {
			km := as(f.World, fmt.Sprintf("user-%d-%v", i, c.want), allowedIf(fmt.Sprintf(`%q:{%q:["%s"]}`, row.operator, row.key, c.value)))
			if err := row.do(km); errors.Is(err, gate.AccessDenied) == c.want {
				t.Errorf("%s, %s %s %q: %v", row.operation, row.operator, row.key, c.value, err)
			}
		}
	}
}
