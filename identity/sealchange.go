package identity

import (
	"context"
	"crypto/sha256"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/haven-health/haven/gate"
)

// SealChange is what approvals of rotate-seal and migrate-seal are about. An operator at the machine
// begins these, with the seals in hand, so that there is no request but this one. Of migrate-seal Slot
// is the slot that gets a seal of Kind, or is detached where Kind is left out; of rotate-seal it is empty.
type SealChange struct {
	Slot string `json:"slot,omitzero"`
	Kind string `json:"kind,omitzero"`
}

// Canonical returns the change as RFC 8785 writes it, and the SHA-256 of that.
func (s SealChange) Canonical() ([]byte, [32]byte, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return nil, [32]byte{}, err
	}
	return Canonical(body)
}

// check refuses what no operator at the machine could do.
func (s SealChange) check(op *gate.Operation) error {
	if op == gate.RotateSeal && s != (SealChange{}) {
		return gate.Errorf(gate.InvalidRequest, "rotate-seal takes nothing: the request is {}")
	}
	if op == gate.MigrateSeal && s.Slot == "" {
		return gate.Errorf(gate.InvalidRequest, "migrate-seal takes the slot and, unless it is to be detached, the kind of its new seal")
	}
	return nil
}

// AtMachine makes a call that asks for approvals ask for those of an operation at the machine.
func (m *Manager) AtMachine(ctx context.Context, c *gate.Call, op *gate.Operation, what SealChange) error {
	if err := what.check(op); err != nil {
		return m.gate.Refuse(ctx, c, err)
	}
	return m.gate.Do(ctx, c, gate.Request{}, func(gate.Approved) (gate.Outcome, error) {
		return gate.Outcome{}, gate.Errorf(gate.Unsupported, "%s is done at the machine", op.Name)
	})
}

// Canonical returns a request as RFC 8785 writes it, so that it has one hash however it was sent, and
// the SHA-256 of that. The error is of package jsontext, or tells that it is no object.
func Canonical(request []byte) ([]byte, [32]byte, error) {
	v := jsontext.Value(request).Clone()
	if v.Kind() != '{' {
		return nil, [32]byte{}, gate.Errorf(gate.InvalidRequest, "the request to be approved must be a JSON object")
	}
	if err := v.Canonicalize(); err != nil {
		return nil, [32]byte{}, err
	}
	return v, sha256.Sum256(v), nil
}
