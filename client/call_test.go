package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/client"
)

const keyDocument = `{"key_id":"0190","arn":"arn:aws:kms:us-east-1:000000000000:key/0190","alias":"alias/a","type":"data",` +
	`"spec":"SYMMETRIC_DEFAULT","key_usage":"ENCRYPT_DECRYPT","purpose":"Patient data encryption","state":"active","version":2,` +
	`"versions":2,"rotation_days":90,"grace_days":30,"expires_at":"2026-06-01T00:00:00Z","next_rotation_at":"2026-05-25T00:00:00Z",` +
	`"created_at":"2026-03-03T00:00:00Z","created_by":"p","wrapped_by":"0180@1","tags":{"a":"b"},"enabled":true,` +
	`"previous_version":1,"use_count":7,"a_member_of_a_newer_server":1}`

func keyWant() *client.Key {
	return &client.Key{
		KeyID: "0190", ARN: "arn:aws:kms:us-east-1:000000000000:key/0190", Alias: "alias/a", Type: client.Data,
		Spec: "SYMMETRIC_DEFAULT", KeyUsage: "ENCRYPT_DECRYPT", Purpose: "Patient data encryption", State: client.Active,
		Version: 2, Versions: 2, PreviousVersion: 1, RotationDays: 90, GraceDays: 30,
		CreatedAt: time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC), CreatedBy: "p",
		ExpiresAt:      time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC),
		NextRotationAt: time.Date(2026, 5, 25, 0, 0, 0, 0, time.UTC),
		UseCount:       7, WrappedBy: "0180@1", Tags: map[string]string{"a": "b"}, Enabled: true,
	}
}

// wireCase is a call, what it sends, and what it makes of the answer.
type wireCase struct {
	operation, request, answer string
	mutates                    bool
	call                       func(context.Context, *client.Client) (any, error)
	want                       any
}

var patient17 = map[string]string{"patient": "17"}

func wireOfKeys() []wireCase {
	never, no := 0, false
	return []wireCase{
		{"create-key", `{"purpose":"P","type":"data","rotation_days":0,"alias":"alias/a","tags":{"a":"b"}}`, keyDocument, true,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.CreateKey(ctx, client.CreateKeyRequest{Purpose: "P", Type: client.Data, RotationDays: &never, Alias: "alias/a", Tags: map[string]string{"a": "b"}})
			}, keyWant()},
		{"describe-key", `{"key":"k@2"}`, keyDocument, false,
			func(ctx context.Context, c *client.Client) (any, error) { return c.DescribeKey(ctx, "k@2") }, keyWant()},
		{"list-keys", `{"type":"data","limit":1,"cursor":"c"}`, `{"keys":[` + keyDocument + `],"next_cursor":"d"}`, false,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.ListKeys(ctx, client.ListKeysRequest{Type: client.Data, Limit: 1, Cursor: "c"})
			}, &client.KeyPage{Keys: []client.Key{*keyWant()}, NextCursor: "d"}},
		{"list-key-versions", `{"key":"k"}`, `{"versions":[{"key_id":"k","version":1,"state":"rotating","created_at":"2026-03-03T00:00:00Z"}]}`, false,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.ListKeyVersions(ctx, client.ListKeyVersionsRequest{Key: "k"})
			}, &client.VersionPage{Versions: []client.Version{{KeyID: "k", Version: 1, State: client.Rotating, CreatedAt: keyWant().CreatedAt}}}},
		{"update-key", `{"key":"k","purpose":"P","grace_days":0}`, keyDocument, true,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.UpdateKey(ctx, client.UpdateKeyRequest{Key: "k", Purpose: "P", GraceDays: &never})
			}, keyWant()},
		{"rotate-key", `{"key":"k"}`, keyDocument, true,
			func(ctx context.Context, c *client.Client) (any, error) { return c.RotateKey(ctx, "k") }, keyWant()},
		{"enable-key", `{"key":"k"}`, keyDocument, true,
			func(ctx context.Context, c *client.Client) (any, error) { return c.EnableKey(ctx, "k") }, keyWant()},
		{"disable-key", `{"key":"k"}`, keyDocument, true,
			func(ctx context.Context, c *client.Client) (any, error) { return c.DisableKey(ctx, "k") }, keyWant()},
		{"disable-key", `{"key":"k","for":"5400s"}`, keyDocument, true,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.DisableKeyFor(ctx, "k", 90*time.Minute)
			}, keyWant()},
		{"restore-version", `{"key":"k@1"}`, keyDocument, true,
			func(ctx context.Context, c *client.Client) (any, error) { return c.RestoreVersion(ctx, "k@1") }, keyWant()},
		{"deprecate-version", `{"key":"k@1"}`, keyDocument, true,
			func(ctx context.Context, c *client.Client) (any, error) { return c.DeprecateVersion(ctx, "k@1") }, keyWant()},
		{"mark-compromised", `{"key":"k@1","reason":"lost","new_primary":false}`, keyDocument, true,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.MarkCompromised(ctx, client.MarkCompromisedRequest{Key: "k@1", Reason: "lost", NewPrimary: &no})
			}, keyWant()},
		{"schedule-key-deletion", `{"key":"k","days":7}`, keyDocument, true,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.ScheduleKeyDeletion(ctx, client.ScheduleKeyDeletionRequest{Key: "k", Days: 7})
			}, keyWant()},
		{"cancel-key-deletion", `{"key":"k"}`, keyDocument, true,
			func(ctx context.Context, c *client.Client) (any, error) { return c.CancelKeyDeletion(ctx, "k") }, keyWant()},
	}
}

