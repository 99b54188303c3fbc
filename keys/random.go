package keys

import (
	"context"
	"fmt"
	"strconv"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/secret"
)

// Length is how many bytes a request asks for, 1 to MaxRandom. The zero Length takes 32; in JSON
// that is an absent field, and 0 there is refused: who asks for no bytes must not be given some.
type Length int

// UnmarshalJSON implements json.Unmarshaler: a whole number from 1.
func (l *Length) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseUint(string(b), 10, 31)
	if err != nil || n == 0 {
		return l.refused()
	}
	*l = Length(n)
	return nil
}

func (Length) refused() error { return gate.Errorf(gate.InvalidRequest, "bytes is 1 to %d", MaxRandom) }

// or32 is the length asked for, 32 if none was.
func (l Length) or32() int {
	if l == 0 {
		return 32
	}
	return int(l)
}

// RandomRequest asks for Bytes random bytes.
type RandomRequest struct {
	Bytes Length `json:"bytes,omitzero"`
}

// RandomAnswer is random bytes; Haven keeps none.
type RandomAnswer struct {
	Plaintext []byte `json:"plaintext"`
}

// GenerateRandom returns random bytes from the source that Haven's own keys come from.
func (m *Manager) GenerateRandom(ctx context.Context, c *gate.Call, req RandomRequest) (*RandomAnswer, error) {
	size := req.Bytes.or32()
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
