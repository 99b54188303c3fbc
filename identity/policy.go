package identity

import (
	"errors"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
)

// Limits of policies, in characters without white space, as IAM's: of a managed one, and of all
// inline ones of a user, a group and a role together. A trust policy has a limit of its own.
const (
	MaxManaged     = 6144
	MaxInlineUser  = 2048
	MaxInlineGroup = 5120
	MaxInlineRole  = 10240
	MaxTrust       = 4096
	// MaxAttached is how many managed policies a principal or group has at most.
	MaxAttached = 20
)

// PolicyKind is what a policy is.
type PolicyKind string

// The kinds of policies.
const (
	Ready   PolicyKind = "ready"   // comes with the release, to be attached
	Managed PolicyKind = "managed" // to be attached
	Inline  PolicyKind = "inline"  // of one principal or group alone
	Trust   PolicyKind = "trust"   // says who may assume a role
)

// Part is what a policy is to who has it.
type Part string

// The parts.
const (
	Own         Part = ""         // it says what its holder may do
	Boundary    Part = "boundary" // the holder may nothing that it does not allow
	TrustPolicy Part = "trust"    // it says who may assume the holder
)

// Policy is a policy as requests are answered.
type Policy struct {
	ID   gate.ID    `json:"id"`
	Kind PolicyKind `json:"kind"`
	Name string     `json:"name,omitzero"`
	// ARN names a policy that can be attached.
	ARN string `json:"arn,omitzero"`
	// Holder is the ARN of whose inline or trust policy it is; in a list of somebody's policies, of
	// whose list it is. As tells the boundary from the others there.
	Holder string `json:"holder,omitzero"`
	As     Part   `json:"as,omitzero"`
	// Document is as it was written; lists leave it out.
	Document  string    `json:"document,omitzero"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	// Attachments is how many principals and groups have it, AttachedTo the first of them: of
	// describe-policy alone.
	Attachments int          `json:"attachments,omitzero"`
	AttachedTo  []Attachment `json:"attached_to,omitzero"`
}

// Attachment is that a principal or group has a policy.
type Attachment struct {
	ARN string `json:"arn"`
	As  Part   `json:"as,omitzero"`
}

// policyDocument shows a stored policy.
func (d *Directory) policyDocument(id gate.ID, b *policyBody, holder string) Policy {
	p := Policy{ID: id, Kind: Inline, Name: b.Name, Holder: holder, Document: b.Document, CreatedAt: b.Created, UpdatedAt: b.Updated}
	switch {
	case b.Trust:
		p.Kind, p.As = Trust, TrustPolicy
	case b.Owner.IsZero():
		p.Kind, p.ARN = Managed, arn(d.account, policyNames, b.Name)
	}
	return p
}

// checkDocument refuses a document that cannot be honoured, with its place, or that is too long.
func (m *Manager) checkDocument(document string, limit int) error {
	if len(document) <= access.MaxDocument && size(document) > limit {
		return tooLong(limit)
	}
	_, err := access.Compile([]byte(document), access.Identity, m.directory.account, nil)
	return malformed(err)
}

func tooLong(limit int) error {
	return gate.Errorf(gate.LimitExceeded, "the policy is too long: at most %d characters here, white space not counted", limit)
}

// malformed tells who wrote a document what is wrong with it, and where.
func malformed(err error) error {
	var wrong *access.SyntaxError
	if errors.As(err, &wrong) {
		return gate.Errorf(gate.InvalidRequest, "the policy document cannot be taken: %s", wrong)
	}
	return err
}

// size counts the characters of a document as IAM does, without white space.
func size(document string) (n int) {
	for _, r := range document {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// keepPolicy puts a policy into an outcome as its answer.
func keepPolicy(o gate.Outcome, out *Policy, p Policy) (gate.Outcome, error) {
	*out = p
	var err error
	o.Answer, err = json.Marshal(p)
	return o, err
}
