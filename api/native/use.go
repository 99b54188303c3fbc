package native

import (
	"encoding/base64"
	"strconv"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/keys"
)

// Bodies of the hot operations, as OpenAPI describes them. The codecs below read and write exactly
// these.
type (
	// EncryptBody asks to encrypt.
	EncryptBody struct {
		Key       string            `json:"key"`
		Plaintext []byte            `json:"plaintext"`
		Context   map[string]string `json:"context,omitzero"`
		Algorithm string            `json:"algorithm,omitzero"`
	}
	// EncryptedBody answers encrypt.
	EncryptedBody struct {
		Ciphertext []byte `json:"ciphertext"`
		Algorithm  string `json:"algorithm,omitzero"`
		KeyID      string `json:"key_id"`
		Version    uint32 `json:"version"`
	}
	// DecryptBody asks to decrypt; Key, if given, must be the ciphertext's.
	DecryptBody struct {
		Key        string            `json:"key,omitzero"`
		Ciphertext []byte            `json:"ciphertext"`
		Context    map[string]string `json:"context,omitzero"`
		Algorithm  string            `json:"algorithm,omitzero"`
	}
	// DecryptedBody answers decrypt.
	DecryptedBody struct {
		Plaintext []byte `json:"plaintext"`
		KeyID     string `json:"key_id"`
		Version   uint32 `json:"version"`
	}
	// DataKeyBody asks for a data key of Bytes bytes, 32 if absent; Plaintext false leaves the
	// plain one out.
	DataKeyBody struct {
		Key       string            `json:"key"`
		Bytes     keys.Length       `json:"bytes,omitzero"`
		Plaintext *bool             `json:"plaintext,omitzero"`
		Context   map[string]string `json:"context,omitzero"`
	}
	// DataKeyAnswerBody answers generate-data-key.
	DataKeyAnswerBody struct {
		Plaintext  []byte `json:"plaintext,omitzero"`
		Ciphertext []byte `json:"ciphertext"`
		KeyID      string `json:"key_id"`
		Version    uint32 `json:"version"`
	}
)

// encryptionContext reads a context.
func (s *scanner) encryptionContext() blob.Context {
	var first [4]blob.Pair
	pairs := first[:0]
	s.object(func(name string) {
		pairs = append(pairs, blob.Pair{Key: name, Value: string(s.text())})
	})
	c, err := blob.NewContext(pairs)
	if err != nil && s.fail == nil {
		s.fail = gate.Errorf(gate.InvalidRequest, "an encryption context is at most %d bytes", blob.MaxContext)
	}
	return c
}

// algorithm reads the name of an algorithm; which there are, the key says.
func (s *scanner) algorithm() keys.Algorithm { return keys.Algorithm(s.text()) }

func (s *scanner) unknown() {
	s.wrong("a member that the operation does not know")
}

func (s *scanner) encryptRequest(r *keys.EncryptRequest, name string) {
	switch name {
	case "key":
		r.Key = string(s.text())
	case "plaintext":
		r.Plaintext = s.binary()
	case "context":
		r.Context = s.encryptionContext()
	case "algorithm":
		r.Algorithm = s.algorithm()
	default:
		s.unknown()
	}
}

func (s *scanner) decryptRequest(r *keys.DecryptRequest, name string) {
	switch name {
	case "key":
		r.Key = string(s.text())
	case "ciphertext":
		r.Ciphertext = s.binary()
	case "context":
		r.Context = s.encryptionContext()
	case "algorithm":
		r.Algorithm = s.algorithm()
	default:
		s.unknown()
	}
}

func (s *scanner) dataKeyRequest(r *keys.DataKeyRequest, name string) {
	switch name {
	case "key":
		r.Key = string(s.text())
	case "bytes":
		if r.Bytes = keys.Length(s.integer()); r.Bytes == 0 { // which means 32 where nothing is said
			s.wrong("expected a whole number from 1")
		}
	case "plaintext":
		r.WithoutPlaintext = !s.boolean()
	case "context":
		r.Context = s.encryptionContext()
	default:
		s.unknown()
	}
}

// request reads a whole body by member. None of them may be null: what is not meant is left out,
// and an encryption context that a program lost is not the empty one.
func request(body []byte, member func(s *scanner, name string)) error {
	s := &scanner{b: body}
	s.object(func(name string) { member(s, name) })
	return s.end()
}

func (x *exchange) encrypt() ([]byte, error) {
	var req keys.EncryptRequest
	if err := request(x.body, func(s *scanner, name string) { s.encryptRequest(&req, name) }); err != nil {
		return nil, x.refuse(err)
	}
	a, err := x.h.cfg.Keys.Encrypt(x.r.Context(), x.call, req)
	if err != nil {
		return nil, err
	}
	return appendEncrypted(nil, a), nil
}

func (x *exchange) decrypt() ([]byte, error) {
	var req keys.DecryptRequest
	if err := request(x.body, func(s *scanner, name string) { s.decryptRequest(&req, name) }); err != nil {
		return nil, x.refuse(err)
	}
	a, err := x.h.cfg.Keys.Decrypt(x.r.Context(), x.call, req)
	if err != nil {
		return nil, err
	}
	return appendDecrypted(nil, a), nil
}

func (x *exchange) dataKey() ([]byte, error) {
	var req keys.DataKeyRequest
	if err := request(x.body, func(s *scanner, name string) { s.dataKeyRequest(&req, name) }); err != nil {
		return nil, x.refuse(err)
	}
	a, err := x.h.cfg.Keys.GenerateDataKey(x.r.Context(), x.call, req)
	if err != nil {
		return nil, err
	}
	return appendDataKey(nil, a), nil
}

func appendEncrypted(b []byte, a *keys.EncryptAnswer) []byte {
	b = grow(b, len(a.Ciphertext))
	b = appendBinary(append(b, `{"ciphertext":`...), a.Ciphertext)
	b = appendAlgorithm(b, a.Algorithm)
	return appendKey(b, a.KeyID, a.Version)
}

func appendDecrypted(b []byte, a *keys.DecryptAnswer) []byte {
	b = grow(b, len(a.Plaintext))
	b = appendBinary(append(b, `{"plaintext":`...), a.Plaintext)
	return appendKey(b, a.KeyID, a.Version)
}

func appendDataKey(b []byte, a *keys.DataKeyAnswer) []byte {
	b = grow(b, len(a.Plaintext)+len(a.Ciphertext))
	b = append(b, '{')
	if a.Plaintext != nil {
		b = append(appendBinary(append(b, `"plaintext":`...), a.Plaintext), ',')
	}
	b = appendBinary(append(b, `"ciphertext":`...), a.Ciphertext)
	return appendKey(b, a.KeyID, a.Version)
}

// grow makes room for an answer with n binary bytes, so that it is built in one allocation.
func grow(b []byte, n int) []byte {
	if b != nil {
		return b
	}
	return make([]byte, 0, base64.StdEncoding.EncodedLen(n)+128)
}

func appendBinary(b, binary []byte) []byte {
	b = append(b, '"')
	b = base64.StdEncoding.AppendEncode(b, binary)
	return append(b, '"')
}

func appendKey(b []byte, id gate.ID, version uint32) []byte {
	b = append(b, `,"key_id":"`...)
	b = id.Append(b)
	b = append(b, `","version":`...)
	b = strconv.AppendUint(b, uint64(version), 10)
	return append(b, '}')
}
