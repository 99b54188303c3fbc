package keys

import (
	"context"
	"fmt"

	"github.com/haven-health/haven/gate"
)

// MaxBatch is the most items of one batch.
const MaxBatch = 1000

// BatchItem is one item of a batch: exactly one of its requests is set.
type BatchItem struct {
	Encrypt *EncryptRequest
	Decrypt *DecryptRequest
	DataKey *DataKeyRequest
	// Err is set for an item that could not be read; it leaves its record like any other.
	Err error
}

// BatchResult is the answer to one item: the answer of its operation, or Err.
type BatchResult struct {
	Encrypt *EncryptAnswer
	Decrypt *DecryptAnswer
	DataKey *DataKeyAnswer
	Err     error
}

// Batch does up to MaxBatch items and waits once for all their records. The items are independent
// and each needs its own permission; the batch itself leaves one record more, with their number.
func (m *Manager) Batch(ctx context.Context, c *gate.Call, items []BatchItem) ([]BatchResult, error) {
	if n := len(items); n == 0 || n > MaxBatch {
		return nil, m.gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "a batch has 1 to %d items", MaxBatch))
	}
	results := make([]BatchResult, len(items))
	work := make([]gate.Work, len(items)+1)
	for i := range items {
		work[i] = m.batchItem(ctx, c, i, &items[i], &results[i])
	}
	work[len(items)] = gate.Work{
		Call: c, Request: gate.Request{Parameters: fmt.Sprintf("items=%d", len(items))},
		Do: func(gate.Approved) (gate.Outcome, error) { return gate.Outcome{}, nil },
	}
	errs := m.gate.DoAll(ctx, work)
	if err := errs[len(items)]; err != nil {
		return nil, err
	}
	for i, err := range errs[:len(items)] {
		if err != nil {
			results[i] = BatchResult{Err: err}
		}
	}
	return results, nil
}

// batchItem prepares one item's way through the gate.
func (m *Manager) batchItem(ctx context.Context, c *gate.Call, i int, item *BatchItem, out *BatchResult) (w gate.Work) {
	switch {
	case item.Encrypt != nil && item.Err == nil:
		out.Encrypt = new(EncryptAnswer)
		w.Call = c.Item(gate.Encrypt, i)
		w.Request, w.Do = item.Encrypt.about(), func(a gate.Approved) (gate.Outcome, error) {
			return gate.Outcome{}, m.encrypt(ctx, a, item.Encrypt, out.Encrypt)
		}
	case item.Decrypt != nil && item.Err == nil:
		out.Decrypt = new(DecryptAnswer)
		w.Call = c.Item(gate.Decrypt, i)
		var err error
		if w.Request, w.Do, err = m.decrypt(ctx, item.Decrypt, out.Decrypt); err != nil {
			w.Do = fails(err)
		}
	case item.DataKey != nil && item.Err == nil:
		out.DataKey = new(DataKeyAnswer)
		w.Call = c.Item(gate.GenerateDataKey, i)
		w.Request, w.Do = m.dataKey(ctx, item.DataKey, out.DataKey)
	default:
		err := item.Err
		if err == nil {
			err = gate.Errorf(gate.InvalidRequest, "an item of a batch is encrypt, decrypt or generate-data-key")
		}
		w.Call = c.Item(gate.Batch, i)
		w.Do = fails(err)
	}
	return w
}

func fails(err error) gate.Function {
	return func(gate.Approved) (gate.Outcome, error) { return gate.Outcome{}, err }
}
