package keys

import (
	"context"
	"encoding/binary"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// ListVersionsRequest asks for a page of a key's versions, newest first.
type ListVersionsRequest struct {
	Key    string `json:"key"`
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// VersionPage is a page of versions.
type VersionPage struct {
	Versions   []Version `json:"versions"`
	NextCursor string    `json:"next_cursor,omitzero"`
}

// ListKeyVersions returns a page of a key's versions, newest first.
func (m *Manager) ListKeyVersions(ctx context.Context, c *gate.Call, req ListVersionsRequest) (*VersionPage, error) {
	q := store.Query{Kind: store.KindVersion, Reverse: true}
	if err := page(&q, req.Limit, req.Cursor, versionIDLen); err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out VersionPage
	err := m.gate.Do(ctx, c, gate.Request{References: []gate.Reference{{Text: req.Key}}}, func(a gate.Approved) (gate.Outcome, error) {
		key := a.Target(0).Domain.(*loadedKey)
		q.Prefix = key.item.ID
		found, err := m.ring.cfg.View.List(ctx, q)
		if err != nil {
			return gate.Outcome{}, err
		}
		used, err := m.ring.counts.read(ctx, span{a.Target(0).Key, key.body.Life.Versions})
		if err != nil {
			return gate.Outcome{}, err
		}
		out = VersionPage{Versions: []Version{}, NextCursor: nextCursor(&found)}
		for i := range found.Items {
			v, err := m.ring.showVersion(ctx, a, key, &found.Items[i])
			if err != nil {
				return gate.Outcome{}, err
			}
			n := used[versionID{a.Target(0).Key, v.Version}]
			v.UseCount, v.ProtectCount, v.ProcessCount, v.VerifyCount = n.total(), n.protect, n.process, n.verify
			v.LastUsedAt = n.lastUsed()
			out.Versions = append(out.Versions, v)
		}
		return gate.Outcome{}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func (r *Ring) showVersion(ctx context.Context, a gate.Approved, key *loadedKey, item *store.Item) (Version, error) {
	b, err := decodeVersion(item)
	if err != nil {
		return Version{}, err
	}
	life := b.Life
	if s := r.cfg.View.Stopped(item.Ref); s.Compromised {
		life.State, life.WasCompromised = lifecycle.Compromised, true
	}
	var wraps *Wraps
	if key.body.Type == Master {
		wraps = new(Wraps)
		if life.Wraps {
			if *wraps, err = r.count(ctx, idOf(item.ID), life.Number); err != nil {
				return Version{}, err
			}
		}
	}
	return Version{
		KeyID: idOf(item.ID).String(), Version: binary.BigEndian.Uint32([]byte(item.ID[16:])),
		State:     lifecycle.Effective(key.body.Life, life, a.Time()),
		CreatedAt: life.CreatedAt, ExpiresAt: life.ExpiresAt, GraceEndsAt: life.GraceEndsAt,
		LifetimeEndsAt: life.LifetimeEndsAt, DeletionDate: life.DeletionDate,
		ValidTo: life.MaterialEndsAt, MaterialExpired: life.WithoutMaterial(a.Time()), MaterialErased: life.MaterialErased,
		WasCompromised: life.WasCompromised, WrappedBy: r.wrappedBy(b), Wraps: wraps, CheckValue: b.Check,
	}, nil
}
