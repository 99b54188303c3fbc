package identity

import (
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"io"

	"github.com/haven-health/haven/internal/secret"
)

// Secrets seals the secrets of access keys, which must be known again to check a signature made with
// them. What is sealed for one id opens for that id alone.
type Secrets interface {
	// Seal encrypts a secret for the access key of an id.
	Seal(id string, plain secret.Bytes) ([]byte, error)
	// Open decrypts what Seal made for the id; the result is the caller's to destroy.
	Open(id string, sealed []byte) (secret.Bytes, error)
}

// Shapes of access keys are AWS's, so that its tools take them.
const (
	accessKeyPrefix = "AKIA"
	accessKeyIDLen  = len(accessKeyPrefix) + 16
	accessKeySecret = 40
)

// newAccessKey makes the id and the secret of an access key: 80 and 240 random bits.
func newAccessKey(random io.Reader) (id string, made secret.Bytes, err error) {
	var raw [10 + 30]byte
	defer clear(raw[:])
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		return "", secret.Bytes{}, fmt.Errorf("identity: access key: %w", err)
	}
	text := make([]byte, accessKeySecret)
	base64.StdEncoding.Encode(text, raw[10:])
	return accessKeyPrefix + base32.StdEncoding.EncodeToString(raw[:10]), secret.New(text), nil
}
