package keys

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
)

// DeprecateVersion ends the grace period of a version, named with @N: it decrypts and no longer
// encrypts. The primary is never deprecated.
func (m *Manager) DeprecateVersion(ctx context.Context, c *gate.Call, req KeyRequest) (*Key, error) {
	return m.manage(ctx, c, req.Key, "", func(e *edit) error {
		if e.named == 0 {
			return gate.Errorf(gate.InvalidRequest, "name the version to deprecate: KEY@N")
		}
		v, err := e.version(e.named)
		if err != nil {
			return err
		}
		life, err := lifecycle.Deprecate(e.body.Life, v.body.Life, e.now)
		if err != nil {
			return e.refused(err)
		}
		return e.changeVersion(v, life)
	})
}
