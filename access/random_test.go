package access_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/access"
)

// setting is what was set up before a request: the policies of everybody who asks, and of the key.
// Documents are texts; "" is none.
type setting struct {
	identity               []string
	boundary, session, key string
	grants                 []grantOf

	compiled *compiledSetting
	read     *readSetting
}

type compiledSetting struct {
	identity               []*access.Policy
	boundary, session, key *access.Policy
	grants                 map[string][]access.Grant
}

type readSetting struct{ identity, boundary, session, key []document }

// grantOf is a grant by ARNs.
type grantOf struct {
	grantee        string
	actions        []string
	equals, subset map[string]string
}

// person is a caller.
type person struct {
	arn, role, kind, name string
	root                  bool
	tags                  map[string]string
	temporary, mfa        bool
	acr                   string
	amr                   []string
}

// question is a request. values are those of the keys that the request itself gives.
type question struct {
	who            *person
	action, object string
	tags           map[string]string
	time           time.Time
	source, agent  string
	secure         bool
	context        context
	requested      []access.Tag
	values         map[string][]string
	issued         time.Time
}

var everybody = []*person{
	{arn: "arn:aws:iam::" + account + ":user/nurse", kind: "User", name: "nurse", tags: map[string]string{"Team": "camp-3", "star": "*"}},
	{arn: "arn:aws:iam::" + account + ":user/doctor", kind: "User", name: "doctor", tags: map[string]string{"Team": "camp-4"}, acr: "gold", amr: []string{"pwd", "otp"}},
	{arn: "arn:aws:sts::" + account + ":assumed-role/Clinic/amal", role: "arn:aws:iam::" + account + ":role/Clinic", kind: "AssumedRole", name: "Clinic",
		tags: map[string]string{"Team": "camp-3"}, temporary: true, mfa: true},
	{arn: "arn:aws:sts::" + account + ":assumed-role/Clinic/noor", role: "arn:aws:iam::" + account + ":role/Clinic", kind: "AssumedRole", name: "Clinic", temporary: true},
	{arn: "arn:aws:iam::" + account + ":root", kind: "Account", name: "root", root: true},
}

// existing gives ids to everybody by ARN, and to their roles.
func existing(arn string) (string, bool) {
	for _, p := range everybody {
		if arn == p.arn || arn == p.role {
			return "id of " + arn, true
		}
	}
	return "", false
}

const otherARN = "arn:aws:kms:us-east-1:111122223333:key/9999abcd-12ab-34cd-56ef-1234567890ab"

var (
	asked        = []string{"kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey", "kms:DisableKey", "kms:ReEncryptFrom", "kms:PutKeyPolicy"}
	actionsNamed = append([]string{"*", "kms:*", "kms:*crypt*", "kms:D*", "KMS:decrypt", "kms:?ecrypt", "kms:Generate*", "haven:*", "kms:CreateKey"}, asked...)
	unbound      = []string{"kms:CreateKey", "kms:ListKeys", "kms:GenerateRandom"}
	resources    = []string{"*", "*", "*", keyARN, keyARN, otherARN, "arn:aws:kms:*:*:key/*", "arn:aws:kms:*:" + account + ":key/1234*", "arn:aws:kms:us-east-1:*:*",
		"arn:aws:kms:us-east-?:" + account + ":key/????abcd-*", "arn:aws:kms:*:*:*/${aws:PrincipalTag/Team, '1234abcd'}*", "arn:aws:kms:us-*::ab", "arn:*:kms:*:*:k*:*"}
)

// testKey is a condition key with the values that requests have of it and that policies compare.
type testKey struct {
	name, kind string
	multi      bool
	values     []string
}

