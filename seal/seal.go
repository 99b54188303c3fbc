// Package seal is the root of trust: the root key, which wraps everything a store cannot do
// without, and the seals that hold it.
//
// The root key is 32 random bytes and is stored only wrapped, once for each attached seal, in a
// [Slot]. Any one seal opens the store. Attach at least two: one for daily starts and one kept
// elsewhere for recovery, for a store whose every seal is lost is lost. Three kinds exist:
// [KeyFile], [Passphrase], and [Keeper] for a cloud's or another system's key management.
//
// The package guarantees:
//
//   - A slot opens only under its own seal, in its own store and under its own name: what the seal
//     wraps says where it belongs.
//   - A slot is handed out only after it was opened again with the same seal, and a rotation only
//     when every seal was presented: no rotation leaves an operator with a seal that opens nothing.
//   - The root key leaves a [Root] in no other way than wrapped by a seal.
//
// It is pure: it stores nothing. Slots are read and written by the caller, who also decides who
// may do what. It imports no cloud's libraries: whoever opens a [KeyKeeper] does.
//
// # Life of a rotation
//
//  1. [Root.Rotate] opens every slot with its seal, makes the next root key and wraps it for each.
//  2. The caller unwraps all that the old root wrapped and wraps it under the new one.
//  3. The caller commits the new slots and the re-wrapped material at once; a crash before leaves
//     the old root and its slots, whole.
//  4. The caller destroys the old root. Old copies of slots and store still open with the seals of
//     then: rotate a seal that was lost by replacing it too ([Root.Migrate]).
package seal

import (
	"context"
	"errors"

	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// Errors of this package. They name slots and seals and never what is in them.
var (
	// ErrWrong says that a seal does not open a slot. Which of the reasons it is cannot be known,
	// and for a passphrase must not be.
	ErrWrong = errors.New("seal: wrong passphrase or key for this slot, or the slot was altered")
	// ErrMoved says that a seal opened a slot that was made for another store, name or generation.
	ErrMoved = errors.New("seal: slot belongs to another store, name or generation")
	// ErrSlot says that a slot is malformed.
	ErrSlot = errors.New("seal: malformed slot")
	// ErrSeals says that not every slot's seal was presented, or that the slots do not all hold
	// this root.
	ErrSeals = errors.New("seal: every slot's own seal is needed")
	// ErrPassphrase says that a passphrase is too short or too long: see [NewPassphrase].
	ErrPassphrase = errors.New("seal: a passphrase has 15 characters at least and 1024 bytes at most")
	// ErrKeyFile says that a file is not a key file, or was altered.
	ErrKeyFile = errors.New("seal: not a key file, or altered")
	// ErrExposed says that a key file can be read by others than its owner.
	ErrExposed = errors.New("seal: key file is open to group or others; make it 0600 and rotate the root key")
)

// Kinds of seals, as they stand in a slot.
const (
	KindKeyFile    = "key-file"
	KindPassphrase = "passphrase"
	KindKeeper     = "keeper"
)

// MaxSealed is the longest ciphertext that a seal may give, in bytes.
const MaxSealed = 16 << 10

// Sealed is what a seal made of a secret. All of it is public.
type Sealed struct {
	// KDF tells how a passphrase becomes a key; nil for other kinds.
	KDF *crypt.PasswordKDF `json:"kdf,omitempty"`
	// Ciphertext is opaque, 1 to [MaxSealed] bytes.
	Ciphertext []byte `json:"ciphertext"`
}

// Seal wraps and unwraps a short secret (under 200 bytes) with a key of its own. Implementations
// authenticate what they wrap, and may be used from several goroutines.
type Seal interface {
	// Kind is one of the kinds above.
	Kind() string
	// ID tells this seal from others of its kind. It is public, stored, logged, and at most 256
	// bytes of valid UTF-8.
	ID() string
	// Wrap encrypts. Each call gives another result. The plaintext stays the caller's.
	Wrap(ctx context.Context, plaintext secret.Bytes) (Sealed, error)
	// Unwrap decrypts what Wrap of the same seal gave; otherwise it returns [ErrWrong], or an
	// error of its own when it cannot tell, as when a service does not answer.
	Unwrap(ctx context.Context, s Sealed) (secret.Bytes, error)
}
