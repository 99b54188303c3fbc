package gate_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/keys"
)

// The matrix: who may do which operation to whose key in which state. It is a table of rules, in words
// that do not come from the code: what is needed, and what the key's state lets be done.
//
// Reach is what a policy has to be about: the key; more than the key, as a resource of another kind or
// none at all; nothing, as no permission is needed. States tells what who may do it gets while the key is
// enabled, disabled and pending deletion: + it is done, S the state is told, and 0 nothing is found.
var matrix = []struct{ operations, reach, states string }{
	{"describe-key list-key-versions list-aliases list-records explain-access list-access lint-key get-key-policy put-key-policy list-grants", "key", "+++"}, // reading shows a key in any state; so is its policy changed in AWS
	{"deprecate-version mark-compromised delete-imported-key-material revoke-grant retire-grant approve describe-approval withdraw-approval", "key", "+++"},  // what takes away is never in vain
	{"update-key enable-key disable-key schedule-key-deletion tag-key untag-key restore-version create-grant", "key", "++S"},
	{"execute-rotations", "key", "+++"}, // and tells what waits
	{"request-approval", "key", "+++"},  // a key's state is asked when it is done
	{"cancel-key-deletion", "key", "+"}, // of a key that is pending deletion already
	{"rotate-key get-parameters-for-import", "key", "+SS"},
	{"encrypt decrypt generate-data-key generate-data-key-pair sign verify generate-mac verify-mac get-public-key", "key", "+SS"},
	{"derive-shared-secret encapsulate decapsulate hpke-seal hpke-open", "key", "+SS"},
	{"import-key-material", "import", "+SS"},
	{"get-active-key", "found", "+00"}, // it looks for a key in force
	{"re-encrypt", "more", "+SS"},      // a second key
	{"create-alias update-alias", "more", "++S"},
	{"delete-alias", "more", "+++"},
	{"create-key list-keys generate-random accept-clock lint-access list-approvals check-rotation advance-clock list-due schedule-rotation-check describe-rotation-schedule", "more", "+++"},
	{"store-key retrieve-key list-stored-keys list-stored-key-versions describe-stored-key delete-stored-key restore-stored-key", "more", "+++"},
	{"rotate-stored-key tag-stored-key untag-stored-key", "more", "+++"},
	{"create-principal describe-principal list-principals update-principal delete-principal assume-role", "more", "+++"},
	{"create-group describe-group list-groups delete-group add-to-group remove-from-group", "more", "+++"},
	{"create-credential list-credentials update-credential rotate-credential delete-credential", "more", "+++"},
	{"create-policy describe-policy list-policies update-policy delete-policy attach-policy detach-policy preview-policy", "more", "+++"},
	{"batch get-caller-identity", "nothing", "+++"}, // each item of a batch needs its own permission
}

// cast is who asks, by what their policies say of exactly what the operation needs; named by the key's own
// policy, or granted it.
var cast = []string{"nobody", "denied", "bounded", "another", "own", "named", "granted", "every", "root"}

// grantable are the permissions that a grant can give.
const grantable = "Encrypt Decrypt GenerateDataKey GenerateDataKeyPair Sign Verify GenerateMac VerifyMac GetPublicKey DeriveSharedSecret " +
	"Encapsulate Decapsulate HPKESeal HPKEOpen DescribeKey"

var keyStates = []string{"enabled", "disabled", "pending deletion"}

// expected is the answer of a cell; nil is success. Who may not is told so, whatever the key's state:
// they do not learn it.
func expected(op *gate.Operation, reach string, state byte, who string) error {
	if who == "named" && op == gate.PutKeyPolicy && state == '+' {
		return gate.InvalidRequest // the policy that it puts leaves it to the account, and so would lock it out
	}
	if who == "granted" && slices.Contains(strings.Fields(grantable), bare(op.Permission)) && op != gate.RequestApproval || who == "named" {
		who = "own"
	}
	switch {
	case reach == "nothing":
		return nil
	case who != "own" && who != "every" && who != "root", who == "own" && reach == "more":
		return gate.AccessDenied
	case reach == "import" && state == '+' && who != "root":
		return gate.InvalidCiphertext // the material is wrapped for who asked for the parameters
	case reach == "found" && state == '0' && who == "own":
		return gate.AccessDenied // no key is in force that it may see, and it may not see every one
	}
	return map[byte]error{'+': nil, 'S': gate.InvalidState, '0': gate.NotFound}[state]
}

// bare is a permission without its service.
func bare(permission string) string { return permission[strings.IndexByte(permission, ':')+1:] }