func wireOfVault() []wireCase {
	at := time.Date(2026, 5, 25, 0, 0, 0, 0, time.UTC)
	text := "v"
	stored := `{"name":"n","arn":"a","kms_key_id":"m","metadata":{"x":"y"},"created_at":"2026-05-25T00:00:00Z","created_by":"p","changed_at":"2026-05-25T00:00:00Z","stages":{"current":"1"},"versions":1}`
	want := &client.StoredKey{Name: "n", ARN: "a", KMSKeyID: "m", Metadata: map[string]string{"x": "y"}, CreatedAt: at, CreatedBy: "p", ChangedAt: at, Stages: map[client.Stage]string{client.StageCurrent: "1"}, Versions: 1}
	answer := &client.StoreKeyAnswer{ARN: "a", VersionID: "1"}
	return []wireCase{
		{"store-key", `{"name":"n","text":"v","metadata":{"x":"y"},"kms_key_id":"m","stage":"pending"}`, `{"arn":"a","version_id":"1"}`, true,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.StoreKey(ctx, client.StoreKeyRequest{Name: "n", Text: &text, Metadata: map[string]string{"x": "y"}, KMSKeyID: "m", Stage: client.StagePending})
			}, answer},
		{"retrieve-key", `{"name":"n","stage":"previous"}`, `{"name":"n","arn":"a","version_id":"1","stages":["previous"],"value":"AP8=","metadata":{},"created_at":"2026-05-25T00:00:00Z"}`, false,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.RetrieveKey(ctx, client.RetrieveKeyRequest{Name: "n", Stage: client.StagePrevious})
			}, &client.StoredValue{Name: "n", ARN: "a", VersionID: "1", Stages: []client.Stage{client.StagePrevious}, Value: []byte{0, 255}, Metadata: map[string]string{}, CreatedAt: at}},
		{"list-stored-keys", `{"prefix":"n","tag":"t=v","limit":1,"cursor":"c"}`, `{"stored_keys":[` + stored + `],"next_cursor":"d"}`, false,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.ListStoredKeys(ctx, client.ListStoredKeysRequest{Prefix: "n", Tag: "t=v", Limit: 1, Cursor: "c"})
			}, &client.StoredKeyPage{StoredKeys: []client.StoredKey{*want}, NextCursor: "d"}},
		{"list-stored-key-versions", `{"name":"n"}`, `{"versions":[{"version_id":"1","stages":["current"],"created_at":"2026-05-25T00:00:00Z","created_by":"p","wrapped_by":"m@1"}]}`, false,
			func(ctx context.Context, c *client.Client) (any, error) { return c.ListStoredKeyVersions(ctx, "n") },
			[]client.StoredVersion{{VersionID: "1", Stages: []client.Stage{client.StageCurrent}, CreatedAt: at, CreatedBy: "p", WrappedBy: "m@1"}}},
		{"describe-stored-key", `{"name":"n"}`, stored, false,
			func(ctx context.Context, c *client.Client) (any, error) { return c.DescribeStoredKey(ctx, "n") }, want},
		{"delete-stored-key", `{"name":"n","days":7}`, stored, true,
			func(ctx context.Context, c *client.Client) (any, error) { return c.DeleteStoredKey(ctx, "n", 7) }, want},
		{"restore-stored-key", `{"name":"n"}`, stored, true,
			func(ctx context.Context, c *client.Client) (any, error) { return c.RestoreStoredKey(ctx, "n") }, want},
		{"rotate-stored-key", `{"name":"n"}`, `{"arn":"a","version_id":"1"}`, true,
			func(ctx context.Context, c *client.Client) (any, error) { return c.RotateStoredKey(ctx, "n") }, answer},
		{"tag-stored-key", `{"name":"n","tags":{"x":"y"}}`, stored, true,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.TagStoredKey(ctx, "n", map[string]string{"x": "y"})
			}, want},
		{"untag-stored-key", `{"name":"n","names":["x"]}`, stored, true,
			func(ctx context.Context, c *client.Client) (any, error) { return c.UntagStoredKey(ctx, "n", "x") }, want},
	}
}

