package haven

import (
	"context"

	"github.com/haven-health/haven/gate"
)

// Pin pins the journal's end as a server at work does each minute.
func (s *System) Pin(ctx context.Context) error { return s.pin(ctx, gate.Pin) }
