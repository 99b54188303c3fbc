package native

import (
	"encoding/base64"
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
		Algorithm  string            `json:"algorithm,omitzero"`
		Bytes      keys.Length       `json:"bytes,omitzero"`
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
		Algorithm  string   `json:"algorithm,omitzero"`
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
	return appendBatch(results)
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

// batchItem reads one item. Most begin with their op and have nothing wrong: they are read in one
// pass. Any other is read once more: its bytes first, to know where it ends, then by its operation.
func (s *scanner) batchItem() keys.BatchItem {
	start := s.i
	if item := s.opFirst(); s.fail == nil {
		return item
	}
	s.i, s.fail = start, nil
	raw := s.skip(maxDepth)
	if s.fail != nil {
		return keys.BatchItem{}
	}
	var item keys.BatchItem
	member := memberOf(&item, []byte(opOf(raw)))
	if member == nil {
		item.Err = gate.Errorf(gate.InvalidRequest, "an item is an object whose op is encrypt, decrypt or generate-data-key")
		return item
	}
	item.Err = request(raw, func(s *scanner, name string) {
		if name == "op" {
			s.text()
			return
		}
		member(s, name)
	})
	return item
}

// opFirst reads an item whose first member is its op.
func (s *scanner) opFirst() (item keys.BatchItem) {
	var member func(s *scanner, name string)
	s.object(func(name string) {
		if member != nil {
			member(s, name)
			return
		}
		if name == "op" {
			member = memberOf(&item, s.text())
		}
		if member == nil {
			s.wrong("an item that does not begin with its op")
		}
	})
	if member == nil {
		s.wrong("an item without op")
	}
	return item
}

// memberOf gives the item an empty request of the operation and returns how its members are read;
// nil for an operation that a batch does not have.
func memberOf(item *keys.BatchItem, op []byte) func(s *scanner, name string) {
	switch string(op) {
	case gate.Encrypt.Name:
		req := new(keys.EncryptRequest)
		item.Encrypt = req
		return func(s *scanner, name string) { s.encryptRequest(req, name) }
	case gate.Decrypt.Name:
		req := new(keys.DecryptRequest)
		item.Decrypt = req
		return func(s *scanner, name string) { s.decryptRequest(req, name) }
	case gate.GenerateDataKey.Name:
		req := new(keys.DataKeyRequest)
		item.DataKey = req
		return func(s *scanner, name string) { s.dataKeyRequest(req, name) }
	}
	return nil
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

func appendBatch(results []keys.BatchResult) ([]byte, error) {
	b := append(make([]byte, 0, answerSize(results)), `{"items":[`...)
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

// answerSize is about how long the answer gets, so that it is built in one piece of memory.
func answerSize(results []keys.BatchResult) int {
	size := 64
	for i := range results {
		n := 0
		switch r := &results[i]; {
		case r.Encrypt != nil:
			n = len(r.Encrypt.Ciphertext)
		case r.Decrypt != nil:
			n = len(r.Decrypt.Plaintext)
		case r.DataKey != nil:
			n = len(r.DataKey.Plaintext) + len(r.DataKey.Ciphertext)
		}
		size += base64.StdEncoding.EncodedLen(n) + 128
	}
	return size
}
