package identity

import (
	"context"
	"strings"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
)

// LintAccessRequest asks to look at a policy document before it is saved. For says what it would be:
// identity, also of boundary and session policies, if left out; key; trust.
type LintAccessRequest struct {
	Document string `json:"document"`
	For      string `json:"for,omitzero"`
}

// LintAccessAnswer is what was found, in the document's order. A document that would be refused is
// refused here as well, with its place.
type LintAccessAnswer struct {
	Findings []access.Finding `json:"findings"`
}

// LintAccess looks at a document. It asks for nobody whom the document names: who may lint learns
// nothing of who there is.
func (m *Manager) LintAccess(ctx context.Context, c *gate.Call, req LintAccessRequest) (*LintAccessAnswer, error) {
	form, ok := map[string]access.Form{"": access.Identity, "identity": access.Identity, "key": access.Resource, "trust": access.Trust}[req.For]
	if !ok {
		return nil, m.gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "for is identity, key or trust"))
	}
	var out LintAccessAnswer
	err := m.gate.Do(ctx, c, gate.Request{}, func(gate.Approved) (gate.Outcome, error) {
		findings, err := access.Lint([]byte(req.Document), form, m.directory.account, func(arn string) (string, bool) {
			return arn, strings.HasPrefix(arn, "arn:aws:")
		})
		out.Findings = append([]access.Finding{}, findings...)
		return gate.Outcome{}, malformed(err)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
