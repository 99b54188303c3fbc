package access

import (
	"strings"
	"time"
)

// Explanation is why a request is decided as it is: enough to decide it again without the policies.
// It names policies, principals and values of the request; [Explanation.For] cuts it to what somebody
// may know.
type Explanation struct {
	Allowed bool `json:"allowed"`
	// Explicit tells that a statement denies it.
	Explicit bool `json:"explicit_deny"`
	// By, Policy and Statement say what decided, as of [Decision]; Grant is its id where that is one.
	By        Source `json:"decided_by,omitzero"`
	Policy    int    `json:"policy,omitzero"`
	Statement int    `json:"statement,omitzero"`
	Grant     string `json:"grant,omitzero"`
	// Principal and Resource are ARNs; Resource is "*" where the action is done to no single thing.
	Principal string `json:"principal,omitzero"`
	Action    string `json:"action,omitzero"`
	Resource  string `json:"resource,omitzero"`
	// Root tells that the caller is the account itself, which may do what is left to the account.
	Root bool `json:"root,omitzero"`
	// Policies are all that apply, Grants those to the caller.
	Policies []PolicyFinding `json:"policies,omitzero"`
	Grants   []GrantFinding  `json:"grants,omitzero"`
	// Nearest is the Allow that came nearest, where none was met; nil if no statement has the action.
	Nearest *Nearest `json:"nearest,omitzero"`
	// Proposal would allow it; nil if it is allowed, or denied explicitly: that Deny has to go.
	Proposal *Proposal `json:"proposal,omitzero"`
}

// PolicyFinding is what one policy says of a request.
type PolicyFinding struct {
	Source Source `json:"source"`
	// Index is its place among the principal's policies, of ByIdentity.
	Index      int                `json:"index"`
	Name       string             `json:"name,omitzero"`
	Statements []StatementFinding `json:"statements"`
}

// StatementFinding is whether one statement is about a request, and if not, what first stands against
// it.
type StatementFinding struct {
	Index   int    `json:"index"`
	Sid     string `json:"sid,omitzero"`
	Deny    bool   `json:"deny"`
	Matched bool   `json:"matched"`
	// Named is how it names the caller: AsCaller in policies that name nobody.
	Named Naming `json:"named"`
	// Failed is the first element that is not about the request, "" if it matched.
	Failed    Element           `json:"failed,omitzero"`
	Condition *ConditionFinding `json:"condition,omitzero"` // of Failed InCondition
	held      int               // conditions before it
}

// Element is an element of a statement that can fail, in the order in which they are asked.
type Element string

// The elements.
const (
	InAction    Element = "action"
	InPrincipal Element = "principal"
	InResource  Element = "resource"
	InCondition Element = "condition"
)

// ConditionFinding is the first condition that does not hold.
type ConditionFinding struct {
	Operator string   `json:"operator"` // as the document has it
	Key      string   `json:"key"`
	Wanted   []string `json:"wanted"`
	// Present tells that the request has the key, Got its values.
	Present bool     `json:"present"`
	Got     []string `json:"got,omitzero"`
}

// GrantFinding is what a grant to the caller or its role says of a request.
type GrantFinding struct {
	ID      string `json:"id"`
	Matched bool   `json:"matched"`
	// Own tells that it is to this very caller; one to its role does no more than boundary and session
	// policy leave.
	Own bool `json:"own"`
	// Operation tells that it is for the action: if it did not match then, its constraint on the
	// encryption context failed.
	Operation bool `json:"operation"`
}

// Nearest is where the Allow stands that came nearest: Policy and Statement are indexes in the
// explanation's lists.
type Nearest struct {
	Policy    int `json:"policy"`
	Statement int `json:"statement"`
}

// Explain tells why a request is decided as [Decide] does. It is slower, and for people.
func Explain(r *Request) Explanation {
	d := Decide(r)
	e := Explanation{
		Allowed: d.Allowed, Explicit: d.Explicit, By: d.By, Policy: d.Policy, Statement: d.Statement, Grant: d.Grant,
		Principal: r.Principal.ARN, Action: r.Action.String(), Resource: "*", Root: r.Principal.Root,
	}
	for i, p := range r.Principal.Policies {
		e.add(r, ByIdentity, i, p)
	}
	e.add(r, ByBoundary, 0, r.Principal.Boundary)
	e.add(r, BySession, 0, r.Principal.Session)
	if r.Object != nil {
		e.Resource = r.Object.ARN
		e.add(r, ByObject, 0, r.Object.Policy)
		e.grants(r, r.Principal.ID, true)
		if r.Principal.RoleID != "" {
			e.grants(r, r.Principal.RoleID, false)
		}
	}
	if !e.Allowed && !e.Explicit {
		e.Nearest = e.nearest()
		e.Proposal = r.propose()
	}
	return e
}

