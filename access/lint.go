package access

import "strings"

// Finding is something in a policy that is honoured, and that its author is asked to look at again.
type Finding struct {
	Rule Rule `json:"rule"`
	// Pointer, Line and Column are its place, as of [SyntaxError].
	Pointer string `json:"pointer"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	What    string `json:"what"`
	Advice  string `json:"advice"`
}

// Rule is a rule of Lint.
type Rule string

// The rules.
const (
	// UseByWildcard: an Allow whose wildcard takes in the use of key material.
	UseByWildcard Rule = "use-by-wildcard"
	// AdministersAndUses: one policy lets administer keys and use them.
	AdministersAndUses Rule = "administers-and-uses"
	// ForAllWithoutNull: an Allow with ForAllValues, which a request without the key passes too.
	ForAllWithoutNull Rule = "for-all-without-null"
	// AllowsAllBut: an Allow with NotAction, NotResource or NotPrincipal.
	AllowsAllBut Rule = "allows-all-but"
	// NoOwner: nobody is named who answers for a key.
	NoOwner Rule = "no-owner"
	// UnusedGrant: a grant that let nobody do anything for a long time.
	UnusedGrant Rule = "unused-grant"
	// KeyNeverThere: a condition on a key that no request here has.
	KeyNeverThere Rule = "key-never-there"
)

// Lint compiles a policy document and returns what is to be looked at again, in the document's order.
// Its error is that of [Compile].
func Lint(document []byte, form Form, account string, ids Principals) ([]Finding, error) {
	policy, err := Compile(document, form, account, ids)
	if err != nil {
		return nil, err
	}
	root, err := read(document)
	if err != nil {
		return nil, err
	}
	l := &linter{reader: &reader{text: document}}
	for i, n := range statementNodes(&root) {
		s := &policy.statements[i]
		if !s.deny {
			l.allow(n, s)
		}
		l.conditions(n, s)
	}
	return l.findings, nil
}

// linter looks at one document.
type linter struct {
	*reader
	findings         []Finding
	uses, administer bool // a statement so far lets do so
}

// statementNodes are the statements of a document that compiled.
func statementNodes(root *node) []*node {
	list := root.member("Statement")
	if list.kind != '[' {
		return []*node{list}
	}
	var out []*node
	for i := range list.items {
		out = append(out, &list.items[i])
	}
	return out
}

// member returns the value of a name, nil if there is none.
func (n *node) member(name string) *node {
	for i := range n.members {
		if n.members[i].name == name {
			return &n.members[i].value
		}
	}
	return nil
}

func (l *linter) found(n *node, rule Rule, what, advice string) {
	at := l.place(n.pointer, n.offset, what)
	l.findings = append(l.findings, Finding{rule, at.Pointer, at.Line, at.Column, what, advice})
}

// allow looks at what a statement lets do. One that names the account alone lets nobody do anything: it
// leaves that to their own policies.
func (l *linter) allow(n *node, s *statement) {
	for _, name := range []string{"NotAction", "NotResource", "NotPrincipal"} {
		if m := n.member(name); m != nil {
			l.found(m, AllowsAllBut, "an Allow with "+name+" also allows whatever is added later", "name what is allowed with "+name[len("Not"):]+"; take the exceptions away with a Deny")
		}
	}
	if s.principals != nil && !s.principals.inverted && !s.principals.everyone && len(s.principals.ids) == 0 {
		return
	}
	where := n.member("Action")
	if where == nil {
		where = n.member("NotAction")
	} else {
		l.wildcards(where)
	}
	both := l.uses && l.administer
	l.uses = l.uses || s.actions.any(func(row *actionRow) bool { return row.level == Use && !row.wildcard })
	l.administer = l.administer || s.actions.any(func(row *actionRow) bool {
		return row.level >= Write && (strings.HasPrefix(row.name, "kms:") || strings.HasPrefix(row.name, "haven:"))
	})
	if l.uses && l.administer && !both {
		l.found(where, AdministersAndUses, "this policy lets administer keys and use them", "write two policies and give them to two people: who administers a key need not decrypt with it")
	}
}

// wildcards finds the patterns of actions that take in the use of keys.
func (l *linter) wildcards(actions *node) {
	list := []*node{actions}
	if actions.kind == '[' {
		list = list[:0]
		for i := range actions.items {
			list = append(list, &actions.items[i])
		}
	}
	for _, one := range list {
		var s actionSet
		s.addPattern(one.text)
		if strings.ContainsAny(one.text, "*?") && s.any(func(row *actionRow) bool { return row.level == Use && !row.wildcard }) {
			l.found(one, UseByWildcard, one.text+" lets use keys, in every way there is now or will be", "name the uses that are needed, such as kms:Decrypt")
		}
	}
}

// conditions looks at a statement's conditions.
func (l *linter) conditions(n *node, s *statement) {
	blocks := n.member("Condition")
	if blocks == nil {
		return
	}
	next := 0 // conditions were compiled in the document's order
	for i := range blocks.members {
		for j := range blocks.members[i].value.members {
			at, c := &blocks.members[i].value.members[j].value, &s.conditions[next]
			next++
			if keyTable[c.key].absent {
				l.found(at, KeyNeverThere, "no request here has "+c.key.named(c.suffix)+": the condition "+c.always(), "leave the condition out, or the statement, whichever says what is meant")
			}
			if c.qualifier == forAll && !s.deny && !s.requires(c) {
				l.found(at, ForAllWithoutNull, "ForAllValues also holds where the request has no "+c.key.named(c.suffix), `add "Null":{"`+c.key.named(c.suffix)+`":"false"}`)
			}
		}
	}
}

// always tells what a condition on a key that is never there comes to.
func (c *condition) always() string {
	if c.holds(&Request{Principal: &Principal{}}) {
		return "always holds"
	}
	return "never holds, nor does the statement"
}

// requires tells whether another condition demands that a condition's key is there.
func (s *statement) requires(c *condition) bool {
	for i := range s.conditions {
		if o := &s.conditions[i]; o.compare == isNull && o.key == c.key && strings.EqualFold(o.suffix, c.suffix) && !o.truths[0] && len(o.truths) == 1 {
			return true
		}
	}
	return false
}

// any tells whether one of the set's actions is such.
func (s *actionSet) any(such func(*actionRow) bool) bool {
	for i := range vocabulary {
		if s.has(Action(i+1)) && such(&vocabulary[i]) {
			return true
		}
	}
	return false
}
