package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// MaxCredentials is how many credentials a principal has at most.
const MaxCredentials = 10

// Credential is a credential as requests are answered. A secret stands in the one answer that made
// it, and nowhere else.
type Credential struct {
	// ID is an access key's id; of others the SHA-256 of the token or of the certificate's DER, which
	// tells nothing of a token.
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	Principal string    `json:"principal"` // its ARN
	Active    bool      `json:"active"`
	CreatedAt time.Time `json:"created_at"`
	// ExpiresAt is its first moment of being nobody's; absent: never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// LastUsedOn is the day, UTC, on which it last proved somebody; absent: never.
	LastUsedOn string `json:"last_used_on,omitzero"`

	Token           string `json:"token,omitzero"`
	SecretAccessKey string `json:"secret_access_key,omitzero"`
	// Replayed says that the answer repeats an earlier one, whose secret it does not have: who lost
	// that rotates the credential.
	Replayed bool `json:"replayed,omitzero"`
}

// Format implements fmt.Formatter for every verb: it tells which credential it is, and no secret.
func (c Credential) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "%s credential %s", c.Type, c.ID)
}

// LogValue implements slog.LogValuer.
func (c Credential) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// credentialDocument shows a credential without any secret.
func (e *edit) credentialDocument(hash [32]byte, b *credentialBody) Credential {
	c := Credential{
		ID: b.KeyID, Type: b.Type, Principal: arn(e.m.directory.account, spaceOf(e.body.Kind), e.body.Name),
		Active: !b.Inactive, CreatedAt: b.Created, ExpiresAt: b.Expires,
	}
	if c.ID == "" {
		c.ID = hex.EncodeToString(hash[:])
	}
	return c
}

// active tells whether the credential proves somebody at a time.
func (b *credentialBody) active(now time.Time) bool {
	return !b.Inactive && !now.Before(b.Begins) && !b.expired(now)
}

func (b *credentialBody) expired(now time.Time) bool {
	return !b.Expires.IsZero() && !now.Before(b.Expires)
}

// credentialHash reads a credential's id as requests name it.
func credentialHash(id string) (hash [32]byte, err error) {
	if strings.HasPrefix(id, accessKeyPrefix) && len(id) == accessKeyIDLen {
		return sha256.Sum256([]byte(id)), nil
	}
	if b, err := hex.DecodeString(id); err == nil && len(b) == len(hash) && strings.ToLower(id) == id {
		return [32]byte(b), nil
	}
	return hash, gate.Errorf(gate.InvalidRequest, "a credential is named by its id: an access key's, or 64 hexadecimal digits")
}

// credentialsOf returns at most so many of a principal's credentials. One that is added meanwhile
// touches the principal.
func (d *Directory) credentialsOf(ctx context.Context, principal gate.ID, limit int) ([]store.Item, error) {
	found, err := d.view.List(ctx, store.Query{Kind: store.KindCredential, Index: indexPrincipal, Value: string(principal[:]), Limit: limit})
	return found.Items, err
}

// subjectOfCredentials reads whose credentials a request is about: "" is the caller's own.
func (m *Manager) subjectOfCredentials(c *gate.Call, principal string) (reference, error) {
	if principal == "" {
		principal = c.Principal().ARN
	}
	who, err := m.directory.principalReference(principal)
	if err == nil && who.space == roleNames {
		err = gate.Errorf(gate.InvalidRequest, "a role has no credentials: it is assumed")
	}
	return who, err
}

// credentials runs an operation that changes the credentials of a principal.
func (m *Manager) credentials(ctx context.Context, c *gate.Call, principal string, out *Credential, f func(*edit) (*Credential, error)) (*Credential, error) {
	who, err := m.subjectOfCredentials(c, principal)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	req := gate.Request{Resources: []string{who.arn(m.directory)}, Replay: replay(out)}
	err = m.gate.Do(ctx, c, req, func(a gate.Approved) (gate.Outcome, error) {
		e, err := m.load(ctx, c, a, who)
		if err != nil {
			return gate.Outcome{}, err
		}
		if err := e.own(); err != nil {
			return gate.Outcome{}, err
		}
		made, err := f(e)
		if err != nil {
			return gate.Outcome{}, err
		}
		*out = *made
		kept := *made
		if kept.Token != "" || kept.SecretAccessKey != "" {
			kept.Token, kept.SecretAccessKey, kept.Replayed = "", "", true
		}
		e.told.Add("credential=%s;type=%s", made.ID, made.Type)
		if err := e.keep(kept); err != nil {
			return gate.Outcome{}, err
		}
		return e.outcome(), nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// foundCredential is a credential of the principal being changed.
type foundCredential struct {
	hash [32]byte
	item *store.Item
	body *credentialBody
}

// credential finds one of the principal's credentials, and notes it. Another principal's is not
// found: an id leads to nothing but through whose it is.
func (e *edit) credential(hash [32]byte) (*foundCredential, error) {
	items, err := e.m.directory.read(e.ctx, e.a, credentialRef(hash))
	if err != nil {
		return nil, err
	}
	unknown := gate.Errorf(gate.NotFound, "it has no such credential")
	if items[0].Revision == 0 {
		return nil, unknown
	}
	b, err := decodeCredential(&items[0])
	if err != nil {
		return nil, err
	}
	if b.Principal != e.id {
		return nil, unknown
	}
	return &foundCredential{hash, &items[0], b}, nil
}

// putCredential stages a credential as it is now.
func (e *edit) putCredential(hash [32]byte, b *credentialBody, before *store.Item) error {
	c, err := credentialChange(hash, b, before)
	e.out.Changes = append(e.out.Changes, c)
	return err
}

// dropCredential stages the end of a credential, and of what is known of its use. It touches the
// principal, as making one does: what counts credentials runs again.
func (e *edit) dropCredential(item *store.Item) error {
	e.out.Changes = append(e.out.Changes, gate.Change{Ref: item.Ref, Before: item, Delete: true, Also: []store.Ref{principalRef(e.id)}})
	use, err := e.m.directory.uses.Forget(e.ctx, item.ID)
	e.out.Changes = append(e.out.Changes, use...)
	return err
}

// replaceable refuses to take the last credential that proves an administrator: nobody could
// make another through the door.
func (e *edit) replaceable(hash [32]byte) error {
	if !e.body.Administrator {
		return nil
	}
	items, err := e.m.directory.credentialsOf(e.ctx, e.id, store.MaxPage)
	if err != nil {
		return err
	}
	for i := range items {
		b, err := decodeCredential(&items[i])
		if err != nil {
			return err
		}
		if items[i].ID != string(hash[:]) && b.active(e.now) {
			return nil
		}
	}
	return gate.Errorf(gate.Conflict, "that is the administrator's last credential in force: rotate-credential replaces it")
}
