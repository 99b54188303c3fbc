package identity_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
)

// pairs is an encryption context of at most one pair.
type pairs [2]string

func (c pairs) Get(name string) (string, bool) { return c[1], name == c[0] }
func (c pairs) Name(i int) (string, bool)      { return c[0], i == 0 && c[0] != "" }

// asked is what of a question differs: the caller's tags, the key's, the encryption context.
type asked struct {
	caller, key map[string]string
	context     access.Context
}

// deciding answers by policies alone.
func deciding(t *testing.T, documents []string, action string, q asked) bool {
	t.Helper()
	who := &access.Principal{ID: "1", ARN: account + "user/x", Account: "000000000000", Kind: "User", Name: "x", Tags: q.caller}
	for _, d := range documents {
		p, err := access.Compile([]byte(d), access.Identity, "000000000000", nil)
		if err != nil {
			t.Fatal(err)
		}
		who.Policies = append(who.Policies, p)
	}
	a, ok := access.ActionOf(action)
	if !ok {
		t.Fatalf("no action %s", action)
	}
	object := &access.Object{ARN: "arn:aws:kms:us-east-1:000000000000:key/0197a3c2-5f00-7000-8000-000000000001", Account: "000000000000", Tags: q.key}
	switch {
	case strings.HasPrefix(action, "iam:"), strings.HasPrefix(action, "sts:"):
		object = &access.Object{ARN: account + "role/y", Account: "000000000000"}
	case strings.HasPrefix(action, "secretsmanager:"):
		object = &access.Object{ARN: "arn:aws:secretsmanager:us-east-1:000000000000:secret:z", Account: "000000000000"}
	case slices.Contains(ofNoKey, action):
		object = nil
	}
	return access.Decide(&access.Request{Principal: who, Action: a, Object: object, Context: q.context}).Allowed
}

// ofNoKey are the actions on no single thing that the table tells apart.
var ofNoKey = []string{"kms:GenerateRandom", "sts:GetCallerIdentity"}

var protecting = strings.Fields(`kms:Encrypt kms:GenerateDataKey kms:GenerateDataKeyWithoutPlaintext kms:GenerateDataKeyPair
	kms:GenerateDataKeyPairWithoutPlaintext kms:Encapsulate haven:HPKESeal kms:GetPublicKey kms:DescribeKey`)

// TestReady: each ready policy allows exactly what this table says, action by action.
func TestReady(t *testing.T) {
	harmless := strings.Fields("kms:GenerateRandom secretsmanager:GetRandomPassword")
	running := strings.Fields(`kms:RotateKeyOnDemand haven:RotateStoredKey haven:StartCampaign haven:CheckRotation haven:ExecuteRotations
		haven:ScheduleRotationCheck secretsmanager:RotateSecret haven:CreateBackup haven:CreateReport haven:AcceptClock haven:RequestApproval haven:WithdrawApproval`)
	looking := strings.Fields(`kms:DescribeKey kms:ListKeys kms:ListAliases kms:ListResourceTags kms:ListKeyRotations kms:GetKeyRotationStatus
		kms:GetKeyLastUsage haven:ListAlerts haven:ListDue haven:DescribeCampaign haven:ListApprovals haven:DescribeApproval secretsmanager:ListSecrets
		secretsmanager:DescribeSecret sts:GetCallerIdentity haven:VerifyBackup haven:VerifyLog haven:GetProof`)
	notRead := strings.Fields("kms:GetParametersForImport secretsmanager:ValidateResourcePolicy")
	of := func(lists ...[]string) func(string, access.Level) bool {
		return func(name string, _ access.Level) bool { return slices.Contains(slices.Concat(lists...), name) }
	}
	app := map[string]string{"app": "clinic"}
	for name, c := range map[string]struct {
		asked
		allows func(name string, level access.Level) bool
	}{
		"HavenAdministrator": {allows: func(name string, level access.Level) bool {
			return level != access.Use || slices.Contains(harmless, name)
		}},
		"HavenOperator": {allows: of(running, looking)},
		"HavenAuditor": {allows: func(name string, level access.Level) bool {
			return level == access.Read && !slices.Contains(notRead, name)
		}},
		"HavenApplication": {asked{caller: app, key: app}, func(name string, level access.Level) bool {
			use := level == access.Use && !strings.HasPrefix(name, "secretsmanager:") && name != "haven:Recover"
			return use || slices.Contains([]string{"kms:GetPublicKey", "kms:DescribeKey", "sts:GetCallerIdentity"}, name)
		}},
		"HavenEncryptOnly":   {allows: of(protecting)},
		"HavenDecryptOnly":   {allows: of(strings.Fields("kms:Decrypt kms:Decapsulate haven:HPKEOpen kms:DescribeKey"))},
		"HavenKeySeparation": {allows: of()},
	} {
		document := readyDocument(t, name)
		n := 0
		for _, action := range access.Actions() {
			a, _ := access.ActionOf(action)
			want := c.allows(action, a.Level())
			if got := deciding(t, []string{document}, action, c.asked); got != want {
				t.Errorf("%s lets %s: %t", name, action, got)
			}
			if want {
				n++
			}
		}
		if n == 0 && name != "HavenKeySeparation" {
			t.Errorf("%s allows nothing", name)
		}
	}
}

func readyDocument(t *testing.T, name string) string {
	t.Helper()
	p := newPlace(t)
	shown, err := p.Identity().DescribePolicy(background, identity.PolicyRequest{Policy: name})
	p.must(err)
	if shown.Kind != identity.Ready || shown.ARN != "arn:aws:iam::aws:policy/"+name {
		t.Errorf("%s is %+v", name, shown)
	}
	return shown.Document
}

