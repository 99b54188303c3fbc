package identity

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
)

// ExplainAccessRequest asks why a request was refused, by the id of its decision, or how one would be
// decided: Principal and Action are then required, all else is as it would be asked.
type ExplainAccessRequest struct {
	Decision string `json:"decision,omitzero"`

	Principal string `json:"principal,omitzero"`
	// Principal may be a role: a session of it is meant then.
	// Action is a permission, or an operation by its name.
	Action string `json:"action,omitzero"`
	Key    string `json:"key,omitzero"`
	// Context is the encryption context, Tags are those that the request would set, Conditions the
	// values of other condition keys by their names.
	Context    map[string]string   `json:"context,omitzero"`
	Tags       map[string]string   `json:"tags,omitzero"`
	Conditions map[string][]string `json:"conditions,omitzero"`
	SourceIP   string              `json:"source_ip,omitzero"`
	// Time is when; now if left out.
	Time time.Time `json:"time,omitzero"`
}

// ExplainAccessAnswer is an explanation. Who may not explain access to the resource, but was refused
// itself, learns whether a Deny stands against it or an Allow is missing.
type ExplainAccessAnswer struct {
	Decision string `json:"decision,omitzero"`
	// Asked is when the request was decided; its policies are those of then.
	Asked       time.Time          `json:"asked"`
	Explanation access.Explanation `json:"explanation"`
}

// ExplainAccess explains a decision. A past one is explained by the policies that were in force, while
// it is among the latest; it has no effect and decides nothing.
func (m *Manager) ExplainAccess(ctx context.Context, c *gate.Call, req ExplainAccessRequest) (*ExplainAccessAnswer, error) {
	if req.Decision != "" {
		return m.explainPast(ctx, c, req)
	}
	who, err := m.directory.principalReference(req.Principal)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	asked, err := req.asked()
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	r := gate.Request{}
	if req.Key != "" {
		r.References = []gate.Reference{{Text: req.Key}}
	}
	var out ExplainAccessAnswer
	err = m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		id, _, err := m.directory.find(ctx, a, who)
		if err != nil {
			return gate.Outcome{}, err
		}
		principal, err := m.directory.principals.GetComposed(ctx, a.Reading(), id, m.directory.loadPrincipal)
		if err != nil {
			return gate.Outcome{}, disabled(err)
		}
		q := *asked
		q.Principal, q.Secure, q.Region = assumed(principal.Access), true, a.Region()
		if q.Time.IsZero() {
			q.Time = a.Time()
		}
		if req.Key != "" {
			q.Object = a.Target(0).Object
		}
		out = ExplainAccessAnswer{Asked: q.Time, Explanation: access.Explain(&q)}
		return gate.Outcome{}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// explainPast explains a refusal that the gate keeps. Who may not explain and was not refused is
// answered alike whether there was such a decision or not.
func (m *Manager) explainPast(ctx context.Context, c *gate.Call, req ExplainAccessRequest) (*ExplainAccessAnswer, error) {
	id, ok := gate.ParseID(req.Decision)
	if !ok || req.Principal != "" || req.Action != "" || req.Key != "" {
		return nil, m.gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "say the id of a decision alone, or a principal and an action"))
	}
	past, found := m.gate.Refusal(id)
	r, own := gate.Request{}, found && past.Caller == c.Principal().ID
	if found && past.Asked.Object != nil {
		r.Resources = []string{past.Asked.Object.ARN}
	}
	if own { // needs no permission to learn that much
		r.As = &gate.Operation{}
	}
	var out ExplainAccessAnswer
	err := m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		if !found {
			return gate.Outcome{}, gate.Errorf(gate.NotFound, "that decision is not among the latest %d refusals since the start; ask again as a request: principal, action, key", gate.MaxRefusals)
		}
		audience := access.Explainers
		if own && !a.May(gate.ExplainAccess, past.Asked.Object, gate.Asked{}) {
			audience = access.TheCaller
		}
		out = ExplainAccessAnswer{Decision: req.Decision, Asked: past.Asked.Time.UTC(), Explanation: access.Explain(past.Asked).For(audience)}
		return gate.Outcome{}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// asked reads what a hypothetical request asks, but for whom and what.
func (req *ExplainAccessRequest) asked() (*access.Request, error) {
	q := &access.Request{Time: req.Time}
	var ok bool
	if q.Action, ok = actionOf(req.Action); !ok {
		return nil, gate.Errorf(gate.InvalidRequest, "action is a permission, such as kms:Decrypt, or an operation, such as decrypt")
	}
	if req.SourceIP != "" {
		ip, err := netip.ParseAddr(req.SourceIP)
		if err != nil {
			return nil, gate.Errorf(gate.InvalidRequest, "source_ip is an IP address")
		}
		q.Source = ip.Unmap()
	}
	if len(req.Context) > 0 {
		q.Context = contextOf(req.Context)
	}
	for _, name := range slices.Sorted(maps.Keys(req.Tags)) {
		q.RequestTags = append(q.RequestTags, access.Tag{Name: name, Value: req.Tags[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(req.Conditions)) {
		key, suffix, ok := access.KeyOf(name)
		if !ok || suffix != "" {
			return nil, gate.Errorf(gate.InvalidRequest, "conditions names a condition key that does not exist, or that is given by context or tags")
		}
		for _, value := range req.Conditions[name] {
			q.Values = append(q.Values, access.Value{Key: key, Text: value})
		}
	}
	return q, nil
}

// actionOf returns the action of a permission or of an operation.
func actionOf(name string) (access.Action, bool) {
	for _, op := range gate.Operations() {
		if op.Name == name {
			name = op.Permission
			break
		}
	}
	return access.ActionOf(name)
}

// disabled answers for a principal that is there and cannot call.
func disabled(err error) error {
	if errors.Is(err, gate.Unauthenticated) {
		return gate.Errorf(gate.InvalidState, "that principal is disabled: it is refused whatever policies say")
	}
	return err
}

// pairs is an encryption context in the order of its names.
type pairs struct {
	names  []string
	values map[string]string
}

func contextOf(m map[string]string) *pairs { return &pairs{slices.Sorted(maps.Keys(m)), m} }

// Get implements access.Context.
func (p *pairs) Get(name string) (string, bool) {
	value, ok := p.values[name]
	return value, ok
}

// Name implements access.Context.
func (p *pairs) Name(i int) (string, bool) {
	if i >= len(p.names) {
		return "", false
	}
	return p.names[i], true
}
