package client

import (
	"context"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxBatch is the most items of a batch.
const MaxBatch = 1000

// The operations that may be items of a batch.
const (
	opEncrypt         = "encrypt"
	opDecrypt         = "decrypt"
	opGenerateDataKey = "generate-data-key"
)

// BatchItem is one item of a batch: exactly one of its requests is set.
type BatchItem struct {
	Encrypt         *EncryptRequest
	Decrypt         *DecryptRequest
	GenerateDataKey *GenerateDataKeyRequest
}

// BatchResult is the outcome of one item: the answer of its operation, or Err, a [*Error].
type BatchResult struct {
	Encrypt         *EncryptResponse
	Decrypt         *DecryptResponse
	GenerateDataKey *GenerateDataKeyResponse
	Err             error
}

// The items as they are sent: the operation's name beside the operation's own request.
type (
	batchRequest struct {
		Items []any `json:"items"`
	}
	encryptItem struct {
		Op string `json:"op"`
		*EncryptRequest
	}
	decryptItem struct {
		Op string `json:"op"`
		*DecryptRequest
	}
	dataKeyItem struct {
		Op string `json:"op"`
		*GenerateDataKeyRequest
	}
	batchAnswer struct {
		Items []jsontext.Value `json:"items"`
	}
)

// Batch does up to MaxBatch items in one call. The items are independent: one may fail, with its
// own Err, and the others not. Results are in the order of the items. The error is of the call as
// a whole.
func (c *Client) Batch(ctx context.Context, items []BatchItem) ([]BatchResult, error) {
	request := batchRequest{Items: make([]any, len(items))}
	for i, item := range items {
		wire, err := item.wire()
		if err != nil {
			return nil, fmt.Errorf("client: batch item %d: %w", i, err)
		}
		request.Items[i] = wire
	}
	answer, err := call[batchRequest, batchAnswer](ctx, c, operation{name: "batch"}, request)
	if err != nil {
		return nil, err
	}
	if len(answer.Items) != len(items) {
		return nil, unexpectedItem("another number of items than asked")
	}
	results := make([]BatchResult, len(items))
	for i, raw := range answer.Items {
		results[i] = items[i].result(raw)
	}
	return results, nil
}

func (b BatchItem) wire() (wire any, err error) {
	set := 0
	if b.Encrypt != nil {
		wire, set = encryptItem{opEncrypt, b.Encrypt}, set+1
	}
	if b.Decrypt != nil {
		wire, set = decryptItem{opDecrypt, b.Decrypt}, set+1
	}
	if b.GenerateDataKey != nil {
		wire, set = dataKeyItem{opGenerateDataKey, b.GenerateDataKey}, set+1
	}
	if set != 1 {
		return nil, fmt.Errorf("%d requests are set, want one", set)
	}
	return wire, nil
}

// result reads the answer to an item. Errors have no member in common with answers.
func (b BatchItem) result(raw jsontext.Value) (r BatchResult) {
	var failed struct {
		Error *problem `json:"error"`
	}
	if err := json.Unmarshal(raw, &failed); err != nil {
		return BatchResult{Err: unexpectedItem("an item is not an object")}
	}
	if p := failed.Error; p != nil {
		return BatchResult{Err: &Error{Operation: b.name(), Code: p.Code, Detail: p.Detail, DecisionID: p.DecisionID}}
	}
	var err error
	switch {
	case b.Encrypt != nil:
		r.Encrypt = new(EncryptResponse)
		err = json.Unmarshal(raw, r.Encrypt)
	case b.Decrypt != nil:
		r.Decrypt = new(DecryptResponse)
		err = json.Unmarshal(raw, r.Decrypt)
	default:
		r.GenerateDataKey = new(GenerateDataKeyResponse)
		err = json.Unmarshal(raw, r.GenerateDataKey)
	}
	if err != nil {
		return BatchResult{Err: unexpectedItem("an item is not its operation's JSON")}
	}
	return r
}

func (b BatchItem) name() string {
	switch {
	case b.Encrypt != nil:
		return opEncrypt
	case b.Decrypt != nil:
		return opDecrypt
	}
	return opGenerateDataKey
}

func unexpectedItem(detail string) *Error {
	return &Error{Operation: "batch", Code: UnexpectedAnswer, Status: http.StatusOK, Detail: detail}
}
