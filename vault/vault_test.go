package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/rotation"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/vault"
)

var background = context.Background()

const day = lifecycle.Day

type world struct{ *gatetest.World }

func newWorld(t testing.TB, configure ...func(*haven.Config)) *world {
	return &world{gatetest.New(t, configure...)}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) store(req vault.StoreRequest) *vault.StoreAnswer {
	w.Helper()
	out, err := w.KeyVault().Store(background, req)
	w.must(err)
	return out
}

// text is a value as it is retrieved.
func (w *world) text(req vault.RetrieveRequest) string {
	w.Helper()
	out, err := w.KeyVault().Retrieve(background, req)
	w.must(err)
	if out.Text != nil {
		return "text " + *out.Text
	}
	return "bytes " + string(out.Value)
}

func named(name string) vault.Reference { return vault.Reference{Name: name} }

func of(text string) *string { return &text }

// TestStoreAndRetrieve: what is stored is retrieved as it was stored, by name, ARN, stage and version, also
// after a restart; a name that exists gets a new version.
func TestStoreAndRetrieve(t *testing.T) {
	w := newWorld(t)
	first := w.store(vault.StoreRequest{Name: "api-signing-key", Text: of("one"), Metadata: map[string]string{"algorithm": "RSA-2048"}})
	if want := "arn:aws:secretsmanager:us-east-1:000000000000:secret:api-signing-key-"; !strings.HasPrefix(first.ARN, want) || len(first.ARN) != len(want)+6 {
		t.Errorf("ARN %s", first.ARN)
	}
	second := w.store(vault.StoreRequest{Name: "api-signing-key", Value: []byte{0, 255, 1}})
	third := w.store(vault.StoreRequest{Name: "api-signing-key", Text: of("next"), Stage: vault.Pending, Metadata: map[string]string{"algorithm": "ECC"}})
	if second.ARN != first.ARN || second.VersionID == first.VersionID {
		t.Errorf("%+v after %+v", second, first)
	}
	w.Reopen()
	for req, want := range map[vault.RetrieveRequest]string{
		{Name: "api-signing-key"}:                             "bytes \x00\xff\x01",
		{ARN: first.ARN, Stage: vault.Previous}:               "text one",
		{Name: "api-signing-key", Stage: vault.Pending}:       "text next",
		{Name: "api-signing-key", VersionID: first.VersionID}: "text one",
	} {
		if got := w.text(req); got != want {
			t.Errorf("%+v: %q, want %q", req, got, want)
		}
	}
	shown, err := w.KeyVault().DescribeStoredKey(background, named("api-signing-key"))
	w.must(err)
	if shown.Versions != 3 || shown.Metadata["algorithm"] != "RSA-2048" || shown.Stages[vault.Current] != second.VersionID ||
		shown.Stages[vault.Previous] != first.VersionID || shown.Stages[vault.Pending] != third.VersionID {
		t.Errorf("%+v", shown)
	}
	list, err := w.KeyVault().ListStoredKeyVersions(background, named("api-signing-key"))
	w.must(err)
	if len(list.Versions) != 3 || !strings.HasSuffix(list.Versions[0].WrappedBy, "@1") {
		t.Errorf("%+v", list)
	}
	// What was pending becomes current when it is stored so.
	w.store(vault.StoreRequest{Name: "api-signing-key", Text: of("next")})
	if got := w.text(vault.RetrieveRequest{Name: "api-signing-key", Stage: vault.Previous}); got != "bytes \x00\xff\x01" {
		t.Errorf("previous %q", got)
	}
}

