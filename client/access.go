package client

import (
	"context"
	"time"
)

// LintAccessRequest says what document to look at. For is what it would be: "identity", also of
// boundaries and session policies, if left out; "key"; "trust".
type LintAccessRequest struct {
	Document string `json:"document"`
	For      string `json:"for,omitzero"`
}

// LintAccessAnswer is what was found in a document, in its order.
type LintAccessAnswer struct {
	Findings []LintFinding `json:"findings"`
}

// LintFinding is something to look at again. Pointer is its place as a JSON pointer; Line and Column
// begin at 1.
type LintFinding struct {
	Rule    string `json:"rule"`
	Pointer string `json:"pointer"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	What    string `json:"what"`
	Advice  string `json:"advice"`
}

// LintKeyAnswer is what is to be looked at again of a key, its policy and its grants.
type LintKeyAnswer struct {
	KeyID    string       `json:"key_id"`
	Findings []KeyFinding `json:"findings"`
}

// KeyFinding is something to be looked at again, in a key's policy (Pointer, Line, Column), about a
// grant (GrantID), or of the key itself.
type KeyFinding struct {
	Rule    string `json:"rule"`
	Pointer string `json:"pointer,omitzero"`
	Line    int    `json:"line,omitzero"`
	Column  int    `json:"column,omitzero"`
	GrantID string `json:"grant_id,omitzero"`
	What    string `json:"what"`
	Advice  string `json:"advice"`
}

// LintKey looks at a key: its policy, grants that nobody uses, whether somebody answers for it.
func (c *Client) LintKey(ctx context.Context, key string) (*LintKeyAnswer, error) {
	return call[keyRequest, LintKeyAnswer](ctx, c, operation{name: "lint-key"}, keyRequest{Key: key})
}

// LintAccess looks at a policy document before it is saved. One that would be refused is refused.
func (c *Client) LintAccess(ctx context.Context, request LintAccessRequest) (*LintAccessAnswer, error) {
	return call[LintAccessRequest, LintAccessAnswer](ctx, c, operation{name: "lint-access"}, request)
}

// ExplainAccessRequest names a past decision by its id, or asks how a request would be decided:
// Principal and Action are then required.
type ExplainAccessRequest struct {
	Decision   string              `json:"decision,omitzero"`
	Principal  string              `json:"principal,omitzero"`
	Action     string              `json:"action,omitzero"` // a permission or an operation
	Key        string              `json:"key,omitzero"`
	Context    map[string]string   `json:"context,omitzero"`    // the encryption context
	Tags       map[string]string   `json:"tags,omitzero"`       // that the request would set
	Conditions map[string][]string `json:"conditions,omitzero"` // of other condition keys
	SourceIP   string              `json:"source_ip,omitzero"`
	Time       time.Time           `json:"time,omitzero"` // when; now if zero
}

// ExplainAccessAnswer is an explanation. Asked is when the request was decided.
type ExplainAccessAnswer struct {
	Decision    string      `json:"decision,omitzero"`
	Asked       time.Time   `json:"asked"`
	Explanation Explanation `json:"explanation"`
}

// Explanation is why a request is decided as it is. To who may not explain access to the resource it
// tells Allowed and Explicit alone, of its own requests.
type Explanation struct {
	Allowed   bool            `json:"allowed"`
	Explicit  bool            `json:"explicit_deny"`       // a statement denies it
	By        string          `json:"decided_by,omitzero"` // identity, boundary, session, object, grant or root
	Policy    int             `json:"policy,omitzero"`
	Statement int             `json:"statement,omitzero"`
	Grant     string          `json:"grant,omitzero"`
	Principal string          `json:"principal,omitzero"` // an ARN
	Action    string          `json:"action,omitzero"`
	Resource  string          `json:"resource,omitzero"` // an ARN, or *
	Root      bool            `json:"root,omitzero"`
	Policies  []PolicyFinding `json:"policies,omitzero"`
	Grants    []GrantFinding  `json:"grants,omitzero"`
	Nearest   *Nearest        `json:"nearest,omitzero"`
	Proposal  *Proposal       `json:"proposal,omitzero"`
}

// PolicyFinding is what one policy says of a request. Source is identity, boundary, session or object.
type PolicyFinding struct {
	Source     string             `json:"source"`
	Index      int                `json:"index"`
	Name       string             `json:"name,omitzero"`
	Statements []StatementFinding `json:"statements"`
}

// StatementFinding is whether a statement is about a request. Failed is the first element that is not:
// action, principal, resource or condition.
type StatementFinding struct {
	Index     int               `json:"index"`
	Sid       string            `json:"sid,omitzero"`
	Deny      bool              `json:"deny"`
	Matched   bool              `json:"matched"`
	Named     string            `json:"named"` // how it names the caller: not, account, role or caller
	Failed    string            `json:"failed,omitzero"`
	Condition *ConditionFinding `json:"condition,omitzero"`
}

// ConditionFinding is the first condition that does not hold.
type ConditionFinding struct {
	Operator string   `json:"operator"`
	Key      string   `json:"key"`
	Wanted   []string `json:"wanted"`
	Present  bool     `json:"present"` // the request has the key
	Got      []string `json:"got,omitzero"`
}

// GrantFinding is what a grant says of a request.
type GrantFinding struct {
	ID        string `json:"id"`
	Matched   bool   `json:"matched"`
	Own       bool   `json:"own"`       // to the caller itself, not its role
	Operation bool   `json:"operation"` // it is for the action
}

// Nearest is where the Allow stands that came nearest, by index in the explanation's lists.
type Nearest struct {
	Policy    int `json:"policy"`
	Statement int `json:"statement"`
}

// Proposal is the least that would allow a refused request: one statement, and all places that it has
// to be added to. ForObject is the statement for the object's own policy.
type Proposal struct {
	Statement string   `json:"statement,omitzero"`
	ForObject string   `json:"for_object,omitzero"`
	At        []string `json:"at"`
}

// ExplainAccess tells why a request was refused, or how one would be decided.
func (c *Client) ExplainAccess(ctx context.Context, request ExplainAccessRequest) (*ExplainAccessAnswer, error) {
	return call[ExplainAccessRequest, ExplainAccessAnswer](ctx, c, operation{name: "explain-access"}, request)
}

// ListAccessRequest says who can do what to which key; Key and Action are required.
type ListAccessRequest struct {
	Key    string `json:"key"`
	Action string `json:"action"` // a permission or an operation
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// AccessPage is a page of those who can. It may be short and not the last: NextCursor alone tells.
type AccessPage struct {
	Principals []Access `json:"principals"`
	NextCursor string   `json:"next_cursor,omitzero"`
}

// Access is that somebody can do something. Allowed is "yes" or "conditionally".
type Access struct {
	Principal string `json:"principal"`
	Allowed   string `json:"allowed"`
	By        string `json:"decided_by"`
	Policy    string `json:"policy,omitzero"`
	Grant     string `json:"grant,omitzero"`
}

// ListAccess tells who can do something to a key, and why.
func (c *Client) ListAccess(ctx context.Context, request ListAccessRequest) (*AccessPage, error) {
	return call[ListAccessRequest, AccessPage](ctx, c, operation{name: "list-access"}, request)
}

// PreviewPolicyRequest says what document would stand in the place of which policy: one that can be
// attached; an inline one, with Principal or Group; or, with none of them, the key's own. An empty
// Document is the policy's end.
type PreviewPolicyRequest struct {
	Policy    string `json:"policy,omitzero"`
	Principal string `json:"principal,omitzero"`
	Group     string `json:"group,omitzero"`
	Document  string `json:"document,omitzero"`
	Key       string `json:"key,omitzero"` // which is looked at; without it one that no policy names
	Limit     int    `json:"limit,omitzero"`
	Cursor    string `json:"cursor,omitzero"`
}

// PolicyPreview is what would change for a page of principals; NextCursor alone tells whether there
// are more.
type PolicyPreview struct {
	Changes    []AccessChange `json:"changes"`
	NextCursor string         `json:"next_cursor,omitzero"`
}

// AccessChange is a right that would be gained or lost: Before and After are "no", "conditionally" or
// "yes".
type AccessChange struct {
	Principal string `json:"principal"`
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	Before    string `json:"before"`
	After     string `json:"after"`
}

// PreviewPolicy tells who would gain and who would lose what. It saves nothing.
func (c *Client) PreviewPolicy(ctx context.Context, request PreviewPolicyRequest) (*PolicyPreview, error) {
	return call[PreviewPolicyRequest, PolicyPreview](ctx, c, operation{name: "preview-policy"}, request)
}
