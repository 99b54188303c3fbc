package keys

import (
	"context"
	"fmt"
	"time"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
)

// UnusedGrantDays is after how many days without use a grant is told of.
const UnusedGrantDays = 90

// LintKeyAnswer is what is to be looked at again: first of the key itself, then of its policy in the
// policy's order, then of its grants, oldest first.
type LintKeyAnswer struct {
	KeyID    gate.ID      `json:"key_id"`
	Findings []KeyFinding `json:"findings"`
}

// KeyFinding is something that its administrator is asked to look at again. Pointer, Line and Column
// are its place in the key's policy, GrantID a grant.
type KeyFinding struct {
	Rule    access.Rule `json:"rule"`
	Pointer string      `json:"pointer,omitzero"`
	Line    int         `json:"line,omitzero"`
	Column  int         `json:"column,omitzero"`
	GrantID gate.ID     `json:"grant_id,omitzero"`
	What    string      `json:"what"`
	Advice  string      `json:"advice"`
}

// LintKey looks at a key: whether somebody answers for it, what its own policy says, and which grants
// nobody uses.
func (m *Manager) LintKey(ctx context.Context, c *gate.Call, req KeyRequest) (*LintKeyAnswer, error) {
	var out LintKeyAnswer
	err := m.gate.Do(ctx, c, onKey(req.Key, gate.Asked{}), func(a gate.Approved) (gate.Outcome, error) {
		key := a.Target(0).Domain.(*loadedKey)
		out = LintKeyAnswer{KeyID: idOf(key.item.ID), Findings: []KeyFinding{}}
		if key.body.Owner == "" {
			out.Findings = append(out.Findings, KeyFinding{Rule: access.NoOwner, What: "nobody is named who answers for the key", Advice: "name one, with update-key"})
		}
		policy, err := m.ring.lintPolicy(ctx, key)
		if err != nil {
			return gate.Outcome{}, err
		}
		grants, err := m.ring.lintGrants(ctx, key, a.Time())
		out.Findings = append(append(out.Findings, policy...), grants...)
		return gate.Outcome{}, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// lintPolicy looks at the key's own policy as it is shown.
func (r *Ring) lintPolicy(ctx context.Context, key *loadedKey) ([]KeyFinding, error) {
	if key.policy == nil {
		return nil, nil
	}
	b, err := decodeKeyPolicy(key.policy)
	if err != nil {
		return nil, err
	}
	found, err := access.Lint([]byte(b.Document), access.Resource, r.cfg.Place.Account, func(arn string) (string, bool) {
		id, ok := b.Principals[arn]
		return id.String(), ok
	})
	var out []KeyFinding
	for _, f := range found {
		out = append(out, KeyFinding{Rule: f.Rule, Pointer: f.Pointer, Line: f.Line, Column: f.Column, What: f.What, Advice: f.Advice})
	}
	return out, err
}

// lintGrants finds the grants that let nobody do anything for UnusedGrantDays.
func (r *Ring) lintGrants(ctx context.Context, key *loadedKey, now time.Time) ([]KeyFinding, error) {
	before := now.AddDate(0, 0, -UnusedGrantDays)
	var ids []string
	for _, g := range key.grants {
		ids = append(ids, g.item.ID)
	}
	days, err := r.grantUses.Days(ctx, ids)
	if err != nil {
		return nil, err
	}
	var out []KeyFinding
	for i, g := range key.grants {
		if g.body.Created.After(before) || days[i] > before.Format(time.DateOnly) {
			continue
		}
		what := fmt.Sprintf("the grant was never used, in %d days", UnusedGrantDays)
		if days[i] != "" {
			what = "the grant was last used on " + days[i]
		}
		out = append(out, KeyFinding{Rule: access.UnusedGrant, GrantID: g.id, What: what, Advice: "revoke it, with revoke-grant, if nobody needs it"})
	}
	return out, nil
}
