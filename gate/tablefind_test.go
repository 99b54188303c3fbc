package gate_test

import (
	"github.com/haven-health/haven/audit"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
)

// aliased gives alias/moving to another key.
func aliased(f *fixture) {
	other, err := f.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "another", Type: keys.Data})
	f.must(err)
	_, err = f.KeyManager().CreateAlias(background, keys.AliasRequest{Alias: "alias/moving", Key: other.ID})
	f.must(err)
}

func aliasedHere(f *fixture) {
	_, err := f.KeyManager().CreateAlias(background, keys.AliasRequest{Alias: "alias/here", Key: f.key})
	f.must(err)
}

// findRows are the operations by which keys are named and found.
func findRows() map[string]row {
	return map[string]row{
		"create-alias": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().CreateAlias(background, c, keys.AliasRequest{Alias: "alias/new", Key: pick(fail, absent, f.key)})
				return err
			},
			fails: gate.NotFound, names: ofKey(0, false),
		},
		"update-alias": row{
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().UpdateAlias(background, c, keys.AliasRequest{Alias: "alias/moving", Key: pick(fail, "alias/haven-master", f.key)})
				return err
			},
			fails: gate.InvalidState, names: ofKey(0, false),
		}.after(aliased),
		"delete-alias": row{
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().DeleteAlias(background, c, keys.DeleteAliasRequest{Alias: pick(fail, "alias/haven-master", "alias/here")})
				return err
			},
			fails: gate.InvalidRequest, names: ofKey(0, false),
		}.after(aliasedHere),
		"list-aliases": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().ListAliases(background, c, keys.ListAliasesRequest{Key: pick(fail, absent, f.key)})
				return err
			},
			fails: gate.NotFound, names: ofKey(0, false),
		},
		"tag-key": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().TagKey(background, c, keys.TagRequest{Key: f.key, Tags: map[string]string{pick(fail, "aws:x", "site"): "camp-3"}})
				return err
			},
			fails: gate.InvalidRequest, names: ofKey(0, false),
		},
		"untag-key": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().UntagKey(background, c, keys.UntagRequest{Key: pick(fail, absent, f.key), Names: []string{"site"}})
				return err
			},
			fails: gate.NotFound, names: ofKey(0, false),
		},
		"list-records": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Audit().ListRecords(background, c, audit.RecordsRequest{Key: pick(fail, absent, f.key)})
				return err
			},
			fails: gate.NotFound, names: ofKey(0, false), heads: 1,
		},
		"get-active-key": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().GetActiveKey(background, c, keys.ActiveRequest{Type: keys.Type(pick(fail, "signing", "data"))})
				return err
			},
			fails: gate.NotFound, names: ofKey(2, false),
		},
	}
}