// TestReadyApplication: an application uses the keys whose tag app is its own, exactly, and no others.
func TestReadyApplication(t *testing.T) {
	document := []string{readyDocument(t, "HavenApplication")}
	app := func(name string) map[string]string { return map[string]string{"app": name} }
	for what, c := range map[string]struct {
		asked
		may bool
	}{
		"the same":               {asked{caller: app("clinic"), key: app("clinic")}, true},
		"another":                {asked{caller: app("clinic"), key: app("camp")}, false},
		"another case":           {asked{caller: app("clinic"), key: app("Clinic")}, false},
		"a key without":          {asked{caller: app("clinic")}, false},
		"a caller without":       {asked{key: app("clinic")}, false},
		"neither":                {asked{}, false},
		"a wildcard as a value":  {asked{caller: app("*"), key: app("clinic")}, false},
		"a variable as a value":  {asked{caller: app("${aws:ResourceTag/app}"), key: app("clinic")}, false},
		"a wildcard on the key":  {asked{caller: app("clinic"), key: app("*")}, false},
		"a tag of another name":  {asked{caller: map[string]string{"application": "clinic"}, key: app("clinic")}, false},
		"the name in other case": {asked{caller: map[string]string{"App": "clinic"}, key: app("clinic")}, true},
	} {
		if got := deciding(t, document, "kms:Decrypt", c.asked); got != c.may {
			t.Errorf("%s: %t", what, got)
		}
	}
}

// TestReadyKeySeparation: beside a policy that allows everything, it denies what has a context to
// whoever does not name the data type, or names another than the key's.
func TestReadyKeySeparation(t *testing.T) {
	documents := []string{statement("Allow", "*"), readyDocument(t, "HavenKeySeparation")}
	record := map[string]string{"data_type": "medical-record"}
	for what, c := range map[string]struct {
		asked
		may bool
	}{
		"the key's type":             {asked{key: record, context: pairs{"data_type", "medical-record"}}, true},
		"another type":               {asked{key: record, context: pairs{"data_type", "photo"}}, false},
		"a wildcard":                 {asked{key: record, context: pairs{"data_type", "*"}}, false},
		"something else":             {asked{key: record, context: pairs{"patient", "17"}}, false},
		"nothing":                    {asked{key: record}, false},
		"any type, of a key of none": {asked{context: pairs{"data_type", "photo"}}, true},
		"nothing, of a key of none":  {asked{}, false},
	} {
		for _, action := range strings.Fields("kms:Encrypt kms:Decrypt kms:ReEncryptFrom kms:ReEncryptTo kms:GenerateDataKey kms:GenerateDataKeyWithoutPlaintext kms:GenerateDataKeyPair kms:GenerateDataKeyPairWithoutPlaintext") {
			if got := deciding(t, documents, action, c.asked); got != c.may {
				t.Errorf("%s, %s: %t", action, what, got)
			}
		}
		if !deciding(t, documents, "kms:DescribeKey", c.asked) || !deciding(t, documents, "kms:Sign", c.asked) {
			t.Errorf("%s: it denies what has no context", what)
		}
	}
}

// TestReadyStays: nobody edits, deletes or takes the name of what comes with the release; all are
// listed, in pages too.
func TestReadyStays(t *testing.T) {
	p := newPlace(t)
	i := haven{p.Identity()}
	for _, name := range []string{"HavenAuditor", "policy/HavenAuditor", "arn:aws:iam::aws:policy/HavenAuditor"} {
		p.refused("an update", gate.Conflict, i.update(identity.PolicyRequest{Policy: name}, statement("Allow", "*")))
		p.refused("a deletion", gate.Conflict, i.remove(identity.PolicyRequest{Policy: name}))
	}
	for _, name := range []string{"HavenAuditor", "HavenSomething", "HAVENAUDITOR"} {
		p.refused("another of the name", gate.InvalidRequest, i.create(name, statement("Allow", "*"), ""))
	}
	p.policy("one", statement("Allow", "kms:Encrypt"))
	p.Clock.Advance(time.Millisecond) // ids of one millisecond are in no order
	p.policy("two", statement("Allow", "kms:Encrypt"))
	for limit := 1; limit <= 10; limit++ {
		var all []string
		for req := (identity.ListPoliciesRequest{Limit: limit}); ; {
			page, err := i.ListPolicies(background, req)
			p.must(err)
			for _, one := range page.Policies {
				all = append(all, one.Name)
			}
			if req.Cursor = page.NextCursor; req.Cursor == "" {
				break
			}
		}
		if len(all) != 9 || all[0] != "HavenAdministrator" || all[7] != "one" || all[8] != "two" {
			t.Errorf("pages of %d list %q", limit, all)
		}
	}
}

// TestOperatorCannotRise: who has the ready operator role cannot give itself or anybody a right.
func TestOperatorCannotRise(t *testing.T) {
	p := newPlace(t)
	operator := p.person(identity.User, "operator")
	p.attach("HavenOperator", "operator", identity.Own)
	p.person(identity.Role, "any")
	i := haven{p.As(operator).Identity()}
	for what, err := range map[string]error{
		"writing":     i.create("mine", statement("Allow", "*"), ""),
		"inline":      i.create("mine", statement("Allow", "*"), "operator"),
		"attaching":   i.attach("HavenAdministrator", "operator", ""),
		"no boundary": i.detach("HavenAuditor", "operator", identity.Boundary),
		"trust":       i.update(identity.PolicyRequest{Principal: "role/any", As: identity.TrustPolicy}, trusts(account+"user/operator")),
		"another": func() error {
			_, err := i.CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.User, Name: "another"})
			return err
		}(),
	} {
		p.refused(what, gate.AccessDenied, err)
	}
}
