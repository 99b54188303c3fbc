package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/store"
)

// AssumeRoleRequest asks for a session of a role: Role and SessionName are required.
type AssumeRoleRequest struct {
	// Role is an ARN, role/NAME or NAME.
	Role string `json:"role"`
	// SessionName tells sessions of a role apart, in ARNs and records: 2 to 64 letters, digits and
	// +=,.@_-.
	SessionName string `json:"session_name"`
	// DurationSeconds is how long it lasts: 900 to the role's most, 3,600 where nothing is said. A
	// session that a session began lasts 3,600 at most.
	DurationSeconds int `json:"duration_seconds,omitzero"`
	// Policy is a session policy: the session may nothing that it does not allow as well.
	Policy string `json:"policy,omitzero"`
}

// Session is the answer: a token that stands in no other.
type Session struct {
	// ID is the role's id and the session's name: what policies know the session by.
	ID        string    `json:"id"`
	ARN       string    `json:"arn"`
	Token     string    `json:"token,omitzero"`
	ExpiresAt time.Time `json:"expires_at"`
	// Replayed says that the answer repeats an earlier one, whose token it does not have.
	Replayed bool `json:"replayed,omitzero"`
}

// AssumeRole begins a session of a role for whom its trust policy lets in: by name, or the account,
// when the caller's own policies let it in too. The session has the role's rights, not the caller's,
// and ends by itself; before that it ends when the role does, is disabled, or is denied what was
// issued before some time.
func (m *Manager) AssumeRole(ctx context.Context, c *gate.Call, req AssumeRoleRequest) (*Session, error) {
	role, lasts, err := m.checkSession(c, req)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Session
	var token secret.Bytes
	about := gate.Request{
		Resources: []string{role.arn(m.directory)}, Replay: replay(&out),
		As: &gate.Operation{}, // decided below, with the trust policy, once there is one
	}
	err = m.gate.Do(ctx, c, about, func(a gate.Approved) (gate.Outcome, error) {
		h, err := m.trusting(ctx, a, c, role)
		if err != nil {
			return gate.Outcome{}, err
		}
		if most := longest(h.principal, a.Principal().Access); lasts > most {
			return gate.Outcome{}, gate.Errorf(gate.InvalidRequest, "this session lasts %d seconds at most", int(most.Seconds()))
		}
		if req.Policy != "" {
			if err := m.checkDocument(req.Policy, MaxSessionPolicy); err != nil {
				return gate.Outcome{}, err
			}
		}
		if token, err = NewToken(m.random); err != nil {
			return gate.Outcome{}, err
		}
		var o gate.Outcome
		o, out, err = m.begin(ctx, a, h, req, sha256.Sum256(secret.Expose(token)), lasts)
		return o, err
	})
	if err != nil {
		return nil, err
	}
	if !out.Replayed {
		out.Token = string(secret.Expose(token))
	}
	return &out, nil
}

// checkSession refuses a request that means nothing.
func (m *Manager) checkSession(c *gate.Call, req AssumeRoleRequest) (role reference, lasts time.Duration, err error) {
	name := req.Role
	if !strings.Contains(name, "/") {
		name = string(roleNames) + "/" + name
	}
	if role, err = m.directory.principalReference(name); err == nil && role.space != roleNames {
		err = gate.Errorf(gate.InvalidRequest, "role is the ARN of a role, role/NAME or NAME")
	}
	if err == nil && (len(req.SessionName) < 2 || checkName(userNames, req.SessionName) != nil) {
		err = gate.Errorf(gate.InvalidRequest, "session_name is 2 to %d letters, digits and +=,.@_-", MaxName)
	}
	if lasts = time.Duration(req.DurationSeconds) * time.Second; req.DurationSeconds == 0 {
		lasts = DefaultSession
	}
	if err == nil && (req.DurationSeconds < 0 || req.DurationSeconds > int(MaxSession.Seconds()) || lasts < MinSession) {
		err = gate.Errorf(gate.InvalidRequest, "duration_seconds is %d to %d", int(MinSession.Seconds()), int(MaxSession.Seconds()))
	}
	return role, lasts, err
}

