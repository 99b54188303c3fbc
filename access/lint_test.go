package access_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/haven-health/haven/access"
)

// TestLint: what each rule finds, where, and what it leaves alone.
func TestLint(t *testing.T) {
	const everything = `"Resource":"*"`
	for _, c := range []struct {
		form       access.Form
		statements string
		want       string // rule and place, in order
	}{
		{access.Identity, `{"Effect":"Allow","Action":"kms:Decrypt",` + everything + `}`, ""},
		{access.Identity, `{"Effect":"Allow","Action":["kms:DescribeKey","kms:*crypt"],` + everything + `}`, "use-by-wildcard /Statement/0/Action/1"},
		{access.Identity, `{"Effect":"Allow","Action":"kms:Describe*",` + everything + `}`, ""},
		{access.Identity, `{"Effect":"Deny","Action":"*",` + everything + `}`, ""},
		{access.Identity, `{"Effect":"Allow","Action":"kms:*",` + everything + `}`, "use-by-wildcard /Statement/0/Action, administers-and-uses /Statement/0/Action"},
		{access.Identity, `{"Effect":"Allow","Action":"kms:Decrypt",` + everything + `},{"Effect":"Allow","Action":["kms:DisableKey"],` + everything + `},{"Effect":"Allow","Action":["kms:EnableKey"],` + everything + `}`,
			"administers-and-uses /Statement/1/Action"},
		{access.Identity, `{"Effect":"Allow","Action":"kms:Decrypt",` + everything + `},{"Effect":"Deny","Action":"kms:DisableKey",` + everything + `}`, ""},
		{access.Identity, `{"Effect":"Allow","NotAction":"iam:*","NotResource":"arn:aws:kms:*:*:key/1"}`,
			"allows-all-but /Statement/0/NotAction, allows-all-but /Statement/0/NotResource, administers-and-uses /Statement/0/NotAction"},
		{access.Identity, `{"Effect":"Deny","NotAction":"iam:*",` + everything + `}`, ""},
		{access.Resource, `{"Effect":"Allow","NotPrincipal":{"AWS":"` + account + `"},"Action":"kms:Decrypt",` + everything + `}`, "allows-all-but /Statement/0/NotPrincipal"},
		{access.Resource, `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:root"},"Action":"kms:*",` + everything + `}`, ""},
		{access.Resource, `{"Effect":"Allow","Principal":"*","Action":"kms:*",` + everything + `}`, "use-by-wildcard /Statement/0/Action, administers-and-uses /Statement/0/Action"},
		{access.Identity, `{"Effect":"Allow","Action":"kms:Decrypt",` + everything + `,"Condition":{"ForAllValues:StringEquals":{"kms:EncryptionContextKeys":"Patient"}}}`,
			"for-all-without-null /Statement/0/Condition/ForAllValues:StringEquals/kms:EncryptionContextKeys"},
		{access.Identity, `{"Effect":"Allow","Action":"kms:Decrypt",` + everything + `,"Condition":{"Null":{"kms:encryptioncontextkeys":"false"},"ForAllValues:StringEquals":{"kms:EncryptionContextKeys":"Patient"}}}`, ""},
		{access.Identity, `{"Effect":"Deny","Action":"kms:Decrypt",` + everything + `,"Condition":{"ForAllValues:StringEquals":{"kms:EncryptionContextKeys":"Patient"}}}`, ""},
		{access.Identity, `{"Effect":"Allow","Action":"kms:Decrypt",` + everything + `,"Condition":{"StringEquals":{"aws:SourceVpc":"x","aws:username":"y"}}}`, "key-never-there /Statement/0/Condition/StringEquals/aws:SourceVpc"},
		{access.Identity, `{"Effect":"Deny","Action":"kms:Decrypt",` + everything + `,"Condition":{"StringNotEquals":{"kms:ViaService":"x"}}}`, "key-never-there /Statement/0/Condition/StringNotEquals/kms:ViaService"},
	} {
		findings, err := access.Lint([]byte("{\n\"Version\":\"2012-10-17\",\"Statement\":["+c.statements+"]}"), c.form, account, people)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range findings {
			got = append(got, fmt.Sprintf("%s %s", f.Rule, strings.ReplaceAll(f.Pointer, "~1", "/")))
			if f.Line != 2 || f.Column < 2 || f.What == "" || f.Advice == "" {
				t.Errorf("%+v", f)
			}
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s\n%s, not\n%s", c.statements, s, c.want)
		}
	}
	if _, err := access.Lint([]byte(`{"Statement":{"Effect":"Allow","Action":"kms:Nothing","Resource":"*"}}`), access.Identity, account, nil); err == nil {
		t.Error("what does not compile is looked at")
	}
}

