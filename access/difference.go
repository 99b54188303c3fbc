package access

// Extent is how far a right goes.
type Extent uint8

// The extents, the greater the further.
const (
	// Never: not allowed, whatever the request.
	Never Extent = iota
	// Conditionally: allowed to some requests, as far as conditions can tell.
	Conditionally
	// Always: allowed to the request as it was asked.
	Always
)

// String returns the extent as answers say it.
func (e Extent) String() string { return [...]string{"no", "conditionally", "yes"}[e] }

// MarshalText implements encoding.TextMarshaler.
func (e Extent) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// ExtentOf tells how far a right goes, and what decides it. A request that asks for nothing in
// particular has no encryption context and no parameters, so that conditions on them fail: it is
// Conditionally allowed where it would be if each condition of an Allow and no condition of a Deny
// held. Conditions that exclude each other are not found out.
func ExtentOf(r *Request) (Extent, Decision) {
	d := Decide(r)
	if d.Allowed {
		return Always, d
	}
	principal := *r.Principal
	principal.Policies = make([]*Policy, len(r.Principal.Policies))
	for i, p := range r.Principal.Policies {
		principal.Policies[i] = p.unconditional()
	}
	principal.Boundary, principal.Session = principal.Boundary.unconditional(), principal.Session.unconditional()
	best := *r
	best.Principal = &principal
	if r.Object != nil {
		object := *r.Object
		object.Policy = object.Policy.unconditional()
		object.Grants = make(map[string][]Grant, len(r.Object.Grants))
		for _, id := range []string{principal.ID, principal.RoleID} {
			for _, g := range r.Object.Grants[id] {
				g.Equals, g.Subset = nil, nil
				object.Grants[id] = append(object.Grants[id], g)
			}
		}
		best.Object = &object
	}
	if best := Decide(&best); best.Allowed {
		return Conditionally, best
	}
	return Never, d
}

// unconditional is the policy with every condition of an Allow held and none of a Deny; its statements
// keep their indexes.
func (p *Policy) unconditional() *Policy {
	if p == nil {
		return nil
	}
	out := &Policy{Name: p.Name, form: p.form}
	for _, s := range p.statements {
		if len(s.conditions) > 0 {
			s.conditions = nil
			if s.deny {
				s.actions = actionSet{}
			}
		}
		out.keep(s)
	}
	return out
}

// Change is a right that a change of policy gives or takes.
type Change struct {
	Principal string `json:"principal"` // its ARN
	Action    string `json:"action"`
	Resource  string `json:"resource"` // its ARN, "*" for actions done to no single thing
	Before    Extent `json:"before"`
	After     Extent `json:"after"`
}

// Gained tells that the change gives a right; else it takes one.
func (c Change) Gained() bool { return c.After > c.Before }

// Difference returns who would gain and who would lose what if every place that holds the policy old
// held the new one: principals' own policies, boundaries and sessions, and objects' policies. Old is
// nil for objects that have none yet; new is nil for a policy that is to go. The request tells what
// else is known, such as the time; objects may have a nil among them, for actions on no single thing.
// Changes stand in the order of the lists, action by action.
func Difference(old, new *Policy, known Request, principals []*Principal, actions []Action, objects []*Object) []Change {
	var out []Change
	for _, who := range principals {
		then := who.replaced(old, new)
		for _, object := range objects {
			thenObject := object.replaced(old, new)
			if then == who && thenObject == object {
				continue
			}
			for _, action := range actions {
				r := known
				r.Principal, r.Object, r.Action = who, object, action
				before, _ := ExtentOf(&r)
				r.Principal, r.Object = then, thenObject
				if after, _ := ExtentOf(&r); after != before {
					c := Change{Principal: who.ARN, Action: action.String(), Resource: "*", Before: before, After: after}
					if object != nil {
						c.Resource = object.ARN
					}
					out = append(out, c)
				}
			}
		}
	}
	return out
}

// replaced is the principal with one policy in another's place; itself if it does not have it.
func (p *Principal) replaced(old, new *Policy) *Principal {
	if old == nil {
		return p
	}
	out, found := *p, false
	out.Policies = nil
	for _, one := range p.Policies {
		if one == old {
			one, found = new, true
		}
		if one != nil {
			out.Policies = append(out.Policies, one)
		}
	}
	for _, one := range []**Policy{&out.Boundary, &out.Session} {
		if *one == old {
			*one, found = new, true
		}
	}
	if !found {
		return p
	}
	return &out
}

// replaced is the object with another policy; itself if it does not have the old one.
func (o *Object) replaced(old, new *Policy) *Object {
	if o == nil || o.Policy != old || old == nil && (new == nil || new.form != Resource) {
		return o
	}
	out := *o
	out.Policy = new
	return &out
}
