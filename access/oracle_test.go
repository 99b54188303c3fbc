package access_test

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/access"
)

// TestOracle: a public simulator of IAM, run as a process of its own, decides generated requests about
// a key as Haven does, but for the differences listed. HAVEN_ORACLE is the folder it is installed in
// (make oracle).
func TestOracle(t *testing.T) {
	folder := os.Getenv("HAVEN_ORACLE")
	if folder == "" {
		t.Skip("no simulator: run make oracle")
	}
	d := seeded(t)
	o := startOracle(t, folder)
	n := cases(t, 2_000, 5_000)
	agreed, met := 0, map[string]int{}
	for range n {
		w, q := d.setting(), d.question()
		if q.object == "" {
			q.object, q.action = keyARN, pick(d, asked)
		}
		q = q.withoutOurs()
		w = w.with(func(w *setting) {
			w.grants = nil // it knows none
			if !q.who.temporary {
				w.session = "" // as AWS's users have none
			}
		})
		if o.differs(t, w, q) == "" {
			agreed++
			continue
		}
		w = o.shrunk(t, w, q)
		how := o.differs(t, w, q)
		class := ""
		for i := range differences {
			if x := &differences[i]; class == "" && x.is(w, q, how) {
				class = x.what
			}
		}
		if class == "" {
			t.Errorf("%s\n%s\nasked %s by %s\nfacts %v", how, w, q.action, q.who.arn, q.facts())
		}
		met[class]++
	}
	t.Logf("%d of %d agree", agreed, n)
	for _, x := range differences {
		t.Logf("%5d %s: %s", met[x.what], x.what, x.decided)
	}
	if agreed < n*3/4 {
		t.Error("too few agree for this to be a test")
	}
}

// differences are those between Haven and the simulator, each with the text that decides it.
var differences = []struct {
	what    string
	is      func(w *setting, q *question, how string) bool
	decided string
}{
	{"the account's root", func(w *setting, q *question, how string) bool {
		return q.who.root && how == "here Allowed, there ImplicitlyDenied"
	},
		"KMS Developer Guide, Default key policy: the account principal represents the account and its administrators, including the account root user"},
	{"a default of a variable", says(`, '1234abcd'}`, `, 'camp-4'}`),
		"IAM User Guide, Policy elements: Variables and tags, Specifying default values: if the key is not in the request, the default is used"},
	{"NotPrincipal", says(`"NotPrincipal"`),
		"IAM User Guide, NotPrincipal: the element names those who are excepted; all others are meant, and a principal that is listed is not denied"},
	{"a role's session that is named", func(w *setting, q *question, how string) bool {
		return q.who.temporary && strings.Contains(w.key, q.who.arn) && how == "here Allowed, there ImplicitlyDenied"
	}, "IAM User Guide, Policy evaluation logic: permissions granted directly to a session are not limited by an implicit deny in an identity-based policy, a permissions boundary or a session policy"},
	{"everyone, past a boundary or session policy", func(w *setting, q *question, how string) bool {
		return strings.Contains(w.key, `"*"`) && (w.boundary != "" || w.session != "") && how == "here ImplicitlyDenied, there Allowed"
	}, "IAM User Guide, Permissions boundaries: what a resource-based policy grants to the ARN of a user or session is not limited; * is not such an ARN, and Haven limits it, the stricter of two readings"},
	{"BinaryEquals", says(`BinaryEquals`),
		"IAM User Guide, Condition operators, Binary: compares a key's value byte for byte against the base64 representation of it in the policy"},
	{"a network of all addresses", says(`0.0.0.0/0`),
		"IAM User Guide, Condition operators, IP address: all addresses except what lies in the range, in CIDR notation: 0.0.0.0/0 holds every IPv4 address and no IPv6 address"},
	{"ForAnyValue with IfExists of a missing key", says(`ForAnyValue:[A-Za-z]*IfExists`),
		"IAM User Guide, IfExists: if the key is not present, evaluate the condition element as true"},
	{"a variable without a value, negated", says(`Not(Equals|Like)[^{]*\{[^{}]*\$\{`),
		"IAM User Guide, Condition operators: StringNotEquals is negated matching; a variable whose key is not in the request equals nothing, so it is true"},
	{"a variable in a document of no version, or of 2008", func(w *setting, _ *question, _ string) bool {
		return slices.ContainsFunc(append([]string{w.boundary, w.session, w.key}, w.identity...), func(text string) bool {
			return strings.Contains(text, "${") && !strings.Contains(text, "2012-10-17")
		})
	}, "IAM User Guide, Version: with 2008-10-17, or without the element, variables such as ${aws:username} are literal strings"},
	{"how many approved", says(`haven:Approvals`),
		"Haven's own key: every request has it, 0 if nobody approved; the simulator knows no such key"},
	{"an escaped character", says(`\$\{[*?$]\}`),
		"IAM User Guide, Policy elements: Variables and tags: ${*}, ${?} and ${$} stand for the characters themselves, wherever a variable may stand"},
	{"an IPv6 address and an IPv4 network, negated", func(w *setting, q *question, _ string) bool {
		return strings.Contains(q.source, "::") && strings.Contains(w.String(), "NotIpAddress")
	}, "IAM User Guide, Condition operators, IP address: NotIpAddress is all addresses except the given address or range"},
	{"a date that is a year, or seconds since 1970", says(`Date[^}]*"(2027|1777[0-9]*)"`),
		"IAM User Guide, Condition operators, Date: one of the W3C implementations of ISO 8601, of which YYYY is one, or epoch time"},
	{"a pair of an encryption context", says(`kms:EncryptionContext:`),
		"KMS Developer Guide, kms:EncryptionContext:context-key: controls access by a pair of the request's encryption context; the simulator knows no such key"},
}

