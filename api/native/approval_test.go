package native_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
)

// council is a world where a key is destroyed only if two others approve.
type council struct {
	*world
	tokens map[string]string
	key    string
}

// twoApprove denies what destroys unless two others approved.
const twoApprove = `{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Deny\",\"Action\":[\"kms:ScheduleKeyDeletion\",\"iam:DeleteUser\"],\"Resource\":\"*\",\"Condition\":{\"NumericLessThan\":{\"haven:Approvals\":\"2\"}}}]}`

const approvalHeader = "Haven-Approval"

func newCouncil(t *testing.T) *council {
	c := &council{world: newWorld(t), tokens: map[string]string{}}
	c.tokens["root"] = c.token
	must[identity.Policy](t, c.post("create-policy", `{"name":"two","document":"`+twoApprove+`"}`))
	for _, name := range []string{"asker", "ann", "ben", "cid", "dan"} {
		c.person(name, "HavenAdministrator", "two")
	}
	c.person("clerk", "HavenApplication")
	c.key = c.newKey()
	return c
}

// person makes a user with policies and a token.
func (c *council) person(name string, policies ...string) {
	c.t.Helper()
	must[identity.Principal](c.t, c.post("create-principal", fmt.Sprintf(`{"kind":"user","name":%q}`, name)))
	for _, p := range policies {
		must[identity.Policy](c.t, c.post("attach-policy", fmt.Sprintf(`{"policy":%q,"principal":%q}`, p, name)))
	}
	c.tokens[name] = between(c.post("create-credential", fmt.Sprintf(`{"principal":%q,"type":"bearer"}`, name)).body, `"token":"`)
}

// as asks something as somebody.
func (c *council) as(name, operation, body string, header ...string) *answer {
	c.t.Helper()
	return c.post(operation, body, append(header, "Authorization", "Bearer "+c.tokens[name])...)
}

// asked asks for approvals of an operation, by the asker.
func (c *council) asked(operation, request string) string {
	c.t.Helper()
	a := c.as("asker", "request-approval", fmt.Sprintf(`{"operation":%q,"request":%s,"reason":"the project ended"}`, operation, request))
	if a.status != http.StatusOK {
		c.t.Fatal(a.body)
	}
	return between(a.body, `"approval_id":"`)
}

func (c *council) approve(id string, names ...string) {
	c.t.Helper()
	for _, name := range names {
		must[identity.Approval](c.t, c.as(name, "approve", `{"approval":"`+id+`"}`))
	}
}

func (c *council) destruction() string { return `{"key":"` + c.key + `","days":7}` }

