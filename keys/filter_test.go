package keys_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/lifecycle"
)

// every returns what all pages of a list hold.
func (f *finder) every(req keys.ListRequest) (out []keys.Key) {
	f.t.Helper()
	for {
		page, err := f.km.ListKeys(background, req)
		f.ok(err)
		if out = append(out, page.Keys...); len(page.Keys) > max(req.Limit, 50) {
			f.t.Errorf("%d keys on a page of %d", len(page.Keys), req.Limit)
		}
		if req.Cursor = page.NextCursor; req.Cursor == "" {
			return out
		}
	}
}

// populate makes keys that differ in all that a list is filtered by.
func (f *finder) populate(rng *rand.Rand, n int) {
	one := func(of ...string) string { return of[rng.IntN(len(of))] }
	for i := range n {
		k := f.make(keys.CreateRequest{
			Purpose: one("Patient data", "Lab results"), Type: keys.Type(one("data", "signing", "master")),
			Owner: one("", "clinic", "lab"), RotationDays: keys.Days(rng.IntN(60) + 1),
		})
		for range rng.IntN(3) {
			_, err := f.km.CreateAlias(background, keys.AliasRequest{Alias: fmt.Sprintf("alias/%s-%d", one("a", "ab", "b"), rng.IntN(1000)), Key: k.ID})
			if err != nil && !errors.Is(err, gate.AlreadyExists) {
				f.t.Fatal(err)
			}
		}
		tags := map[string]string{one("site", "team"): one("1", "2", "")}
		_, err := f.km.TagKey(background, keys.TagRequest{Key: k.ID, Tags: tags})
		f.ok(err)
		switch i % 5 {
		case 0:
			_, err = f.km.DisableKey(background, k.ID)
		case 1:
			_, err = f.km.ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: k.ID, Days: 7 + rng.IntN(23)})
		case 2:
			_, err = f.km.MarkCompromised(background, keys.CompromiseRequest{Key: k.ID, Reason: "a test"})
		}
		f.ok(err)
	}
}

// fitting is the specification of the filters, by the key's document.
func fitting(req keys.ListRequest, k *keys.Key) bool {
	state := "compromised"
	switch {
	case !k.DeletionDate.IsZero():
		state = "pending_deletion"
	case !k.Enabled:
		state = "disabled"
	case k.Version != 0:
		state = k.State.String()
	}
	name, value, given := strings.Cut(req.Tag, "=")
	has, tagged := k.Tags[name]
	due := func(at time.Time) bool { return !at.IsZero() && at.Before(req.DueBefore) }
	return (req.Type == "" || k.Type == req.Type) && (req.Purpose == "" || k.Purpose == req.Purpose) && (req.Owner == "" || k.Owner == req.Owner) &&
		(req.State == "" || req.State == state || req.State == "enabled" && k.Enabled) &&
		(req.Tag == "" || tagged && (!given || value == has)) &&
		(req.AliasPrefix == "" || slices.ContainsFunc(k.Aliases, func(a string) bool { return strings.HasPrefix(a, req.AliasPrefix) })) &&
		(req.DueBefore.IsZero() || due(k.NextRotationAt) || due(k.ExpiresAt) || due(k.ValidTo) || due(k.DeletionDate))
}

