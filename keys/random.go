package keys

import (
	"context"
	"fmt"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/secret"
)

// RandomRequest asks for Bytes random bytes, 1 to MaxRandom; 0 takes 32.
type RandomRequest struct {
	Bytes int `json:"bytes,omitzero"`
}

// RandomAnswer is random bytes; Haven keeps none.
type RandomAnswer struct {
	Plaintext []byte `json:"plaintext"`
}

// GenerateRandom returns random bytes from the source that Haven's own keys come from.
func (m *Manager) GenerateRandom(ctx context.Context, c *gate.Call, req RandomRequest) (*RandomAnswer, error) {
	size := req.Bytes
	if size == 0 {
		size = 32
	}
	var out RandomAnswer
	err := m.gate.Do(ctx, c, gate.Request{Parameters: fmt.Sprintf("bytes=%d", size)}, func(gate.Approved) (gate.Outcome, error) {
		b, err := m.randomBytes(size)
		if err == nil {
			out.Plaintext = secret.Expose(b)
		}
		return gate.Outcome{}, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}
