// Package identity knows who may call: principals, their credentials, and how a proof is checked.
//
// It guarantees that the secret of a credential is nowhere at rest: a bearer token is known by its
// SHA-256 alone, which says nothing about 256 random bits; that proving nobody gives one error
// whatever was wrong; and that every answer rests on items the gate
// re-checks before an operation passes, so that a revoked credential is dead when the revoking call
// has returned. It never decides what a principal may do: that is package access's.
package identity

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/store"
)

// TokenPrefix begins every bearer token, so that scanners for leaked secrets find them.
const TokenPrefix = "haven_"

// tokenBytes is the randomness of a token.
const tokenBytes = 32

// MaxToken is the longest token that is looked at, in bytes.
const MaxToken = 256

// cacheSize bounds how many principals and credentials are held decoded.
const cacheSize = 16384

// principalBody is a stored principal.
type principalBody struct {
	Format        int       `json:"v"`
	Name          string    `json:"name"`
	Administrator bool      `json:"administrator,omitzero"`
	Created       time.Time `json:"created"`
}

// credentialBody is a stored credential; its item's id is the SHA-256 of the secret.
type credentialBody struct {
	Format    int       `json:"v"`
	Type      string    `json:"type"`
	Principal gate.ID   `json:"principal"`
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires,omitzero"`
}

const bearer = "bearer"

// Directory looks principals and credentials up. It implements gate.Authenticator.
type Directory struct {
	view        *gate.View
	account     string
	principals  *gate.Cache[gate.ID, *gate.Principal]
	credentials *gate.Cache[[32]byte, *credentialBody]
}

// New makes a directory over a view. Account is the 12-digit account in ARNs.
func New(view *gate.View, account string) *Directory {
	return &Directory{
		view: view, account: account,
		principals:  gate.NewCache[gate.ID, *gate.Principal](view, cacheSize, store.KindPrincipal, appendID, nil),
		credentials: gate.NewCache[[32]byte, *credentialBody](view, cacheSize, store.KindCredential, appendHash, nil),
	}
}

func appendID(b []byte, id gate.ID) []byte { return append(b, id[:]...) }

func appendHash(b []byte, hash [32]byte) []byte { return append(b, hash[:]...) }

func principalRef(id gate.ID) store.Ref {
	return store.Ref{Kind: store.KindPrincipal, ID: string(id[:])}
}

func credentialRef(hash [32]byte) store.Ref {
	return store.Ref{Kind: store.KindCredential, ID: string(hash[:])}
}

// nobody is the one answer to a proof that proves nothing.
func nobody() error {
	return gate.Errorf(gate.Unauthenticated, "no valid credential; send Authorization: Bearer with a token that is in force")
}

// Authenticate implements gate.Authenticator. A token that does not exist takes the same way as
// one that does, up to the look-up of its hash.
func (d *Directory) Authenticate(ctx context.Context, r *gate.Reading, p *gate.Proof) (gate.Principal, error) {
	id := p.Local
	if id.IsZero() {
		if n := p.Bearer.Len(); n == 0 || n > MaxToken {
			return gate.Principal{}, nobody()
		}
		c, err := d.credentials.Get(ctx, r, sha256.Sum256(secret.Expose(p.Bearer)), d.loadCredential)
		if err != nil {
			return gate.Principal{}, err
		}
		if !c.Expires.IsZero() && !d.view.Now().Before(c.Expires) {
			return gate.Principal{}, nobody()
		}
		id = c.Principal
	}
	principal, err := d.principals.Get(ctx, r, id, d.loadPrincipal)
	if err != nil {
		return gate.Principal{}, err
	}
	return *principal, nil
}

func (d *Directory) loadCredential(ctx context.Context, hash [32]byte) (*credentialBody, store.Epoch, error) {
	items, epoch, err := d.view.Get(ctx, credentialRef(hash))
	if err != nil {
		return nil, epoch, err
	}
	if items[0].Revision == 0 {
		return nil, epoch, nobody()
	}
	var c credentialBody
	if err := json.Unmarshal(items[0].Body, &c); err != nil || c.Format != 1 || c.Type != bearer {
		return nil, epoch, gate.Errorf(gate.Internal, "a credential cannot be read; it may come from a later release")
	}
	return &c, epoch, nil
}

