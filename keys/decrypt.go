package keys

import (
	"context"
	"errors"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/lifecycle"
)

// DecryptRequest asks to decrypt what Encrypt, GenerateDataKey or GenerateDataKeyPair made for the
// same context. Key may be empty; if not, the ciphertext must be that key's. What was encrypted to
// an RSA key names none: then Key is required, and Algorithm unless it is the key's first.
type DecryptRequest struct {
	Key        string
	Ciphertext []byte
	Context    Context
	Algorithm  Algorithm
}

// DecryptAnswer is a plaintext and what it was encrypted under.
type DecryptAnswer struct {
	Plaintext []byte
	KeyID     gate.ID
	Version   uint32
}

// Decrypt decrypts with the version that the ciphertext names, or, of an RSA key, with the version
// named or any that can. Every failure of the ciphertext itself is one error; of an RSA key it says
// besides which versions were not asked.
func (m *Manager) Decrypt(ctx context.Context, c *gate.Call, req DecryptRequest) (*DecryptAnswer, error) {
	var out DecryptAnswer
	r, f, err := m.decrypt(ctx, &req, &out)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	if err := m.gate.Do(ctx, c, r, f); err != nil {
		return nil, err
	}
	return &out, nil
}

func (m *Manager) decrypt(ctx context.Context, req *DecryptRequest, out *DecryptAnswer) (gate.Request, gate.Function, error) {
	ref, err := req.reference()
	if err != nil {
		return gate.Request{}, nil, err
	}
	r := gate.Request{References: []gate.Reference{ref}, Asked: encrypting(req.Algorithm, req.Context)}
	return r, func(a gate.Approved) (gate.Outcome, error) {
		err := m.ring.decryptFrom(ctx, a, ref, req, out)
		return gate.Outcome{Version: out.Version}, err
	}, nil
}

// reference returns what a request names: the key that it says, and the version that the
// ciphertext does.
func (req *DecryptRequest) reference() (gate.Reference, error) {
	id, version, err := crypt.KeyOf(req.Ciphertext)
	switch {
	case req.Algorithm != "" && req.Algorithm != crypt.FormatV1:
		return gate.Reference{Text: req.Key}, nil // of an RSA key: it names none, whatever it looks like
	case err == nil:
		return gate.Reference{Text: req.Key, Key: id, Version: version}, nil
	case req.Key != "":
		return gate.Reference{Text: req.Key}, nil
	}
	return gate.Reference{}, invalidCiphertext()
}

// decryptFrom decrypts with the first target, which ref named.
func (r *Ring) decryptFrom(ctx context.Context, a gate.Approved, ref gate.Reference, req *DecryptRequest, out *DecryptAnswer) error {
	t := a.Target(0)
	if kind := targetKind(t); kind.Spec != SymmetricDefault {
		return r.decryptRSA(ctx, a, kind, req, out)
	}
	switch {
	case ref.Version == 0: // it is no ciphertext of ours
		return invalidCiphertext()
	case t.Key != ref.Key || t.Version != ref.Version:
		return gate.Errorf(gate.IncorrectKey, "the ciphertext was not made with the key named")
	}
	out.KeyID, out.Version = t.Key, t.Version
	err := use(ctx, r, a, t, func(k *crypt.Key) error {
		var err error
		out.Plaintext, err = k.Decrypt(req.Context, req.Ciphertext)
		return err
	})
	if errors.Is(err, crypt.ErrDecrypt) {
		err = invalidCiphertext()
	}
	return err
}

// fitsNothing is said of a ciphertext that names no version and has no context.
const fitsNothing = "the ciphertext cannot be decrypted with this key"

func (r *Ring) decryptRSA(ctx context.Context, a gate.Approved, kind Kind, req *DecryptRequest, out *DecryptAnswer) error {
	if req.Context.Len() > 0 {
		return noContext(a.Target(0).Key)
	}
	found, left, err := r.find(ctx, a, lifecycle.Process, func(t *gate.Target, _ bool) (bool, error) {
		err := use(ctx, r, a, t, func(k *crypt.OAEPKey) error {
			var err error
			out.Plaintext, err = k.Decrypt(kind.algorithm(req.Algorithm), req.Ciphertext)
			return err
		})
		if errors.Is(err, crypt.ErrDecrypt) {
			return false, nil
		}
		return err == nil, kind.wrongly(t.Key, err)
	})
	switch {
	case err != nil:
		return err
	case found == nil && left.any():
		return &gate.Error{Code: gate.InvalidCiphertext, Key: left.key, Reason: incomplete, Detail: fitsNothing + "; " + left.String()}
	case found == nil:
		return &gate.Error{Code: gate.InvalidCiphertext, Key: left.key, Detail: fitsNothing}
	}
	out.KeyID, out.Version = found.Key, found.Version
	return nil
}