func wireOfRotation() []wireCase {
	at := time.Date(2026, 5, 25, 0, 0, 0, 0, time.UTC)
	task := `{"do":"rotate","at":"2026-05-25T00:00:00Z","arn":"a","key_id":"k","version":1,"type":"data","new_version":2}`
	want := client.Task{Do: "rotate", At: at, ARN: "a", KeyID: "k", Version: 1, Type: client.Data, NewVersion: 2}
	return []wireCase{
		{"check-rotation", `{"dry_run":true,"limit":7}`, `{"dry_run":true,"due":[` + task + `],"done":[],"failed":[],"waiting":[],"more":true}`, false,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.CheckRotation(ctx, client.CheckRotationRequest{DryRun: true, Limit: 7})
			}, &client.RotationCheck{DryRun: true, Due: []client.Task{want}, Done: []client.Task{}, Failed: []client.Task{}, Waiting: []client.Task{}, More: true}},
		{"execute-rotations", `{"keys":["k","l"]}`, `{"rotations":[{"key_id":"k","arn":"a","version":1,"new_version":2}]}`, false,
			func(ctx context.Context, c *client.Client) (any, error) { return c.ExecuteRotations(ctx, "k", "l") },
			[]client.Execution{{KeyID: "k", ARN: "a", Version: 1, NewVersion: 2}}},
		{"list-due", `{"days":60,"limit":1,"cursor":"c"}`, `{"due":[` + task + `],"next_cursor":"d"}`, false,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.ListDue(ctx, client.ListDueRequest{Days: 60, Limit: 1, Cursor: "c"})
			}, &client.DuePage{Due: []client.Task{want}, NextCursor: "d"}},
		{"schedule-rotation-check", `{"expression":"rate(1 day)","timezone":"UTC"}`, `{"expression":"rate(1 day)","timezone":"UTC","done":1,"failed":0,"waiting":2,"overdue":2}`, true,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.ScheduleRotationCheck(ctx, client.ScheduleRequest{Expression: "rate(1 day)", Timezone: "UTC"})
			}, &client.RotationSchedule{Expression: "rate(1 day)", Timezone: "UTC", Done: 1, Waiting: 2, Overdue: 2}},
		{"describe-rotation-schedule", `{}`, `{"expression":"rate(1 day)","timezone":"UTC","next_check_at":"2026-05-25T00:00:00Z","done":0,"failed":0,"waiting":0,"overdue":0}`, false,
			func(ctx context.Context, c *client.Client) (any, error) { return c.DescribeRotationSchedule(ctx) },
			&client.RotationSchedule{Expression: "rate(1 day)", Timezone: "UTC", NextCheckAt: at}},
		{"advance-clock", `{"seconds":7776000}`, `{"now":"2026-05-25T00:00:00Z","checks":3,"done":2,"failed":0}`, false,
			func(ctx context.Context, c *client.Client) (any, error) { return c.AdvanceClock(ctx, 90*24*time.Hour) },
			&client.ClockAdvance{Now: at, Checks: 3, Done: 2}},
	}
}