func (d *Directory) loadPrincipal(ctx context.Context, id gate.ID) (*gate.Principal, store.Epoch, error) {
	items, epoch, err := d.view.Get(ctx, principalRef(id))
	if err != nil {
		return nil, epoch, err
	}
	if items[0].Revision == 0 {
		return nil, epoch, nobody()
	}
	var p principalBody
	if err := json.Unmarshal(items[0].Body, &p); err != nil || p.Format != 1 {
		return nil, epoch, gate.Errorf(gate.Internal, "a principal cannot be read; it may come from a later release")
	}
	principal := principalOf(id, &p, d.account)
	return &principal, epoch, nil
}

// principalOf makes what the gate and decisions know of a stored principal. The bootstrap
// administrator stands for the account itself.
func principalOf(id gate.ID, p *principalBody, account string) gate.Principal {
	arn := fmt.Sprintf("arn:aws:iam::%s:user/%s", account, p.Name)
	return gate.Principal{
		ID: id, Name: p.Name, Administrator: p.Administrator, ARN: arn,
		Access: &access.Principal{
			ID: id.String(), ARN: arn, Account: account, Root: p.Administrator, Kind: "User", Name: p.Name,
		},
	}
}

// Founder is the administrator that a new store begins with, before there is a store.
func Founder(id gate.ID, name, account string) gate.Principal {
	return principalOf(id, &principalBody{Name: name, Administrator: true}, account)
}

// Administrators returns the ids of the administrators: who the library acts as by default.
func (d *Directory) Administrators(ctx context.Context) ([]gate.ID, error) {
	page, err := d.view.List(ctx, store.Query{Kind: store.KindPrincipal, Value: administratorIndex, Limit: store.MaxPage})
	if err != nil {
		return nil, err
	}
	var out []gate.ID
	for _, item := range page.Items {
		var id gate.ID
		copy(id[:], item.ID)
		out = append(out, id)
	}
	return out, nil
}

const administratorIndex = "administrator"

// NewToken makes a bearer token. It is shown once and never stored: keep what Hash makes of it.
func NewToken(random io.Reader) (secret.Bytes, error) {
	raw := make([]byte, tokenBytes)
	if _, err := io.ReadFull(random, raw); err != nil {
		return secret.Bytes{}, fmt.Errorf("identity: token: %w", err)
	}
	text := append([]byte(TokenPrefix), base64.RawURLEncoding.EncodeToString(raw)...)
	clear(raw)
	return secret.New(text), nil
}

// Administrator stages a new administrator with one bearer token: what a new store begins with.
func Administrator(id gate.ID, name string, token secret.Bytes, now time.Time) ([]gate.Change, error) {
	if name == "" || len(name) > 64 || strings.ContainsFunc(name, notName) {
		return nil, gate.Errorf(gate.InvalidRequest, "a principal's name is 1 to 64 letters, digits and +=,.@_-")
	}
	principal, err := json.Marshal(principalBody{Format: 1, Name: name, Administrator: true, Created: now})
	if err != nil {
		return nil, fmt.Errorf("identity: encoding a principal: %w", err)
	}
	credential, err := json.Marshal(credentialBody{Format: 1, Type: bearer, Principal: id, Created: now})
	if err != nil {
		return nil, fmt.Errorf("identity: encoding a credential: %w", err)
	}
	return []gate.Change{
		{Ref: principalRef(id), Index: [4]string{administratorIndex}, Body: principal},
		{Ref: credentialRef(sha256.Sum256(secret.Expose(token))), Index: [4]string{string(id[:])}, Body: credential, Also: []store.Ref{principalRef(id)}},
	}, nil
}

// notName tells what IAM does not allow in the name of a user.
func notName(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("+=,.@_-", r)
}
