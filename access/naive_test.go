package access_test

import (
	"encoding/base64"
	"encoding/json"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// naive decides by the rules of the IAM User Guide ("Policy evaluation logic", "IAM JSON policy
// elements: Condition operators") and the KMS Developer Guide ("Key policies", "Grants"), written a
// second time by other means: documents as maps, wildcards as regular expressions, a request as a map
// of facts. It is slow and plain, and shares no line with what it judges.
type naive struct {
	globs map[string]*regexp.Regexp
}

type document = map[string]any

func newNaive() *naive { return &naive{globs: map[string]*regexp.Regexp{}} }

// decide answers whether a request is allowed, and whether it is refused by an explicit Deny.
func (n *naive) decide(w *setting, q *question) (allowed, explicit bool) {
	facts := q.facts()
	any := func(policies []document, effect string, also func(document) bool) bool {
		for _, policy := range policies {
			for _, s := range each(policy["Statement"]) {
				s := s.(document)
				if s["Effect"] == effect && also(s) && n.matches(s, policy["Version"] == "2012-10-17", q, facts) {
					return true
				}
			}
		}
		return false
	}
	always := func(document) bool { return true }
	names := func(how string) func(document) bool {
		return func(s document) bool { return slices.Contains(namedAs(s, q.who), how) }
	}
	identity, boundary, session, key := w.parsed()
	if q.object == "" {
		key = nil
	}
	if any(slices.Concat(identity, boundary, session), "Deny", always) ||
		any(key, "Deny", func(s document) bool { return len(namedAs(s, q.who)) > 0 }) {
		return false, true
	}
	within := (boundary == nil || any(boundary, "Allow", always)) && (session == nil || any(session, "Allow", always))
	self, role := n.granted(w, q)
	switch {
	case any(key, "Allow", names("self")) || self:
		return true, false
	case (any(key, "Allow", names("role")) || role) && within:
		return true, false
	case key != nil && !any(key, "Allow", names("account")):
		return false, false
	}
	return within && (q.who.root || any(identity, "Allow", always)), false
}

// granted tells whether a grant to the caller, and whether one to its role, lets it in.
func (n *naive) granted(w *setting, q *question) (self, role bool) {
	if q.object == "" {
		return false, false
	}
	for _, g := range w.grants {
		if !slices.Contains(g.actions, q.action) || !n.constrained(g, q) {
			continue
		}
		self = self || g.grantee == q.who.arn
		role = role || g.grantee == q.who.role
	}
	return self, role
}

// constrained: GrantConstraints of the KMS API Reference: of operations that take an encryption
// context only; the names' case plays no part, that of the values does.
func (n *naive) constrained(g grantOf, q *question) bool {
	if !regexp.MustCompile(`^kms:(Encrypt|Decrypt|ReEncrypt|GenerateDataKey)`).MatchString(q.action) {
		return true
	}
	lower := func(m map[string]string) []string {
		var pairs []string
		for name, value := range m {
			pairs = append(pairs, strings.ToLower(name)+"="+value)
		}
		slices.Sort(pairs)
		return pairs
	}
	have := map[string]string{}
	for _, pair := range q.context {
		have[pair.Name] = pair.Value
	}
	if g.equals != nil && !slices.Equal(lower(g.equals), lower(have)) {
		return false
	}
	for _, pair := range lower(g.subset) {
		if !slices.Contains(lower(have), pair) {
			return false
		}
	}
	return true
}

// each returns the members of a list, or the one that stands in its place.
func each(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// namedAs tells how a statement of a key policy names a caller: self, role, account; none if not.
func namedAs(s document, who *person) (how []string) {
	principal, inverted := s["Principal"], false
	if principal == nil {
		principal, inverted = s["NotPrincipal"], true
	}
	if m, ok := principal.(document); ok {
		principal = m["AWS"]
	}
	for _, p := range each(principal) {
		switch p {
		case "*":
			how = append(how, "role")
		case account, "arn:aws:iam::" + account + ":root":
			how = append(how, "account")
		case who.arn:
			how = append(how, "self")
		case who.role:
			how = append(how, "role")
		}
	}
	switch {
	case inverted && how == nil:
		return []string{"role"}
	case inverted:
		return nil
	}
	return how
}

func (n *naive) matches(s document, variables bool, q *question, facts map[string][]string) bool {
	if _, not := s["NotAction"]; not == slices.ContainsFunc(each(first(s["Action"], s["NotAction"])), func(a any) bool {
		return n.glob(`(?i)`, a.(string)).MatchString(q.action)
	}) {
		return false
	}
	if _, not := s["NotResource"]; not == slices.ContainsFunc(each(first(s["Resource"], s["NotResource"])), func(r any) bool {
		return r == "*" || q.object != "" && n.arn(r.(string), q.object, variables, facts)
	}) {
		return false
	}
	conditions, _ := s["Condition"].(document)
	for operator, keys := range conditions {
		for key, values := range keys.(document) {
			if !n.condition(operator, normal(key), each(values), variables, facts) {
				return false
			}
		}
	}
	return true
}

func first(a, b any) any {
	if a != nil {
		return a
	}
	return b
}

// normal is a condition key as facts are kept by: its case plays no part, but in the name of an
// encryption context's pair.
func normal(key string) string {
	if name := "kms:encryptioncontext:"; len(key) > len(name) && strings.EqualFold(key[:len(name)], name) {
		return name + key[len(name):]
	}
	return strings.ToLower(key)
}

// glob is a pattern as a regular expression.
func (n *naive) glob(flags, pattern string) *regexp.Regexp {
	if r := n.globs[flags+pattern]; r != nil {
		return r
	}
	text := regexp.QuoteMeta(pattern)
	text = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(text)
	r := regexp.MustCompile(`(?s)` + flags + `^` + text + `$`)
	n.globs[flags+pattern] = r
	return r
}

var braces = regexp.MustCompile(`\$\{([^},]*)(?:,\s*'([^']*)')?\}`)

// expand puts the values of variables in place, each character of theirs out of the reach of
// wildcards: * and ? as characters of Unicode's private use area, and so in the texts they meet.
func expand(text string, variables bool, facts map[string][]string) (string, bool) {
	ok := true
	if variables {
		text = braces.ReplaceAllStringFunc(text, func(v string) string {
			m := braces.FindStringSubmatch(v)
			if m[1] == "*" || m[1] == "?" || m[1] == "$" {
				return hide(m[1])
			}
			if values := facts[normal(m[1])]; values != nil {
				return hide(values[0])
			}
			ok = ok && strings.Contains(v, ",")
			return hide(m[2])
		})
	}
	return text, ok
}

var hidden = strings.NewReplacer("*", "\ue000", "?", "\ue001", ":", "\ue002")

func hide(s string) string { return hidden.Replace(s) }

// unhide lets a pattern's hidden characters be matched by what they are.
var unhide = strings.NewReplacer("\ue000", `\*`, "\ue001", `\?`, "\ue002", `:`)

// like tells whether a text matches a pattern whose variables are expanded.
func (n *naive) like(pattern, text string) bool {
	key := "like" + pattern
	r := n.globs[key]
	if r == nil {
		r = regexp.MustCompile(unhide.Replace(strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(`(?s)^` + regexp.QuoteMeta(pattern) + `$`)))
		n.globs[key] = r
	}
	return r.MatchString(text)
}

// arn matches an ARN part by part: a wildcard stays within its own.
func (n *naive) arn(pattern, arn string, variables bool, facts map[string][]string) bool {
	if pattern == "*" {
		return true
	}
	pattern, ok := expand(pattern, variables, facts)
	want, have := strings.SplitN(pattern, ":", 6), strings.SplitN(arn, ":", 6)
	if !ok || len(have) != len(want) {
		return false
	}
	for i := range want {
		if !n.like(want[i], have[i]) {
			return false
		}
	}
	return true
}

// condition decides one key of one operator.
func (n *naive) condition(operator, key string, values []any, variables bool, facts map[string][]string) bool {
	have := facts[key]
	if operator == "Null" {
		return slices.ContainsFunc(values, func(v any) bool { return textOf(v) == strconv.FormatBool(len(have) == 0) })
	}
	all := strings.HasPrefix(operator, "ForAllValues:")
	one := strings.HasPrefix(operator, "ForAnyValue:")
	operator = operator[strings.Index(operator, ":")+1:]
	bare := strings.TrimSuffix(operator, "IfExists")
	positive := strings.Replace(bare, "Not", "", 1)
	negated := positive != bare
	if len(have) == 0 {
		return bare != operator || all || negated && !one
	}
	holds := func(fact string) bool {
		return negated != slices.ContainsFunc(values, func(v any) bool { return n.compare(positive, fact, textOf(v), variables, facts) })
	}
	if all {
		return !slices.ContainsFunc(have, func(fact string) bool { return !holds(fact) })
	}
	return slices.ContainsFunc(have, holds)
}

func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	}
	return strconv.FormatFloat(v.(float64), 'f', -1, 64)
}

