package keys

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
)

// RestoreVersion brings an expired version, named with @N, back to deprecated, until its deletion
// date: it decrypts again. Its lifetime no longer ends.
func (m *Manager) RestoreVersion(ctx context.Context, c *gate.Call, req KeyRequest) (*Key, error) {
	return m.manage(ctx, c, req.Key, "", func(e *edit) error {
		if e.named == 0 {
			return gate.Errorf(gate.InvalidRequest, "name the version to restore: KEY@N")
		}
		v, err := e.version(e.named)
		if err != nil {
			return err
		}
		life, err := lifecycle.RestoreVersion(e.body.Life, v.body.Life, e.now)
		if err != nil {
			return e.refused(err)
		}
		return e.changeVersion(v, life)
	})
}
