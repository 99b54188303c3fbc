package gate_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// effect is something that an operation can be asked to do.
type effect func(f *furnished) error

// changing is a mutating operation: what has to be there before, and what it can do, each different.
type changing struct {
	prepare func(f *furnished)
	effects []effect
}

// furnished is a fixture with more to change: its key has a third version, and there are another key
// with names, tags and texts, and a second master key.
type furnished struct {
	*fixture
	other, second string
	called        map[string]string // ids, and what a test calls them
}

func newFurnished(t *testing.T) *furnished {
	f := &furnished{fixture: newFixture(t)}
	km := f.KeyManager()
	_, err := km.RotateKey(background, f.key)
	f.must(err)
	f.other = f.create(keys.CreateRequest{
		Purpose: "another", Type: keys.Data, Alias: "alias/other", Owner: "clinic", Description: "some words", Tags: map[string]string{"site": "1", "kind": "2"},
	})
	_, err = km.CreateAlias(background, keys.AliasRequest{Alias: "alias/further", Key: f.other})
	f.must(err)
	f.second = f.create(keys.CreateRequest{Purpose: "a second master", Type: keys.Master})
	f.called = map[string]string{f.key: "KEY", f.other: "OTHER", f.master.String(): "MASTER", f.second: "SECOND"}
	return f
}

func (f *furnished) create(req keys.CreateRequest) string {
	f.Helper()
	k, err := f.KeyManager().CreateKey(background, req)
	f.must(err)
	return k.ID
}