// says is the class of those whose policies have one of some texts.
func says(texts ...string) func(*setting, *question, string) bool {
	return func(w *setting, _ *question, _ string) bool {
		return slices.ContainsFunc(texts, func(text string) bool { return regexp.MustCompile(text).MatchString(w.String()) })
	}
}

// differs tells how the answers differ, "" if they do not.
func (o *oracle) differs(t *testing.T, w *setting, q *question) string {
	said := o.ask(t, w, q)
	if said.Error != "" {
		return "refused there: " + said.Error
	}
	q = q.without(said.Ignored)
	got := access.Decide(q.request(t, w))
	verdict := map[bool]string{true: "Allowed", false: "ImplicitlyDenied"}[got.Allowed]
	if got.Explicit {
		verdict = "ExplicitlyDenied"
	}
	if verdict == said.Result {
		return ""
	}
	return "here " + verdict + ", there " + said.Result
}

// shrunk takes from a setting whatever it differs without, so that what remains tells why.
func (o *oracle) shrunk(t *testing.T, w *setting, q *question) *setting {
	how := o.differs(t, w, q)
	for again := true; again; {
		again = false
		for _, smaller := range w.smaller() {
			if o.differs(t, smaller, q) == how {
				w, again = smaller, true
				break
			}
		}
	}
	return w
}

// smaller are the settings with one policy, statement or condition less.
func (w *setting) smaller() []*setting {
	var out []*setting
	for i := range w.identity {
		out = append(out, w.with(func(w *setting) { w.identity = slices.Delete(w.identity, i, i+1) }))
		for _, text := range smallerDocuments(w.identity[i]) {
			out = append(out, w.with(func(w *setting) { w.identity[i] = text }))
		}
	}
	for _, at := range []func(*setting) *string{func(w *setting) *string { return &w.boundary }, func(w *setting) *string { return &w.session }, func(w *setting) *string { return &w.key }} {
		if text := *at(w); text != "" {
			for _, text := range append(smallerDocuments(text), "") {
				out = append(out, w.with(func(w *setting) { *at(w) = text }))
			}
		}
	}
	return out
}

