package identity

import (
	"fmt"
	"io"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
)

// Manager manages principals, groups, credentials and policies: one method an operation, each in
// the file of its name. Every method takes the call that the gate began, and returns when its
// record is durable.
type Manager struct {
	gate      *gate.Gate
	directory *Directory
	random    io.Reader
}

// NewManager makes a manager over a directory whose gate is g.
func NewManager(g *gate.Gate, d *Directory, random io.Reader) *Manager {
	return &Manager{gate: g, directory: d, random: random}
}

// replay returns how an operation answers again for an idempotency key, from what it stored.
func replay[T any](answer *T) func([]byte) error {
	return func(stored []byte) error {
		var whole T // nothing of an earlier run shows through
		if err := json.Unmarshal(stored, &whole); err != nil {
			return fmt.Errorf("identity: a stored answer: %w", err)
		}
		*answer = whole
		return nil
	}
}
