package access_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/haven-health/haven/access"
)

// seeded returns dice whose seed is HAVEN_SEED or new; a test that fails prints it.
func seeded(t testing.TB) dice {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("HAVEN_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("HAVEN_SEED=%d", seed)
	return dice{rand.New(rand.NewPCG(seed, 0))}
}

// cases is how many a test draws: HAVEN_POLICIES if it is set, else more in CI than at hand.
func cases(t testing.TB, short, ci int) int {
	n, err := short, error(nil)
	switch s := os.Getenv("HAVEN_POLICIES"); {
	case s != "":
		n, err = strconv.Atoi(s)
	case os.Getenv("HAVEN_CI") == "1":
		n = ci
	}
	if err != nil || n < 1 {
		t.Fatalf("HAVEN_POLICIES is a number of cases: %v", err)
	}
	return n
}

// questionsEach is how many requests are asked of one setting.
const questionsEach = 20

// TestLesson05ListSlippedPastDeny: an evaluator written independently agrees on random policies and
// requests, with every operator, form of element and source of rights. In other systems a listing
// slipped past a more specific deny (GHSA-xp3c-3jw3-4vcr).
func TestLesson05ListSlippedPastDeny(t *testing.T) {
	d, judge := seeded(t), newNaive()
	var allowed, explicit, implicit int
	n := cases(t, 20_000, 1_000_000)
	for i := 0; i < n; i += questionsEach {
		w := d.setting()
		for range questionsEach {
			q := d.question()
			got := access.Decide(q.request(t, w))
			want, denied := judge.decide(w, q)
			if got.Allowed != want || got.Explicit != denied {
				t.Fatalf("case %d: %+v; by the rules allowed=%v explicit=%v\n%s\nasked %s of %q by %s\nfacts %v", i, got, want, denied, w, q.action, q.object, q.who.arn, q.facts())
			}
			switch {
			case want:
				allowed++
			case denied:
				explicit++
			default:
				implicit++
			}
		}
	}
	t.Logf("%d pairs agree: %d allowed, %d explicitly denied, %d not allowed", n, allowed, explicit, implicit)
	for _, count := range []int{allowed, explicit, implicit} {
		if count < n/20 {
			t.Errorf("one outcome is too rare to have been tested")
		}
	}
}

// added is where a statement is put.
var added = []struct {
	name     string
	resource bool
	at       func(*setting) *string
}{
	{"identity", false, func(w *setting) *string {
		if len(w.identity) == 0 {
			return nil
		}
		return &w.identity[0]
	}},
	{"boundary", false, func(w *setting) *string { return &w.boundary }},
	{"session", false, func(w *setting) *string { return &w.session }},
	{"key", true, func(w *setting) *string { return &w.key }},
}

// and is a document with one more statement.
func and(document, statement string) string {
	p := parse(document)
	p["Statement"] = append(each(p["Statement"]), parse(statement))
	return encoded(p)
}

// TestDenyAlwaysWins: what denies everything, wherever it stands, leaves nothing; whatever Deny is
// added anywhere adds no right; whatever Allow is added to what is there takes none, and neither does
// a grant.
func TestDenyAlwaysWins(t *testing.T) {
	d := seeded(t)
	gained, lost := 0, 0
	for range cases(t, 10_000, 100_000) / questionsEach {
		w := d.setting()
		place := pick(d, added)
		at := place.at(w)
		if at == nil || *at == "" {
			continue
		}
		all := encoded(document{"Effect": "Deny", "Action": "*", "Resource": "*"})
		if place.resource {
			all = encoded(document{"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"})
		}
		nothing := w.with(func(w *setting) { p := place.at(w); *p = and(*p, all) })
		less := w.with(func(w *setting) { p := place.at(w); *p = and(*p, d.oneStatement(place.resource, "Deny")) })
		more := w.with(func(w *setting) { p := place.at(w); *p = and(*p, d.oneStatement(place.resource, "Allow")) })
		granted := w.with(func(w *setting) {
			w.grants = append(w.grants, grantOf{grantee: pick(d, everybody).arn, actions: []string{pick(d, asked)}})
		})
		for range questionsEach {
			q := d.question()
			if place.resource && q.object == "" {
				continue
			}
			before := access.Decide(q.request(t, w)).Allowed
			after := access.Decide(q.request(t, less)).Allowed
			then := access.Decide(q.request(t, more)).Allowed
			switch denied := access.Decide(q.request(t, nothing)); {
			case denied.Allowed || !denied.Explicit:
				t.Fatalf("denied in %s, yet %+v\n%s", place.name, denied, nothing)
			case after && !before:
				t.Fatalf("a Deny in %s gave a right\n%s\n\nthen\n%s", place.name, w, less)
			case before && !then:
				t.Fatalf("an Allow in %s took a right\n%s\n\nthen\n%s", place.name, w, more)
			case before && !access.Decide(q.request(t, granted)).Allowed:
				t.Fatalf("a grant took a right\n%s", granted)
			case before && !after:
				lost++
			case then && !before:
				gained++
			}
		}
	}
	t.Logf("rights lost by a Deny %d, gained by an Allow %d", lost, gained)
	if gained == 0 || lost == 0 {
		t.Error("nothing was ever gained or lost")
	}
}

// oneStatement draws a statement of an effect.
func (d dice) oneStatement(resource bool, effect string) string {
	s := d.statement(resource, 2)
	s["Effect"] = effect
	return encoded(s)
}

// TestLesson03CheckBeforeNormalisation: the case in which an action or a condition key is written
// plays no part, wherever it stands; that of a resource, a value or an encryption context does. In
// other systems a name in other case passed a check that came before its normalisation
// (CVE-2025-5999, -54996, -64761).
func TestLesson03CheckBeforeNormalisation(t *testing.T) {
	d := seeded(t)
	for range cases(t, 4_000, 40_000) / questionsEach {
		w := d.setting()
		other := w.with(func(w *setting) {
			for i := range w.identity {
				w.identity[i] = d.recased(w.identity[i])
			}
			for _, p := range []*string{&w.boundary, &w.session, &w.key} {
				*p = d.recased(*p)
			}
		})
		for range questionsEach {
			q := d.question()
			a, b := access.Decide(q.request(t, w)), access.Decide(q.request(t, other))
			if a.Allowed != b.Allowed || a.Explicit != b.Explicit {
				t.Fatalf("%+v, then %+v\n%s\n\nthen\n%s", a, b, w, other)
			}
		}
	}
	r := nurse(t, compile(t, access.Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:us-east-1:111122223333:KEY/*"}}`))
	if access.Decide(r).Allowed {
		t.Error("the case of an ARN played no part")
	}
}

// recased writes actions and condition keys in another case.
func (d dice) recased(text string) string {
	if text == "" {
		return ""
	}
	p := parse(text)
	for _, one := range each(p["Statement"]) {
		s := one.(document)
		for _, element := range []string{"Action", "NotAction"} {
			if list := s[element]; list != nil {
				changed := []string{}
				for _, a := range each(list) {
					changed = append(changed, d.anyCase(a.(string)))
				}
				s[element] = changed
			}
		}
		conditions, _ := s["Condition"].(document)
		for operator, keys := range conditions {
			changed := document{}
			for key, values := range keys.(document) {
				if !strings.HasPrefix(key, "kms:EncryptionContext:") {
					key = d.anyCase(key)
				}
				changed[key] = values
			}
			conditions[operator] = changed
		}
	}
	return encoded(p)
}

func (d dice) anyCase(s string) string {
	return strings.Map(func(r rune) rune {
		if d.one(2) {
			return unicode.ToUpper(r)
		}
		return unicode.ToLower(r)
	}, s)
}

// decides tells what one statement of an identity policy says of decrypting the nurse's key.
func decides(t *testing.T, effect, action, resource string) access.Decision {
	allowAll := compile(t, access.Identity, `{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`)
	one := compile(t, access.Identity, fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":%q,"Action":%q,"Resource":%q}}`, effect, action, resource))
	if effect == "Deny" {
		return access.Decide(nurse(t, allowAll, one))
	}
	return access.Decide(nurse(t, one))
}

// TestLesson04WildcardSpansParts: a wildcard does not leave its part of an ARN, nor an action its
// service. In other systems globs matched paths of another meaning (CVE-2021-42135).
func TestLesson04WildcardSpansParts(t *testing.T) {
	for _, c := range []struct {
		action, resource string
		want             bool
	}{
		{"kms:*", "arn:aws:kms:us-east-1:111122223333:key/*", true},
		{"kms:Dec*", "arn:aws:kms:*:*:key/*", true},
		{"kms:*crypt", "arn:aws:kms:us-*:1111*:key/1234*ab", true},
		{"kms:Decryp?", "arn:aws:kms:us-east-?:111122223333:*", true},
		{"kms:Decrypt", "arn:aws:kms:*", false},                                   // not an ARN of six parts: refused
		{"kms:Decrypt", "arn:aws:kms:*:key/*", false},                             // refused
		{"kms:Decrypt", "arn:aws:kms:*:us-east-1:key/*", false},                   // parts shifted
		{"kms:Decrypt", "arn:aws:kms:us-east-1*:111122223333:alias/*", false},     // another type
		{"kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/", false},         // nothing is not anything
		{"kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/1234abcd", false}, // a beginning is not the whole
		{"kms:Decrypt", "arn:aws:secretsmanager:us-east-1:111122223333:*", false}, // another service
		{"kms:decrypt", "arn:aws:kms:us-east-1:111122223333:KEY/*", false},        // case counts in ARNs
		{"kms:Describe*", "*", false},
		{"kms:?Decrypt", "*", false}, // refused: it matches nothing
		{"secretsmanager:*", "*", false},
	} {
		document := fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":%q,"Resource":%q}}`, c.action, c.resource)
		p, err := access.Compile([]byte(document), access.Identity, account, nil)
		got := err == nil && access.Decide(nurse(t, p)).Allowed
		if got != c.want {
			t.Errorf("%s on %s: %v (%v)", c.action, c.resource, got, err)
		}
	}
}

// TestLesson06VariableWidensPolicy: what a variable stands for is literal, whatever wildcards and
// separators are in it. In other systems it widened the policy (GHSA-59w7-v8rr-pr4p).
func TestLesson06VariableWidensPolicy(t *testing.T) {
	p := compile(t, access.Identity, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrypt","Resource":"arn:aws:kms:us-east-1:111122223333:key/${aws:PrincipalTag/star}"}}`)
	like := compile(t, access.Identity, allow(`"StringLike":{"kms:EncryptionContext:Patient":"${aws:PrincipalTag/star}"}`))
	for _, value := range []string{"*", "?", "1?", "1*", "${*}", "1234*", "${aws:username}", "*:*", "../*", "17/", "+", ".*"} {
		for _, policy := range []*access.Policy{p, like} {
			r := nurse(t, policy)
			r.Principal.Tags = map[string]string{"star": value}
			if d := access.Decide(r); d.Allowed {
				t.Errorf("%q let in: %+v", value, d)
			}
		}
	}
	r := nurse(t, like)
	r.Principal.Tags = map[string]string{"star": "17"}
	if !access.Decide(r).Allowed {
		t.Error("the value itself does not match")
	}
}

// TestLesson07SilentDeny: a Deny whose pattern has its wildcard anywhere denies; one that cannot be
// honoured is refused when written, never ignored. Elsewhere a deny with a wildcard in the middle
// silently matched nothing (minio/kes #510).
func TestLesson07SilentDeny(t *testing.T) {
	for _, resource := range []string{"*", "arn:aws:kms:*:*:key/*ab", "arn:aws:kms:*:*:key/1234*56ef*ab", "arn:aws:kms:*:*:*/1234abcd-12ab-*", "arn:aws:kms:us-*-1:1111222233*:key/?234*"} {
		if d := decides(t, "Deny", "kms:*rypt", resource); d.Allowed || !d.Explicit {
			t.Errorf("%s does not deny: %+v", resource, d)
		}
	}
	for _, wrong := range []string{
		`"Action":"kms:Encyrpt","Resource":"*"`, `"Action":"/v1/key/*/bucket1-key","Resource":"*"`, `"Action":"*:Decrypt","Resource":"*"`,
		`"Action":"kms:*","Resource":"key/*/bucket1-key"`, `"Action":"kms:*","Resource":"arn:aws:k*s:*:*:*"`, `"Action":"kms:*","Resource":"arn:aws:kms:*:*"`,
		`"Action":"kms:*","Resource":"*","Condition":{"StringEquals":{"kms:Nothing":"x"}}`,
		`"Action":"kms:*","Resource":"*","Condition":{"StringMatches":{"aws:username":"x"}}`,
		`"Action":"kms:*","Resource":"*","Unless":{}`,
	} {
		if _, err := access.Compile([]byte(`{"Statement":{"Effect":"Deny",`+wrong+`}}`), access.Identity, account, nil); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}