func smallerDocuments(text string) []string {
	var out []string
	statements := each(parse(text)["Statement"])
	for i := range statements {
		if len(statements) > 1 {
			p := parse(text)
			p["Statement"] = slices.Delete(each(p["Statement"]), i, i+1)
			out = append(out, encoded(p))
		}
		conditions, _ := statements[i].(document)["Condition"].(document)
		for operator, keys := range conditions {
			for key := range keys.(document) {
				p := parse(text)
				delete(each(p["Statement"])[i].(document)["Condition"].(document)[operator].(document), key)
				out = append(out, encoded(p))
			}
		}
	}
	return out
}

// oracle is the simulator's process.
type oracle struct {
	in  io.Writer
	out *bufio.Scanner
}

type said struct {
	Result  string   `json:"result"`
	Error   string   `json:"error"`
	Ignored []string `json:"ignored"`
}

func startOracle(t *testing.T, folder string) *oracle {
	cmd := exec.Command("node", "testdata/simulate.mjs", folder)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the simulator: %v", err)
		}
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	return &oracle{in, lines}
}

// ask gives it one case. A key without a policy leaves access to the account, which KMS says with its
// default policy.
func (o *oracle) ask(t *testing.T, w *setting, q *question) said {
	identity, boundary, session, key := w.parsed()
	named := func(policies []document) []document {
		list := []document{}
		for i, p := range policies {
			list = append(list, document{"name": string(rune('a' + i)), "policy": p})
		}
		return list
	}
	if key == nil {
		key = []document{parse(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}}`)}
	}
	facts := q.facts()
	for _, key := range []string{"aws:currenttime", "aws:tokenissuetime"} {
		if facts[key] != nil {
			facts[key] = []string{time.Unix(int64(instant(facts[key][0])), 0).UTC().Format(time.RFC3339)}
		}
	}
	simulation := document{
		"request": document{"principal": q.who.arn, "action": q.action, "contextVariables": facts,
			"resource": document{"resource": q.object, "accountId": account}},
		"identityPolicies": named(identity), "resourcePolicy": key[0], "serviceControlPolicies": []any{}, "resourceControlPolicies": []any{},
	}
	if boundary != nil {
		simulation["permissionBoundaryPolicies"] = named(boundary)
	}
	if session != nil {
		simulation["sessionPolicy"] = session[0]
	}
	if _, err := io.WriteString(o.in, encoded(simulation)+"\n"); err != nil {
		t.Fatal(err)
	}
	var answer said
	if !o.out.Scan() {
		t.Fatalf("the simulator ended: %v", o.out.Err())
	}
	if err := json.Unmarshal(o.out.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// withoutOurs is the question without the values of keys that AWS does not have at all.
func (q *question) withoutOurs() *question {
	other, who := *q, *q.who
	who.acr, who.amr = "", nil
	other.who, other.values = &who, maps.Clone(q.values)
	maps.DeleteFunc(other.values, func(k string, _ []string) bool { return strings.HasPrefix(k, "haven:") })
	return &other
}

// without is the question without the values of keys that AWS does not have for its operation.
func (q *question) without(ignored []string) *question {
	other := *q
	other.values = maps.Clone(q.values)
	for _, key := range ignored {
		maps.DeleteFunc(other.values, func(k string, _ []string) bool { return strings.EqualFold(k, key) })
		switch {
		case strings.EqualFold(key, "kms:EncryptionContextKeys"):
			other.context = nil
		case strings.HasPrefix(strings.ToLower(key), "aws:requesttag"), strings.EqualFold(key, "aws:TagKeys"):
			other.requested = nil
		case strings.HasPrefix(strings.ToLower(key), "aws:resourcetag"):
			other.tags = nil
		}
	}
	return &other
}
