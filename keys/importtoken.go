package keys

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/lifecycle"
)

// importToken carries the private half of a one-time wrapping key, wrapped by what wraps the key that
// it is for, so that nothing is stored, nothing is left to clean up, and any node takes it after any
// restart. That it counts once is the key's own state's doing: it names a version and how often
// material came into that, and an import changes the one or the other in its commit. Whoever asked
// for it, store, account, spec and usage are part of what it is wrapped for.
type importToken struct {
	key      gate.ID
	version  uint32
	imports  uint32    // how often material came into the version before
	until    time.Time // in milliseconds
	spec     Spec      // of the wrapping key
	wrapping Algorithm // of the material

	wrapped crypt.Wrapped
}

// Layout: magic, format, spec, algorithm, key, version, imports, until; then what is wrapped. The
// numbers of specs and algorithms are their places here, from 1.
const (
	tokenMagic  = "HI"
	tokenFormat = 1
	tokenHead   = 2 + 1 + 1 + 1 + 16 + 4 + 4 + 8
	maxToken    = 6144 // bytes, as in AWS KMS
)

var (
	wrappingSpecs      = []Spec{crypt.RSA4096, crypt.RSA3072, crypt.RSA2048}
	wrappingAlgorithms = []Algorithm{crypt.OAEPWithSHA256, crypt.RSAAESKeyWrap}
)

// head is what stands before the wrapped key and is bound to it.
func (t *importToken) head() []byte {
	b := make([]byte, 0, tokenHead+len(t.wrapped))
	b = append(b, tokenMagic...)
	b = append(b, tokenFormat, byte(1+slices.Index(wrappingSpecs, t.spec)), byte(1+slices.Index(wrappingAlgorithms, t.wrapping)))
	b = append(b, t.key[:]...)
	b = binary.BigEndian.AppendUint32(b, t.version)
	b = binary.BigEndian.AppendUint32(b, t.imports)
	return binary.BigEndian.AppendUint64(b, uint64(t.until.UnixMilli()))
}

func (t *importToken) encode() []byte { return append(t.head(), t.wrapped...) }

// parseImportToken reads what encode gives, and nothing else; false for anything else.
func parseImportToken(b []byte) (t importToken, ok bool) {
	if len(b) <= tokenHead || len(b) > maxToken || string(b[:2]) != tokenMagic || b[2] != tokenFormat {
		return t, false
	}
	spec, algorithm := int(b[3])-1, int(b[4])-1
	if spec < 0 || spec >= len(wrappingSpecs) || algorithm < 0 || algorithm >= len(wrappingAlgorithms) {
		return t, false
	}
	t = importToken{
		key: gate.ID(b[5:21]), version: binary.BigEndian.Uint32(b[21:]), imports: binary.BigEndian.Uint32(b[25:]),
		until: time.UnixMilli(int64(binary.BigEndian.Uint64(b[29:]))),
		spec:  wrappingSpecs[spec], wrapping: wrappingAlgorithms[algorithm], wrapped: b[tokenHead:],
	}
	_, _, err := crypt.WrappingKeyOf(t.wrapped)
	return t, err == nil && t.version > 0
}

// tokenBinding says what a token is for.
func (r *Ring) tokenBinding(a gate.Approved, t *importToken, k Kind) blob.Binding {
	asked := a.Principal().ID
	return blob.Binding{
		Store: r.cfg.StoreID, Account: r.cfg.Place.Account, Purpose: "import token",
		ID: string(append(t.head(), asked[:]...)), Version: t.version, Spec: string(k.Spec), Usage: string(k.Usage),
	}
}

// sealToken puts the private wrapping key into the token.
func (r *Ring) sealToken(ctx context.Context, a gate.Approved, t *importToken, key *keyBody, private secret.Bytes) (by gate.ID, version uint32, err error) {
	t.wrapped, by, version, err = r.wrapFor(ctx, a, key.Master, r.tokenBinding(a, t, key.kind()), private)
	return by, version, err
}

// openToken returns the private wrapping key. What wraps it must be what wraps the key, and allowed
// to process: nothing is imported through a master version that was compromised.
func (r *Ring) openToken(ctx context.Context, a gate.Approved, t *importToken, key *keyBody) (*crypt.OAEPKey, error) {
	by, version, _ := crypt.WrappingKeyOf(t.wrapped)
	if by != key.Master {
		return nil, notImportable()
	}
	private, err := r.unwrapToken(ctx, a, t, r.tokenBinding(a, t, key.kind()), by, version)
	if err == crypt.ErrDecrypt {
		err = notImportable()
	}
	if err != nil {
		return nil, err
	}
	defer private.Destroy()
	return crypt.OpenOAEPKey(t.spec, private)
}

func (r *Ring) unwrapToken(ctx context.Context, a gate.Approved, t *importToken, b blob.Binding, by gate.ID, version uint32) (private secret.Bytes, err error) {
	if by == (gate.ID{}) {
		return r.cfg.Root.Unwrap(b, t.wrapped)
	}
	master, err := r.Resolve(ctx, a.Reading(), gate.Decrypt, gate.Reference{Key: by, Version: version})
	if err != nil {
		if isNotFound(err) || errors.Is(err, gate.InvalidCiphertext) { // of a reference that a ciphertext made
			err = notImportable()
		}
		return private, err
	}
	if err := master.Check(lifecycle.Process, a.Time()); err != nil {
		return private, err
	}
	err = use(ctx, r, a, &master, func(k *crypt.Key) error {
		private, err = k.Unwrap(b, t.wrapped)
		return err
	})
	return private, err
}