// TestApprovals: what two others must approve is done once they did, once, and as it was asked for.
func TestApprovals(t *testing.T) {
	c := newCouncil(t)
	c.as("asker", "schedule-key-deletion", c.destruction()).refused(t, gate.AccessDenied)
	id := c.asked("schedule-key-deletion", c.destruction())
	header := []string{approvalHeader, id}
	c.as("asker", "schedule-key-deletion", c.destruction(), header...).refused(t, gate.AccessDenied)
	c.as("asker", "approve", `{"approval":"`+id+`"}`).refused(t, gate.Conflict)
	c.as("clerk", "approve", `{"approval":"`+id+`"}`).refused(t, gate.AccessDenied)
	c.approve(id, "ann", "ann", "ann") // one, however often
	c.as("asker", "schedule-key-deletion", c.destruction(), header...).refused(t, gate.AccessDenied)
	c.approve(id, "ben")
	shown := must[identity.Approval](t, c.as("cid", "describe-approval", `{"approval":"`+id+`"}`))
	if shown.State != identity.ApprovalOpen || len(shown.Approvals) != 2 || shown.Request != `{"days":7,"key":"`+c.key+`"}` || shown.Reason != "the project ended" ||
		shown.Requester.ARN != "arn:aws:iam::000000000000:user/asker" {
		t.Errorf("%+v", shown)
	}
	other := c.newKey()
	for what, a := range map[string]*answer{
		"somebody else":    c.as("cid", "schedule-key-deletion", c.destruction(), header...),
		"another body":     c.as("asker", "schedule-key-deletion", strings.Replace(c.destruction(), "7", "8", 1), header...),
		"another key":      c.as("asker", "schedule-key-deletion", strings.Replace(c.destruction(), c.key, other, 1), header...),
		"another approval": c.as("asker", "schedule-key-deletion", c.destruction(), approvalHeader, "01912d68-783e-7a66-b7d1-8c2f0f7a5f0c"),
		"none":             c.as("asker", "schedule-key-deletion", c.destruction()),
	} {
		if a.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	c.as("asker", "schedule-key-deletion", c.destruction(), approvalHeader, "?").refused(t, gate.InvalidRequest)

	// Its members in another order are the same request.
	again := []string{approvalHeader, id, "Idempotency-Key", "once"}
	sent := `{"days": 7, "key":"` + c.key + `"}`
	done := c.as("asker", "schedule-key-deletion", sent, again...)
	if done.status != http.StatusOK || !strings.Contains(done.records[0].Parameters, "approval="+id) {
		t.Fatalf("%s %+v", done.body, done.records)
	}
	if replayed := c.as("asker", "schedule-key-deletion", sent, again...); replayed.status != http.StatusOK || replayed.body != done.body {
		t.Errorf("repeated: %s", replayed.body)
	}
	must[identity.Approval](t, c.as("root", "describe-approval", `{"approval":"`+id+`"}`))
	if s := must[identity.Approval](t, c.as("root", "describe-approval", `{"approval":"`+id+`"}`)); s.State != identity.ApprovalUsed || s.UsedBy.String() != done.id {
		t.Errorf("used: %+v, by %s", s, done.id)
	}
	must[any](t, c.as("root", "cancel-key-deletion", `{"key":"`+c.key+`"}`))
	c.as("asker", "schedule-key-deletion", c.destruction(), header...).refused(t, gate.AccessDenied)
	c.as("ann", "approve", `{"approval":"`+id+`"}`).refused(t, gate.InvalidState)
	c.as("ann", "withdraw-approval", `{"approval":"`+id+`"}`).refused(t, gate.InvalidState)
}

// TestApprovalsEnd: an approval counts while it is open, and whoever gave it might still do so.
func TestApprovalsEnd(t *testing.T) {
	for what, c := range map[string]struct {
		do      func(c *council, id string)
		allowed bool
	}{
		"nothing":              {func(*council, string) {}, true},
		"withdrawn":            {func(c *council, id string) { c.as("asker", "withdraw-approval", `{"approval":"`+id+`"}`) }, false},
		"over":                 {func(c *council, _ string) { c.clock.Advance(24 * time.Hour) }, false},
		"almost over":          {func(c *council, _ string) { c.clock.Advance(24*time.Hour - time.Second) }, true},
		"an approver disabled": {func(c *council, _ string) { c.post("update-principal", `{"principal":"ann","disabled":true}`) }, false},
		"an approver may not any more": {func(c *council, _ string) {
			c.post("detach-policy", `{"policy":"HavenAdministrator","principal":"ben"}`)
		}, false},
		"a third": {func(c *council, id string) {
			c.approve(id, "cid")
			c.post("update-principal", `{"principal":"ann","disabled":true}`)
		}, true},
		"the asker may not any more": {func(c *council, _ string) {
			c.post("detach-policy", `{"policy":"HavenAdministrator","principal":"asker"}`)
		}, false},
		"the alias moved": {func(c *council, _ string) {
			c.post("update-alias", `{"alias":"alias/doomed","key":"`+c.newKey()+`"}`)
		}, false},
		"an approver who has their name again": {func(c *council, _ string) {
			id := c.asked("delete-principal", `{"principal":"ann"}`)
			c.approve(id, "cid", "dan")
			if a := c.as("asker", "delete-principal", `{"principal":"ann"}`, approvalHeader, id); a.status != http.StatusOK {
				c.t.Error(a.body)
			}
			c.person("ann", "HavenAdministrator", "two")
		}, false},
	} {
		t.Run(what, func(t *testing.T) {
			world := newCouncil(t)
			world.post("create-alias", `{"alias":"alias/doomed","key":"`+world.key+`"}`)
			request := `{"key":"alias/doomed"}`
			id := world.asked("schedule-key-deletion", request)
			world.approve(id, "ann", "ben")
			c.do(world, id)
			a := world.as("asker", "schedule-key-deletion", request, approvalHeader, id)
			if want := map[bool]int{true: http.StatusOK, false: http.StatusForbidden}[c.allowed]; a.status != want {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// TestApprovalsAskedFor: what approvals cannot be asked for, and by whom.
func TestApprovalsAskedFor(t *testing.T) {
	c := newCouncil(t)
	for ask, code := range map[string]gate.Code{
		`{"operation":"encrypt","request":{"key":"` + c.key + `","plaintext":""}}`:                                            gate.InvalidRequest,
		`{"operation":"approve","request":{"approval":"` + c.key + `"}}`:                                                      gate.InvalidRequest,
		`{"operation":"nothing","request":{}}`:                                                                                gate.InvalidRequest,
		`{"operation":"schedule-key-deletion","request":[]}`:                                                                  gate.InvalidRequest,
		`{"operation":"schedule-key-deletion","request":{"kee":"x"}}`:                                                         gate.InvalidRequest,
		`{"operation":"schedule-key-deletion","request":` + c.destruction() + `,"hours":169}`:                                 gate.InvalidRequest,
		`{"operation":"schedule-key-deletion","request":` + c.destruction() + `,"hours":-1}`:                                  gate.InvalidRequest,
		`{"operation":"schedule-key-deletion","request":{"key":"01912d68-783e-7a66-b7d1-8c2f0f7a5f0c"}}`:                      gate.NotFound,
		`{"operation":"schedule-key-deletion","request":` + c.destruction() + `,"reason":"` + strings.Repeat("x", 257) + `"}`: gate.InvalidRequest,
	} {
		c.as("asker", "request-approval", ask).refused(t, code)
	}
	// Who may not do it even if all approve cannot ask.
	c.as("clerk", "request-approval", `{"operation":"schedule-key-deletion","request":`+c.destruction()+`}`).refused(t, gate.AccessDenied)

	// A session of a role neither asks nor approves: anybody may be behind it.
	must[identity.Principal](t, c.post("create-principal", `{"kind":"role","name":"chief","trust":"{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":\"sts:AssumeRole\"}]}"}`))
	c.post("attach-policy", `{"policy":"HavenAdministrator","principal":"role/chief"}`)
	session := c.as("asker", "assume-role", `{"role":"role/chief","session_name":"me"}`)
	c.tokens["session"] = between(session.body, `"token":"`)
	id := c.asked("schedule-key-deletion", c.destruction())
	c.as("session", "approve", `{"approval":"`+id+`"}`).refused(t, gate.Conflict)
	c.as("session", "request-approval", `{"operation":"schedule-key-deletion","request":`+c.destruction()+`}`).refused(t, gate.Conflict)

	// Asked twice under one idempotency key, it is asked once.
	twice := func() string {
		return c.as("asker", "request-approval", `{"operation":"schedule-key-deletion","request":`+c.destruction()+`}`, "Idempotency-Key", "one").body
	}
	if a, b := twice(), twice(); a != b || !strings.Contains(a, "approval_id") {
		t.Errorf("%s, then %s", a, b)
	}
	if page := must[identity.ApprovalPage](t, c.as("ann", "list-approvals", `{}`)); len(page.Approvals) != 2 {
		t.Errorf("%d are open", len(page.Approvals))
	}
}

// TestApprovalUsedOnce: of many who use one approval at once, one does it.
func TestApprovalUsedOnce(t *testing.T) {
	c := newCouncil(t)
	id := c.asked("schedule-key-deletion", c.destruction())
	c.approve(id, "ann", "ben")
	var done atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r := c.ask(http.MethodPost, "/v1/schedule-key-deletion", strings.NewReader(c.destruction()), "Authorization", "Bearer "+c.tokens["asker"], approvalHeader, id)
			if c.serve(r) == http.StatusOK {
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if n := done.Load(); n != 1 {
		t.Errorf("done %d times", n)
	}
}
