package native

import (
	"errors"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
)

// Bodies of batch.
type (
	// BatchBody asks for up to 1,000 items, each its operation's own request and "op", its name.
	BatchBody struct {
		Items []BatchItemBody `json:"items"`
	}
	// BatchItemBody is one item: the members that its operation takes, and no other.
	BatchItemBody struct {
		Op         string            `json:"op"`
		Key        string            `json:"key,omitzero"`
		Plaintext  any               `json:"plaintext,omitzero"`
		Ciphertext []byte            `json:"ciphertext,omitzero"`
		Bytes      int               `json:"bytes,omitzero"`
		Context    map[string]string `json:"context,omitzero"`
	}
	// BatchAnswerBody answers in the order of the items.
	BatchAnswerBody struct {
		Items []BatchAnswerItem `json:"items"`
	}
	// BatchAnswerItem is the answer to one item: its operation's own, or error.
	BatchAnswerItem struct {
		Plaintext  []byte   `json:"plaintext,omitzero"`
		Ciphertext []byte   `json:"ciphertext,omitzero"`
		KeyID      string   `json:"key_id,omitzero"`
		Version    uint32   `json:"version,omitzero"`
		Error      *Problem `json:"error,omitzero"`
	}
)

// maxDepth is how deep an item of an operation that the batch does not know may be nested.
const maxDepth = 8

func (x *exchange) batch() ([]byte, error) {
	items, err := readBatch(x.body)
	if err != nil {
		return nil, x.refuse(err)
	}
	results, err := x.h.cfg.Keys.Batch(x.r.Context(), x.call, items)
	if err != nil {
		return nil, err
	}
	return appendBatch(make([]byte, 0, 256*len(results)), results)
}

// readBatch reads a batch. An item that cannot be read is that item's error; a body that is not a
// batch is the batch's.
func readBatch(body []byte) ([]keys.BatchItem, error) {
	var items []keys.BatchItem
	err := request(body, func(s *scanner, name string) {
		if name != "items" {
			s.unknown()
			return
		}
		s.array(func() {
			if len(items) > keys.MaxBatch {
				s.wrong("too many items")
				return
			}
			items = append(items, s.batchItem())
		})
	})
	return items, err
}

// batchItem reads one item: its bytes first, to know where it ends, then by its operation.
func (s *scanner) batchItem() (item keys.BatchItem) {
	raw := s.skip(maxDepth)
	if s.fail != nil {
		return item
	}
	op := opOf(raw)
	item.Err = request(raw, func(s *scanner, name string) {
		switch {
		case name == "op":
			s.text()
		case op == gate.Encrypt.Name:
			if item.Encrypt == nil {
				item.Encrypt = new(keys.EncryptRequest)
			}
			s.encryptRequest(item.Encrypt, name)
		case op == gate.Decrypt.Name:
			if item.Decrypt == nil {
				item.Decrypt = new(keys.DecryptRequest)
			}
			s.decryptRequest(item.Decrypt, name)
		case op == gate.GenerateDataKey.Name:
			if item.DataKey == nil {
				item.DataKey = new(keys.DataKeyRequest)
			}
			s.dataKeyRequest(item.DataKey, name)
		default:
			s.fail = gate.Errorf(gate.InvalidRequest, "op is encrypt, decrypt or generate-data-key")
		}
	})
	return item
}

// opOf finds an item's operation, which may stand anywhere in it.
func opOf(raw []byte) (op string) {
	s := &scanner{b: raw}
	s.object(func(name string) {
		if name == "op" && s.peek() == '"' {
			op = string(s.text())
			return
		}
		s.skip(maxDepth)
	})
	return op
}

func appendBatch(b []byte, results []keys.BatchResult) ([]byte, error) {
	b = append(b, `{"items":[`...)
	for i := range results {
		if i > 0 {
			b = append(b, ',')
		}
		switch r := &results[i]; {
		case r.Err != nil:
			var e *gate.Error
			if !errors.As(r.Err, &e) {
				e = gate.Errorf(gate.Internal, "Haven failed")
			}
			encoded, err := json.Marshal(asProblem("", statusOf(e.Code), e))
			if err != nil {
				return nil, err
			}
			b = append(append(append(b, `{"error":`...), encoded...), '}')
		case r.Encrypt != nil:
			b = appendEncrypted(b, r.Encrypt)
		case r.Decrypt != nil:
			b = appendDecrypted(b, r.Decrypt)
		case r.DataKey != nil:
			b = appendDataKey(b, r.DataKey)
		}
	}
	return append(b, "]}"...), nil
}