func (n *naive) compare(operator, fact, value string, variables bool, facts map[string][]string) bool {
	text, ok := expand(value, variables, facts)
	plain := strings.NewReplacer("\ue000", "*", "\ue001", "?", "\ue002", ":").Replace(text)
	switch operator {
	case "StringEquals":
		return ok && plain == fact
	case "StringEqualsIgnoreCase":
		return ok && strings.EqualFold(plain, fact)
	case "StringLike":
		return ok && n.like(text, fact)
	case "ArnEquals", "ArnLike":
		return n.arn(value, fact, variables, facts)
	case "BinaryEquals":
		b, err := base64.StdEncoding.DecodeString(value)
		return err == nil && string(b) == fact
	case "Bool":
		return strings.EqualFold(value, fact)
	case "IpAddress":
		if !strings.Contains(value, "/") {
			return net.ParseIP(value).Equal(net.ParseIP(fact))
		}
		_, network, err := net.ParseCIDR(value)
		return err == nil && network.Contains(net.ParseIP(fact))
	}
	kind, at := "Numeric", number
	if strings.HasPrefix(operator, "Date") {
		kind, at = "Date", instant
	}
	have, want := at(fact), at(value)
	return map[string]bool{
		"Equals": have == want, "LessThan": have < want, "LessThanEquals": have <= want, "GreaterThan": have > want, "GreaterThanEquals": have >= want,
	}[strings.TrimPrefix(operator, kind)]
}

func number(s string) float64 {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(err)
	}
	return f
}

// instant is a time in seconds since 1970.
func instant(s string) float64 {
	if f, err := strconv.ParseFloat(s, 64); err == nil && len(s) > 4 {
		return f
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02", "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return float64(t.Unix())
		}
	}
	panic("no time: " + s)
}

// parse reads a document.
func parse(text string) document {
	var d document
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		panic(err)
	}
	return d
}

// encoded is a document's text.
func encoded(d document) string {
	text, err := json.Marshal(d)
	if err != nil {
		panic(err)
	}
	return string(text)
}
