package vault

import (
	"encoding/pem"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// What passwords and ARNs are made of.
const (
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	digits  = "0123456789"
	// marks can be typed on every keyboard, and need no quoting in a shell, a URL or JSON.
	marks = "-_.~"
)

// passwordLen is how long a generated password is: with 66 characters to choose from, 193 bits.
const passwordLen = 32

// pairs are the specs of key pairs that are generated, as PEM of PKCS #8; secrets those of random bytes.
var (
	pairs   = []string{"RSA_2048", "RSA_3072", "RSA_4096", "ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_NIST_EDWARDS25519"}
	secrets = map[string]int{"AES_128": 16, "AES_256": 32, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
)

// Generators lists what StoreKey generates: password, random bytes by the algorithm that they are for, and
// private keys.
func Generators() []string {
	out := append([]string{"password"}, pairs...)
	for name := range secrets {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// generate makes a value. A private key comes from the standard library's source of randomness: that alone
// is the service that FIPS 140-3 approves.
func (m *Manager) generate(what string) (value, error) {
	if what == "password" {
		text, err := m.characters(passwordLen, letters+digits+marks)
		return value{secret.New([]byte(text)), true}, err
	}
	if n := secrets[what]; n > 0 {
		b, err := secret.Random(m.cfg.Random, n)
		if err != nil {
			return value{}, fmt.Errorf("vault: randomness: %w", err)
		}
		return value{b, false}, nil
	}
	if !slices.Contains(pairs, what) {
		return value{}, gate.Errorf(gate.InvalidRequest, "generate is one of %s", strings.Join(Generators(), ", "))
	}
	material, err := crypt.GenerateMaterial(crypt.Spec(what), m.cfg.Random)
	if err != nil {
		return value{}, gate.Errorf(gate.Unsupported, "%s cannot be generated here", what)
	}
	defer material.Destroy()
	return value{secret.New(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret.Expose(material)})), true}, nil
}

// characters draws n characters, each as likely as the others.
func (m *Manager) characters(n int, from string) (string, error) {
	out := make([]byte, 0, n)
	limit := 256 - 256%len(from)
	for b := make([]byte, 1); len(out) < n; {
		if _, err := io.ReadFull(m.cfg.Random, b); err != nil {
			return "", fmt.Errorf("vault: randomness: %w", err)
		}
		if int(b[0]) < limit {
			out = append(out, from[int(b[0])%len(from)])
		}
	}
	return string(out), nil
}