var anyID = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(credential=)?[0-9a-f]{64}|AKIA[A-Z2-7]{16}`)

func (f *furnished) plain(text string) string {
	return anyID.ReplaceAllStringFunc(text, func(id string) string {
		_, hash, credential := strings.Cut(id, "credential=")
		if name, known := f.called[cmp.Or(hash, id)]; known {
			return name
		}
		if len(id) == 64 && !credential { // a digest of something else
			return id
		}
		return "NEW"
	})
}

// state tells all that there is of every key, but for its material, and of who may do what.
func (f *furnished) state() string {
	f.Helper()
	page, err := f.KeyManager().ListKeys(background, keys.ListRequest{Limit: 50})
	f.must(err)
	var all []string
	for _, k := range page.Keys {
		versions, err := f.KeyManager().ListKeyVersions(background, keys.ListVersionsRequest{Key: k.ID})
		f.must(err)
		for i := range versions.Versions {
			versions.Versions[i].CheckValue = ""
		}
		text, err := json.Marshal([]any{k, versions})
		f.must(err)
		all = append(all, f.plain(string(text)))
	}
	for _, kind := range []store.Kind{store.KindPrincipal, store.KindGroup, store.KindPolicy, store.KindGrant, store.KindCredential, store.KindApproval, store.KindSetting, store.KindStored} {
		for _, item := range f.Items(kind) {
			all = append(all, f.plain(string(item.Body)))
		}
	}
	slices.Sort(all)
	all = append(all, f.people())
	return strings.Join(all, "\n")
}

// told is what the operation's own record says, its id, time and the items' MACs apart.
func (f *furnished) told(from uint64, op *gate.Operation) string {
	f.Helper()
	var out string
	for _, e := range f.Records(from) {
		if e.Operation == op.Number {
			out += f.plain(fmt.Sprintf("%s %s@%d by %s@%d %q %q %b\n", e.Outcome, gate.ID(e.Key), e.Version, gate.ID(e.Wrapping), e.WrappingVer, e.Reason, e.Parameters, e.Flags))
		}
	}
	return out
}

func text(s string) *string { return &s }

func creating(req keys.CreateRequest) effect {
	return func(f *furnished) error {
		if req.Master != "" {
			req.Master = f.second
		}
		_, err := f.KeyManager().CreateKey(background, req)
		return err
	}
}

func updating(req keys.UpdateRequest) effect {
	return func(f *furnished) error {
		if req.Key = f.other; req.Master != "" {
			req.Master = f.second
		}
		_, err := f.KeyManager().UpdateKey(background, req)
		return err
	}
}

func tagging(tags map[string]string) effect {
	return func(f *furnished) error {
		_, err := f.KeyManager().TagKey(background, keys.TagRequest{Key: f.other, Tags: tags})
		return err
	}
}

func untagging(names ...string) effect {
	return func(f *furnished) error {
		_, err := f.KeyManager().UntagKey(background, keys.UntagRequest{Key: f.other, Names: names})
		return err
	}
}

// onKey does something to the fixture's key, with a suffix; onOther to the other one.
func onKey(do func(f *furnished, key string) error, suffixes ...string) (out []effect) {
	for _, suffix := range suffixes {
		out = append(out, func(f *furnished) error { return do(f, f.key+suffix) })
	}
	return out
}

func onOther(do func(f *furnished, key string) error) effect {
	return func(f *furnished) error { return do(f, f.other) }
}

// manyTags are more than a record has room for.
func manyTags(last string) map[string]string {
	tags := map[string]string{last: ""}
	for i := range 40 {
		tags[fmt.Sprintf("%02d %s", i, strings.Repeat("long ", 20))] = ""
	}
	return tags
}

func changesOfAttributes() map[string]changing {
	return map[string]changing{
		"create-key": {effects: []effect{
			creating(keys.CreateRequest{Purpose: "x", Type: keys.Data}),
			creating(keys.CreateRequest{Purpose: "x", Type: keys.Signing}),
			creating(keys.CreateRequest{Purpose: "x", Type: keys.Signing, Spec: crypt.P384}),
			creating(keys.CreateRequest{Purpose: "x", Type: keys.Transport, Spec: crypt.P256, Usage: crypt.KeyAgreement}),
			creating(keys.CreateRequest{Purpose: "x", Type: keys.Data, RotationDays: 30}),
			creating(keys.CreateRequest{Purpose: "x", Type: keys.Data, GraceDays: 7}),
			creating(keys.CreateRequest{Purpose: "x", Type: keys.Data, LifetimeDays: 9}),
			creating(keys.CreateRequest{Purpose: "x", Type: keys.Data, Alias: "alias/a"}),
			creating(keys.CreateRequest{Purpose: "x", Type: keys.Data, Alias: "alias/b"}),
			creating(keys.CreateRequest{Purpose: "x", Type: keys.Data, Owner: "clinic"}),
			creating(keys.CreateRequest{Purpose: "x", Type: keys.Data, Description: "words"}),
			creating(keys.CreateRequest{Purpose: "x", Type: keys.Data, Tags: map[string]string{"a": ""}}),
			creating(keys.CreateRequest{Purpose: "x", Type: keys.Data, Tags: map[string]string{"b": ""}}),
			creating(keys.CreateRequest{Purpose: "x", Type: keys.Data, Master: "second"}),
			creating(keys.CreateRequest{Purpose: "x", Type: keys.Data, Origin: keys.External}),
			// What takes the most room.
			creating(keys.CreateRequest{
				Purpose: "x", Type: keys.Transport, Spec: crypt.MLKEM1024, RotationDays: 36500, GraceDays: 36500, LifetimeDays: 36500,
				Alias: "alias/" + strings.Repeat("x", keys.MaxAlias), Owner: "clinic", Description: "words", Master: "second", Tags: manyTags("a"),
			}),
			creating(keys.CreateRequest{
				Purpose: "x", Type: keys.Transport, Spec: crypt.MLKEM1024, RotationDays: 36500, GraceDays: 36500, LifetimeDays: 36500,
				Alias: "alias/" + strings.Repeat("x", keys.MaxAlias), Owner: "clinic", Description: "words", Master: "second", Tags: manyTags("b"),
			}),
		}},
		"update-key": {effects: []effect{
			updating(keys.UpdateRequest{RotationDays: 30}), updating(keys.UpdateRequest{RotationDays: 60}),
			updating(keys.UpdateRequest{GraceDays: 7}), updating(keys.UpdateRequest{GraceDays: keys.Never}), updating(keys.UpdateRequest{LifetimeDays: 900}),
			updating(keys.UpdateRequest{Purpose: "renamed"}),
			updating(keys.UpdateRequest{Owner: text("ward")}), updating(keys.UpdateRequest{Owner: text("")}),
			updating(keys.UpdateRequest{Description: text("words")}), updating(keys.UpdateRequest{Description: text("")}),
			updating(keys.UpdateRequest{Master: "second"}),
			updating(keys.UpdateRequest{Master: "second", RotationDays: 36500, GraceDays: 36500, LifetimeDays: 36500, Purpose: "y", Owner: text("z"), Description: text("")}),
		}},
		"tag-key": {effects: []effect{
			tagging(map[string]string{"a": ""}), tagging(map[string]string{"b": ""}), tagging(map[string]string{"a": "", "b": ""}), tagging(map[string]string{"a,b": ""}),
			tagging(map[string]string{"a;removed=b": ""}), tagging(map[string]string{"site": "9"}), tagging(map[string]string{"site": "9", "kind": "9"}),
			tagging(manyTags("a")), tagging(manyTags("b")), tagging(manyTags("z")), tagging(manyTags("zz")),
		}},
		"untag-key":    {effects: []effect{untagging("site"), untagging("kind"), untagging("site", "kind")}},
		"create-alias": {effects: []effect{naming("alias/a", keys.Data), naming("alias/b", keys.Data), naming("alias/a", keys.Master)}},
		"update-alias": {
			prepare: func(f *furnished) {
				_, err := f.KeyManager().CreateAlias(background, keys.AliasRequest{Alias: "alias/here", Key: f.key})
				f.must(err)
			},
			effects: []effect{renaming("alias/other", true), renaming("alias/further", true), renaming("alias/here", false)},
		},
		"delete-alias": {effects: []effect{unnaming("alias/other"), unnaming("alias/further")}},
	}
}

func naming(alias string, of keys.Type) effect {
	return func(f *furnished) error {
		key := f.key
		if of == keys.Master {
			key = f.second
		}
		_, err := f.KeyManager().CreateAlias(background, keys.AliasRequest{Alias: alias, Key: key})
		return err
	}
}

func renaming(alias string, toKey bool) effect {
	return func(f *furnished) error {
		key := f.other
		if toKey {
			key = f.key
		}
		_, err := f.KeyManager().UpdateAlias(background, keys.AliasRequest{Alias: alias, Key: key})
		return err
	}
}

func unnaming(alias string) effect {
	return func(f *furnished) error {
		_, err := f.KeyManager().DeleteAlias(background, alias)
		return err
	}
}

func changesOfState() map[string]changing {
	rotate := func(f *furnished, key string) error { _, err := f.KeyManager().RotateKey(background, key); return err }
	enable := func(f *furnished, key string) error { _, err := f.KeyManager().EnableKey(background, key); return err }
	disable := func(f *furnished, key string) error { _, err := f.KeyManager().DisableKey(background, key); return err }
	disableFor := func(hours time.Duration) func(f *furnished, key string) error {
		return func(f *furnished, key string) error {
			_, err := f.KeyManager().DisableKeyFor(background, key, hours*time.Hour)
			return err
		}
	}
	deprecate := func(f *furnished, key string) error {
		_, err := f.KeyManager().DeprecateVersion(background, key)
		return err
	}
	compromise := func(replace *bool) func(f *furnished, key string) error {
		return func(f *furnished, key string) error {
			_, err := f.KeyManager().MarkCompromised(background, keys.CompromiseRequest{Key: key, Reason: "lost", NewPrimary: replace})
			return err
		}
	}
	schedule := func(days int) func(f *furnished, key string) error {
		return func(f *furnished, key string) error {
			_, err := f.KeyManager().ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: key, Days: days})
			return err
		}
	}
	cancel := func(f *furnished, key string) error {
		_, err := f.KeyManager().CancelKeyDeletion(background, key)
		return err
	}
	restore := func(f *furnished, key string) error {
		_, err := f.KeyManager().RestoreVersion(background, key)
		return err
	}
	no := false
	return map[string]changing{
		"rotate-key": {effects: append(onKey(rotate, ""), onOther(rotate))},
		"enable-key": {
			prepare: func(f *furnished) { f.must(disable(f, f.key)); f.must(disable(f, f.other)) },
			effects: append(onKey(enable, ""), onOther(enable)),
		},
		"disable-key":       {effects: slices.Concat(onKey(disable, ""), onKey(disableFor(1), ""), onKey(disableFor(2), ""), []effect{onOther(disable)})},
		"deprecate-version": {effects: onKey(deprecate, "@1", "@2")},
		"mark-compromised":  {effects: slices.Concat(onKey(compromise(nil), "", "@1", "@2", "@3"), onKey(compromise(&no), "@3"))},
		"schedule-key-deletion": {
			prepare: func(f *furnished) { f.must(compromise(nil)(f, f.key+"@1")); f.must(compromise(nil)(f, f.key+"@2")) },
			effects: slices.Concat(onKey(schedule(7), "", "@1", "@2"), onKey(schedule(8), "", "@1"), onKey(schedule(0), ""), []effect{onOther(schedule(7))}),
		},
		"cancel-key-deletion": {
			prepare: func(f *furnished) {
				f.must(compromise(nil)(f, f.key+"@1"))
				f.must(compromise(nil)(f, f.key+"@2"))
				for _, key := range []string{f.key + "@1", f.key + "@2", f.other, f.second} {
					f.must(schedule(7)(f, key))
				}
			},
			effects: append(onKey(cancel, "@1", "@2"), onOther(cancel), func(f *furnished) error { return cancel(f, f.second) }),
		},
		"restore-version": {
			prepare: func(f *furnished) {
				f.expire()
				_, err := f.KeyManager().RotateKey(background, f.key)
				f.must(err)
				f.Clock.Advance(lifecycle.Day)
				f.called[f.key] = "EXPIRED"
			},
			effects: onKey(restore, "@1", "@2"),
		},
	}
}

func changesOfMaterial() map[string]changing {
	imported := func(f *furnished) {
		f.useImported()
		f.called[f.key] = "IMPORTED"
		_, err := f.KeyManager().ImportKeyMaterial(background, f.wrapped(2))
		f.must(err)
	}
	importing := func(b byte, version string, days int) effect {
		return func(f *furnished) error {
			f.key += version
			req := f.wrapped(b)
			if days > 0 {
				req.ValidTo = f.Clock.Wall().Add(time.Duration(days) * lifecycle.Day)
			}
			_, err := f.KeyManager().ImportKeyMaterial(background, req)
			return err
		}
	}
	erase := func(f *furnished, key string) error {
		_, err := f.KeyManager().DeleteImportedKeyMaterial(background, key)
		return err
	}
	return map[string]changing{
		"import-key-material": {
			prepare: imported,
			effects: []effect{importing(3, "", 0), importing(3, "", 1), importing(3, "", 2), importing(1, "@1", 1), importing(2, "@2", 1)},
		},
		"delete-imported-key-material": {prepare: imported, effects: onKey(erase, "@1", "@2")},
	}
}

// TestRecordsTellEffectsApart: what a mutating operation can do to the same store leaves another
// record for each different effect, the changed items' MACs apart, which nobody reads.
func TestRecordsTellEffectsApart(t *testing.T) {
	all := map[string]changing{}
	for _, some := range []map[string]changing{changesOfAttributes(), changesOfState(), changesOfMaterial(), changesOfPolicies(), changesOfPeople(), changesOfCredentials(), changesOfGrants(), changesOfApprovals(), changesOfSchedule(), changesOfVault()} {
		for name, c := range some {
			all[name] = c
		}
	}
	for _, op := range gate.Operations() {
		c, ok := all[op.Name]
		if mutates := op.Mutates && !op.Internal; mutates != ok || ok && len(c.effects) < 2 {
			t.Errorf("%s: %d effects here", op.Name, len(c.effects))
		}
		if !ok {
			continue
		}
		t.Run(op.Name, func(t *testing.T) {
			states, records := map[string]int{}, map[string]int{}
			for i, do := range c.effects {
				f := newFurnished(t)
				if c.prepare != nil {
					c.prepare(f)
				}
				before, from := f.state(), f.Position()
				f.must(do(f))
				record := f.told(from, op)
				state := f.state()
				if same, known := states[state]; known || state == before {
					t.Fatalf("effect %d changes nothing, or what effect %d changes", i, same)
				}
				if same, known := records[record]; known || record == "" {
					t.Errorf("effects %d and %d leave the same record: %s", same, i, record)
				}
				states[state], records[record] = i, i
			}
		})
	}
}
