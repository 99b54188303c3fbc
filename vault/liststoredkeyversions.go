package vault

import (
	"context"
	"fmt"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/store"
)

// StoredVersionList is a stored key's versions, the newest first.
type StoredVersionList struct {
	Versions []StoredVersion `json:"versions"`
}

// ListStoredKeyVersions lists the versions of a stored key, without their values.
func (m *Manager) ListStoredKeyVersions(ctx context.Context, c *gate.Call, ref Reference) (*StoredVersionList, error) {
	var out StoredVersionList
	err := m.on(ctx, c, ref, gate.Request{}, func(_ gate.Approved, f *found) (gate.Outcome, error) {
		out = StoredVersionList{Versions: []StoredVersion{}}
		page, err := m.cfg.View.List(ctx, store.Query{Kind: store.KindStoredVersion, Prefix: string(f.id[:]), Reverse: true, Limit: 2 * MaxVersions})
		if err != nil {
			return gate.Outcome{}, err
		}
		for i := range page.Items {
			b, err := decodeVersion(&page.Items[i])
			if err != nil {
				return gate.Outcome{}, err
			}
			by, n, err := crypt.WrappingKeyOf(b.wrapped)
			if err != nil {
				return gate.Outcome{}, unreadable(page.Items[i].Ref, err)
			}
			version := gate.ID([]byte(page.Items[i].ID[16:]))
			out.Versions = append(out.Versions, StoredVersion{
				VersionID: version.String(), Stages: f.body.stagesOf(version), CreatedAt: b.Created, CreatedBy: b.CreatedBy,
				Metadata: b.Metadata, WrappedBy: fmt.Sprintf("%s@%d", gate.ID(by), n),
			})
		}
		return gate.Outcome{}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
