package gate_test

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/vault"
)

// storedName is the stored key that the fixtures of these rows have.
const storedName = "api-signing-key"

// keepStored stores a generated value.
func keepStored(f *fixture, name string) {
	_, err := f.KeyVault().Store(background, vault.StoreRequest{Name: name, Generate: "password"})
	f.must(err)
}

// vaultRows are the operations of the Key Vault.
func vaultRows() map[string]row {
	stored := func(f *fixture) { keepStored(f, storedName) }
	named := func(fail bool) vault.Reference { return vault.Reference{Name: pick(fail, "nothing", storedName)} }
	on := func(fails gate.Code, do func(m *vault.Manager, c *gate.Call, ref vault.Reference) error) row {
		return row{
			prepare: stored, fails: fails, names: nothingNamed,
			run: func(f *fixture, c *gate.Call, fail bool) error { return do(f.Vault(), c, named(fail)) },
		}
	}
	return map[string]row{
		"store-key": on(gate.InvalidState, func(m *vault.Manager, c *gate.Call, ref vault.Reference) error {
			text := "x"
			req := vault.StoreRequest{Name: ref.Name, Text: &text}
			if ref.Name != storedName {
				req.Stage = vault.Pending
			}
			_, err := m.StoreKey(background, c, req)
			return err
		}).failing(gate.InvalidRequest),
		"retrieve-key": on(gate.NotFound, func(m *vault.Manager, c *gate.Call, ref vault.Reference) error {
			_, err := m.RetrieveKey(background, c, vault.RetrieveRequest{Name: ref.Name})
			return err
		}),
		"describe-stored-key": on(gate.NotFound, func(m *vault.Manager, c *gate.Call, ref vault.Reference) error {
			_, err := m.DescribeStoredKey(background, c, ref)
			return err
		}),
		"list-stored-key-versions": on(gate.NotFound, func(m *vault.Manager, c *gate.Call, ref vault.Reference) error {
			_, err := m.ListStoredKeyVersions(background, c, ref)
			return err
		}),
		"list-stored-keys": on(gate.InvalidRequest, func(m *vault.Manager, c *gate.Call, ref vault.Reference) error {
			_, err := m.ListStoredKeys(background, c, vault.ListStoredKeysRequest{Cursor: pick(ref.Name != storedName, "x", "")})
			return err
		}),
		"delete-stored-key": on(gate.NotFound, func(m *vault.Manager, c *gate.Call, ref vault.Reference) error {
			_, err := m.DeleteStoredKey(background, c, vault.DeleteStoredKeyRequest{Name: ref.Name})
			return err
		}),
		"restore-stored-key": {
			prepare: func(f *fixture) {
				stored(f)
				_, err := f.KeyVault().DeleteStoredKey(background, vault.DeleteStoredKeyRequest{Name: storedName})
				f.must(err)
			},
			fails: gate.NotFound, names: nothingNamed,
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Vault().RestoreStoredKey(background, c, named(fail))
				return err
			},
		},
		"rotate-stored-key": on(gate.NotFound, func(m *vault.Manager, c *gate.Call, ref vault.Reference) error {
			_, err := m.RotateStoredKey(background, c, ref)
			return err
		}),
		"tag-stored-key": on(gate.NotFound, func(m *vault.Manager, c *gate.Call, ref vault.Reference) error {
			_, err := m.TagStoredKey(background, c, vault.TagStoredKeyRequest{Name: ref.Name, Tags: map[string]string{"team": "clinic"}})
			return err
		}),
		"untag-stored-key": on(gate.NotFound, func(m *vault.Manager, c *gate.Call, ref vault.Reference) error {
			_, err := m.UntagStoredKey(background, c, vault.UntagStoredKeyRequest{Name: ref.Name, Names: []string{"team"}})
			return err
		}),
	}
}

// failing is the row with another failure.
func (r row) failing(code gate.Code) row {
	r.fails = code
	return r
}

// changesOfVault are the operations of the Key Vault that change something.
func changesOfVault() map[string]changing {
	begin := func(f *furnished, op *gate.Operation) *gate.Call {
		call, err := f.Gate().Begin(background, op, gate.Proof{Local: f.Admin})
		f.must(err)
		return call
	}
	prepare := func(f *furnished) {
		keepStored(f.fixture, "first")
		keepStored(f.fixture, "second")
	}
	store := func(req vault.StoreRequest) effect {
		return func(f *furnished) error {
			text := "x"
			req.Text = &text
			_, err := f.Vault().StoreKey(background, begin(f, gate.StoreKey), req)
			return err
		}
	}
	on := func(op *gate.Operation, do func(*vault.Manager, context.Context, *gate.Call, vault.Reference) error) []effect {
		var out []effect
		for _, name := range []string{"first", "second"} {
			out = append(out, func(f *furnished) error {
				return do(f.Vault(), background, begin(f, op), vault.Reference{Name: name})
			})
		}
		return out
	}
	remove := func(days int) []effect {
		return on(gate.DeleteStoredKey, func(m *vault.Manager, ctx context.Context, c *gate.Call, ref vault.Reference) error {
			_, err := m.DeleteStoredKey(ctx, c, vault.DeleteStoredKeyRequest{Name: ref.Name, Days: days})
			return err
		})
	}
	tag := func(name string) []effect {
		return on(gate.TagStoredKey, func(m *vault.Manager, ctx context.Context, c *gate.Call, ref vault.Reference) error {
			_, err := m.TagStoredKey(ctx, c, vault.TagStoredKeyRequest{Name: ref.Name, Tags: map[string]string{name: "x"}})
			return err
		})
	}
	untag := func(name string) []effect {
		return on(gate.UntagStoredKey, func(m *vault.Manager, ctx context.Context, c *gate.Call, ref vault.Reference) error {
			_, err := m.UntagStoredKey(ctx, c, vault.UntagStoredKeyRequest{Name: ref.Name, Names: []string{name}})
			return err
		})
	}
	return map[string]changing{
		"store-key": {prepare: prepare, effects: []effect{
			store(vault.StoreRequest{Name: "first"}), store(vault.StoreRequest{Name: "third"}), store(vault.StoreRequest{Name: "first", Stage: vault.Pending}),
		}},
		"delete-stored-key": {prepare: prepare, effects: append(remove(7), remove(8)...)},
		"restore-stored-key": {
			prepare: func(f *furnished) {
				prepare(f)
				for _, do := range remove(7) {
					f.must(do(f))
				}
			},
			effects: on(gate.RestoreStoredKey, func(m *vault.Manager, ctx context.Context, c *gate.Call, ref vault.Reference) error {
				_, err := m.RestoreStoredKey(ctx, c, ref)
				return err
			}),
		},
		"rotate-stored-key": {prepare: prepare, effects: on(gate.RotateStoredKey, func(m *vault.Manager, ctx context.Context, c *gate.Call, ref vault.Reference) error {
			_, err := m.RotateStoredKey(ctx, c, ref)
			return err
		})},
		"tag-stored-key": {prepare: prepare, effects: append(tag("team"), tag("site")...)},
		"untag-stored-key": {
			prepare: func(f *furnished) {
				prepare(f)
				for _, do := range append(tag("team"), tag("site")...) {
					f.must(do(f))
				}
			},
			effects: append(untag("team"), untag("site")...),
		},
	}
}
