package keys

import (
	"context"
	"errors"
	"slices"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
)

// SignRequest asks to sign one of: Message, 1 to MaxMessage bytes; Digest, its hash by the hash
// function of the algorithm; ExternalMu, its 64-byte representative µ for ML-DSA (FIPS 204). For
// Algorithm "" is the first of the key's.
type SignRequest struct {
	Key        string
	Message    []byte
	Digest     []byte
	ExternalMu []byte
	Algorithm  Algorithm
}

// SignAnswer is a signature: DER for ECDSA, else the bytes of the algorithm's standard.
type SignAnswer struct {
	Signature []byte
	Algorithm Algorithm
	KeyID     gate.ID
	Version   uint32
}

// Sign signs with the key's primary, or with the version named.
func (m *Manager) Sign(ctx context.Context, c *gate.Call, req SignRequest) (*SignAnswer, error) {
	kind, message, err := messageOf(req.Message, req.Digest, req.ExternalMu)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out SignAnswer
	r := gate.Request{References: []gate.Reference{{Text: req.Key}}, Asked: signing(req.Algorithm, kind)}
	err = m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		t := a.Target(0)
		of := targetKind(t)
		out = SignAnswer{Algorithm: of.algorithm(req.Algorithm), KeyID: t.Key, Version: t.Version}
		err := use(ctx, m.ring, a, t, func(k *crypt.SigningKey) error {
			var err error
			out.Signature, err = k.Sign(out.Algorithm, kind, message)
			return err
		})
		if err != nil {
			return gate.Outcome{}, of.unsigned(t.Key, out.Algorithm, kind, err)
		}
		return gate.Outcome{Parameters: "algorithm=" + string(out.Algorithm)}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// messageOf returns the one form of message that was given.
func messageOf(message, digest, mu []byte) (kind crypt.MessageType, b []byte, err error) {
	given := 0
	for _, form := range []struct {
		kind  crypt.MessageType
		bytes []byte
	}{{crypt.Raw, message}, {crypt.Digest, digest}, {crypt.ExternalMu, mu}} {
		if form.bytes != nil {
			kind, b = form.kind, form.bytes
			given++
		}
	}
	if given != 1 || len(b) == 0 || len(b) > MaxMessage {
		return "", nil, gate.Errorf(gate.InvalidRequest, "give one of message (1 to %d bytes), digest or external_mu; of what is longer, the digest", MaxMessage)
	}
	return kind, b, nil
}

// unsigned makes the answer to what could not be signed or verified.
func (k Kind) unsigned(id gate.ID, a Algorithm, form crypt.MessageType, err error) error {
	wrong := func(code gate.Code, detail string) error { return &gate.Error{Code: code, Key: id, Detail: detail} }
	switch {
	case errors.Is(err, crypt.ErrSize) && form == crypt.ExternalMu:
		return wrong(gate.InvalidRequest, "external_mu, the representative µ of a message, is 64 bytes")
	case errors.Is(err, crypt.ErrSize):
		return wrong(gate.InvalidRequest, "the digest is not as long as that of "+string(a))
	case errors.Is(err, crypt.ErrAlgorithm) && slices.Contains(k.algorithms(), a):
		return wrong(gate.InvalidKeyUsage, string(a)+" does not take "+formNames[form]+" here; docs/algorithms.md tells what it signs and what it verifies")
	}
	return k.wrongly(id, err)
}

// formNames are the forms of a message as requests name them.
var formNames = map[crypt.MessageType]string{crypt.Raw: "message", crypt.Digest: "digest", crypt.ExternalMu: "external_mu"}
