package access

import (
	"fmt"
	"slices"
	"strings"
)

// Form says where a policy is attached, and so which elements it has.
type Form uint8

// The forms.
const (
	// Identity policies are attached to users, roles and groups; boundaries and session policies
	// are written alike. They name no principal.
	Identity Form = 1 + iota
	// Resource policies are attached to a key or stored key, and name principals.
	Resource
	// Trust policies are attached to a role and say who may assume it.
	Trust
)

// Principals tells the id that an ARN of a principal has now. Policies keep ids: a principal that is
// made again under an old name inherits nothing.
type Principals func(arn string) (id string, ok bool)

// Policy is a policy document, compiled: what decides costs no allocation.
type Policy struct {
	// Name is what explanations call it; whoever compiled it may set it before it is used.
	Name       string
	form       Form
	statements []statement
	// allowed and denied are the actions of all statements of an effect: most requests are about none
	// of them, and are told so at once.
	allowed, denied actionSet
}

// keep adds a statement.
func (p *Policy) keep(s statement) {
	of := &p.allowed
	if s.deny {
		of = &p.denied
	}
	for i := range s.actions {
		of[i] |= s.actions[i]
	}
	p.statements = append(p.statements, s)
}

// statement is one statement.
type statement struct {
	sid          string
	deny         bool
	actions      actionSet
	principals   *principals // nil in identity policies
	resources    []pattern   // empty in trust policies: the role itself
	notResources bool
	conditions   []condition
}

// parser compiles one document.
type parser struct {
	*reader
	form       Form
	account    string
	principals Principals
	// variables tells that the document's version has them.
	variables bool
}

// Compile reads a policy document of an account. What it cannot honour it refuses, as a
// [*SyntaxError] with its place: unknown elements, actions that match nothing, keys that do not
// exist, operators that do not fit a key's values. ids is asked for the principals that resource and
// trust policies name; it may be nil for identity policies.
func Compile(document []byte, form Form, account string, ids Principals) (*Policy, error) {
	root, err := read(document)
	if err != nil {
		return nil, err
	}
	p := &parser{reader: &reader{text: document}, form: form, account: account, principals: ids}
	members, err := p.object(&root, "a policy", "Version", "Id", "Statement")
	if err != nil {
		return nil, err
	}
	var list *node
	for i := range members {
		m := &members[i]
		switch m.name {
		case "Version":
			if m.value.text != "2012-10-17" && m.value.text != "2008-10-17" {
				return nil, p.wrong(&m.value, "Version is 2012-10-17 or 2008-10-17")
			}
			p.variables = m.value.text == "2012-10-17"
		case "Id":
			if m.value.kind != '"' {
				return nil, p.wrong(&m.value, "Id is a text")
			}
		case "Statement":
			list = &m.value
		}
	}
	if list == nil {
		return nil, p.wrong(&root, "a policy has a Statement")
	}
	return p.policy(list)
}

func (p *parser) policy(list *node) (*Policy, error) {
	nodes := []*node{list}
	if list.kind == '[' {
		nodes = nodes[:0]
		for i := range list.items {
			nodes = append(nodes, &list.items[i])
		}
	}
	if len(nodes) == 0 || len(nodes) > MaxStatements {
		return nil, p.wrong(list, fmt.Sprintf("a policy has 1 to %d statements", MaxStatements))
	}
	out := &Policy{form: p.form}
	var sids []string
	for _, n := range nodes {
		s, err := p.statement(n)
		if err != nil {
			return nil, err
		}
		if s.sid != "" && slices.Contains(sids, s.sid) {
			return nil, p.wrong(n, "two statements have the same Sid")
		}
		sids = append(sids, s.sid)
		out.keep(*s)
	}
	return out, nil
}

// elements of a statement, by name.
type elements map[string]*node

