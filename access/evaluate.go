package access

import (
	"slices"
	"strconv"
)

// principals is whom a statement of a resource's policy is about, by ids.
type principals struct {
	ids      []string
	account  bool // the account as a whole
	everyone bool
	inverted bool // NotPrincipal
}

// Naming says how a statement names the caller, the more exactly the greater: whom it names exactly
// it lets in by itself, whatever the caller's own policies leave out.
type Naming uint8

// The ways of naming.
const (
	NotNamed  Naming = iota
	AsAccount        // by the account: the caller's own policies decide
	AsRole           // by the role that the session assumed, or as everyone: boundary and session policy restrict
	AsCaller         // as this very user or session
)

// String returns how a statement names the caller, as explanations say it.
func (n Naming) String() string { return [...]string{"not", "account", "role", "caller"}[n] }

// MarshalText implements encoding.TextMarshaler.
func (n Naming) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// naming tells how a statement names the caller.
func (p *principals) naming(who *Principal) Naming {
	named := NotNamed
	switch {
	case slices.Contains(p.ids, who.ID):
		named = AsCaller
	case who.RoleID != "" && slices.Contains(p.ids, who.RoleID), p.everyone:
		named = AsRole
	case p.account:
		named = AsAccount
	}
	if !p.inverted {
		return named
	}
	if named == NotNamed { // NotPrincipal: everyone else
		return AsRole
	}
	return NotNamed
}

// Decision is the answer to a request.
type Decision struct {
	Allowed bool
	// Explicit tells that a statement denies it.
	Explicit bool
	// By is where the deciding statement stands, Statement its index there; By is Nowhere where no
	// statement decided.
	By        Source
	Policy    int // the index among the principal's policies, of ByIdentity
	Statement int
	Grant     string // of ByGrant, its id
}

// Source is where what decided comes from.
type Source uint8

// The sources.
const (
	Nowhere Source = iota
	ByIdentity
	ByBoundary
	BySession
	ByObject
	ByGrant
	ByRoot
)

// String returns what decides, as explanations say it.
func (s Source) String() string {
	return [...]string{"", "identity", "boundary", "session", "object", "grant", "root"}[s]
}

// MarshalText implements encoding.TextMarshaler.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Decide answers a request as AWS does within one account: an explicit Deny anywhere wins; else the
// object's own policy or a grant may let the caller in, naming it; else, where the object's policy
// leaves that to the account, or the object has none, the caller's own policies have to, within its
// boundary and session policy. It allocates nothing.
func Decide(r *Request) Decision {
	if d, denied := r.denied(); denied {
		return d
	}
	limited := !r.allowedBy(r.Principal.Boundary) || !r.allowedBy(r.Principal.Session)
	delegated := true
	if r.Object != nil && r.Object.Policy != nil {
		how, i := r.Object.Policy.names(r)
		if how == AsCaller || how == AsRole && !limited {
			return Decision{Allowed: true, By: ByObject, Statement: i}
		}
		delegated = how == AsAccount
	}
	if r.Object != nil {
		if g := r.granted(limited); g != nil {
			return Decision{Allowed: true, By: ByGrant, Grant: g.ID}
		}
	}
	if !delegated || limited {
		return Decision{}
	}
	if r.Principal.Root {
		return Decision{Allowed: true, By: ByRoot}
	}
	for i, p := range r.Principal.Policies {
		if s := p.find(r, false); s >= 0 {
			return Decision{Allowed: true, By: ByIdentity, Policy: i, Statement: s}
		}
	}
	return Decision{}
}

// denied looks for an explicit Deny in everything that applies.
func (r *Request) denied() (Decision, bool) {
	for i, p := range r.Principal.Policies {
		if s := p.find(r, true); s >= 0 {
			return Decision{Explicit: true, By: ByIdentity, Policy: i, Statement: s}, true
		}
	}
	type applies struct {
		policy *Policy
		by     Source
	}
	others := [...]applies{{r.Principal.Boundary, ByBoundary}, {r.Principal.Session, BySession}, {}}
	if r.Object != nil {
		others[2] = applies{r.Object.Policy, ByObject}
	}
	for _, other := range others {
		if other.policy == nil {
			continue
		}
		if s := other.policy.find(r, true); s >= 0 {
			return Decision{Explicit: true, By: other.by, Statement: s}, true
		}
	}
	return Decision{}, false
}

// allowedBy tells whether a restricting policy leaves the request; none leaves all.
func (r *Request) allowedBy(p *Policy) bool { return p == nil || p.find(r, false) >= 0 }

// find returns the index of the first statement of an effect that matches, -1 if none does.
func (p *Policy) find(r *Request, deny bool) int {
	if deny && !p.denied.has(r.Action) || !deny && !p.allowed.has(r.Action) {
		return -1
	}
	for i := range p.statements {
		if s := &p.statements[i]; s.deny == deny && s.actions.has(r.Action) && s.matches(r) {
			return i
		}
	}
	return -1
}

// names returns how exactly the object's policy allows the request, and by which statement.
func (p *Policy) names(r *Request) (best Naming, statement int) {
	for i := range p.statements {
		s := &p.statements[i]
		if s.deny || !s.matches(r) {
			continue
		}
		if how := s.principals.naming(r.Principal); how > best {
			best, statement = how, i
		}
	}
	return best, statement
}

// matches tells whether a statement is about the request. Conditions come before resources: most that
// do not hold ask for what the request does not have, which costs less to find out than a wildcard.
func (s *statement) matches(r *Request) bool {
	if !s.actions.has(r.Action) || s.principals != nil && s.principals.naming(r.Principal) == NotNamed {
		return false
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(r) {
			return false
		}
	}
	return s.about(r)
}

// about tells whether the statement's resources hold the request's object. An operation on no
// single object is granted on "*" alone.
func (s *statement) about(r *Request) bool {
	if s.resources == nil { // of a trust policy
		return true
	}
	object := "*"
	if r.Object != nil {
		object = r.Object.ARN
	}
	for i := range s.resources {
		p := &s.resources[i]
		if p.all || object != "*" && p.match(object, false, r) {
			return !s.notResources
		}
	}
	return s.notResources
}

// Stops tells whether a Deny of the policy may refuse an action even if so many others approved the
// request: one that asks for more than they are, or that does not ask for them.
func (p *Policy) Stops(action Action, approvals int) bool {
	r := &Request{Principal: &Principal{}, Action: action, Values: []Value{{Key: Approvals, Text: strconv.Itoa(approvals)}}}
	lifted := func(c condition) bool { return c.key == Approvals && !c.holds(r) }
	for i := range p.statements {
		if s := &p.statements[i]; s.deny && s.actions.has(action) && !slices.ContainsFunc(s.conditions, lifted) {
			return true
		}
	}
	return false
}
