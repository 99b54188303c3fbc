package audit_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/audit"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/keys"
)

var ctx = context.Background()

// trail is a world in which much was done, and its audit trail.
type trail struct {
	*gatetest.World
	clerk gate.ID
	keys  []*keys.Key
}

func newTrail(t *testing.T) *trail {
	w := &trail{World: gatetest.New(t)}
	w.clerk, _ = w.Principal("clerk", false)
	for i := range 3 {
		k, err := w.KeyManager().CreateKey(ctx, keys.CreateRequest{Purpose: "audited", Type: keys.Data, Alias: fmt.Sprintf("alias/k%d", i)})
		w.ok(err)
		w.keys = append(w.keys, k)
	}
	return w
}

func (w *trail) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// work does random things, some of which fail or are denied.
func (w *trail) work(rng *rand.Rand, n int) {
	var ciphertext []byte
	for range n {
		w.Clock.Advance(time.Duration(rng.IntN(3000)) * time.Millisecond)
		k := w.keys[rng.IntN(len(w.keys))]
		km := w.KeyManager()
		if rng.IntN(4) == 0 {
			km = w.As(w.clerk).KeyManager() // who may nothing
		}
		switch rng.IntN(8) {
		case 0, 1, 2:
			c, err := keys.ContextOf(map[string]string{"patient": fmt.Sprint(rng.IntN(100))})
			w.ok(err)
			if out, err := km.Encrypt(ctx, keys.EncryptRequest{Key: k.ID, Plaintext: []byte("x"), Context: c}); err == nil {
				ciphertext = out.Ciphertext
			}
		case 3:
			_, _ = km.Decrypt(ctx, keys.DecryptRequest{Ciphertext: ciphertext}) // for no context: it fails
		case 4:
			_, _ = km.RotateKey(ctx, k.ID)
		case 5:
			_, _ = km.UpdateAlias(ctx, keys.AliasRequest{Alias: "alias/k0", Key: k.ID})
		case 6:
			_, _ = km.DescribeKey(ctx, k.ID)
		case 7:
			_, _ = km.Batch(ctx, []keys.BatchItem{{Encrypt: &keys.EncryptRequest{Key: k.ID, Plaintext: []byte("x")}}, {}})
		}
	}
}

// all returns the events of every page.
func (w *trail) all(req audit.RecordsRequest) (out []audit.Event) {
	w.Helper()
	for {
		page, err := w.AuditTrail().ListRecords(ctx, req)
		w.ok(err)
		if len(page.Records) > max(req.Limit, 50) {
			w.Errorf("%d events on a page of %d", len(page.Records), req.Limit)
		}
		out = append(out, page.Records...)
		if req.Cursor = page.NextCursor; req.Cursor == "" {
			return out
		}
	}
}

// wanted is the specification of the filters, by the records themselves.
func wanted(req audit.RecordsRequest, e *gatetest.Entry, op *gate.Operation) bool {
	id, _ := gate.ParseID(req.Key)
	named := e.Key == id || strings.Contains(e.Parameters, req.Key)
	for _, c := range e.Changes {
		named = named || c.Kind <= 2 && strings.HasPrefix(c.ID, string(id[:]))
	}
	at := time.Unix(0, e.Time)
	principal := gate.ID(e.Principal).String()
	return (req.Key == "" || named) && (req.Event == "" || req.Event == op.Event) && (req.Outcome == "" || req.Outcome == e.Outcome.String()) &&
		(req.Principal == "" || req.Principal == principal || strings.HasSuffix(req.Principal, "/"+e.Personal[journal.PrincipalName])) &&
		(req.Since.IsZero() || !at.Before(req.Since)) && (req.Until.IsZero() || at.Before(req.Until)) && (!req.Changes || op.Mutates)
}