// TestFilters: every combination of filters lists what the specification does, each key once.
func TestFilters(t *testing.T) {
	f := newFinder(t)
	rng := rand.New(rand.NewPCG(3, 4))
	f.populate(rng, 60)
	all := f.every(keys.ListRequest{})
	if len(all) != 61 {
		t.Fatalf("%d keys", len(all))
	}
	found := 0
	for range 300 {
		one := func(of ...string) string {
			if rng.IntN(2) == 0 {
				return ""
			}
			return of[rng.IntN(len(of))]
		}
		req := keys.ListRequest{
			Type: keys.Type(one("data", "signing", "master")), Purpose: one("Patient data", "Lab results"), Owner: one("clinic", "lab"),
			State: one("enabled", "disabled", "pending_deletion", "active", "compromised"), Tag: one("site", "team=1", "team="), AliasPrefix: one("alias/a", "alias/ab-", "alias/"),
			Limit: 1 + rng.IntN(7),
		}
		if rng.IntN(2) == 0 {
			req.DueBefore = f.Clock.Wall().Add(time.Duration(rng.IntN(60)) * lifecycle.Day)
		}
		var want, got []string
		for i := range all {
			if fitting(req, &all[i]) {
				want = append(want, all[i].ID)
			}
		}
		for _, k := range f.every(req) {
			got = append(got, k.ID)
		}
		if req.AliasPrefix != "" { // by alias
			slices.Sort(want)
			slices.Sort(got)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v: %d keys %v, want %d %v", req, len(got), got, len(want), want)
		}
		found += len(got)
	}
	if found < 300 {
		t.Errorf("%d keys in 300 lists: too few to tell anything", found)
	}
}

func TestFilterRefusals(t *testing.T) {
	f := newFinder(t)
	for _, req := range []keys.ListRequest{
		{Type: "odd"}, {State: "odd"}, {State: "pending deletion"}, {Tag: "=x"}, {Tag: strings.Repeat("x", 129)}, {AliasPrefix: "a"}, {AliasPrefix: "alias/a b"},
		{Purpose: strings.Repeat("x", 1000)}, {Limit: -1}, {Limit: 101}, {Cursor: "?"}, {Cursor: "YQ"}, {Cursor: "AAAA", AliasPrefix: "alias/a"},
	} {
		_, err := f.km.ListKeys(background, req)
		f.refused(err, gate.InvalidRequest)
	}
}

// TestGetActiveKey: the newest of a type and purpose that can be used, and none other.
func TestGetActiveKey(t *testing.T) {
	f := newFinder(t)
	_, err := f.km.GetActiveKey(background, keys.ActiveRequest{Type: keys.Data})
	f.refused(err, gate.NotFound)
	_, err = f.km.GetActiveKey(background, keys.ActiveRequest{})
	f.refused(err, gate.InvalidRequest)
	old := f.make(keys.CreateRequest{Purpose: "lab"})
	f.make(keys.CreateRequest{Purpose: "other"})
	middle := f.make(keys.CreateRequest{Purpose: "lab"})
	newest := f.make(keys.CreateRequest{Purpose: "lab"})
	f.make(keys.CreateRequest{Purpose: "lab", Type: keys.Signing})
	newer := func(want *keys.Key) {
		t.Helper()
		k, err := f.km.GetActiveKey(background, keys.ActiveRequest{Type: keys.Data, Purpose: "lab"})
		f.ok(err)
		if k.ID != want.ID || !k.Enabled || k.State != lifecycle.Active {
			t.Errorf("%+v is in force, want %s", k, want.ID)
		}
	}
	newer(newest)
	_, err = f.km.MarkCompromised(background, keys.CompromiseRequest{Key: newest.ID, Reason: "a test"})
	f.ok(err)
	newer(middle)
	_, err = f.km.DisableKey(background, middle.ID)
	f.ok(err)
	newer(old)
	_, err = f.km.RotateKey(background, newest.ID)
	f.ok(err)
	newer(newest)
}

