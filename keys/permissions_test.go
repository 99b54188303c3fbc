package keys_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/keys"
)

// TestTwoPermissions: an operation on two things needs the permission on each: with either missing it
// is refused.
func TestTwoPermissions(t *testing.T) {
	f := newAsked(t)
	arn := func(key string) string { return "arn:aws:kms:*:*:key/" + key }
	const alias = "arn:aws:kms:*:*:alias/*"
	reencrypt := func(km haven.KeyManager) error {
		return problem(km.ReEncrypt(background, keys.ReEncryptRequest{Ciphertext: f.ciphertext, SourceContext: context17(t), Key: f.master}))
	}
	create := func(req keys.CreateRequest) func(km haven.KeyManager) error {
		return func(km haven.KeyManager) error {
			req.Purpose, req.Type = "another", keys.Data
			return problem(km.CreateKey(background, req))
		}
	}
	n := 0
	for _, c := range []struct {
		name string
		do   func(haven.KeyManager) error
		need []string // statements, all of them
	}{
		{"re-encrypt", reencrypt, []string{allows(`"kms:ReEncryptFrom"`, arn(f.data)), allows(`"kms:ReEncryptTo"`, arn(f.master))}},
		{"create-alias", func(km haven.KeyManager) error {
			return problem(km.CreateAlias(background, keys.AliasRequest{Alias: "alias/new", Key: f.data}))
		}, []string{allows(`"kms:CreateAlias"`, alias), allows(`"kms:CreateAlias"`, arn(f.data))}},
		{"update-alias", func(km haven.KeyManager) error {
			return problem(km.UpdateAlias(background, keys.AliasRequest{Alias: "alias/new", Key: f.second()}))
		}, []string{allows(`"kms:UpdateAlias"`, alias), allows(`"kms:UpdateAlias"`, arn(f.data)), allows(`"kms:UpdateAlias"`, arn(f.second()))}},
		{"delete-alias", func(km haven.KeyManager) error {
			return problem(km.DeleteAlias(background, "alias/new"))
		}, []string{allows(`"kms:DeleteAlias"`, alias), allows(`"kms:DeleteAlias"`, arn(f.second()))}},
		{"create-key with an alias", create(keys.CreateRequest{Alias: "alias/newer"}),
			[]string{allows(`"kms:CreateKey"`, "*"), allows(`"kms:CreateAlias"`, alias)}},
		{"create-key with a master", create(keys.CreateRequest{Master: "alias/camps"}),
			[]string{allows(`"kms:CreateKey"`, "*"), allows(`"haven:WrapKey"`, arn(f.master))}},
		{"create-key without one", create(keys.CreateRequest{}), []string{allows(`"kms:CreateKey"`, "*")}},
		{"update-key with a master", func(km haven.KeyManager) error {
			return problem(km.UpdateKey(background, keys.UpdateRequest{Key: f.data, Master: f.master}))
		}, []string{allows(`"haven:UpdateKey"`, arn(f.data)), allows(`"haven:WrapKey"`, arn(f.master))}},
	} {
		for without := range c.need {
			n++
			some := slices.Delete(slices.Clone(c.need), without, without+1)
			some = append(some, allows(`"kms:ListKeys"`, "*"))
			if err := c.do(as(f.World, fmt.Sprintf("user-%d", n), statements(strings.Join(some, ",")))); !errors.Is(err, gate.AccessDenied) {
				t.Errorf("%s without %s: %v", c.name, c.need[without], err)
			}
		}
		n++
		if err := c.do(as(f.World, fmt.Sprintf("user-%d", n), statements(strings.Join(c.need, ",")))); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// second is a second data key.
func (f *asked) second() string {
	page, err := f.KeyManager().ListKeys(background, keys.ListRequest{AliasPrefix: "alias/second"})
	if err == nil && len(page.Keys) == 1 {
		return page.Keys[0].ID
	}
	k, err := f.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "second", Type: keys.Data, Alias: "alias/second"})
	if err != nil {
		f.Fatal(err)
	}
	return k.ID
}

// TestListsShowWhatMayBeDescribed: lists answer only with keys that the caller may describe, page by
// page to the end, in one record each.
func TestListsShowWhatMayBeDescribed(t *testing.T) {
	w := gatetest.New(t)
	var mine []string
	for i := range 12 {
		team := []string{"clinic", "camp", "camp"}[i%3]
		k, err := w.KeyManager().CreateKey(background, keys.CreateRequest{
			Purpose: "Patient data", Type: keys.Data, Alias: fmt.Sprintf("alias/key-%02d", i), Tags: map[string]string{"team": team},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.Clock.Advance(time.Second) // ids of one millisecond are in no order
		if team == "clinic" {
			mine = append(mine, k.ID)
		}
	}
	km := as(w, "clinician", statements(allows(`["kms:ListKeys","kms:ListAliases"]`, "*")+
		`,{"Effect":"Allow","Action":"kms:DescribeKey","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"clinic"}}}`))
	stranger := as(w, "stranger", statements(allows(`["kms:ListKeys","kms:ListAliases"]`, "*")))
	for _, c := range []struct {
		name string
		page func(km haven.KeyManager, cursor string) (ids []string, next string, err error)
	}{
		{"list-keys", func(km haven.KeyManager, cursor string) (ids []string, next string, err error) {
			return keysOf(km.ListKeys(background, keys.ListRequest{Limit: 3, Cursor: cursor}))
		}},
		{"list-keys by alias", func(km haven.KeyManager, cursor string) (ids []string, next string, err error) {
			return keysOf(km.ListKeys(background, keys.ListRequest{Limit: 1, Cursor: cursor, AliasPrefix: "alias/"}))
		}},
		{"list-aliases", func(km haven.KeyManager, cursor string) (ids []string, next string, err error) {
			page, err := km.ListAliases(background, keys.ListAliasesRequest{Limit: 3, Cursor: cursor})
			if err != nil {
				return nil, "", err
			}
			for _, a := range page.Aliases {
				ids = append(ids, a.KeyID.String())
			}
			return ids, page.NextCursor, nil
		}},
	} {
		for _, who := range []struct {
			km   haven.KeyManager
			want []string
		}{{km, mine}, {stranger, nil}} {
			var got []string
			cursor, pages, before := "", 0, w.Position()
			for pages = 1; ; pages++ {
				ids, next, err := c.page(who.km, cursor)
				if err != nil || pages > 20 {
					t.Fatalf("%s, page %d: %v", c.name, pages, err)
				}
				got = append(got, ids...)
				if cursor = next; next == "" {
					break
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, slices.Sorted(slices.Values(who.want))) {
				t.Errorf("%s: %q, want %q", c.name, got, who.want)
			}
			if n := w.Position() - before; n != uint64(pages) {
				t.Errorf("%s: %d records of %d calls", c.name, n, pages)
			}
		}
	}
	active, err := km.GetActiveKey(background, keys.ActiveRequest{Type: keys.Data})
	if err != nil || active.ID != mine[len(mine)-1] {
		t.Errorf("get-active-key: %+v, %v", active, err)
	}
	if _, err := stranger.GetActiveKey(background, keys.ActiveRequest{Type: keys.Data}); !errors.Is(err, gate.AccessDenied) {
		t.Errorf("get-active-key of who may describe nothing: %v", err)
	}
}

func keysOf(page *keys.KeyPage, err error) (ids []string, next string, _ error) {
	if err != nil {
		return nil, "", err
	}
	for _, k := range page.Keys {
		ids = append(ids, k.ID)
	}
	return ids, page.NextCursor, nil
}
