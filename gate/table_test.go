package gate_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
)

// names is what a record says of the key.
type names struct {
	key         gate.ID
	version     uint32
	wrapping    gate.ID
	wrappingVer uint32
}

// row runs one operation of the table: as it succeeds, or as it fails with a code.
type row struct {
	run   func(f *fixture, c *gate.Call, fail bool) error
	fails gate.Code // 0: it cannot
	// names is of the record of success; made is the newest key.
	names func(f *fixture, made gate.ID) names
	items int   // records beside its own
	heads int32 // how often it reads the store's head itself
	// of is the kind of key it is for; the zero Kind: the fixture's own key. prepare makes what it
	// needs to be there.
	of      keys.Kind
	prepare func(f *fixture)
}

func ofKey(version uint32, wrapped bool) func(*fixture, gate.ID) names {
	return func(f *fixture, _ gate.ID) names {
		n := names{key: f.id, version: version}
		if wrapped {
			n.wrapping, n.wrappingVer = f.master, 1
		}
		return n
	}
}

func nothingNamed(*fixture, gate.ID) names { return names{} }

const absent = "00000000-0000-7000-8000-000000000000"

func pick(fail bool, bad, good string) string {
	if fail {
		return bad
	}
	return good
}

// managed is a row of an operation that takes a key's name and nothing else.
func managed(version uint32, wrapped bool, suffix string, do func(*keys.Manager, context.Context, *gate.Call, keys.KeyRequest) (*keys.Key, error)) row {
	return row{
		run: func(f *fixture, c *gate.Call, fail bool) error {
			_, err := do(f.Manager(), background, c, keys.KeyRequest{Key: pick(fail, absent, f.key+suffix)})
			return err
		},
		fails: gate.NotFound, names: ofKey(version, wrapped),
	}
}

// after is the row with something that has to be there before.
func (r row) after(prepare func(f *fixture)) row {
	r.prepare = prepare
	return r
}

// rows holds how each routable operation is run.
func rows() map[string]row {
	all := managementRows()
	maps.Copy(all, useRows())
	maps.Copy(all, pairRows())
	maps.Copy(all, findRows())
	maps.Copy(all, importRows())
	maps.Copy(all, grantRows())
	maps.Copy(all, peopleRows())
	maps.Copy(all, policyRows())
	maps.Copy(all, approvalRows())
	maps.Copy(all, rotationRows())
	maps.Copy(all, vaultRows())
	return all
}

// managementRows are the operations that manage keys.
func managementRows() map[string]row {
	return map[string]row{
		"create-key": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().CreateKey(background, c, keys.CreateRequest{Purpose: "another", Type: keys.Type(pick(fail, "odd", "data"))})
				return err
			},
			fails: gate.InvalidRequest,
			names: func(f *fixture, made gate.ID) names { return names{made, 1, f.master, 1} },
		},
		"describe-key": managed(0, false, "", (*keys.Manager).DescribeKey),
		"list-keys": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().ListKeys(background, c, keys.ListRequest{Cursor: pick(fail, "?", "")})
				return err
			},
			fails: gate.InvalidRequest, names: nothingNamed,
		},
		"list-key-versions": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().ListKeyVersions(background, c, keys.ListVersionsRequest{Key: pick(fail, absent, f.key)})
				return err
			},
			fails: gate.NotFound, names: ofKey(0, false),
		},
		"update-key": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().UpdateKey(background, c, keys.UpdateRequest{Key: f.key, Purpose: pick(fail, "\x00", "renamed")})
				return err
			},
			fails: gate.InvalidRequest, names: ofKey(0, false),
		},
		"rotate-key": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().RotateKey(background, c, keys.RotateRequest{Key: f.key + pick(fail, "@1", "")})
				return err
			},
			fails: gate.Conflict, names: ofKey(3, true),
		},
		"enable-key": managed(0, false, "", (*keys.Manager).EnableKey),
		"disable-key": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().DisableKey(background, c, keys.DisableRequest{Key: pick(fail, absent, f.key), For: keys.Span(time.Hour)})
				return err
			},
			fails: gate.NotFound, names: ofKey(0, false),
		},
		"deprecate-version": managed(1, true, "@1", (*keys.Manager).DeprecateVersion),
		"mark-compromised": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().MarkCompromised(background, c, keys.CompromiseRequest{Key: f.key + "@1", Reason: pick(fail, "", "laptop lost")})
				return err
			},
			fails: gate.InvalidRequest, names: ofKey(1, true),
		},
		"schedule-key-deletion": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				days := len(pick(fail, "123456", "1234567"))
				_, err := f.Manager().ScheduleKeyDeletion(background, c, keys.ScheduleDeletionRequest{Key: f.key, Days: days})
				return err
			},
			fails: gate.InvalidRequest, names: ofKey(0, false),
		},
		"cancel-key-deletion": managed(0, false, "", (*keys.Manager).CancelKeyDeletion).after(func(f *fixture) {
			_, err := f.KeyManager().ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: f.key, Days: 7})
			f.must(err)
		}),
		"restore-version": managed(1, true, "@1", (*keys.Manager).RestoreVersion).after((*fixture).expire),
	}
}

// useRows are the operations that use keys.
func useRows() map[string]row {
	return map[string]row{
		"encrypt": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().Encrypt(background, c, keys.EncryptRequest{Key: f.key, Plaintext: []byte(pick(fail, "", "x"))})
				return err
			},
			fails: gate.InvalidRequest, names: ofKey(2, true),
		},
		"decrypt": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().Decrypt(background, c, keys.DecryptRequest{Ciphertext: []byte(pick(fail, "no", string(f.ciphertext)))})
				return err
			},
			fails: gate.InvalidCiphertext, names: ofKey(2, true),
		},
		"generate-data-key": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().GenerateDataKey(background, c, keys.DataKeyRequest{Key: pick(fail, absent, f.key)})
				return err
			},
			fails: gate.NotFound, names: ofKey(2, true),
		},
		"generate-random": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				size := 32
				if fail {
					size = -1
				}
				_, err := f.Manager().GenerateRandom(background, c, keys.RandomRequest{Bytes: keys.Length(size)})
				return err
			},
			fails: gate.InvalidRequest, names: nothingNamed,
		},
		"batch": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				items := []keys.BatchItem{{Encrypt: &keys.EncryptRequest{Key: f.key, Plaintext: []byte("x")}}, {}}
				if fail {
					items = nil
				}
				_, err := f.Manager().Batch(background, c, items)
				return err
			},
			fails: gate.InvalidRequest, names: nothingNamed, items: 2,
		},
		"accept-clock": {
			run: func(f *fixture, c *gate.Call, _ bool) error { return f.Gate().Accept(background, c, false) }, names: nothingNamed,
		},
	}
}

// eachOperation runs a test for every routable operation, on a fixture of its own.
func eachOperation(t *testing.T, test func(f *fixture, op *gate.Operation, r row)) {
	known := rows()
	for _, op := range gate.Operations() {
		if op.Internal {
			continue
		}
		r, ok := known[op.Name]
		if !ok {
			t.Errorf("%s has no row here", op.Name)
			continue
		}
		delete(known, op.Name)
		t.Run(op.Name, func(t *testing.T) {
			f := newFixture(t)
			if r.of != (keys.Kind{}) {
				f.useKey(r.of)
			}
			if r.prepare != nil {
				r.prepare(f)
			}
			test(f, op, r)
		})
	}
	for name := range known {
		t.Errorf("%s is no routable operation", name)
	}
}