// longest is how long a session that the caller begins may last.
func longest(role *principalBody, caller *access.Principal) time.Duration {
	most := DefaultSession
	if role.MaxSession > 0 {
		most = time.Duration(role.MaxSession) * time.Second
	}
	if caller.RoleID != "" {
		most = min(most, maxChained)
	}
	return most
}

// trusting finds the role if the caller may assume it. Whether there is none, it trusts somebody else
// or is disabled is one refusal.
func (m *Manager) trusting(ctx context.Context, a gate.Approved, c *gate.Call, role reference) (*holder, error) {
	denied := &gate.Error{Code: gate.AccessDenied, Decision: c.Request(),
		Detail: "you may not assume this role; an administrator can explain decision " + c.Request().String()}
	h, err := m.holder(ctx, a, role)
	if errors.Is(err, gate.NotFound) {
		return nil, denied
	}
	if err != nil {
		return nil, err
	}
	if h.principal.Trust.IsZero() || h.principal.Disabled {
		return nil, denied
	}
	p, err := m.policyOf(ctx, a, h.principal.Trust)
	if err != nil {
		return nil, err
	}
	trust, err := m.directory.trust(p.body)
	if err != nil {
		return nil, err
	}
	object := &access.Object{ARN: role.arn(m.directory), Account: m.directory.account, Policy: trust, Tags: h.principal.Tags}
	if !a.May(gate.AssumeRole, object, gate.Asked{}) {
		return nil, denied
	}
	return h, nil
}

// swept is how many of a role's sessions are looked at, for ended ones, when another begins.
const swept = 8

// begin stages a session, and the end of some of the role's that ended by themselves: they are found
// behind the new one's hash, which is random, so that in time all are.
func (m *Manager) begin(ctx context.Context, a gate.Approved, h *holder, req AssumeRoleRequest, hash [32]byte, lasts time.Duration) (gate.Outcome, Session, error) {
	caller := a.Principal()
	body := &credentialBody{
		Type: session, Principal: h.id, Created: a.Time(), Expires: a.Time().Add(lasts),
		Session: &sessionBody{
			Name: req.SessionName, Policy: req.Policy, Source: caller.ARN,
			MultiFactor: caller.Access.MultiFactor, Class: caller.Access.AuthContextClass, Methods: caller.Access.AuthMethods,
		},
	}
	begun, err := credentialChange(hash, body, nil)
	if err != nil {
		return gate.Outcome{}, Session{}, err
	}
	begun.Also = nil // the role's other sessions go on as they are
	o := gate.Outcome{Changes: []gate.Change{begun}}
	page, err := m.directory.view.List(ctx, store.Query{Kind: store.KindCredential, Index: indexPrincipal, Value: string(h.id[:]), After: string(hash[:]), Limit: swept})
	if err != nil {
		return gate.Outcome{}, Session{}, err
	}
	for i := range page.Items {
		c, err := decodeCredential(&page.Items[i])
		if err != nil {
			return gate.Outcome{}, Session{}, err
		}
		if c.Type == session && !a.Time().Before(c.Expires) {
			o.Changes = append(o.Changes, gate.Change{Ref: page.Items[i].Ref, Before: &page.Items[i], Delete: true})
		}
	}
	o.Parameters = fmt.Sprintf("role=%s;credential=%s;seconds=%d;policy=%t", h.id, hex.EncodeToString(hash[:]), int(lasts.Seconds()), req.Policy != "")
	out := Session{ID: h.id.String() + ":" + req.SessionName, ARN: sessionARN(m.directory.account, h.principal.Name, req.SessionName), ExpiresAt: body.Expires}
	kept := out
	kept.Replayed = true
	o.Answer, err = json.Marshal(kept)
	return o, out, err
}
