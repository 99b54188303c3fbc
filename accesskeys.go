package haven

import (
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// accessKeys seals the secrets of access keys under a key derived from the integrity key, which the
// root key wraps: so a rotation of the root key has nothing of theirs to wrap anew.
type accessKeys struct {
	key     *crypt.Key
	storeID gate.ID
	account string
}

const accessKeysLabel = "haven/access-keys/v1\x00"

// accessKeysID stands in what is sealed where the wrapping key's id stands otherwise.
const accessKeysID = "haven/credential"

func newAccessKeys(integrity secret.Bytes, storeID gate.ID, cfg *Config) (*accessKeys, error) {
	derived, err := crypt.Derive(integrity, accessKeysLabel)
	if err != nil {
		return nil, err
	}
	key, err := crypt.NewKey([16]byte([]byte(accessKeysID)), 1, derived, cfg.Random)
	return &accessKeys{key, storeID, cfg.Account}, err
}

func (k *accessKeys) binding(id string) blob.Binding {
	return blob.Binding{Store: k.storeID, Account: k.account, Purpose: "access key", ID: id, Version: 1}
}

// Seal implements identity.Secrets.
func (k *accessKeys) Seal(id string, plain secret.Bytes) ([]byte, error) {
	return k.key.Wrap(k.binding(id), plain)
}

// Open implements identity.Secrets.
func (k *accessKeys) Open(id string, sealed []byte) (secret.Bytes, error) {
	return k.key.Unwrap(k.binding(id), sealed)
}
