package crypt

import (
	"crypto/fips140"
	"crypto/pbkdf2"
	"crypto/sha256"
	"fmt"
	"io"

	"golang.org/x/crypto/argon2"

	"github.com/haven-health/haven/internal/secret"
)

// The password KDFs.
const (
	Argon2id = "argon2id"           // RFC 9106
	PBKDF2   = "pbkdf2-hmac-sha256" // SP 800-132; the one that FIPS 140-3 approves of
)

// MaxPassword is the longest password, in bytes.
const MaxPassword = 1024

const passwordSaltLen = 16 // RFC 9106 recommends it, FIPS 140-3 mode requires it

// PasswordKDF is how a key is derived from a password: an algorithm and its cost. It is public and
// stored beside what the key encrypts, and it is not to be trusted when read back: [PasswordKDF.Key]
// refuses a cost below what [NewPasswordKDF] chooses, and one that would exhaust the machine.
type PasswordKDF struct {
	Algorithm string `json:"algorithm"`
	Salt      []byte `json:"salt"`
	// MemoryKiB, Passes and Lanes are Argon2id's m, t and p.
	MemoryKiB uint32 `json:"memory_kib,omitempty"`
	Passes    uint32 `json:"passes,omitempty"`
	Lanes     uint8  `json:"lanes,omitempty"`
	// Iterations is PBKDF2's.
	Iterations uint32 `json:"iterations,omitempty"`
}

// Bounds of the costs. The lower ones are RFC 9106's second recommended option (section 4) and
// OWASP's figure for PBKDF2-HMAC-SHA-256; the upper ones are some ten seconds of work and 1 GiB.
const (
	minMemoryKiB, maxMemoryKiB   = 64 << 10, 1 << 20
	minPasses, maxPasses         = 3, 16
	minLanes, maxLanes           = 4, 16
	minIterations, maxIterations = 600_000, 20_000_000
)

// NewPasswordKDF chooses the algorithm, Argon2id or under FIPS 140-3 mode PBKDF2, at its least
// allowed cost, and a salt from random. It returns the reader's error.
func NewPasswordKDF(random io.Reader) (PasswordKDF, error) {
	p := leastPasswordKDF(fips140.Enabled())
	p.Salt = make([]byte, passwordSaltLen)
	if _, err := io.ReadFull(random, p.Salt); err != nil {
		return PasswordKDF{}, fmt.Errorf("crypt: making a salt: %w", err)
	}
	return p, nil
}

func leastPasswordKDF(approved bool) PasswordKDF {
	if approved {
		return PasswordKDF{Algorithm: PBKDF2, Iterations: minIterations}
	}
	return PasswordKDF{Algorithm: Argon2id, MemoryKiB: minMemoryKiB, Passes: minPasses, Lanes: minLanes}
}

// Check returns [ErrParameters] when the algorithm is unknown, a cost is out of bounds, or one is
// set that the algorithm does not have; [ErrUnsupported] for Argon2id under FIPS 140-3 mode.
func (p PasswordKDF) Check() error { return p.check(fips140.Enabled()) }

func (p PasswordKDF) check(approved bool) error {
	ok := len(p.Salt) == passwordSaltLen
	switch p.Algorithm {
	case Argon2id:
		ok = ok && p.Iterations == 0 && within(p.MemoryKiB, minMemoryKiB, maxMemoryKiB) &&
			within(p.Passes, minPasses, maxPasses) && within(uint32(p.Lanes), minLanes, maxLanes)
		if ok && approved {
			return ErrUnsupported
		}
	case PBKDF2:
		ok = ok && p.MemoryKiB == 0 && p.Passes == 0 && p.Lanes == 0 &&
			within(p.Iterations, minIterations, maxIterations)
	default:
		ok = false
	}
	if !ok {
		return ErrParameters
	}
	return nil
}

func within(v, low, high uint32) bool { return low <= v && v <= high }

// Key derives a key of [KeySize] bytes from a password of 1 to [MaxPassword] bytes, taken exactly
// as they are. It takes some tenths of a second, and 64 MiB for Argon2id, on purpose. It returns
// [ErrSize] or what [PasswordKDF.Check] does.
func (p PasswordKDF) Key(password secret.Bytes) (secret.Bytes, error) {
	if err := p.Check(); err != nil {
		return secret.Bytes{}, err
	}
	if password.Len() == 0 || password.Len() > MaxPassword {
		return secret.Bytes{}, ErrSize
	}
	if p.Algorithm == Argon2id {
		return secret.New(argon2.IDKey(secret.Expose(password), p.Salt, p.Passes, p.MemoryKiB, p.Lanes, KeySize)), nil
	}
	// The string is a copy that cannot be zeroed: the standard library takes nothing else.
	key, err := pbkdf2.Key(sha256.New, string(secret.Expose(password)), p.Salt, int(p.Iterations), KeySize)
	return secret.New(key), err
}