// TestRecordsAreWhatTheJournalHolds: every combination of filters lists the records it should, newest
// first, each once, however the pages are cut.
func TestRecordsAreWhatTheJournalHolds(t *testing.T) {
	w := newTrail(t)
	rng := rand.New(rand.NewPCG(1, 2))
	w.work(rng, 400)
	byNumber := map[uint16]*gate.Operation{gatetest.Staging.Number: gatetest.Staging}
	for _, op := range gate.Operations() {
		byNumber[op.Number] = op
	}
	journal := w.Records(0)
	began := time.Unix(0, journal[0].Time)
	span := w.Clock.Wall().Sub(began)
	listed := 0
	for range 150 {
		one := func(of ...string) string {
			if rng.IntN(2) == 0 {
				return ""
			}
			return of[rng.IntN(len(of))]
		}
		req := audit.RecordsRequest{
			Key: one(w.keys[0].ID, w.keys[1].ID), Event: one("Encrypt", "RotateKeyOnDemand", "UpdateAlias"), Outcome: one("allowed", "denied", "failed"),
			Principal: one(w.clerk.String(), w.Admin.String(), "arn:aws:iam::000000000000:user/clerk"), Changes: rng.IntN(3) == 0, Limit: 1 + rng.IntN(60),
		}
		if rng.IntN(2) == 0 {
			req.Since = began.Add(time.Duration(rng.Int64N(int64(span))))
		}
		if rng.IntN(2) == 0 {
			req.Until = began.Add(time.Duration(rng.Int64N(int64(span))))
		}
		var want []uint64
		for i := range journal {
			if op := byNumber[journal[i].Operation]; wanted(req, &journal[i], op) && op != gatetest.Staging {
				want = append(want, journal[i].Position)
			}
		}
		slices.Reverse(want)
		var got []uint64
		for _, e := range w.all(req) {
			if p := (*e.AdditionalEventData)["position"].(uint64); p < uint64(len(journal)) && !strings.HasPrefix(e.EventName, "Operation") { // the lists leave records, too
				got = append(got, p)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v: %v, want %v", req, got, want)
		}
		listed += len(got)
	}
	if listed < 500 {
		t.Errorf("%d records in 150 lists: too few to tell anything", listed)
	}
}

// TestBoundedLook: a call looks at so many records and no more; the next page goes on; and what is far
// back is reached by its time at once.
func TestBoundedLook(t *testing.T) {
	w := newTrail(t)
	first := w.Clock.Wall()
	w.Clock.Advance(time.Hour)
	items := make([]keys.BatchItem, keys.MaxBatch)
	for i := range items {
		items[i].Encrypt = &keys.EncryptRequest{Key: w.keys[0].ID, Plaintext: []byte("x")}
	}
	for range 25 {
		_, err := w.KeyManager().Batch(ctx, items)
		w.ok(err)
		w.Clock.Advance(time.Hour)
	}
	req := audit.RecordsRequest{Event: "create-key"}
	page, err := w.AuditTrail().ListRecords(ctx, req)
	w.ok(err)
	if len(page.Records) != 0 || page.NextCursor == "" {
		t.Errorf("%d records of 25,000 ago in one call", len(page.Records))
	}
	if found := w.all(req); len(found) != 3 {
		t.Errorf("%d records in all", len(found))
	}
	req.Until = first.Add(time.Minute)
	page, err = w.AuditTrail().ListRecords(ctx, req)
	w.ok(err)
	if len(page.Records) != 3 || page.NextCursor != "" {
		t.Errorf("%d records by their time, then %q", len(page.Records), page.NextCursor)
	}
	page, err = w.AuditTrail().ListRecords(ctx, audit.RecordsRequest{Event: "Encrypt", Since: w.Clock.Wall()})
	w.ok(err)
	if len(page.Records) != 0 || page.NextCursor != "" {
		t.Errorf("%d records of later, then %q", len(page.Records), page.NextCursor)
	}
}

func TestRefusals(t *testing.T) {
	w := newTrail(t)
	for _, req := range []audit.RecordsRequest{
		{Limit: -1}, {Limit: 1001}, {Cursor: "?"}, {Cursor: "AAAAAAAAAAA"}, {Event: "odd"}, {Outcome: "odd"}, {Outcome: "outcome 4"}, {Principal: "clerk"}, {Key: "a b"},
	} {
		if _, err := w.AuditTrail().ListRecords(ctx, req); !errors.Is(err, gate.InvalidRequest) {
			t.Errorf("%+v: %v", req, err)
		}
	}
	if _, err := w.As(w.clerk).AuditTrail().ListRecords(ctx, audit.RecordsRequest{}); !errors.Is(err, gate.AccessDenied) {
		t.Errorf("a clerk was answered %v", err)
	}
}

// TestEventsAsCloudTrailHasThem: the members of each event, and the names within, as in the examples of
// the AWS KMS Developer Guide ("Logging AWS KMS API calls with AWS CloudTrail").
func TestEventsAsCloudTrailHasThem(t *testing.T) {
	w := newTrail(t)
	km := w.KeyManager()
	patient, err := keys.ContextOf(map[string]string{"patient": "17"})
	w.ok(err)
	k, other := w.keys[0].ID, w.keys[1].ID
	out, err := km.Encrypt(ctx, keys.EncryptRequest{Key: k, Plaintext: []byte("canary"), Context: patient})
	w.ok(err)
	_, err = km.Decrypt(ctx, keys.DecryptRequest{Ciphertext: out.Ciphertext, Context: patient})
	w.ok(err)
	_, err = km.ReEncrypt(ctx, keys.ReEncryptRequest{Ciphertext: out.Ciphertext, SourceContext: patient, Key: other})
	w.ok(err)
	_, err = km.UpdateAlias(ctx, keys.AliasRequest{Alias: "alias/k0", Key: other})
	w.ok(err)
	_, err = km.DeleteAlias(ctx, "alias/k0")
	w.ok(err)
	_, err = km.ScheduleKeyDeletion(ctx, keys.ScheduleDeletionRequest{Key: k, Days: 7})
	w.ok(err)
	_, err = km.Encrypt(ctx, keys.EncryptRequest{Key: k, Plaintext: []byte("canary")})
	if !errors.Is(err, gate.InvalidState) {
		t.Fatal(err)
	}
	for _, c := range []struct {
		event, parameters, response string
		readOnly                    bool
		resources                   int
		code                        string
	}{
		{"Encrypt", "keyId", "", true, 1, "KMSInvalidStateException"},
		{"ScheduleKeyDeletion", "keyId pendingWindowInDays", "keyId", false, 1, ""},
		{"DeleteAlias", "aliasName", "", false, 2, ""},
		{"UpdateAlias", "aliasName targetKeyId", "", false, 3, ""},
		{"ReEncrypt", "destinationKeyId sourceEncryptionContext sourceKeyId", "", true, 2, ""},
		{"Decrypt", "encryptionContext keyId", "", true, 1, ""},
		{"CreateKey", "aliasName grace_days keySpec keyUsage lifetime_days master origin rotation_days type", "keyMetadata", false, 2, ""},
	} {
		page, err := w.AuditTrail().ListRecords(ctx, audit.RecordsRequest{Event: c.event, Limit: 1})
		w.ok(err)
		e := page.Records[0]
		if got := members(e.RequestParameters); got != c.parameters {
			t.Errorf("%s: requestParameters %s, want %s", c.event, got, c.parameters)
		}
		if got := members(e.ResponseElements); got != c.response {
			t.Errorf("%s: responseElements %s, want %s", c.event, got, c.response)
		}
		if e.ReadOnly != c.readOnly || len(e.Resources) != c.resources || e.ErrorCode != c.code || e.EventSource != "kms.amazonaws.com" || e.EventType != "AwsApiCall" {
			t.Errorf("%s: %+v", c.event, e)
		}
		if e.UserIdentity.ARN != "arn:aws:iam::000000000000:user/administrator" || e.UserIdentity.PrincipalID != w.Admin.String() {
			t.Errorf("%s: %+v", c.event, e.UserIdentity)
		}
		text, err := json.Marshal(e)
		w.ok(err)
		if strings.Contains(string(text), "canary") {
			t.Errorf("%s tells a plaintext", c.event)
		}
		for _, null := range []string{`"requestParameters":null`, `"responseElements":null`} {
			if strings.Contains(string(text), null) != (c.response == "" && strings.Contains(null, "response")) {
				t.Errorf("%s: %s in %s", c.event, null, text)
			}
		}
	}
}

func members(m *audit.Members) string {
	if m == nil {
		return ""
	}
	return strings.Join(slices.Sorted(maps.Keys(*m)), " ")
}

// TestEventIDs: the same record has the same id whenever it is read, and no other has.
func TestEventIDs(t *testing.T) {
	w := newTrail(t)
	w.work(rand.New(rand.NewPCG(5, 6)), 100)
	before := map[string]string{}
	for _, e := range w.all(audit.RecordsRequest{}) {
		if before[e.EventID] != "" {
			t.Errorf("%s twice", e.EventID)
		}
		before[e.EventID] = e.RequestID
	}
	w.Reopen()
	found := 0
	for _, e := range w.all(audit.RecordsRequest{}) {
		if request, known := before[e.EventID]; known {
			if found++; request != e.RequestID {
				t.Errorf("%s is another record now", e.EventID)
			}
		}
	}
	if found != len(before) {
		t.Errorf("%d of %d ids after a restart", found, len(before))
	}
}
