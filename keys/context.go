package keys

import (
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/blob"
)

// Context is an encryption context: what a message is encrypted for. It is authenticated, not
// encrypted, and recorded; the same must be given to decrypt. The zero value is the empty one.
type Context = blob.Context

// ContextOf makes a context of names and values, at most 8,192 bytes in all. It returns an error
// matching InvalidRequest.
func ContextOf(m map[string]string) (Context, error) {
	c, err := blob.ContextOf(m)
	if err != nil {
		return c, gate.Errorf(gate.InvalidRequest, "an encryption context is at most %d bytes", blob.MaxContext)
	}
	return c, nil
}

// recorded is a context as the record takes it: nothing where there is none.
func recorded(c Context) []byte {
	if c.Len() == 0 {
		return nil
	}
	return c.Encoded()
}