func wireOfGrants() []wireCase {
	return []wireCase{
		{"put-key-policy", `{"key":"k","document":"{}","bypass_policy_lockout_safety_check":true}`, keyDocument, true,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.PutKeyPolicy(ctx, client.PutKeyPolicyRequest{Key: "k", Document: "{}", BypassLockoutCheck: true})
			}, keyWant()},
		{"lint-key", `{"key":"k"}`, `{"key_id":"k","findings":[{"rule":"unused-grant","grant_id":"g","what":"w","advice":"a"}]}`, false,
			func(ctx context.Context, c *client.Client) (any, error) { return c.LintKey(ctx, "k") },
			&client.LintKeyAnswer{KeyID: "k", Findings: []client.KeyFinding{{Rule: "unused-grant", GrantID: "g", What: "w", Advice: "a"}}}},
		{"get-key-policy", `{"key":"k"}`, `{"key_id":"k","document":"{}","default":true}`, false,
			func(ctx context.Context, c *client.Client) (any, error) { return c.GetKeyPolicy(ctx, "k") },
			&client.KeyPolicy{KeyID: "k", Document: "{}", Default: true}},
		{"create-grant", `{"key":"k","grantee_principal":"a","operations":["Decrypt"],"retiring_principal":"b","encryption_context_subset":{"patient":"17"},"name":"n"}`,
			`{"key_id":"k","grant_id":"g","grant_token":"t"}`, true,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.CreateGrant(ctx, client.CreateGrantRequest{Key: "k", GranteePrincipal: "a", Operations: []string{"Decrypt"}, RetiringPrincipal: "b", ContextSubset: patient17, Name: "n"})
			}, &client.GrantAnswer{KeyID: "k", GrantID: "g", GrantToken: "t"}},
		{"list-grants", `{"key":"k","grantee_principal":"a","limit":1,"cursor":"c"}`,
			`{"grants":[{"key_id":"k","grant_id":"g","grantee_principal":"a","operations":["Decrypt"],"encryption_context_equals":{"patient":"17"},"created_at":"2026-03-03T00:00:00Z","created_by":"p"}],"next_cursor":"d"}`, false,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.ListGrants(ctx, client.ListGrantsRequest{Key: "k", GranteePrincipal: "a", Limit: 1, Cursor: "c"})
			}, &client.GrantPage{NextCursor: "d", Grants: []client.Grant{{
				KeyID: "k", GrantID: "g", GranteePrincipal: "a", Operations: []string{"Decrypt"}, ContextEquals: patient17, CreatedAt: keyWant().CreatedAt, CreatedBy: "p",
			}}}},
		{"revoke-grant", `{"key":"k","grant_id":"g"}`, `{"key_id":"k","grant_id":"g"}`, true,
			func(ctx context.Context, c *client.Client) (any, error) { return c.RevokeGrant(ctx, "k", "g") }, &client.GrantAnswer{KeyID: "k", GrantID: "g"}},
		{"retire-grant", `{"grant_token":"t"}`, `{"key_id":"k","grant_id":"g"}`, true,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.RetireGrant(ctx, client.RetireGrantRequest{GrantToken: "t"})
			}, &client.GrantAnswer{KeyID: "k", GrantID: "g"}},
	}
}

