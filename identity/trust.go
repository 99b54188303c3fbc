package identity

import (
	"context"
	"errors"
	"time"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
)

// putTrust stages who may assume a role: its first trust policy, or another document of it.
func (m *Manager) putTrust(ctx context.Context, a gate.Approved, role reference, document string, out *Policy) (gate.Outcome, error) {
	h, err := m.holder(ctx, a, role)
	if err != nil {
		return gate.Outcome{}, err
	}
	ids, err := m.checkTrust(ctx, a, document)
	if err != nil {
		return gate.Outcome{}, err
	}
	if !h.principal.Trust.IsZero() {
		p, err := m.policyOf(ctx, a, h.principal.Trust)
		if err != nil {
			return gate.Outcome{}, err
		}
		p.holder, p.body.Principals = h, ids
		return m.replace(a, p, document, out)
	}
	id, err := gate.NewID(a.Time(), m.random)
	if err != nil {
		return gate.Outcome{}, err
	}
	body := trustBody(h.id, document, ids, a.Time())
	policy, err := policyChange(id, body, nil)
	if err != nil {
		return gate.Outcome{}, err
	}
	h.principal.Trust = id
	holder, err := h.change()
	if err != nil {
		return gate.Outcome{}, err
	}
	o := gate.Outcome{Changes: []gate.Change{policy, holder}, Parameters: policyParameters(id, body) + ";" + h.parameters()}
	return keepPolicy(o, out, m.directory.policyDocument(id, body, role.arn(m.directory)))
}

// checkRole refuses what only roles have, of others, and a session that is too long or too short.
func checkRole(req CreatePrincipalRequest) error {
	seconds := time.Duration(req.MaxSessionSeconds) * time.Second
	switch {
	case req.Kind != Role && (req.Trust != "" || req.MaxSessionSeconds != 0):
		return gate.Errorf(gate.InvalidRequest, "only a role has trust and max_session_seconds")
	case req.MaxSessionSeconds != 0 && (req.MaxSessionSeconds < 0 || req.MaxSessionSeconds > int(MaxSession.Seconds()) || seconds < DefaultSession):
		return gate.Errorf(gate.InvalidRequest, "max_session_seconds is %d to %d", int(DefaultSession.Seconds()), int(MaxSession.Seconds()))
	}
	return nil
}

// firstTrust stages the trust policy of a role in the making; nil where it has none.
func (m *Manager) firstTrust(ctx context.Context, a gate.Approved, role gate.ID, b *principalBody, document string) (*gate.Change, error) {
	if document == "" {
		return nil, nil
	}
	ids, err := m.checkTrust(ctx, a, document)
	if err != nil {
		return nil, err
	}
	if b.Trust, err = gate.NewID(a.Time(), m.random); err != nil {
		return nil, err
	}
	c, err := policyChange(b.Trust, trustBody(role, document, ids, a.Time()), nil)
	return &c, err
}

// trustName stands for a trust policy, which has no name, where a policy's name is told.
const trustName = "trust"

func trustBody(role gate.ID, document string, ids map[string]gate.ID, now time.Time) *policyBody {
	return &policyBody{Name: trustName, Owner: role, Trust: true, Created: now, Document: document, Principals: ids}
}

// checkTrust refuses a trust policy that cannot be honoured, and returns the ids of those it names.
func (m *Manager) checkTrust(ctx context.Context, a gate.Approved, document string) (map[string]gate.ID, error) {
	if len(document) <= access.MaxDocument && size(document) > MaxTrust {
		return nil, tooLong(MaxTrust)
	}
	ids := map[string]gate.ID{}
	var failed error
	_, err := access.Compile([]byte(document), access.Trust, m.directory.account, func(arn string) (string, bool) {
		who, err := m.directory.principalReference(arn)
		if err != nil {
			return "", false
		}
		id, _, err := m.directory.find(ctx, a, who)
		if err != nil {
			if !errors.Is(err, gate.NotFound) {
				failed = err
			}
			return "", false
		}
		ids[arn] = id
		return id.String(), true
	})
	if failed != nil {
		return nil, failed
	}
	return ids, malformed(err)
}

// trust compiles a stored trust policy with the ids that its names had when it was written.
func (d *Directory) trust(b *policyBody) (*access.Policy, error) {
	p, err := access.Compile([]byte(b.Document), access.Trust, d.account, func(arn string) (string, bool) {
		id, ok := b.Principals[arn]
		return id.String(), ok
	})
	if err != nil {
		return nil, unreadable("of a role's trust", err)
	}
	return p, nil
}