// TestLesson10EveryOperationAsksItsPermission asserts every cell: principal × operation × state × whose key. An
// operation without a rule fails (COSMIAN-2026-016 to -018: operations that asked for none, or another's).
func TestLesson10EveryOperationAsksItsPermission(t *testing.T) {
	known := rows()
	cells := 0
	for _, op := range gate.Operations() {
		if op.Internal {
			continue
		}
		i := slices.IndexFunc(matrix, func(r struct{ operations, reach, states string }) bool {
			return slices.Contains(strings.Fields(r.operations), op.Name)
		})
		if i < 0 {
			t.Errorf("%s has no rule in the matrix", op.Name)
			continue
		}
		rule := matrix[i]
		for column, state := range []byte(rule.states) {
			if testing.Short() && column > 0 {
				break
			}
			t.Run(op.Name+"/"+keyStates[column], func(t *testing.T) {
				var shared *fixture // of those who are denied: they change nothing
				for _, who := range cast {
					want := expected(op, rule.reach, state, who)
					f := shared
					if f == nil || !errors.Is(want, gate.AccessDenied) {
						f = matrixFixture(t, op, known[op.Name], keyStates[column])
						shared = f
					}
					id := f.cast(op, who)
					c, err := f.Gate().Begin(background, op, gate.Proof{Local: id})
					f.must(err)
					if err := known[op.Name].run(f, c, false); !errors.Is(err, want) {
						t.Errorf("%s: %v, want %v", who, err, want)
					}
					cells++
				}
			})
		}
	}
	t.Logf("%d cells", cells)
}

// matrixFixture is a fixture with what a row needs, and its key in a state.
func matrixFixture(t *testing.T, op *gate.Operation, r row, state string) *fixture {
	f := newFixture(t)
	if r.of != (keys.Kind{}) {
		f.useKey(r.of)
	}
	if r.prepare != nil {
		r.prepare(f)
	}
	var err error
	// Grants are made while the key is in force.
	if _, err := f.Identity().CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.User, Name: "cast-granted"}); err != nil {
		t.Fatal(err)
	}
	if name := bare(op.Permission); slices.Contains(strings.Fields(grantable), name) {
		_, err = f.KeyManager().CreateGrant(background, keys.CreateGrantRequest{Key: f.key, Grantee: "arn:aws:iam::000000000000:user/cast-granted", Operations: []string{name}})
		f.must(err)
	}
	switch state {
	case "disabled":
		_, err = f.KeyManager().DisableKey(background, f.key)
	case "pending deletion":
		_, err = f.KeyManager().ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: f.key, Days: 7})
	}
	f.must(err)
	return f
}

// cast makes a principal with policies about what an operation needs.
func (f *fixture) cast(op *gate.Operation, who string) gate.ID {
	f.Helper()
	if who == "root" {
		return f.Admin
	}
	name := "cast-" + who
	if who == "granted" {
		p, err := f.Identity().DescribePrincipal(background, identity.PrincipalRequest{Principal: name})
		f.must(err)
		return p.ID
	}
	p, err := f.Identity().CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.User, Name: name})
	f.must(err)
	needs := []string{op.Permission}
	if op.Permission == "" {
		needs[0] = "kms:ReplicateKey" // any other
	}
	if op == gate.RequestApproval {
		needs = append(needs, gate.ScheduleKeyDeletion.Permission)
	}
	if op.Onto != nil {
		needs = append(needs, op.Onto.Permission)
	}
	key, err := f.KeyManager().DescribeKey(background, f.key)
	f.must(err)
	statement := func(effect, resource string, actions ...string) string {
		return fmt.Sprintf(`{"Effect":%q,"Action":["%s"],"Resource":%q}`, effect, strings.Join(actions, `","`), resource)
	}
	write := func(policy, principal string, statements ...string) {
		_, err := f.Identity().CreatePolicy(background, identity.CreatePolicyRequest{Name: policy, Principal: principal,
			Document: `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`})
		f.must(err)
	}
	switch who {
	case "named":
		document := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":%q},"Action":["%s"],"Resource":"*"},`+
			`{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":["kms:*","haven:*","cloudtrail:*"],"Resource":"*"}]}`, p.ARN, strings.Join(needs, `","`))
		_, err = f.KeyManager().PutKeyPolicy(background, keys.PutPolicyRequest{Key: f.key, Document: document})
		f.must(err)
	case "every":
		write("its", p.ARN, statement("Allow", "*", needs...))
	case "own":
		write("its", p.ARN, statement("Allow", key.ARN, needs...))
	case "another":
		write("its", p.ARN, statement("Allow", strings.Replace(key.ARN, f.key, absent, 1), needs...))
	case "denied":
		write("its", p.ARN, statement("Allow", "*", "*"), statement("Deny", "*", needs...))
	case "bounded":
		write("its", p.ARN, statement("Allow", "*", "*"))
		write("cast-boundary", "", statement("Allow", "*", "kms:SynchronizeMultiRegionKey"))
		_, err = f.Identity().AttachPolicy(background, identity.AttachPolicyRequest{Policy: "cast-boundary", Principal: p.ARN, As: identity.Boundary})
		f.must(err)
	}
	return p.ID
}