func (e *Explanation) add(r *Request, source Source, index int, p *Policy) {
	if p == nil {
		return
	}
	f := PolicyFinding{Source: source, Index: index, Name: p.Name}
	for i := range p.statements {
		f.Statements = append(f.Statements, p.statements[i].finding(r, i))
	}
	e.Policies = append(e.Policies, f)
}

func (e *Explanation) grants(r *Request, grantee string, own bool) {
	for _, g := range r.Object.Grants[grantee] {
		e.Grants = append(e.Grants, GrantFinding{ID: g.ID, Matched: g.allows(r), Own: own, Operation: g.actions.has(r.Action)})
	}
}

// finding asks a statement's elements in order, as matches does, and remembers the first that fails.
func (s *statement) finding(r *Request, index int) StatementFinding {
	f := StatementFinding{Index: index, Sid: s.sid, Deny: s.deny, Named: AsCaller}
	if s.principals != nil {
		f.Named = s.principals.naming(r.Principal)
	}
	switch {
	case !s.actions.has(r.Action):
		f.Failed = InAction
	case f.Named == NotNamed:
		f.Failed = InPrincipal
	case !s.about(r):
		f.Failed = InResource
	default:
		for i := range s.conditions {
			if c := &s.conditions[i]; !c.holds(r) {
				f.Failed, f.Condition, f.held = InCondition, c.finding(r), i
				return f
			}
		}
		f.Matched = true
	}
	return f
}

func (c *condition) finding(r *Request) *ConditionFinding {
	f := &ConditionFinding{Operator: c.operation, Key: c.key.named(c.suffix), Wanted: c.written}
	for i := 0; ; i++ {
		value, there := r.value(c.key, c.suffix, i)
		if !there {
			return f
		}
		f.Present = true
		switch c.key {
		case SourceIP:
			value = r.Source.String()
		case CurrentTime, EpochTime, TokenIssueTime:
			at, _ := r.date(c.key, "")
			value = time.Unix(0, at).UTC().Format(time.RFC3339)
		}
		f.Got = append(f.Got, value)
	}
}

// nearest returns the Allow that came nearest: that failed at the latest element, after the most
// conditions; of equals the first.
func (e *Explanation) nearest() *Nearest {
	var best *Nearest
	reached := 0
	for i := range e.Policies {
		for j := range e.Policies[i].Statements {
			if s := &e.Policies[i].Statements[j]; !s.Deny && !s.Matched && s.reached() > reached {
				reached, best = s.reached(), &Nearest{i, j}
			}
		}
	}
	return best
}

// reached is how far a statement that did not match came; 0 if it has not even the action.
func (s *StatementFinding) reached() int {
	switch s.Failed {
	case InPrincipal:
		return 1
	case InResource:
		return 2
	case InCondition:
		return 3 + s.held
	}
	return 0
}

// Audience is who asks for an explanation.
type Audience uint8

// The audiences.
const (
	// Strangers learn nothing: neither that the principal nor that the resource exists.
	Strangers Audience = iota
	// TheCaller learns that a Deny stands against what it asked, or that an Allow is missing; no policy
	// and nobody else.
	TheCaller
	// Explainers may explain access to the resource, and learn everything.
	Explainers
)

// For returns what an audience may know of the explanation.
func (e Explanation) For(a Audience) Explanation {
	switch a {
	case Explainers:
		return e
	case TheCaller:
		return Explanation{Allowed: e.Allowed, Explicit: e.Explicit, Principal: e.Principal, Action: e.Action, Resource: e.Resource}
	}
	return Explanation{}
}

// literally writes a text so that a policy means that text: its wildcards escaped.
var literally = strings.NewReplacer("*", "${*}", "?", "${?}", "$", "${$}")
