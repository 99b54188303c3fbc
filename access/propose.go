package access

import (
	"encoding/json"
)

// Proposal is the least that allows a refused request: one statement, of this action and this resource
// alone, and where it has to be added. It needs a document of Version 2012-10-17.
type Proposal struct {
	// Statement is for policies of an identity, boundary and session policies included, ForObject for
	// the resource's own, which names the principal; each is "" where none belongs there.
	Statement string `json:"statement,omitzero"`
	ForObject string `json:"for_object,omitzero"`
	// At is where: ByIdentity, ByBoundary, BySession with Statement, ByObject with ForObject. All are
	// needed.
	At []Source `json:"at"`
}

// written is a statement as a document has it.
type written struct {
	Effect    string
	Principal *writtenPrincipal `json:",omitempty"`
	Action    string
	Resource  string `json:",omitempty"`
}

type writtenPrincipal struct{ AWS string }

// propose looks for what is missing from a request that no statement denies: what restricts has to
// leave it, and something has to allow it. Where the object's policy leaves that to the account the
// caller's own policy is the place; where it does not, the object's policy, which lets in whom it
// names past a boundary.
func (r *Request) propose() *Proposal {
	p := &Proposal{}
	object := r.Object != nil && r.Object.Policy != nil
	how := NotNamed
	if object {
		how, _ = r.Object.Policy.names(r)
	}
	granted := r.Object != nil && r.granted(false) != nil // past the limits, which are to be met below
	switch {
	case how == AsRole, granted, how == AsAccount && r.Principal.Root, !object && r.Principal.Root:
	case object && how == NotNamed:
		p.At = append(p.At, ByObject)
	case !r.allowedByOwn():
		p.At = append(p.At, ByIdentity)
	}
	// A user that the object's policy names is let in past its boundary; a session is named by its role,
	// which is not.
	if past := len(p.At) == 1 && p.At[0] == ByObject && r.Principal.RoleARN == "" && !r.Principal.Root; !past {
		if !r.allowedBy(r.Principal.Boundary) {
			p.At = append(p.At, ByBoundary)
		}
		if !r.allowedBy(r.Principal.Session) {
			p.At = append(p.At, BySession)
		}
	}
	for _, at := range p.At {
		if at == ByObject {
			p.ForObject = r.statement(true)
		} else {
			p.Statement = r.statement(false)
		}
	}
	return p
}

// allowedByOwn tells whether one of the principal's own policies allows the request.
func (r *Request) allowedByOwn() bool {
	for _, p := range r.Principal.Policies {
		if p.find(r, false) >= 0 {
			return true
		}
	}
	return false
}

// statement writes the Allow of exactly this.
func (r *Request) statement(named bool) string {
	s := written{Effect: "Allow", Action: r.Action.String(), Resource: "*"}
	if r.Object != nil {
		s.Resource = literally.Replace(r.Object.ARN)
	}
	if named {
		who := r.Principal.ARN
		if r.Principal.RoleARN != "" {
			who = r.Principal.RoleARN
		}
		s.Principal = &writtenPrincipal{who}
		if r.Object.Policy.form == Trust {
			s.Resource = ""
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // texts alone
	}
	return string(text)
}