const approvalDocument = `{"approval_id":"a","state":"used","operation":"disable-key","resources":["r"],"request":"{\"key\":\"k\"}","reason":"why",` +
	`"requester":{"id":"p","arn":"u"},"approvals":[{"by":{"id":"q"},"at":"2026-03-03T00:00:00Z"}],"created_at":"2026-03-03T00:00:00Z",` +
	`"expires_at":"2026-06-01T00:00:00Z","used_at":"2026-05-25T00:00:00Z","used_by_request":"r-1"}`

func approvalWant() *client.Approval {
	return &client.Approval{
		ID: "a", State: "used", Operation: "disable-key", Resources: []string{"r"}, Request: `{"key":"k"}`, Reason: "why",
		Requester: client.ApprovalPerson{ID: "p", ARN: "u"}, Approvals: []client.ApprovalConsent{{By: client.ApprovalPerson{ID: "q"}, At: keyWant().CreatedAt}},
		CreatedAt: keyWant().CreatedAt, ExpiresAt: keyWant().ExpiresAt, UsedAt: keyWant().NextRotationAt, UsedByRequest: "r-1",
	}
}

func wireOfApprovals() []wireCase {
	one := func(operation string, mutates bool, do func(*client.Client, context.Context, string) (*client.Approval, error)) wireCase {
		return wireCase{operation, `{"approval":"a"}`, approvalDocument, mutates,
			func(ctx context.Context, c *client.Client) (any, error) { return do(c, ctx, "a") }, approvalWant()}
	}
	return []wireCase{
		{"request-approval", `{"operation":"disable-key","request":{"key":"k"},"reason":"why","hours":2}`, approvalDocument, true,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.RequestApproval(ctx, client.RequestApprovalRequest{Operation: "disable-key", Request: map[string]string{"key": "k"}, Reason: "why", Hours: 2})
			}, approvalWant()},
		{"list-approvals", `{"all":true,"limit":1,"cursor":"c"}`, `{"approvals":[` + approvalDocument + `],"next_cursor":"d"}`, false,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.ListApprovals(ctx, client.ListApprovalsRequest{All: true, Limit: 1, Cursor: "c"})
			}, &client.ApprovalPage{Approvals: []client.Approval{*approvalWant()}, NextCursor: "d"}},
		one("approve", true, (*client.Client).Approve),
		one("describe-approval", false, (*client.Client).DescribeApproval),
		one("withdraw-approval", true, (*client.Client).WithdrawApproval),
	}
}

// TestRunApproved: what an approval keeps is sent, byte for byte, and names the approval.
func TestRunApproved(t *testing.T) {
	s := newContract(t, okay(approvalDocument), okay(`{"key_id":"k"}`))
	got, err := s.client(t).RunApproved(t.Context(), "a")
	if err != nil || string(got) != `{"key_id":"k"}` {
		t.Fatal(string(got), err)
	}
	sent := s.arrived()[1]
	if sent.path != "/v1/disable-key" || sent.body != `{"key":"k"}` || sent.header.Get("Haven-Approval") != "a" || sent.header.Get("Idempotency-Key") == "" {
		t.Errorf("sent %s %s %v", sent.path, sent.body, sent.header)
	}
}

