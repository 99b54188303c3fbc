package keys

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// PutPolicyRequest gives a key a policy of its own, in place of the one it has.
type PutPolicyRequest struct {
	Key      string `json:"key"`
	Document string `json:"document"`
	// Bypass takes a policy that leaves its caller unable to put another.
	Bypass bool `json:"bypass_policy_lockout_safety_check,omitzero"`
}

// KeyPolicy is a key's policy. Document is as it was written, principals by the ARNs they have now, or
// by their ids where they were deleted since.
type KeyPolicy struct {
	KeyID    gate.ID `json:"key_id"`
	Document string  `json:"document"`
	// Default tells that the key has none of its own: Document says in words what holds then.
	Default   bool      `json:"default,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	UpdatedBy gate.ID   `json:"updated_by,omitzero"`
}

// keyPolicyBody is the stored policy of a key. Principals holds the ids that its ARNs named when it
// was written: whoever takes an old name inherits nothing.
type keyPolicyBody struct {
	Format     int                `json:"v"`
	Document   string             `json:"document"`
	Principals map[string]gate.ID `json:"principals,omitempty"`
	Updated    time.Time          `json:"updated"`
	UpdatedBy  gate.ID            `json:"by"`
}

func keyPolicyRef(id gate.ID) store.Ref { return store.Ref{Kind: store.KindPolicy, ID: string(id[:])} }

func decodeKeyPolicy(item *store.Item) (*keyPolicyBody, error) {
	b := new(keyPolicyBody)
	if err := json.Unmarshal(item.Body, b, json.RejectUnknownMembers(true)); err != nil {
		return nil, unreadable(item.Ref, err)
	}
	if b.Format != bodyFormat {
		return nil, unreadable(item.Ref, fmt.Errorf("format %d", b.Format))
	}
	return b, nil
}

// compile compiles a stored policy, whose principals are known already.
func (b *keyPolicyBody) compile(account string) (*access.Policy, error) {
	return access.Compile([]byte(b.Document), access.Resource, account, func(arn string) (string, bool) {
		id, ok := b.Principals[arn]
		return id.String(), ok
	})
}

// newKeyPolicy reads a policy document that a caller wrote, and finds the principals that it names.
func (r *Ring) newKeyPolicy(ctx context.Context, a gate.Approved, document string) (*keyPolicyBody, *access.Policy, error) {
	b := &keyPolicyBody{Format: bodyFormat, Document: document, Principals: map[string]gate.ID{}, Updated: a.Time(), UpdatedBy: a.Principal().ID}
	var failed error
	p, err := access.Compile([]byte(document), access.Resource, r.cfg.Place.Account, func(arn string) (string, bool) {
		id, err := r.cfg.People.PrincipalOf(ctx, arn)
		failed = errors.Join(failed, err)
		if err != nil || id.IsZero() {
			return "", false
		}
		b.Principals[arn] = id
		return id.String(), true
	})
	if failed != nil {
		return nil, nil, failed
	}
	return b, p, badPolicy(err)
}

// badPolicy tells what is wrong with a document, and where.
func badPolicy(err error) error {
	if err == nil {
		return nil
	}
	return gate.Errorf(gate.InvalidRequest, "the policy is not one that can be honoured: %.300s", err.Error())
}

// lockout refuses a policy under which the caller could not put another.
func lockout(a gate.Approved, o *access.Object, bypass bool) error {
	if bypass || a.May(gate.PutKeyPolicy, o, bypassing(bypass)) {
		return nil
	}
	return gate.Errorf(gate.InvalidRequest, "under this policy you could not change it again: allow yourself kms:PutKeyPolicy, or say bypass_policy_lockout_safety_check")
}

// bypassing is what conditions may ask of a request that puts a policy.
func bypassing(bypass bool) gate.Asked {
	return gate.Asked{Values: value(access.BypassLockoutCheck, fmt.Sprint(bypass))}
}

// keyPolicyChange stages a key's policy; before is nil for the first.
func keyPolicyChange(id gate.ID, b *keyPolicyBody, before *store.Item) (gate.Change, error) {
	body, err := json.Marshal(b, json.Deterministic(true))
	if err != nil {
		return gate.Change{}, fmt.Errorf("keys: encoding the policy of key %s: %w", id, err)
	}
	return gate.Change{Ref: keyPolicyRef(id), Body: body, Before: before, Also: []store.Ref{keyRef(id)}}, nil
}

// policyTold is what the record tells of a policy: which document it is.
func policyTold(document string, bypass bool) string {
	sum := sha256.Sum256([]byte(document))
	told := fmt.Sprintf("policy=%x", sum[:16])
	if bypass {
		told += ";bypass=true"
	}
	return told
}

// PutKeyPolicy gives a key a policy of its own. When it has returned, every decision about the key is
// by it. Who it names is kept by id: who is made again under an old name is somebody else.
func (m *Manager) PutKeyPolicy(ctx context.Context, c *gate.Call, req PutPolicyRequest) (*Key, error) {
	r := onKey(req.Key, bypassing(req.Bypass))
	r.Parameters = policyTold(req.Document, req.Bypass)
	return m.change(ctx, c, r, func(e *edit) error {
		if err := e.wholeKey(); err != nil {
			return err
		}
		if e.body.Life.Status() == lifecycle.Gone {
			return e.refused(&lifecycle.Refusal{Reason: lifecycle.ReasonDestroyed})
		}
		body, policy, err := e.m.ring.newKeyPolicy(e.ctx, e.a, req.Document)
		if err != nil {
			return err
		}
		o := *e.loaded.object
		o.Policy = policy
		if err := lockout(e.a, &o, req.Bypass); err != nil {
			return err
		}
		e.body.Policy = true
		put, err := keyPolicyChange(e.id, body, e.loaded.policy)
		e.out.Changes = append(e.out.Changes, put)
		return err
	})
}

// firstPolicy stages the policy that a new key is to have; nothing where it has none.
func (r *Ring) firstPolicy(ctx context.Context, a gate.Approved, req *CreateRequest, id gate.ID, key *keyBody) ([]gate.Change, error) {
	if req.Policy == "" {
		return nil, nil
	}
	body, policy, err := r.newKeyPolicy(ctx, a, req.Policy)
	if err != nil {
		return nil, err
	}
	o := r.object(id, key)
	o.Policy = policy
	if err := lockout(a, o, req.Bypass); err != nil {
		return nil, err
	}
	key.Policy = true
	put, err := keyPolicyChange(id, body, nil)
	return []gate.Change{put}, err
}

// GetKeyPolicy shows a key's policy.
func (m *Manager) GetKeyPolicy(ctx context.Context, c *gate.Call, req KeyRequest) (*KeyPolicy, error) {
	var out KeyPolicy
	err := m.gate.Do(ctx, c, onKey(req.Key, gate.Asked{}), func(a gate.Approved) (gate.Outcome, error) {
		t := a.Target(0)
		key := t.Domain.(*loadedKey)
		out = KeyPolicy{KeyID: t.Key, Document: defaultPolicy(m.ring.cfg.Place.Account), Default: true}
		if key.policy == nil {
			return gate.Outcome{}, nil
		}
		b, err := decodeKeyPolicy(key.policy)
		if err != nil {
			return gate.Outcome{}, err
		}
		out = KeyPolicy{KeyID: t.Key, UpdatedAt: b.Updated, UpdatedBy: b.UpdatedBy}
		out.Document, err = m.ring.shownPolicy(ctx, b)
		return gate.Outcome{}, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// shownPolicy is a policy's document with the names that its principals have now.
func (r *Ring) shownPolicy(ctx context.Context, b *keyPolicyBody) (string, error) {
	var ids []gate.ID
	for _, id := range b.Principals {
		ids = append(ids, id)
	}
	called, err := r.called(ctx, ids...)
	if err != nil {
		return "", err
	}
	shown, err := access.RenamePrincipals([]byte(b.Document), func(written string) string {
		if id, ok := b.Principals[written]; ok {
			return called[id]
		}
		return written
	})
	return string(shown), err
}

// defaultPolicy says as a document what holds for a key without a policy: that the account decides.
func defaultPolicy(account string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow",`+
		`"Principal":{"AWS":"arn:aws:iam::%s:root"},"Action":["kms:*","haven:*"],"Resource":"*"}]}`, account)
}