// TestLintAnything: of random policies every finding lies within the document, and following the
// advice of a missing Null ends it.
func TestLintAnything(t *testing.T) {
	d := seeded(t)
	found := map[access.Rule]int{}
	for range 500 {
		text := d.document(false, 4)
		findings, err := access.Lint([]byte(text), access.Identity, account, nil)
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		for _, f := range findings {
			found[f.Rule]++
			if f.Line != 1 || f.Column < 2 || f.Column > len(text)+1 || !strings.HasPrefix(f.Pointer, "/Statement") {
				t.Errorf("%+v in %s", f, text)
			}
		}
	}
	if len(found) != 5 {
		t.Errorf("found only %v", found)
	}
}

// TestDifference: the preview of a change of policy says what deciding every request before and after
// says; a right under conditions is told as such.
func TestDifference(t *testing.T) {
	always := compile(t, access.Identity, `{"Statement":[{"Effect":"Allow","Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*"}]}`)
	if c := difference(t, always, compile(t, access.Identity, `{"Statement":{"Effect":"Allow","Action":["kms:Decrypt","kms:Sign"],"Resource":"*"}}`)); c !=
		"kms:Encrypt yes to no, kms:Sign no to yes" {
		t.Error(c)
	}
	if c := difference(t, always, compile(t, access.Identity, `{"Statement":[{"Effect":"Allow","Action":"kms:*crypt","Resource":"*","Condition":{"StringEquals":{"kms:EncryptionContext:ward":"3"}}},
		{"Effect":"Deny","Action":"kms:Decrypt","Resource":"*"}]}`)); c != "kms:Decrypt yes to no, kms:Encrypt yes to conditionally" {
		t.Error(c)
	}
	if c := difference(t, always, nil); c != "kms:Decrypt yes to no, kms:Encrypt yes to no" {
		t.Error(c)
	}
	if c := difference(t, always, always); c != "" {
		t.Error(c)
	}
	r := nurse(t, always)
	key := compile(t, access.Resource, `{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/doctor"},"Action":"*","Resource":"*"}}`)
	decrypt, _ := access.ActionOf("kms:Decrypt")
	changes := access.Difference(nil, key, *r, []*access.Principal{r.Principal}, []access.Action{decrypt}, []*access.Object{r.Object, nil})
	if len(changes) != 1 || changes[0].Gained() || changes[0].Resource != keyARN || changes[0].After != access.Never {
		t.Errorf("%+v", changes)
	}
}

// difference tells what a change of the nurse's policy changes of each action, in the actions' order
// by name.
func difference(t *testing.T, old, new *access.Policy) string {
	r := nurse(t, old)
	r.Context = nil
	var actions []access.Action
	names := access.Actions()
	slices.Sort(names)
	for _, name := range names {
		a, _ := access.ActionOf(name)
		actions = append(actions, a)
	}
	other := nurse(t).Principal
	var out []string
	for _, c := range access.Difference(old, new, *r, []*access.Principal{r.Principal, other}, actions, []*access.Object{r.Object}) {
		if c.Gained() != (c.After > c.Before) || c.Principal != r.Principal.ARN || c.Resource != keyARN {
			t.Errorf("%+v", c)
		}
		out = append(out, fmt.Sprintf("%s %s to %s", c.Action, c.Before, c.After))
	}
	return strings.Join(out, ", ")
}

// TestExtent: what is allowed is allowed always; what no request is allowed is never; so a condition
// added to an Allow makes no right out of none.
func TestExtent(t *testing.T) {
	d, seen := seeded(t), map[access.Extent]int{}
	for range 300 {
		w := d.setting()
		for range questionsEach {
			q := d.question()
			r := q.request(t, w)
			extent, by := access.ExtentOf(r)
			seen[extent]++
			allowed := access.Decide(r).Allowed
			if (extent == access.Always) != allowed || by.Allowed != (extent != access.Never) {
				t.Fatalf("%v, allowed=%v by %+v", extent, allowed, by)
			}
			// Another request for the same by the same caller, with whatever other facts, is no further.
			other := d.question()
			other.who, other.action, other.object = q.who, q.action, q.object
			if extent == access.Never && access.Decide(other.request(t, w)).Allowed {
				t.Fatalf("never, yet allowed\n%s\n%+v", w, other)
			}
		}
	}
	if len(seen) != 3 {
		t.Errorf("only %v", seen)
	}
}
