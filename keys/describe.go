package keys

import (
	"context"

	"github.com/haven-health/haven/gate"
)

// DescribeKey shows a key.
func (m *Manager) DescribeKey(ctx context.Context, c *gate.Call, req KeyRequest) (*Key, error) {
	var out Key
	err := m.gate.Do(ctx, c, gate.Request{References: []gate.Reference{{Text: req.Key}}}, func(a gate.Approved) (gate.Outcome, error) {
		e := m.edit(ctx, a, nil)
		if err := e.show(); err != nil {
			return gate.Outcome{}, err
		}
		out = m.ring.document(e.id, &e.body, e.primary, e.now)
		if err := m.ring.countOf(ctx, e, &out); err != nil {
			return gate.Outcome{}, err
		}
		return gate.Outcome{}, m.ring.tell(ctx, a, &out)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
