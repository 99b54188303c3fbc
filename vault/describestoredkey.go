package vault

import (
	"context"

	"github.com/haven-health/haven/gate"
)

// DescribeStoredKey shows a stored key, without any value.
func (m *Manager) DescribeStoredKey(ctx context.Context, c *gate.Call, ref Reference) (*StoredKey, error) {
	var out StoredKey
	err := m.on(ctx, c, ref, gate.Request{}, func(_ gate.Approved, f *found) (gate.Outcome, error) {
		out = m.document(f.body)
		return gate.Outcome{}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