func wireOfUse() []wireCase {
	no := false
	return []wireCase{
		{"encrypt", `{"key":"k","plaintext":"aGk=","context":{"patient":"17"}}`, `{"ciphertext":"AQI=","key_id":"k","version":3}`, false,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.Encrypt(ctx, client.EncryptRequest{Key: "k", Plaintext: []byte("hi"), Context: patient17})
			}, &client.EncryptResponse{Ciphertext: []byte{1, 2}, KeyID: "k", Version: 3}},
		{"decrypt", `{"ciphertext":"AQI=","context":{"patient":"17"}}`, `{"plaintext":"aGk=","key_id":"k","version":3}`, false,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.Decrypt(ctx, client.DecryptRequest{Ciphertext: []byte{1, 2}, Context: patient17})
			}, &client.DecryptResponse{Plaintext: []byte("hi"), KeyID: "k", Version: 3}},
		{"generate-data-key", `{"key":"k","bytes":16,"plaintext":false}`, `{"ciphertext":"AQI=","key_id":"k","version":3}`, false,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.GenerateDataKey(ctx, client.GenerateDataKeyRequest{Key: "k", Bytes: 16, Plaintext: &no})
			}, &client.GenerateDataKeyResponse{Ciphertext: []byte{1, 2}, KeyID: "k", Version: 3}},
		{"generate-random", `{"bytes":2}`, `{"plaintext":"aGk="}`, false,
			func(ctx context.Context, c *client.Client) (any, error) { return c.GenerateRandom(ctx, 2) }, client.Sensitive("hi")},
		{"batch", `{"items":[{"op":"encrypt","key":"k","plaintext":"aGk="},{"op":"decrypt","ciphertext":"AQI="},{"op":"generate-data-key","key":"k"}]}`,
			`{"items":[{"ciphertext":"AQI=","key_id":"k","version":3},{"error":{"code":"invalid_ciphertext","detail":"no"}},{"plaintext":"aGk=","ciphertext":"AQI=","key_id":"k","version":3}]}`, false,
			func(ctx context.Context, c *client.Client) (any, error) {
				return c.Batch(ctx, []client.BatchItem{
					{Encrypt: &client.EncryptRequest{Key: "k", Plaintext: []byte("hi")}},
					{Decrypt: &client.DecryptRequest{Ciphertext: []byte{1, 2}}},
					{GenerateDataKey: &client.GenerateDataKeyRequest{Key: "k"}},
				})
			}, []client.BatchResult{
				{Encrypt: &client.EncryptResponse{Ciphertext: []byte{1, 2}, KeyID: "k", Version: 3}},
				{Err: &client.Error{Operation: "decrypt", Code: client.InvalidCiphertext, Detail: "no"}},
				{GenerateDataKey: &client.GenerateDataKeyResponse{Plaintext: []byte("hi"), Ciphertext: []byte{1, 2}, KeyID: "k", Version: 3}},
			}},
	}
}

// TestWire walks every operation: its route, its request and its answer, byte for byte.
func TestWire(t *testing.T) {
	for _, tc := range slices.Concat(wireOfKeys(), wireOfGrants(), wireOfApprovals(), wireOfRotation(), wireOfVault(), wireOfUse()) {
		t.Run(tc.operation, func(t *testing.T) {
			s := newContract(t, okay(tc.answer))
			got, err := tc.call(t.Context(), s.client(t))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("answer %#v, want %#v", got, tc.want)
			}
			sent := s.arrived()[0]
			if sent.method != "POST" || sent.path != "/v1/"+tc.operation || sent.body != tc.request {
				t.Errorf("sent %s %s %s,\nwant %s", sent.method, sent.path, sent.body, tc.request)
			}
			if sent.header.Get("Authorization") != "Bearer "+token || sent.header.Get("Content-Type") != "application/json" ||
				(sent.header.Get("Idempotency-Key") != "") != tc.mutates {
				t.Errorf("headers %v", sent.header)
			}
		})
	}
}

