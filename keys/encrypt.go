package keys

import (
	"context"
	"errors"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
)

// EncryptRequest asks to encrypt up to MaxPlaintext bytes for a context. An RSA key takes as much
// as its size and algorithm allow (the first of its algorithms unless one is named) and no context.
type EncryptRequest struct {
	Key       string
	Plaintext []byte
	Context   Context
	Algorithm Algorithm
}

// EncryptAnswer is a ciphertext. That of a symmetric key names its key and version; that of an RSA
// key does not, and Algorithm is set.
type EncryptAnswer struct {
	Ciphertext []byte
	KeyID      gate.ID
	Version    uint32
	Algorithm  Algorithm
}

// Encrypt encrypts with the key's primary, or with the version named.
func (m *Manager) Encrypt(ctx context.Context, c *gate.Call, req EncryptRequest) (*EncryptAnswer, error) {
	var out EncryptAnswer
	err := m.gate.Do(ctx, c, req.about(), func(a gate.Approved) (gate.Outcome, error) {
		return gate.Outcome{}, m.encrypt(ctx, a, &req, &out)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// about is the gate's request.
func (req *EncryptRequest) about() gate.Request {
	return onKey(req.Key, encrypting(req.Algorithm, req.Context))
}

func (m *Manager) encrypt(ctx context.Context, a gate.Approved, req *EncryptRequest, out *EncryptAnswer) error {
	if n := len(req.Plaintext); n == 0 || n > MaxPlaintext {
		return gate.Errorf(gate.InvalidRequest, "plaintext is 1 to %d bytes; for more, encrypt under a data key", MaxPlaintext)
	}
	return m.ring.encryptTo(ctx, a, a.Target(0), req, out)
}

// encryptTo encrypts under the version that a target names.
func (r *Ring) encryptTo(ctx context.Context, a gate.Approved, t *gate.Target, req *EncryptRequest, out *EncryptAnswer) error {
	*out = EncryptAnswer{KeyID: t.Key, Version: t.Version}
	kind := targetKind(t)
	if kind.Spec != SymmetricDefault {
		return r.encryptRSA(t, kind, req, out)
	}
	if req.Algorithm != "" && req.Algorithm != crypt.FormatV1 {
		return kind.wrongly(t.Key, crypt.ErrAlgorithm)
	}
	return use(ctx, r, a, t, func(k *crypt.Key) error {
		var err error
		out.Ciphertext, err = k.Encrypt(req.Context, req.Plaintext)
		return err
	})
}

func (r *Ring) encryptRSA(t *gate.Target, kind Kind, req *EncryptRequest, out *EncryptAnswer) error {
	if req.Context.Len() > 0 {
		return noContext(t.Key)
	}
	public, err := r.public(t)
	if err != nil {
		return err
	}
	out.Algorithm = kind.algorithm(req.Algorithm)
	out.Ciphertext, err = public.Encrypt(r.cfg.Random, out.Algorithm, req.Plaintext)
	if errors.Is(err, crypt.ErrSize) {
		return gate.Errorf(gate.InvalidRequest, "that is more than key %s, %s, encrypts by %s; for more, use hpke-seal or a data key", t.Key, kind.Spec, out.Algorithm)
	}
	return kind.wrongly(t.Key, err)
}

func noContext(id gate.ID) error {
	return &gate.Error{Code: gate.InvalidRequest, Key: id, Detail: "an RSA key authenticates no encryption context; leave it out"}
}
