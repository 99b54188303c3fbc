package seal

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// KeyFile is a seal that is a file with a key in clear, for starts without a person.
//
// It protects against whoever gets the store without the file: a stolen backup, a copied database,
// a disk that was returned – if the file is kept apart from those. It protects against nobody who
// can read the folder it is in, and in the folder of the store it protects that store from nobody
// who can read it. For more, use a passphrase or a keeper.
//
// The file is text of exactly four lines; the last is the CRC-32 (IEEE) of those before, against
// slips, not attackers:
//
//	haven-key-file/1
//	id: 00112233445566778899aabbccddeeff
//	key: (64 hexadecimal digits)
//	check: 0a1b2c3d
type KeyFile struct {
	id       [16]byte // random; tells which file a slot is for without telling the key
	material secret.Bytes
	random   io.Reader
}

const (
	keyFileID    = "haven-key-file/1\nid: "
	keyFileKey   = "\nkey: "
	keyFileCheck = "\ncheck: "

	idAt       = len(keyFileID)
	keyAt      = idAt + 2*16 + len(keyFileKey)
	checkAt    = keyAt + 2*crypt.KeySize + len(keyFileCheck)
	keyFileLen = checkAt + 2*crc32.Size + 1
)

// NewKeyFile makes a new key. It is in no file yet: see [KeyFile.Write]. It returns the error of
// the source of randomness.
func NewKeyFile(random io.Reader) (*KeyFile, error) {
	k := &KeyFile{random: random}
	if _, err := io.ReadFull(random, k.id[:]); err != nil {
		return nil, fmt.Errorf("seal: making a key file: %w", err)
	}
	var err error
	if k.material, err = crypt.GenerateKey(random); err != nil {
		return nil, fmt.Errorf("seal: making a key file: %w", err)
	}
	return k, nil
}

// ParseKeyFile reads the text of a key file: exactly what [KeyFile.Text] returns, or
// [ErrKeyFile]. The text stays the caller's to destroy.
func ParseKeyFile(text secret.Bytes, random io.Reader) (*KeyFile, error) {
	b := secret.Expose(text)
	if len(b) != keyFileLen {
		return nil, ErrKeyFile
	}
	k := &KeyFile{random: random}
	material := make([]byte, crypt.KeySize)
	// What is not hexadecimal, or anything else that is not as it should be, shows when the text
	// is made again: there is one text for each key file.
	_, _ = hex.Decode(k.id[:], b[idAt:idAt+2*len(k.id)])
	_, _ = hex.Decode(material, b[keyAt:keyAt+2*crypt.KeySize])
	k.material = secret.New(material)
	again := k.Text()
	defer again.Destroy()
	if !again.Equal(text) {
		k.Destroy()
		return nil, ErrKeyFile
	}
	return k, nil
}

// ReadKeyFile reads a key file. It returns [ErrExposed] when group or others have any right to it,
// [ErrKeyFile] when it is not a plain file or not a key file, or the error of the file system.
func ReadKeyFile(path string, random io.Reader) (*KeyFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	defer f.Close()
	// The open file is asked, not the path: it cannot be exchanged between question and reading.
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("seal: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: %w", path, ErrKeyFile)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s: %w", path, ErrExposed)
	}
	text, err := secret.Read(f, keyFileLen)
	if errors.Is(err, secret.ErrTooLong) {
		err = ErrKeyFile
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer text.Destroy()
	k, err := ParseKeyFile(text, random)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

// Write writes the key file, 0600, and makes it durable: to be done before a slot that needs it is
// stored. It never replaces a file, for a key file that is lost takes its slot with it; what a
// crash left half written [ReadKeyFile] refuses. It returns the error of the file system, matching
// [os.ErrExist] when there is a file already.
func (k *KeyFile) Write(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	text := k.Text()
	defer text.Destroy()
	_, err = f.Write(secret.Expose(text))
	// The mode again, for an umask may have taken rights away from the owner.
	if err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("seal: %w", errors.Join(err, os.Remove(path)))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Text returns the text of the file, with the key in clear.
func (k *KeyFile) Text() secret.Bytes {
	b := make([]byte, 0, keyFileLen)
	b = append(b, keyFileID...)
	b = hex.AppendEncode(b, k.id[:])
	b = append(b, keyFileKey...)
	b = hex.AppendEncode(b, secret.Expose(k.material))
	b = append(b, '\n')
	check := crc32.ChecksumIEEE(b)
	b = append(b, keyFileCheck[1:]...)
	b = fmt.Appendf(b, "%08x\n", check)
	return secret.New(b)
}

// Kind implements [Seal].
func (*KeyFile) Kind() string { return KindKeyFile }

// ID implements [Seal]: the file's id, in hexadecimal.
func (k *KeyFile) ID() string { return hex.EncodeToString(k.id[:]) }

// Destroy zeroes the key.
func (k *KeyFile) Destroy() { k.material.Destroy() }

// Wrap implements [Seal].
func (k *KeyFile) Wrap(_ context.Context, plaintext secret.Bytes) (Sealed, error) {
	ciphertext, err := encryptOnce(k.material.Clone(), k.id, plaintext, k.random)
	return Sealed{Ciphertext: ciphertext}, err
}

// Unwrap implements [Seal].
func (k *KeyFile) Unwrap(_ context.Context, s Sealed) (secret.Bytes, error) {
	return decryptOnce(k.material.Clone(), k.id, s.Ciphertext, k.random)
}
