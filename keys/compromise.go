package keys

import (
	"context"
	"errors"
	"fmt"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
)

// CompromiseRequest revokes a version (Key with @N) or every version of a key.
type CompromiseRequest struct {
	Key    string `json:"key"`
	Reason string `json:"reason"`
	// NewPrimary, only with @N, tells whether a compromised primary is replaced in the same
	// commit; nil is true.
	NewPrimary *bool `json:"new_primary,omitzero"`
}

// MarkCompromised revokes at once, for everyone and for good: when it returns, every operation
// invoked afterwards is refused.
func (m *Manager) MarkCompromised(ctx context.Context, c *gate.Call, req CompromiseRequest) (*Key, error) {
	if req.Reason == "" {
		return nil, m.gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "reason is required: it stands in the record"))
	}
	asked := map[string]bool{}
	return m.manage(ctx, c, req.Key, req.Reason, func(e *edit) error {
		if e.named != 0 {
			return e.compromiseVersion(req.NewPrimary == nil || *req.NewPrimary, asked)
		}
		if req.NewPrimary != nil {
			return gate.Errorf(gate.InvalidRequest, "new_primary goes with KEY@N; a key compromised as a whole has no primary until it is rotated")
		}
		return e.compromiseKey()
	})
}

func (e *edit) compromiseKey() error {
	life, err := lifecycle.CompromiseKey(e.body.Life)
	if err != nil {
		return e.refused(err)
	}
	e.body.Life = life
	e.out.Parameters = fmt.Sprintf("through=%d", life.CompromisedThrough)
	e.out.Stops = append(e.out.Stops, gate.Stop{Ref: keyRef(e.id), What: gate.Compromised, Through: life.CompromisedThrough})
	return nil
}

// advances tells whether a refusal asks for a transition that the gate has made.
func advances(e *gate.Error) bool {
	return e.Reason == string(lifecycle.ReasonRotateFirst) || e.Reason == string(lifecycle.ReasonResumeFirst)
}

// compromiseVersion marks a version. Where the key, or the master key that is to wrap its new
// primary, has to be advanced first, the refusal that asks for that is returned, for each once:
// asked remembers which.
func (e *edit) compromiseVersion(replace bool, asked map[string]bool) error {
	v, err := e.version(e.named)
	if err != nil {
		return err
	}
	before := e.body
	if _, due := lifecycle.AdvanceKey(before.Life, e.now); due && replace && e.named == before.Life.Primary && !asked["key"] {
		asked["key"] = true
		return e.refused(&lifecycle.Refusal{Reason: lifecycle.ReasonResumeFirst})
	}
	moved, err := lifecycle.CompromiseVersion(before.Life, v.body.Life, replace, e.now)
	if err != nil {
		return e.refused(err)
	}
	e.body.Life = moved.Key
	if moved.New.Number != 0 {
		// That no new primary can be made, its master being stopped say, never hinders the mark.
		err := e.addVersion(moved.New)
		var refused *gate.Error
		if errors.As(err, &refused) && advances(refused) && !asked[refused.Reason] {
			asked[refused.Reason] = true
			return err
		}
		if errors.Is(err, gate.InvalidState) {
			if moved, err = lifecycle.CompromiseVersion(before.Life, v.body.Life, false, e.now); err != nil {
				return e.refused(err)
			}
			e.body.Life = moved.Key
		} else if err != nil {
			return err
		}
	}
	switch {
	case moved.New.Number != 0:
		e.out.Parameters = fmt.Sprintf("new_primary=%d", moved.New.Number)
	case e.named == before.Life.Primary:
		e.out.Parameters = "new_primary=none"
	}
	e.out.Version = e.named
	e.out.Stops = append(e.out.Stops, gate.Stop{Ref: v.item.Ref, What: gate.Compromised})
	return e.changeVersion(v, moved.Old)
}
