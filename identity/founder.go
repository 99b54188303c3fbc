package identity

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/secret"
)

// Founder is the administrator that a new store begins with, before there is a store.
func Founder(id gate.ID, name, account string) gate.Principal {
	return principalOf(id, &principalBody{Kind: User, Name: name, Administrator: true}, account)
}

// Administrator stages a new administrator with one bearer token: what a new store begins with.
func Administrator(id gate.ID, name string, token secret.Bytes, now time.Time) ([]gate.Change, error) {
	if err := checkName(userNames, name); err != nil {
		return nil, err
	}
	principal, err := principalChange(id, &principalBody{Kind: User, Name: name, Administrator: true, Created: now}, nil)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(secret.Expose(token))
	credential, err := credentialChange(hash, &credentialBody{Type: bearer, Principal: id, Created: now}, nil)
	if err != nil {
		return nil, err
	}
	called, err := nameChange(userNames, name, id)
	return []gate.Change{principal, credential, called}, err
}

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
