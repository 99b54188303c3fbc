package native

import (
	"strconv"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
)

// Bodies of what signs and makes MACs, as OpenAPI describes them.
type (
	// SignBody asks to sign one of message, digest and external_mu.
	SignBody struct {
		Key        string `json:"key"`
		Message    []byte `json:"message,omitzero"`
		Digest     []byte `json:"digest,omitzero"`
		ExternalMu []byte `json:"external_mu,omitzero"`
		Algorithm  string `json:"algorithm,omitzero"`
	}
	// SignedBody answers sign.
	SignedBody struct {
		Signature []byte `json:"signature"`
		Algorithm string `json:"algorithm"`
		KeyID     string `json:"key_id"`
		Version   uint32 `json:"version"`
	}
	// VerifyBody asks whether a signature is valid.
	VerifyBody struct {
		Key        string `json:"key"`
		Message    []byte `json:"message,omitzero"`
		Digest     []byte `json:"digest,omitzero"`
		ExternalMu []byte `json:"external_mu,omitzero"`
		Signature  []byte `json:"signature"`
		Algorithm  string `json:"algorithm,omitzero"`
	}
	// VerifiedBody answers verify and verify-mac. Version is absent when the key has none that
	// could have been meant.
	VerifiedBody struct {
		Valid   bool   `json:"valid"`
		Reason  string `json:"reason,omitzero"`
		KeyID   string `json:"key_id"`
		Version uint32 `json:"version,omitzero"`
	}
	// MACBody asks for a MAC.
	MACBody struct {
		Key       string `json:"key"`
		Message   []byte `json:"message"`
		Algorithm string `json:"algorithm,omitzero"`
	}
	// MACAnswerBody answers generate-mac.
	MACAnswerBody struct {
		MAC       []byte `json:"mac"`
		Algorithm string `json:"algorithm"`
		KeyID     string `json:"key_id"`
		Version   uint32 `json:"version"`
	}
	// VerifyMACBody asks whether a MAC is valid.
	VerifyMACBody struct {
		Key       string `json:"key"`
		Message   []byte `json:"message"`
		MAC       []byte `json:"mac"`
		Algorithm string `json:"algorithm,omitzero"`
	}
)

func (s *scanner) signRequest(r *keys.SignRequest, name string) {
	switch name {
	case "key":
		r.Key = string(s.text())
	case "message":
		r.Message = s.binary()
	case "digest":
		r.Digest = s.binary()
	case "external_mu":
		r.ExternalMu = s.binary()
	case "algorithm":
		r.Algorithm = s.algorithm()
	default:
		s.unknown()
	}
}

func (s *scanner) verifyRequest(r *keys.VerifyRequest, name string) {
	switch name {
	case "key":
		r.Key = string(s.text())
	case "message":
		r.Message = s.binary()
	case "digest":
		r.Digest = s.binary()
	case "external_mu":
		r.ExternalMu = s.binary()
	case "signature":
		r.Signature = s.binary()
	case "algorithm":
		r.Algorithm = s.algorithm()
	default:
		s.unknown()
	}
}

func (s *scanner) macRequest(r *keys.MACRequest, name string) {
	switch name {
	case "key":
		r.Key = string(s.text())
	case "message":
		r.Message = s.binary()
	case "algorithm":
		r.Algorithm = s.algorithm()
	default:
		s.unknown()
	}
}

func (s *scanner) verifyMACRequest(r *keys.VerifyMACRequest, name string) {
	switch name {
	case "key":
		r.Key = string(s.text())
	case "message":
		r.Message = s.binary()
	case "mac":
		r.MAC = s.binary()
	case "algorithm":
		r.Algorithm = s.algorithm()
	default:
		s.unknown()
	}
}

func (x *exchange) sign() ([]byte, error) {
	var req keys.SignRequest
	if err := request(x.body, func(s *scanner, name string) { s.signRequest(&req, name) }); err != nil {
		return nil, x.refuse(err)
	}
	a, err := x.h.cfg.Keys.Sign(x.r.Context(), x.call, req)
	if err != nil {
		return nil, err
	}
	b := appendBinary(append(grow(nil, len(a.Signature)), `{"signature":`...), a.Signature)
	return appendKey(appendAlgorithm(b, a.Algorithm), a.KeyID, a.Version), nil
}

func (x *exchange) verify() ([]byte, error) {
	var req keys.VerifyRequest
	if err := request(x.body, func(s *scanner, name string) { s.verifyRequest(&req, name) }); err != nil {
		return nil, x.refuse(err)
	}
	a, err := x.h.cfg.Keys.Verify(x.r.Context(), x.call, req)
	if err != nil {
		return nil, err
	}
	return appendVerified(nil, a.Valid, a.Reason, a.KeyID, a.Version), nil
}

func (x *exchange) generateMAC() ([]byte, error) {
	var req keys.MACRequest
	if err := request(x.body, func(s *scanner, name string) { s.macRequest(&req, name) }); err != nil {
		return nil, x.refuse(err)
	}
	a, err := x.h.cfg.Keys.GenerateMAC(x.r.Context(), x.call, req)
	if err != nil {
		return nil, err
	}
	b := appendBinary(append(grow(nil, len(a.MAC)), `{"mac":`...), a.MAC)
	return appendKey(appendAlgorithm(b, a.Algorithm), a.KeyID, a.Version), nil
}

func (x *exchange) verifyMAC() ([]byte, error) {
	var req keys.VerifyMACRequest
	if err := request(x.body, func(s *scanner, name string) { s.verifyMACRequest(&req, name) }); err != nil {
		return nil, x.refuse(err)
	}
	a, err := x.h.cfg.Keys.VerifyMAC(x.r.Context(), x.call, req)
	if err != nil {
		return nil, err
	}
	return appendVerified(nil, a.Valid, a.Reason, a.KeyID, a.Version), nil
}

func appendVerified(b []byte, valid bool, reason string, id gate.ID, version uint32) []byte {
	b = strconv.AppendBool(append(b, `{"valid":`...), valid)
	if reason != "" {
		b = append(append(append(b, `,"reason":"`...), reason...), '"')
	}
	if version == 0 {
		return append(id.Append(append(b, `,"key_id":"`...)), `"}`...)
	}
	return appendKey(b, id, version)
}

// appendAlgorithm appends a name of the table's, which needs no escapes.
func appendAlgorithm(b []byte, a keys.Algorithm) []byte {
	if a == "" {
		return b
	}
	return append(append(append(b, `,"algorithm":"`...), a...), '"')
}
