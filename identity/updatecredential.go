package identity

import (
	"context"
	"slices"
	"strings"

	"github.com/haven-health/haven/gate"
)

// UpdateCredentialRequest names a credential of a principal, "" being the caller, and whether it is
// to prove anybody.
type UpdateCredentialRequest struct {
	Principal  string `json:"principal,omitzero"`
	Credential string `json:"credential"`
	// Active is required: what is left out is not guessed.
	Active *bool `json:"active,omitempty"`
}

// UpdateCredential makes a credential inactive, or active again. When it has returned, every operation
// begun later meets it so.
func (m *Manager) UpdateCredential(ctx context.Context, c *gate.Call, req UpdateCredentialRequest) (*Credential, error) {
	hash, err := credentialHash(req.Credential)
	if err == nil && req.Active == nil {
		err = gate.Errorf(gate.InvalidRequest, "active is true or false")
	}
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Credential
	return m.credentials(ctx, c, req.Principal, &out, func(e *edit) (*Credential, error) {
		found, err := e.credential(hash)
		if err != nil {
			return nil, err
		}
		if !*req.Active {
			if err := e.replaceable(hash); err != nil {
				return nil, err
			}
		}
		if found.body.Inactive == *req.Active {
			e.told.Add("active=%t>%t", !found.body.Inactive, *req.Active)
		}
		found.body.Inactive = !*req.Active
		shown := e.credentialDocument(hash, found.body)
		return &shown, e.putCredential(hash, found.body, found.item)
	})
}

// DeleteCredentialRequest names a credential of a principal; "" is the caller.
type DeleteCredentialRequest struct {
	Principal  string `json:"principal,omitzero"`
	Credential string `json:"credential"`
}

// DeleteCredential ends a credential. When it has returned, it proves nobody.
func (m *Manager) DeleteCredential(ctx context.Context, c *gate.Call, req DeleteCredentialRequest) (*Deleted, error) {
	hash, err := credentialHash(req.Credential)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Credential
	_, err = m.credentials(ctx, c, req.Principal, &out, func(e *edit) (*Credential, error) {
		found, err := e.credential(hash)
		if err != nil {
			return nil, err
		}
		if err := e.replaceable(hash); err != nil {
			return nil, err
		}
		shown := e.credentialDocument(hash, found.body)
		return &shown, e.dropCredential(found.item)
	})
	if err != nil {
		return nil, err
	}
	return &Deleted{}, nil
}

// byAge orders credentials by when they were made.
func byAge(list []Credential) {
	slices.SortFunc(list, func(a, b Credential) int {
		if n := a.CreatedAt.Compare(b.CreatedAt); n != 0 {
			return n
		}
		return strings.Compare(a.ID, b.ID)
	})
}
