package seal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// minPassphrase is the least number of characters of a password that is the only factor (NIST SP
// 800-63B-4, 3.1.1.2).
const minPassphrase = 15

// Passphrase is a seal that people remember, or keep on paper. It protects as well as the
// passphrase is hard to guess: whoever has the store may guess offline, at some tenths of a second
// of one machine for each try. Six random words of a list of 7,776 are beyond that.
type Passphrase struct {
	phrase secret.Bytes
	random io.Reader
}

// NewPassphrase makes a seal of a passphrase and takes it over. It is used exactly as it is: no
// spaces are trimmed and no Unicode is normalised, so ASCII is wise. It returns [ErrPassphrase]
// when it has fewer than 15 characters or more than 1,024 bytes.
func NewPassphrase(phrase secret.Bytes, random io.Reader) (*Passphrase, error) {
	if utf8.RuneCount(secret.Expose(phrase)) < minPassphrase || phrase.Len() > crypt.MaxPassword {
		return nil, ErrPassphrase
	}
	return &Passphrase{phrase, random}, nil
}

// Kind implements [Seal].
func (*Passphrase) Kind() string { return KindPassphrase }

// ID implements [Seal]. It tells nothing of the passphrase, so all are alike.
func (*Passphrase) ID() string { return KindPassphrase }

// Destroy zeroes the passphrase.
func (p *Passphrase) Destroy() { p.phrase.Destroy() }

// Wrap implements [Seal], with a new salt and the costs that are chosen today.
func (p *Passphrase) Wrap(_ context.Context, plaintext secret.Bytes) (Sealed, error) {
	kdf, err := crypt.NewPasswordKDF(p.random)
	if err != nil {
		return Sealed{}, err
	}
	key, err := p.key(kdf)
	if err != nil {
		return Sealed{}, err
	}
	ciphertext, err := encryptOnce(key, [16]byte{}, plaintext, p.random)
	return Sealed{KDF: &kdf, Ciphertext: ciphertext}, err
}

// Unwrap implements [Seal]. It returns [ErrWrong] for a wrong passphrase, and
// [crypt.ErrUnsupported] in FIPS 140-3 mode for a slot that was made outside it.
func (p *Passphrase) Unwrap(_ context.Context, s Sealed) (secret.Bytes, error) {
	if s.KDF == nil {
		return secret.Bytes{}, ErrWrong
	}
	key, err := p.key(*s.KDF)
	if err != nil {
		return secret.Bytes{}, err
	}
	return decryptOnce(key, [16]byte{}, s.Ciphertext, p.random)
}

func (p *Passphrase) key(kdf crypt.PasswordKDF) (secret.Bytes, error) {
	key, err := kdf.Key(p.phrase)
	if err != nil {
		return secret.Bytes{}, fmt.Errorf("seal: deriving a key from the passphrase: %w", err)
	}
	return key, nil
}

// sealVersion is the version of a seal's own key: such a key is never rotated, the seal is.
const sealVersion = 1

// encryptOnce encrypts under a seal's key, which it takes over and destroys. No context is needed:
// a seal's key encrypts nothing but envelopes, which say what they are.
func encryptOnce(key secret.Bytes, id [16]byte, plaintext secret.Bytes, random io.Reader) ([]byte, error) {
	k, err := crypt.NewKey(id, sealVersion, key, random)
	if err != nil {
		return nil, err
	}
	defer k.Destroy()
	return k.Encrypt(blob.Context{}, secret.Expose(plaintext))
}

// decryptOnce is the reverse of encryptOnce; it returns [ErrWrong].
func decryptOnce(key secret.Bytes, id [16]byte, ciphertext []byte, random io.Reader) (secret.Bytes, error) {
	k, err := crypt.NewKey(id, sealVersion, key, random)
	if err != nil {
		return secret.Bytes{}, err
	}
	defer k.Destroy()
	plaintext, err := k.Decrypt(blob.Context{}, ciphertext)
	if errors.Is(err, crypt.ErrDecrypt) {
		err = ErrWrong
	}
	return secret.New(plaintext), err
}
