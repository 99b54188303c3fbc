package haven

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/rotation"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/vault"
)

// KeyVault is the Key Vault acting for one principal, whom the process vouches for.
type KeyVault struct {
	system    *System
	principal gate.ID
}

// KeyVault acts as the local administrator.
func (s *System) KeyVault() KeyVault { return KeyVault{s, s.admin} }

// KeyVault acts for the principal.
func (a Acting) KeyVault() KeyVault { return KeyVault(a) }

// Vault returns the Key Vault, for surfaces: it takes calls that the gate began.
func (s *System) Vault() *vault.Manager { return s.vault }

// vaulting begins an operation of the vault, runs it and returns its answer.
func vaulting[Req, Answer any](ctx context.Context, v KeyVault, op *gate.Operation, req Req, do func(*vault.Manager, context.Context, *gate.Call, Req) (*Answer, error)) (*Answer, error) {
	c, err := v.system.gate.Begin(ctx, op, gate.Proof{Local: v.principal})
	if err != nil {
		return nil, err
	}
	return do(v.system.vault, ctx, c, req)
}

// StoreKey stores a value under a name, and returns its ARN; a name that exists gets a new version.
func (v KeyVault) StoreKey(ctx context.Context, req vault.StoreRequest) (arn string, err error) {
	out, err := v.Store(ctx, req)
	if err != nil {
		return "", err
	}
	return out.ARN, nil
}

// Store is StoreKey, and tells the version.
func (v KeyVault) Store(ctx context.Context, req vault.StoreRequest) (*vault.StoreAnswer, error) {
	return vaulting(ctx, v, gate.StoreKey, req, (*vault.Manager).StoreKey)
}

// RetrieveKey returns the current value of a name as it was stored, and its metadata.
func (v KeyVault) RetrieveKey(ctx context.Context, name string) (value []byte, metadata map[string]string, err error) {
	out, err := v.Retrieve(ctx, vault.RetrieveRequest{Name: name})
	if err != nil {
		return nil, nil, err
	}
	if out.Text != nil {
		return []byte(*out.Text), out.Metadata, nil
	}
	return out.Value, out.Metadata, nil
}

// Retrieve returns a value, of any version.
func (v KeyVault) Retrieve(ctx context.Context, req vault.RetrieveRequest) (*vault.RetrieveAnswer, error) {
	return vaulting(ctx, v, gate.RetrieveKey, req, (*vault.Manager).RetrieveKey)
}

// DescribeStoredKey shows a stored key, without its value.
func (v KeyVault) DescribeStoredKey(ctx context.Context, ref vault.Reference) (*vault.StoredKey, error) {
	return vaulting(ctx, v, gate.DescribeStoredKey, ref, (*vault.Manager).DescribeStoredKey)
}

// ListStoredKeys returns a page of stored keys by name.
func (v KeyVault) ListStoredKeys(ctx context.Context, req vault.ListStoredKeysRequest) (*vault.StoredKeyPage, error) {
	return vaulting(ctx, v, gate.ListStoredKeys, req, (*vault.Manager).ListStoredKeys)
}

// ListStoredKeyVersions lists the versions of a stored key.
func (v KeyVault) ListStoredKeyVersions(ctx context.Context, ref vault.Reference) (*vault.StoredVersionList, error) {
	return vaulting(ctx, v, gate.ListStoredKeyVersions, ref, (*vault.Manager).ListStoredKeyVersions)
}

// DeleteStoredKey deletes a stored key in 7 to 30 days, unless it is restored.
func (v KeyVault) DeleteStoredKey(ctx context.Context, req vault.DeleteStoredKeyRequest) (*vault.StoredKey, error) {
	return vaulting(ctx, v, gate.DeleteStoredKey, req, (*vault.Manager).DeleteStoredKey)
}

// RestoreStoredKey keeps a stored key that was to be deleted.
func (v KeyVault) RestoreStoredKey(ctx context.Context, ref vault.Reference) (*vault.StoredKey, error) {
	return vaulting(ctx, v, gate.RestoreStoredKey, ref, (*vault.Manager).RestoreStoredKey)
}

// RotateStoredKey generates the value anew.
func (v KeyVault) RotateStoredKey(ctx context.Context, ref vault.Reference) (*vault.StoreAnswer, error) {
	return vaulting(ctx, v, gate.RotateStoredKey, ref, (*vault.Manager).RotateStoredKey)
}

// TagStoredKey adds tags to a stored key, or gives them other values.
func (v KeyVault) TagStoredKey(ctx context.Context, req vault.TagStoredKeyRequest) (*vault.StoredKey, error) {
	return vaulting(ctx, v, gate.TagStoredKey, req, (*vault.Manager).TagStoredKey)
}

// UntagStoredKey takes tags from a stored key.
func (v KeyVault) UntagStoredKey(ctx context.Context, req vault.UntagStoredKeyRequest) (*vault.StoredKey, error) {
	return vaulting(ctx, v, gate.UntagStoredKey, req, (*vault.Manager).UntagStoredKey)
}

// vault makes the vault over a ring, whose master keys wrap its values.
func (l *Locked) vault(view *gate.View, ring *keys.Ring, storeID gate.ID) *vault.Manager {
	v := vault.New(vault.Config{View: view, Keys: ring, Random: l.cfg.Random, StoreID: storeID, Region: l.cfg.Region, Account: l.cfg.Account})
	ring.Children(store.KindStoredVersion, v)
	return v
}

// resolver finds what references name: keys, and stored keys.
type resolver struct {
	*keys.Ring
	vault *vault.Manager
}

// Resolve implements gate.Resolver.
func (r resolver) Resolve(ctx context.Context, reading *gate.Reading, op *gate.Operation, ref gate.Reference) (gate.Target, error) {
	if ref.Stored != "" {
		return r.vault.Resolve(ctx, reading, op, ref)
	}
	return r.Ring.Resolve(ctx, reading, op, ref)
}

// dueOfStored asks the Key Vault.
func (s *System) dueOfStored(ctx context.Context, item *store.Item) ([]rotation.Task, error) {
	d, err := s.vault.Due(ctx, item)
	if err != nil || d == nil {
		return nil, err
	}
	t := rotation.Task{Do: "rotate", At: d.At, ARN: d.ARN, Settle: func(ctx context.Context, c *gate.Call) (bool, uint32, error) {
		done, err := s.vault.Settle(ctx, c, d)
		return done, 0, err
	}}
	if d.Destroy {
		t.Do = "destroy"
	}
	return []rotation.Task{t}, nil
}