var testKeys = []testKey{
	{"aws:username", "text", false, []string{"nurse", "doctor", "n*e", "?octor", "NURSE", "${aws:username}"}},
	{"aws:PrincipalArn", "arn", false, []string{everybody[0].arn, everybody[2].role, "arn:aws:iam::*:user/*", "arn:aws:iam::" + account + ":role/C?inic", "arn:*"}},
	{"aws:PrincipalType", "text", false, []string{"User", "AssumedRole", "Account"}},
	{"aws:PrincipalTag/team", "text", false, []string{"camp-3", "camp-?", "${aws:ResourceTag/Team}", "x"}},
	{"aws:PrincipalTag/star", "text", false, []string{"${*}", "*", "${aws:PrincipalTag/star}"}},
	{"aws:ResourceTag/Team", "text", false, []string{"${aws:PrincipalTag/Team}", "camp-3", "camp-*", "${aws:PrincipalTag/none, 'camp-4'}"}},
	{"aws:RequestTag/Owner", "text", false, []string{"clinic", "cl*", "${aws:username}"}},
	{"aws:SourceIp", "address", false, []string{"10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "0.0.0.0/0"}},
	{"aws:UserAgent", "text", false, []string{"clinic/1.0", "clinic/*", "*"}},
	{"aws:SecureTransport", "bool", false, []string{"true", "false"}},
	{"aws:CurrentTime", "date", false, []string{"2026-05-01T12:00:00Z", "2026-05-01", "2026-06-01T00:00:00+02:00", "1777636800"}},
	{"aws:EpochTime", "date", false, []string{"1777636800", "1777636799", "2027"}},
	{"aws:EpochTime", "number", false, []string{"1777636800", "1777636799.5", "2000000000"}},
	{"aws:TokenIssueTime", "date", false, []string{"2026-05-01T11:00:00Z", "2026-05-01T11:30:00Z"}},
	{"aws:MultiFactorAuthPresent", "bool", false, []string{"true", "false"}},
	{"aws:RequestedRegion", "text", false, []string{"us-east-1", "us-*", "eu-central-1"}},
	{"aws:TagKeys", "text", true, []string{"Owner", "Team", "O*"}},
	{"haven:Acr", "text", false, []string{"gold", "silver"}},
	{"haven:Amr", "text", true, []string{"otp", "pwd", "*"}},
	{"kms:CallerAccount", "text", false, []string{account, "999999999999"}},
	{"kms:EncryptionContext:Patient", "text", false, []string{"17", "1*", "${aws:username}", "*"}},
	{"kms:EncryptionContext:type", "text", false, []string{"record", "image", "${aws:PrincipalTag/star}"}},
	{"kms:EncryptionContextKeys", "text", true, []string{"Patient", "type", "patient", "*t*"}},
	{"kms:KeySpec", "text", false, []string{"SYMMETRIC_DEFAULT", "RSA_*"}},
	{"kms:ResourceAliases", "text", true, []string{"alias/a", "alias/b", "alias/*"}},
	{"kms:MultiRegion", "bool", false, []string{"true", "false"}},
	{"kms:ViaService", "text", false, []string{"s3.us-east-1.amazonaws.com", "*"}},
	{"haven:Approvals", "number", false, []string{"2", "2.5", "0", "3"}},
	{"kms:ScheduleKeyDeletionPendingWindowInDays", "number", false, []string{"7", "30", "14"}},
	{"kms:ValidTo", "date", false, []string{"2026-12-31T00:00:00Z", "2026-05-01T11:00:00Z"}},
}

var operatorsOf = map[string][]string{
	"text":    {"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike", "BinaryEquals"},
	"arn":     {"ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "StringEquals", "StringLike", "StringNotLike"},
	"number":  {"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"},
	"date":    {"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"},
	"bool":    {"Bool"},
	"address": {"IpAddress", "NotIpAddress"},
}

// dice draws settings and questions.
type dice struct{ *rand.Rand }

func (d dice) one(in int) bool { return d.IntN(in) == 0 }

func pick[T any](d dice, from []T) T { return from[d.IntN(len(from))] }

// some draws one to three, as a text if one and chance says so.
func (d dice) some(from []string) any {
	if d.one(2) {
		return pick(d, from)
	}
	list := []string{pick(d, from)}
	for d.one(2) && len(list) < 3 {
		list = append(list, pick(d, from))
	}
	return list
}

// element is an element's name, at times the one that turns it round: NotAction, NotResource,
// NotPrincipal.
func (d dice) element(name string) string {
	if d.one(8) {
		return "Not" + name
	}
	return name
}

// document draws a policy; of a resource if it names principals.
func (d dice) document(resource bool, deny int) string {
	p := document{"Statement": d.statements(resource, deny)}
	switch d.IntN(10) {
	case 0:
	case 1:
		p["Version"] = "2008-10-17"
	default:
		p["Version"] = "2012-10-17"
	}
	text, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (d dice) statements(resource bool, deny int) any {
	list := []document{d.statement(resource, deny)}
	for d.one(2) && len(list) < 5 {
		list = append(list, d.statement(resource, deny))
	}
	if len(list) == 1 && d.one(2) {
		return list[0]
	}
	return list
}

func (d dice) statement(resource bool, deny int) document {
	s := document{"Effect": "Allow", d.element("Action"): d.some(actionsNamed), d.element("Resource"): d.some(resources)}
	if d.one(deny) {
		s["Effect"] = "Deny"
	}
	if resource {
		var who any = "*"
		if !d.one(6) {
			names := []string{"arn:aws:iam::" + account + ":root", account, everybody[2].role, "*"}
			for _, p := range everybody[:4] {
				names = append(names, p.arn)
			}
			who = document{"AWS": d.some(names)}
		}
		s[d.element("Principal")] = who
	}
	conditions := document{}
	for n := [...]int{0, 0, 0, 1, 1, 1, 2, 3}[d.IntN(8)]; len(conditions) < n; {
		operator, key, values := d.condition()
		if conditions[operator] == nil {
			conditions[operator] = document{}
		}
		conditions[operator].(document)[key] = values
	}
	if len(conditions) > 0 {
		s["Condition"] = conditions
	}
	return s
}

func (d dice) condition() (operator, key string, values any) {
	k := pick(d, testKeys)
	if d.one(12) {
		return "Null", k.name, pick(d, []any{"true", "false", true, []string{"true", "false"}})
	}
	operator = pick(d, operatorsOf[k.kind])
	chosen := d.some(k.values)
	switch {
	case operator == "BinaryEquals":
		chosen = base64.StdEncoding.EncodeToString([]byte(pick(d, k.values)))
	case k.kind == "arn" && strings.HasPrefix(operator, "Arn"):
		chosen = d.some(k.values[:4])
	}
	switch all := k.name != "aws:RequestTag/Owner" && !strings.HasPrefix(k.name, "kms:EncryptionContext:"); {
	case k.multi || d.one(10):
		operator = map[bool]string{true: "ForAllValues:", false: "ForAnyValue:"}[all && d.one(2)] + operator
	}
	if d.one(4) {
		operator += "IfExists"
	}
	return operator, k.name, chosen
}

// setting draws all policies that apply. Key policies that leave it to the account are frequent, as
// they are in life.
func (d dice) setting() *setting {
	w := &setting{}
	for n := d.IntN(4); len(w.identity) < n; {
		w.identity = append(w.identity, d.document(false, 6))
	}
	if d.one(3) {
		w.boundary = d.document(false, 8)
	}
	if d.one(3) {
		w.session = d.document(false, 8)
	}
	switch d.IntN(4) {
	case 0, 1:
		w.key = d.document(true, 6)
	case 2:
		w.key = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}}`
	}
	for d.one(3) {
		g := grantOf{grantee: pick(d, []string{everybody[0].arn, everybody[1].arn, everybody[2].arn, everybody[2].role}), actions: []string{pick(d, asked), pick(d, asked)}}
		switch d.IntN(4) {
		case 0:
			g.equals = pick(d, []map[string]string{{"patient": "17", "type": "record"}, {"Patient": "17"}, {}})
		case 1:
			g.subset = pick(d, []map[string]string{{"PATIENT": "17"}, {"type": "image"}, {"Patient": "17", "type": "record"}})
		}
		w.grants = append(w.grants, g)
	}
	return w
}

// question draws a request; each of what may be missing is at times.
func (d dice) question() *question {
	q := &question{who: pick(d, everybody), action: pick(d, asked), object: keyARN, secure: !d.one(4), values: map[string][]string{}}
	q.time = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(d.IntN(3)-1) * time.Second)
	q.issued = time.Date(2026, 5, 1, 11, 0, 0, 0, time.UTC).Add(time.Duration(d.IntN(3)) * 30 * time.Minute)
	q.source = pick(d, []string{"10.1.2.3", "192.0.2.7", "2001:db8::5", ""})
	q.agent = pick(d, []string{"clinic/1.0", "curl", ""})
	q.tags = pick(d, []map[string]string{{"team": "camp-3"}, {"Team": "camp-4", "x": "y"}, nil})
	q.context = pick(d, []context{{{"Patient", "17"}, {"type", "record"}}, {{"Patient", "nurse"}}, {{"patient", "17"}}, {{"type", "*"}}, {}})
	q.requested = pick(d, [][]access.Tag{{{"Owner", "clinic"}}, {{"owner", "nurse"}, {"Team", "x"}}, nil, nil})
	for _, given := range []testKey{
		{name: "kms:KeySpec", values: []string{"SYMMETRIC_DEFAULT", "RSA_2048"}}, {name: "haven:Approvals", values: []string{"2", "0"}},
		{name: "kms:ScheduleKeyDeletionPendingWindowInDays", values: []string{"7", "30"}}, {name: "kms:ValidTo", values: []string{"2026-12-31T00:00:00Z"}},
	} {
		if d.one(2) {
			q.values[given.name] = []string{pick(d, given.values)}
		}
	}
	for n := d.IntN(3); len(q.values["kms:ResourceAliases"]) < n; {
		q.values["kms:ResourceAliases"] = append(q.values["kms:ResourceAliases"], "alias/"+string(rune('a'+len(q.values["kms:ResourceAliases"])+d.IntN(2))))
	}
	if d.one(8) {
		q.object, q.action, q.tags = "", pick(d, unbound), nil
	}
	return q
}

// facts is everything that conditions may ask, by normal keys.
func (q *question) facts() map[string][]string {
	truth := func(b bool) []string { return []string{strconv.FormatBool(b)} }
	who := q.who.arn
	if q.who.role != "" {
		who = q.who.role
	}
	f := map[string][]string{
		"aws:principalarn": {who}, "aws:principalaccount": {account}, "aws:principaltype": {q.who.kind}, "aws:securetransport": truth(q.secure),
		"aws:currenttime": {strconv.FormatInt(q.time.Unix(), 10)}, "aws:epochtime": {strconv.FormatInt(q.time.Unix(), 10)},
		"aws:requestedregion": {"us-east-1"}, "kms:calleraccount": {account}, "kms:multiregion": {"false"}, "haven:approvals": {"0"},
	}
	add := func(key string, values ...string) {
		if len(values) > 0 && values[0] != "" {
			f[strings.ToLower(key)] = values
		}
	}
	if q.who.kind == "User" {
		add("aws:username", q.who.name)
	}
	if q.who.temporary {
		f["aws:tokenissuetime"], f["aws:multifactorauthpresent"] = []string{strconv.FormatInt(q.issued.Unix(), 10)}, truth(q.who.mfa)
	}
	for name, value := range q.who.tags {
		add("aws:PrincipalTag/"+name, value)
	}
	for name, value := range q.tags {
		add("aws:ResourceTag/"+name, value)
	}
	for _, tag := range q.requested {
		add("aws:RequestTag/"+tag.Name, tag.Value)
		f["aws:tagkeys"] = append(f["aws:tagkeys"], tag.Name)
	}
	for _, pair := range q.context {
		f["kms:encryptioncontext:"+pair.Name] = []string{pair.Value}
		f["kms:encryptioncontextkeys"] = append(f["kms:encryptioncontextkeys"], pair.Name)
	}
	add("aws:SourceIp", q.source)
	add("aws:UserAgent", q.agent)
	add("haven:Acr", q.who.acr)
	add("haven:Amr", q.who.amr...)
	for key, values := range q.values {
		add(key, values...)
	}
	return f
}

// request is the question as access takes it.
func (q *question) request(t testing.TB, w *setting) *access.Request {
	c := w.compile(t)
	action, ok := access.ActionOf(q.action)
	if !ok {
		t.Fatalf("no action %s", q.action)
	}
	p := &access.Principal{ID: "id of " + q.who.arn, ARN: q.who.arn, Account: account, Root: q.who.root, Kind: q.who.kind, Name: q.who.name, Tags: q.who.tags,
		Policies: c.identity, Boundary: c.boundary, Session: c.session, MultiFactor: q.who.mfa, Issued: q.issued, Temporary: q.who.temporary,
		AuthContextClass: q.who.acr, AuthMethods: q.who.amr}
	if q.who.role != "" {
		p.RoleARN, p.RoleID = q.who.role, "id of "+q.who.role
	}
	r := &access.Request{Principal: p, Action: action, Time: q.time, Secure: q.secure, UserAgent: q.agent, Region: "us-east-1", RequestTags: q.requested}
	if q.source != "" {
		r.Source = netip.MustParseAddr(q.source)
	}
	if len(q.context) > 0 {
		r.Context = q.context
	}
	for _, k := range testKeys {
		for _, value := range q.values[k.name] {
			key, _, ok := access.KeyOf(k.name)
			if !ok {
				t.Fatalf("no key %s", k.name)
			}
			r.Values = append(r.Values, access.Value{Key: key, Text: value})
		}
	}
	if q.object != "" {
		r.Object = &access.Object{ARN: q.object, Account: account, Tags: q.tags, Policy: c.key, Grants: c.grants}
	}
	return r
}

// compile compiles the policies, once.
func (w *setting) compile(t testing.TB) *compiledSetting {
	if w.compiled != nil {
		return w.compiled
	}
	one := func(text string, form access.Form) *access.Policy {
		if text == "" {
			return nil
		}
		p, err := access.Compile([]byte(text), form, account, existing)
		if err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		return p
	}
	c := &compiledSetting{boundary: one(w.boundary, access.Identity), session: one(w.session, access.Identity), key: one(w.key, access.Resource)}
	for _, text := range w.identity {
		c.identity = append(c.identity, one(text, access.Identity))
	}
	c.grants = map[string][]access.Grant{}
	for i, g := range w.grants {
		one, err := access.NewGrant(strconv.Itoa(i), "id of "+g.grantee, g.actions, g.equals, g.subset)
		if err != nil {
			t.Fatal(err)
		}
		c.grants[one.Grantee] = append(c.grants[one.Grantee], one)
	}
	w.compiled = c
	return c
}

// parsed is the policies as maps; an absent one is nil.
func (w *setting) parsed() (identity, boundary, session, key []document) {
	if w.read == nil {
		one := func(text string) []document {
			if text == "" {
				return nil
			}
			return []document{parse(text)}
		}
		w.read = &readSetting{boundary: one(w.boundary), session: one(w.session), key: one(w.key)}
		for _, text := range w.identity {
			w.read.identity = append(w.read.identity, parse(text))
		}
	}
	return w.read.identity, w.read.boundary, w.read.session, w.read.key
}

// with is the setting, changed.
func (w *setting) with(change func(*setting)) *setting {
	other := &setting{slices.Clone(w.identity), w.boundary, w.session, w.key, slices.Clone(w.grants), nil, nil}
	change(other)
	return other
}

func (w *setting) String() string {
	return fmt.Sprintf("identity %s\nboundary %s\nsession %s\nkey %s\ngrants %+v", strings.Join(w.identity, "\n\t"), w.boundary, w.session, w.key, w.grants)
}