// TestTags: tags are added, replaced and taken away; the limit is of what the key has then; what a
// cached key shows to others does not change before the change is done.
func TestTags(t *testing.T) {
	f := newFinder(t)
	k := f.make(keys.CreateRequest{Tags: map[string]string{"site": "1", "team": "clinic"}})
	doc, err := f.km.TagKey(background, keys.TagRequest{Key: k.ID, Tags: map[string]string{"site": "2", "new": ""}})
	f.ok(err)
	if got := fmt.Sprint(doc.Tags); got != "map[new: site:2 team:clinic]" {
		t.Errorf("tags are %s", got)
	}
	doc, err = f.km.UntagKey(background, keys.UntagRequest{Key: k.ID, Names: []string{"site", "new", "team", "absent"}})
	f.ok(err)
	if len(doc.Tags) != 0 {
		t.Errorf("tags are %v", doc.Tags)
	}
	many := map[string]string{}
	for i := range keys.MaxTags {
		many[fmt.Sprint(i)] = "x"
	}
	_, err = f.km.TagKey(background, keys.TagRequest{Key: k.ID, Tags: many})
	f.ok(err)
	_, err = f.km.TagKey(background, keys.TagRequest{Key: k.ID, Tags: map[string]string{"one more": "x"}})
	f.refused(err, gate.LimitExceeded)
	if doc, err = f.km.DescribeKey(background, k.ID); err != nil || len(doc.Tags) != keys.MaxTags {
		t.Errorf("%d tags after a refusal, %v", len(doc.Tags), err)
	}
	for _, req := range []keys.TagRequest{{Key: k.ID}, {Key: k.ID, Tags: map[string]string{"aws:x": ""}}, {Key: k.ID, Tags: map[string]string{"": ""}}, {Key: k.ID + "@1", Tags: map[string]string{"a": ""}}} {
		_, err = f.km.TagKey(background, req)
		f.refused(err, gate.InvalidRequest)
	}
	for _, names := range [][]string{nil, {""}, {"aws:x"}, {"\x00"}} {
		_, err = f.km.UntagKey(background, keys.UntagRequest{Key: k.ID, Names: names})
		f.refused(err, gate.InvalidRequest)
	}
}

// TestDescriptions: given, changed, taken away, kept where not named; and what costs nothing when
// absent.
func TestDescriptions(t *testing.T) {
	f := newFinder(t)
	longest := strings.Repeat("\U0001f3e5", keys.MaxDescription)
	k := f.make(keys.CreateRequest{Description: longest, Owner: "clinic"})
	if k.Description != longest || k.Owner != "clinic" {
		t.Error("a new key does not show its description and owner")
	}
	text, none := "line one\nline two", ""
	k, err := f.km.UpdateKey(background, keys.UpdateRequest{Key: k.ID, Description: &text})
	f.ok(err)
	if k.Description != text || k.Owner != "clinic" {
		t.Errorf("%q by %q", k.Description, k.Owner)
	}
	k, err = f.km.UpdateKey(background, keys.UpdateRequest{Key: k.ID, Description: &none, Owner: &none})
	f.ok(err)
	if k.Description != "" || k.Owner != "" {
		t.Errorf("%q by %q", k.Description, k.Owner)
	}
	long, odd := longest+"x", "a\x00b"
	for _, req := range []keys.UpdateRequest{{Description: &long}, {Description: &odd}, {Owner: &odd}, {Owner: &long}, {Owner: &text}} {
		req.Key = k.ID
		_, err = f.km.UpdateKey(background, req)
		f.refused(err, gate.InvalidRequest)
	}
}

// TestBoundedLook: a call looks at so many keys and no more; the next page goes on.
func TestBoundedLook(t *testing.T) {
	f := newFinder(t)
	oldest := f.make(keys.CreateRequest{Owner: "somebody"})
	for range 600 {
		k := f.make(keys.CreateRequest{Purpose: "retired"})
		_, err := f.km.DisableKey(background, k.ID)
		f.ok(err)
	}
	page, err := f.km.ListKeys(background, keys.ListRequest{Owner: "somebody"})
	f.ok(err)
	if len(page.Keys) != 0 || page.NextCursor == "" {
		t.Errorf("600 keys were passed in one call: %d found", len(page.Keys))
	}
	if found := f.every(keys.ListRequest{Owner: "somebody"}); len(found) != 1 || found[0].ID != oldest.ID {
		t.Errorf("found %+v", found)
	}
	if k, err := f.km.GetActiveKey(background, keys.ActiveRequest{Type: keys.Data}); err != nil || k.ID != oldest.ID {
		t.Errorf("%+v, %v", k, err)
	}
}