// TestRefuses: bad requests get a clear error and change nothing.
func TestRefuses(t *testing.T) {
	w := newWorld(t)
	w.store(vault.StoreRequest{Name: "a", Text: of("x")})
	data, err := w.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "x", Type: keys.Data})
	w.must(err)
	many := map[string]string{}
	for i := range vault.MaxMetadata + 1 {
		many[fmt.Sprint(i)] = "x"
	}
	from := w.Position()
	for name, req := range map[string]vault.StoreRequest{
		"no value":       {Name: "b"},
		"two values":     {Name: "b", Text: of("x"), Value: []byte("x")},
		"no name":        {Text: of("x")},
		"bad name":       {Name: "a b", Text: of("x")},
		"long name":      {Name: strings.Repeat("a", 513), Text: of("x")},
		"empty":          {Name: "b", Text: of("")},
		"too large":      {Name: "b", Value: make([]byte, vault.MaxValue+1)},
		"bad stage":      {Name: "a", Text: of("x"), Stage: vault.Previous},
		"first pending":  {Name: "b", Text: of("x"), Stage: vault.Pending},
		"much metadata":  {Name: "b", Text: of("x"), Metadata: many},
		"long metadata":  {Name: "b", Text: of("x"), Metadata: map[string]string{"x": strings.Repeat("x", 257)}},
		"bad generator":  {Name: "b", Generate: "RSA_512"},
		"no generator":   {Name: "b", Text: of("x"), Rotation: "rate(1 day)"},
		"bad rotation":   {Name: "b", Generate: "password", Rotation: "rate(1 week)"},
		"not a master":   {Name: "b", Text: of("x"), KMSKeyID: data.ID},
		"another's ARN":  {Name: "arn:aws:secretsmanager:us-east-1:111122223333:secret:b-abcdef", Text: of("x")},
		"no description": {Name: "b", Text: of("x"), Description: strings.Repeat("x", 2049)},
	} {
		if _, err := w.KeyVault().Store(background, req); !errors.Is(err, gate.InvalidRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, e := range w.Records(from) {
		if len(e.Changes) > 0 {
			t.Errorf("a refused request changed something")
		}
	}
	for name, req := range map[string]vault.RetrieveRequest{
		"no such": {Name: "b"}, "no stage": {Name: "a", Stage: vault.Pending},
		"no version": {Name: "a", VersionID: "00000000-0000-7000-8000-000000000000"}, "bad version": {Name: "a", VersionID: "x"},
		"wrong suffix": {ARN: "arn:aws:secretsmanager:us-east-1:000000000000:secret:a-000000"},
	} {
		if _, err := w.KeyVault().Retrieve(background, req); !errors.Is(err, gate.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, req := range map[string]vault.RetrieveRequest{
		"nothing": {}, "both": {Name: "a", ARN: "b"}, "an odd stage": {Name: "a", Stage: "last"},
		"no ARN": {ARN: "a"},
	} {
		if _, err := w.KeyVault().Retrieve(background, req); !errors.Is(err, gate.InvalidRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNothingShown: values stand nowhere but wrapped: not in items, records, errors, lists.
func TestNothingShown(t *testing.T) {
	w := newWorld(t)
	const canary = "canary-8f3a1c"
	w.store(vault.StoreRequest{Name: "a", Text: of(canary)})
	w.store(vault.StoreRequest{Name: "a", Value: []byte(canary)})
	_, err := w.KeyVault().Retrieve(background, vault.RetrieveRequest{Name: "a"})
	w.must(err)
	for _, kind := range store.Kinds() {
		for _, item := range w.Items(kind) {
			if bytes.Contains(item.Body, []byte(canary)) {
				t.Errorf("%s holds a value", item.Ref)
			}
		}
	}
	for _, e := range w.Records(0) {
		if bytes.Contains(e.Encoded, []byte(canary)) {
			t.Errorf("record %d holds a value", e.Position)
		}
	}
	for _, e := range w.Records(0) {
		if e.Operation == gate.StoreKey.Number && !strings.HasPrefix(e.Parameters, "stored=a;version=") {
			t.Errorf("record %d: %s", e.Position, e.Parameters)
		}
	}
}

// TestDelete: a deletion waits, can be taken back until its date, and is done by the check after it. A name
// that is given again inherits nothing.
func TestDelete(t *testing.T) {
	w := newWorld(t)
	first := w.store(vault.StoreRequest{Name: "a", Text: of("old"), Tags: map[string]string{"team": "x"}})
	for range 95 { // more versions than one operation deletes
		w.store(vault.StoreRequest{Name: "a", Text: of("old")})
	}
	v := w.KeyVault()
	if _, err := v.DeleteStoredKey(background, vault.DeleteStoredKeyRequest{Name: "a", Days: 6}); !errors.Is(err, gate.InvalidRequest) {
		t.Errorf("in 6 days: %v", err)
	}
	_, err := v.DeleteStoredKey(background, vault.DeleteStoredKeyRequest{Name: "a", Days: 7})
	w.must(err)
	for name, err := range map[string]error{
		"retrieve": second(v.Retrieve(background, vault.RetrieveRequest{Name: "a"})),
		"store":    second(v.Store(background, vault.StoreRequest{Name: "a", Text: of("x")})),
		"delete":   second(v.DeleteStoredKey(background, vault.DeleteStoredKeyRequest{Name: "a"})),
	} {
		if !errors.Is(err, gate.InvalidState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.Clock.Advance(7*day - time.Second)
	_, err = v.RestoreStoredKey(background, named("a"))
	w.must(err)
	if got := w.text(vault.RetrieveRequest{Name: "a"}); got != "text old" {
		t.Errorf("restored: %s", got)
	}
	_, err = v.DeleteStoredKey(background, vault.DeleteStoredKeyRequest{Name: "a", Days: 7})
	w.must(err)
	w.Clock.Advance(7 * day)
	if _, err := v.RestoreStoredKey(background, named("a")); !errors.Is(err, gate.NotFound) {
		t.Errorf("restored after its date: %v", err)
	}
	_, err = w.RotationScheduler().CheckRotation(background, rotation.CheckRequest{})
	w.must(err)
	if n := len(w.Items(store.KindStored)) + len(w.Items(store.KindStoredVersion)); n != 0 {
		t.Errorf("%d items are left", n)
	}
	again := w.store(vault.StoreRequest{Name: "a", Text: of("new")})
	if again.ARN == first.ARN {
		t.Errorf("the ARN came back")
	}
	shown, err := v.DescribeStoredKey(background, named("a"))
	w.must(err)
	if len(shown.Tags) > 0 || shown.Versions != 1 {
		t.Errorf("inherited: %+v", shown)
	}
}

func second[T any](_ T, err error) error { return err }

// TestMasterRotates: rotating a master key wraps stored values anew, as it does keys; a master key that is
// stopped stops them, and one that wraps some is not destroyed.
func TestMasterRotates(t *testing.T) {
	w := newWorld(t)
	master, err := w.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "vault", Type: keys.Master})
	w.must(err)
	for i := range 70 {
		w.store(vault.StoreRequest{Name: fmt.Sprint("n", i), Text: of("v"), KMSKeyID: master.ID})
	}
	shown, err := w.KeyManager().DescribeKey(background, master.ID)
	w.must(err)
	if shown.Wraps == nil || shown.Wraps.Count != 70 {
		t.Errorf("wraps %+v", shown.Wraps)
	}
	_, err = w.KeyManager().RotateKey(background, master.ID)
	w.must(err)
	w.must(w.Rewrap(background))
	for i := range 70 {
		list, err := w.KeyVault().ListStoredKeyVersions(background, named(fmt.Sprint("n", i)))
		w.must(err)
		if by := list.Versions[0].WrappedBy; by != master.ID+"@2" {
			t.Errorf("n%d is wrapped by %s", i, by)
		}
	}
	// A compromised version is given up likewise; until then it unwraps, as recovery.
	_, err = w.KeyManager().MarkCompromised(background, keys.CompromiseRequest{Key: master.ID + "@2", Reason: "test"})
	w.must(err)
	w.text(vault.RetrieveRequest{Name: "n1"})
	w.must(w.Rewrap(background))
	w.Reopen()
	if got := w.text(vault.RetrieveRequest{Name: "n7"}); got != "text v" {
		t.Errorf("retrieved %q", got)
	}
	_, err = w.KeyManager().DisableKey(background, master.ID)
	w.must(err)
	if _, err := w.KeyVault().Retrieve(background, vault.RetrieveRequest{Name: "n7"}); !errors.Is(err, gate.InvalidState) {
		t.Errorf("under a disabled master key: %v", err)
	}
	if _, err := w.KeyVault().Store(background, vault.StoreRequest{Name: "n7", Text: of("x")}); !errors.Is(err, gate.InvalidState) {
		t.Errorf("stored under a disabled master key: %v", err)
	}
	_, err = w.KeyManager().ScheduleKeyDeletion(background, keys.ScheduleDeletionRequest{Key: master.ID, Days: 7})
	w.must(err)
	w.Clock.Advance(7 * day)
	out, err := w.RotationScheduler().CheckRotation(background, rotation.CheckRequest{})
	w.must(err)
	if len(out.Waiting) != 1 || out.Waiting[0].Waits != "still_wraps" {
		t.Errorf("%+v", out)
	}
}

// TestGenerate: each generator makes what it says, never the same twice, and a schedule makes it anew.
func TestGenerate(t *testing.T) {
	w := newWorld(t)
	for _, what := range vault.Generators() {
		if strings.HasPrefix(what, "RSA") && what != "RSA_2048" {
			continue // seconds
		}
		seen := map[string]bool{}
		for i := range 2 {
			name := fmt.Sprint(what, i)
			w.store(vault.StoreRequest{Name: name, Generate: what})
			got := w.text(vault.RetrieveRequest{Name: name})
			if seen[got] {
				t.Errorf("%s makes the same twice", what)
			}
			seen[got] = true
		}
	}
	w.store(vault.StoreRequest{Name: "db", Generate: "password", Rotation: "rate(30 days)", Metadata: map[string]string{"user": "haven"}})
	before := w.text(vault.RetrieveRequest{Name: "db"})
	check := func() *rotation.CheckAnswer {
		out, err := w.RotationScheduler().CheckRotation(background, rotation.CheckRequest{})
		w.must(err)
		return out
	}
	w.Clock.Advance(30*day - time.Second)
	if out := check(); len(out.Done) != 0 {
		t.Errorf("before its time: %+v", out.Done)
	}
	w.Clock.Advance(time.Second)
	if out := check(); len(out.Done) != 1 || out.Done[0].Do != "rotate" {
		t.Errorf("at its time: %+v", out)
	}
	after := w.text(vault.RetrieveRequest{Name: "db"})
	if after == before || w.text(vault.RetrieveRequest{Name: "db", Stage: vault.Previous}) != before {
		t.Error("it was not rotated, or the one before is not previous")
	}
	if out := check(); len(out.Done) != 0 {
		t.Errorf("again: %+v", out.Done)
	}
	shown, err := w.KeyVault().DescribeStoredKey(background, named("db"))
	w.must(err)
	if shown.Metadata["user"] != "haven" || !shown.NextRotationAt.Equal(w.Clock.Wall().Truncate(time.Second).Add(30*day)) {
		t.Errorf("%+v", shown)
	}
	w.Clock.Advance(365 * day) // what was missed is made up for once
	if out := check(); len(out.Done) != 1 {
		t.Errorf("after a year: %d", len(out.Done))
	}
	_, err = w.KeyVault().RotateStoredKey(background, named("db"))
	w.must(err)
	w.store(vault.StoreRequest{Name: "db", Text: of("mine"), Rotation: "never"})
	w.Clock.Advance(365 * day)
	if out := check(); len(out.Done) != 0 {
		t.Errorf("after never: %+v", out.Done)
	}
	w.store(vault.StoreRequest{Name: "given", Text: of("x")})
	if _, err := w.KeyVault().RotateStoredKey(background, named("given")); !errors.Is(err, gate.InvalidRequest) {
		t.Errorf("what was not generated: %v", err)
	}
}

// TestList: it lists by name, filtered, page by page, what the caller may describe.
func TestList(t *testing.T) {
	w := newWorld(t)
	long := "camp/" + strings.Repeat("x", 400)
	for _, name := range []string{"camp/a", "camp/b", long, "lab/a"} {
		w.store(vault.StoreRequest{Name: name, Text: of("x"), Tags: map[string]string{"site": name[:3]}})
	}
	names := func(v haven.KeyVault, req vault.ListStoredKeysRequest) (out []string) {
		for {
			page, err := v.ListStoredKeys(background, req)
			w.must(err)
			for _, k := range page.StoredKeys {
				out = append(out, k.Name)
			}
			if req.Cursor = page.NextCursor; req.Cursor == "" {
				return out
			}
		}
	}
	for _, c := range []struct {
		req  vault.ListStoredKeysRequest
		want []string
	}{
		{vault.ListStoredKeysRequest{}, []string{"camp/a", "camp/b", long, "lab/a"}},
		{vault.ListStoredKeysRequest{Limit: 1}, []string{"camp/a", "camp/b", long, "lab/a"}},
		{vault.ListStoredKeysRequest{Prefix: "camp/"}, []string{"camp/a", "camp/b", long}},
		{vault.ListStoredKeysRequest{Tag: "site=lab"}, []string{"lab/a"}},
		{vault.ListStoredKeysRequest{Tag: "nothing"}, nil},
	} {
		if got := names(w.KeyVault(), c.req); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q", c.req, got)
		}
	}
	if got := w.text(vault.RetrieveRequest{Name: long}); got != "text x" {
		t.Errorf("a long name: %s", got)
	}
	clerk, err := w.Identity().CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.User, Name: "clerk"})
	w.must(err)
	_, err = w.Identity().CreatePolicy(background, identity.CreatePolicyRequest{Name: "camp", Principal: "clerk", Document: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"secretsmanager:ListSecrets","Resource":"*"},
		{"Effect":"Allow","Action":["secretsmanager:DescribeSecret","secretsmanager:GetSecretValue"],"Resource":"arn:aws:secretsmanager:*:*:secret:camp/a-??????"}]}`})
	w.must(err)
	id, _ := gate.ParseID(clerk.ID.String())
	as := w.As(id).KeyVault()
	if got := names(as, vault.ListStoredKeysRequest{}); !slices.Equal(got, []string{"camp/a"}) {
		t.Errorf("the clerk sees %q", got)
	}
	for name, allowed := range map[string]bool{"camp/a": true, "camp/b": false, "lab/a": false, "nothing": false} {
		_, err := as.Retrieve(background, vault.RetrieveRequest{Name: name})
		if allowed && err != nil || !allowed && !errors.Is(err, gate.AccessDenied) {
			t.Errorf("the clerk retrieves %s: %v", name, err)
		}
	}
}

// TestTagConditions: policies see the tags that a request would set or take away.
func TestTagConditions(t *testing.T) {
	w := newWorld(t)
	w.store(vault.StoreRequest{Name: "a", Text: of("x")})
	clerk, err := w.Identity().CreatePrincipal(background, identity.CreatePrincipalRequest{Kind: identity.User, Name: "clerk"})
	w.must(err)
	_, err = w.Identity().CreatePolicy(background, identity.CreatePolicyRequest{Name: "tags", Principal: "clerk", Document: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"secretsmanager:*","Resource":"*"},
		{"Effect":"Deny","Action":"secretsmanager:*","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"lab"}}},
		{"Effect":"Deny","Action":"secretsmanager:UntagResource","Resource":"*","Condition":{"ForAnyValue:StringEquals":{"aws:TagKeys":"owner"}}}]}`})
	w.must(err)
	as := w.As(clerk.ID).KeyVault()
	for name, c := range map[string]struct {
		err     error
		allowed bool
	}{
		"tag":        {second(as.TagStoredKey(background, vault.TagStoredKeyRequest{Name: "a", Tags: map[string]string{"team": "clinic"}})), true},
		"tag lab":    {second(as.TagStoredKey(background, vault.TagStoredKeyRequest{Name: "a", Tags: map[string]string{"team": "lab"}})), false},
		"store lab":  {second(as.Store(background, vault.StoreRequest{Name: "b", Text: of("x"), Tags: map[string]string{"team": "lab"}})), false},
		"untag":      {second(as.UntagStoredKey(background, vault.UntagStoredKeyRequest{Name: "a", Names: []string{"team"}})), true},
		"untag more": {second(as.UntagStoredKey(background, vault.UntagStoredKeyRequest{Name: "a", Names: []string{"team", "owner"}})), false},
	} {
		if c.allowed && c.err != nil || !c.allowed && !errors.Is(c.err, gate.AccessDenied) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

// TestVersionsAreBounded: the oldest version without a stage goes when there are too many.
func TestVersionsAreBounded(t *testing.T) {
	w := newWorld(t)
	for i := range vault.MaxVersions + 5 {
		w.store(vault.StoreRequest{Name: "a", Text: of(fmt.Sprint(i))})
		w.Clock.Advance(time.Second)
	}
	if n := len(w.Items(store.KindStoredVersion)); n != vault.MaxVersions {
		t.Errorf("%d versions", n)
	}
	if got := w.text(vault.RetrieveRequest{Name: "a", Stage: vault.Previous}); got != fmt.Sprint("text ", vault.MaxVersions+3) {
		t.Errorf("previous: %s", got)
	}
}

// TestRolledBack: a stored key whose deletion was rolled back in the store is not retrieved.
func TestRolledBack(t *testing.T) {
	w := newWorld(t)
	w.store(vault.StoreRequest{Name: "a", Text: of("x")})
	before := w.Items(store.KindStored)[0]
	_, err := w.KeyVault().DeleteStoredKey(background, vault.DeleteStoredKeyRequest{Name: "a"})
	w.must(err)
	w.Damaged = true
	w.Close()
	w.Config.Store = &rolledBack{w.Store, before}
	w.must(w.TryReopen())
	if _, err := w.KeyVault().Retrieve(background, vault.RetrieveRequest{Name: "a"}); !errors.Is(err, gate.Tampered) {
		t.Errorf("retrieved: %v", err)
	}
}

// rolledBack is a store in which somebody put back an older copy of an item.
type rolledBack struct {
	store.Store
	old store.Item
}

func (r *rolledBack) Get(ctx context.Context, refs ...store.Ref) ([]store.Item, store.Epoch, error) {
	items, epoch, err := r.Store.Get(ctx, refs...)
	for i := range items {
		if items[i].Ref == r.old.Ref {
			items[i] = r.old
		}
	}
	return items, epoch, err
}
