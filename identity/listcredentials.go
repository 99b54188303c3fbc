package identity

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// ListCredentialsRequest names whose credentials to list; "" is the caller.
type ListCredentialsRequest struct {
	Principal string `json:"principal,omitzero"`
}

// CredentialList is all that a principal has, the newest last.
type CredentialList struct {
	Credentials []Credential `json:"credentials"`
}

// ListCredentials returns a principal's credentials, never a secret.
func (m *Manager) ListCredentials(ctx context.Context, c *gate.Call, req ListCredentialsRequest) (*CredentialList, error) {
	who, err := m.subjectOfCredentials(c, req.Principal)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out CredentialList
	err = m.gate.Do(ctx, c, gate.Request{Resources: []string{who.arn(m.directory)}}, func(a gate.Approved) (gate.Outcome, error) {
		e, err := m.load(ctx, c, a, who)
		if err != nil {
			return gate.Outcome{}, err
		}
		items, err := m.directory.credentialsOf(ctx, e.id, store.MaxPage)
		if err != nil {
			return gate.Outcome{}, err
		}
		ids := make([]string, len(items))
		for i := range items {
			ids[i] = items[i].ID
		}
		days, err := m.directory.uses.Days(ctx, ids)
		if err != nil {
			return gate.Outcome{}, err
		}
		out = CredentialList{Credentials: []Credential{}}
		for i := range items {
			b, err := decodeCredential(&items[i])
			if err != nil {
				return gate.Outcome{}, err
			}
			shown := e.credentialDocument([32]byte([]byte(items[i].ID)), b)
			shown.LastUsedOn = days[i]
			out.Credentials = append(out.Credentials, shown)
		}
		byAge(out.Credentials)
		return e.outcome(), nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