func (p *parser) statement(n *node) (*statement, error) {
	members, err := p.object(n, "a statement", "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition")
	if err != nil {
		return nil, err
	}
	has := elements{}
	for i := range members {
		has[members[i].name] = &members[i].value
	}
	for _, pair := range [][2]string{{"Action", "NotAction"}, {"Resource", "NotResource"}, {"Principal", "NotPrincipal"}} {
		if has[pair[0]] != nil && has[pair[1]] != nil {
			return nil, p.wrong(has[pair[1]], fmt.Sprintf("a statement has %s or %s, not both", pair[0], pair[1]))
		}
	}
	s := new(statement)
	if err := p.head(n, has, s); err != nil {
		return nil, err
	}
	for _, step := range []func(*node, elements, *statement) error{p.actions, p.resources, p.principalsOf} {
		if err := step(n, has, s); err != nil {
			return nil, err
		}
	}
	if c := has["Condition"]; c != nil {
		if s.conditions, err = p.conditions(c); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (p *parser) head(n *node, has elements, s *statement) error {
	if sid := has["Sid"]; sid != nil {
		if sid.kind != '"' || len(sid.text) > 256 {
			return p.wrong(sid, "Sid is a text of at most 256 bytes")
		}
		s.sid = sid.text
	}
	effect := has["Effect"]
	if effect == nil {
		return p.wrong(n, "a statement has an Effect")
	}
	if effect.text != "Allow" && effect.text != "Deny" {
		return p.wrong(effect, "Effect is Allow or Deny")
	}
	s.deny = effect.text == "Deny"
	return nil
}

func (p *parser) actions(n *node, has elements, s *statement) error {
	from, inverted := has["Action"], false
	if from == nil {
		from, inverted = has["NotAction"], true
	}
	if from == nil {
		return p.wrong(n, "a statement has an Action or a NotAction")
	}
	list, err := p.list(from, "Action", true)
	if err != nil {
		return err
	}
	for _, one := range list {
		if wrong := s.actions.addPattern(one.text); wrong != "" {
			return p.wrong(one, wrong)
		}
	}
	if inverted {
		var all actionSet
		all.addPattern("*")
		for i := range all {
			s.actions[i] = all[i] &^ s.actions[i]
		}
	}
	return nil
}

func (p *parser) resources(n *node, has elements, s *statement) error {
	from := has["Resource"]
	if from == nil {
		from = has["NotResource"]
		s.notResources = from != nil
	}
	if p.form == Trust {
		if from != nil {
			return p.wrong(from, "a trust policy is about its role; leave the resource out")
		}
		return nil
	}
	if from == nil {
		return p.wrong(n, "a statement has a Resource or a NotResource")
	}
	list, err := p.list(from, "Resource", true)
	if err != nil {
		return err
	}
	for _, one := range list {
		arn, wrong := parseARN(one.text, p.variables)
		if wrong == "" && !arn.all && strings.ContainsAny(splitARN(one.text)[2], "*?") {
			wrong = "the service of a resource's ARN has no wildcards"
		}
		if wrong != "" {
			return p.wrong(one, wrong)
		}
		s.resources = append(s.resources, arn)
	}
	return nil
}

func (p *parser) principalsOf(n *node, has elements, s *statement) error {
	from, inverted := has["Principal"], false
	if from == nil {
		from, inverted = has["NotPrincipal"], true
	}
	switch {
	case p.form == Identity && from != nil:
		return p.wrong(from, "a policy of an identity names no principal: it is the identity it is attached to")
	case p.form == Identity:
		return nil
	case from == nil:
		return p.wrong(n, "a statement of this policy has a Principal")
	}
	s.principals = &principals{inverted: inverted}
	if from.kind == '"' && from.text == "*" {
		s.principals.everyone = true
		return nil
	}
	members, err := p.object(from, "Principal", "AWS")
	if err != nil {
		return err
	}
	for i := range members {
		list, err := p.list(&members[i].value, "Principal", true)
		if err != nil {
			return err
		}
		for _, one := range list {
			if err := p.addPrincipal(one, s.principals); err != nil {
				return err
			}
		}
	}
	if len(members) == 0 {
		return p.wrong(from, "Principal names nobody")
	}
	return nil
}

// addPrincipal reads one principal: *, the account, or the ARN of one that exists.
func (p *parser) addPrincipal(n *node, to *principals) error {
	switch text := n.text; {
	case text == "*":
		to.everyone = true
	case text == p.account, text == "arn:aws:iam::"+p.account+":root":
		to.account = true
	case strings.ContainsAny(text, "*?"):
		return p.wrong(n, "a principal has no wildcards but * alone; use a condition on aws:PrincipalArn")
	default:
		id, ok := "", false
		if p.principals != nil {
			id, ok = p.principals(text)
		}
		if !ok {
			return p.wrong(n, "there is no such principal in this account")
		}
		to.ids = append(to.ids, id)
	}
	return nil
}

func (p *parser) wrong(n *node, what string) error { return p.reader.wrong(n.pointer, n.offset, what) }
