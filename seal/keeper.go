package seal

import (
	"context"
	"fmt"

	"github.com/haven-health/haven/internal/secret"
)

// KeyKeeper encrypts with a key that lies elsewhere, in a cloud or an HSM. A *secrets.Keeper of
// gocloud.dev is one.
type KeyKeeper interface {
	Encrypt(ctx context.Context, plaintext []byte) ([]byte, error)
	Decrypt(ctx context.Context, ciphertext []byte) ([]byte, error)
}

// Keeper is a seal whose key another system keeps. Who may use that key is decided there, and so
// is what is recorded. A store sealed by a keeper alone is lost with the key: attach another seal.
type Keeper struct {
	id     string
	keeper KeyKeeper
}

// NewKeeper makes a seal of a key keeper. The id is stored and shown: give the name of the key,
// not a URL with something secret in it.
func NewKeeper(id string, keeper KeyKeeper) *Keeper { return &Keeper{id, keeper} }

// Kind implements [Seal].
func (*Keeper) Kind() string { return KindKeeper }

// ID implements [Seal].
func (k *Keeper) ID() string { return k.id }

// Wrap implements [Seal].
func (k *Keeper) Wrap(ctx context.Context, plaintext secret.Bytes) (Sealed, error) {
	ciphertext, err := k.keeper.Encrypt(ctx, secret.Expose(plaintext))
	if err != nil {
		return Sealed{}, fmt.Errorf("seal: keeper %q: %w", k.id, err)
	}
	return Sealed{Ciphertext: ciphertext}, nil
}

// Unwrap implements [Seal]. It returns the keeper's error as it is: only the keeper knows whether
// it refused or could not be reached.
func (k *Keeper) Unwrap(ctx context.Context, s Sealed) (secret.Bytes, error) {
	plaintext, err := k.keeper.Decrypt(ctx, s.Ciphertext)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("seal: keeper %q: %w", k.id, err)
	}
	return secret.New(plaintext), nil
}