func TestErrorsAreTyped(t *testing.T) {
	s := newContract(t, problem(403, "access_denied"))
	_, err := s.client(t).DescribeKey(t.Context(), "k")
	if !errors.Is(err, client.AccessDenied) || errors.Is(err, client.NotFound) {
		t.Errorf("codes do not match: %v", err)
	}
	want := &client.Error{Operation: "describe-key", Code: client.AccessDenied, Detail: "do this", RequestID: "r-1", DecisionID: "d-1", Status: 403}
	if e, ok := errors.AsType[*client.Error](err); !ok || *e != *want {
		t.Errorf("got %#v, want %#v", err, want)
	}
	if got := err.Error(); got != "describe-key: access_denied: do this (request r-1)" {
		t.Error(got)
	}
}

func TestUnexpectedAnswers(t *testing.T) {
	const canary = "canary-9"
	for name, a := range map[string]answer{
		"not a problem document": {status: 403, header: map[string]string{"Content-Type": "text/html"}, body: canary},
		"empty problem":          {status: 403, header: map[string]string{"Content-Type": "application/problem+json"}, body: "{}"},
		"redirect":               {status: 302, header: map[string]string{"Location": "https://localhost:1/" + canary}},
		"no JSON":                okay(canary),
		"twice the same name":    okay(`{"key_id":"` + canary + `","key_id":"b"}`),
		"invalid UTF-8":          okay("{\"key_id\":\"" + canary + "\xff\"}"),
		"more after the answer":  okay(`{} "` + canary + `"`),
		"wrong type":             okay(`{"version":"` + canary + `"}`),
		"over the limit":         okay(`{"key_id":"` + strings.Repeat("x", 16<<20) + `"}`),
		"no content":             {status: 204},
	} {
		t.Run(name, func(t *testing.T) {
			s := newContract(t, a)
			_, err := s.client(t).DescribeKey(t.Context(), "k")
			if !errors.Is(err, client.UnexpectedAnswer) {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the error quotes the answer: %v", err)
			}
			if n := len(s.arrived()); n != 1 {
				t.Errorf("%d tries", n)
			}
		})
	}
}

func TestBatchIsChecked(t *testing.T) {
	s := newContract(t, okay(`{"items":[]}`))
	c := s.client(t)
	for name, item := range map[string]client.BatchItem{
		"nothing set": {}, "two set": {Encrypt: &client.EncryptRequest{}, Decrypt: &client.DecryptRequest{}},
	} {
		if _, err := c.Batch(t.Context(), []client.BatchItem{item}); err == nil || len(s.arrived()) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	item := client.BatchItem{Encrypt: &client.EncryptRequest{Key: "k"}}
	if _, err := c.Batch(t.Context(), []client.BatchItem{item}); !errors.Is(err, client.UnexpectedAnswer) {
		t.Errorf("fewer answers than items: %v", err)
	}
	s.answerWith(okay(`{"items":[7]}`))
	results, err := c.Batch(t.Context(), []client.BatchItem{item})
	if err != nil || len(results) != 1 || !errors.Is(results[0].Err, client.UnexpectedAnswer) || results[0].Encrypt != nil {
		t.Errorf("an answer that is no object: %v %v", results, err)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	const canary = "canary"
	var out strings.Builder
	values := []any{client.Token(canary), client.Sensitive(canary), client.Config{Token: canary},
		&client.DecryptResponse{Plaintext: []byte(canary)}, client.EncryptRequest{Plaintext: []byte(canary)},
		&client.Credential{Token: canary, SecretAccessKey: canary}, client.Credential{Token: canary, SecretAccessKey: canary}}
	for _, v := range values {
		fmt.Fprintf(&out, "%v %+v %#v %s %q %x %d\n", v, v, v, v, v, v, v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", fmt.Sprint(v))
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
	}
	for _, shown := range []string{canary, "63616e617279", "99 97 110"} {
		if strings.Contains(out.String(), shown) {
			t.Errorf("%q is shown in\n%s", shown, &out)
		}
	}
	plain := client.Sensitive(canary)
	plain.Wipe()
	if string(plain) != "\x00\x00\x00\x00\x00\x00" {
		t.Error("not wiped")
	}
}
