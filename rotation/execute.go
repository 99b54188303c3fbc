package rotation

import (
	"context"
	"encoding/binary"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// MaxExecuted is how many keys one execute-rotations names at most.
const MaxExecuted = 100

// ExecuteRequest asks to rotate those of some keys that are due.
type ExecuteRequest struct {
	Keys []string `json:"keys"`
}

// ExecuteAnswer tells of each key named, in the order asked.
type ExecuteAnswer struct {
	Rotations []Execution `json:"rotations"`
}

// Execution tells of one key. Of one that was rotated NewVersion follows Version; one that was not due,
// or waits, has none. Error says why a due one could not be rotated.
type Execution struct {
	KeyID      string `json:"key_id"`
	ARN        string `json:"arn"`
	Version    uint32 `json:"version,omitzero"`
	NewVersion uint32 `json:"new_version,omitzero"`
	Waits      string `json:"waits,omitzero"`
	Error      string `json:"error,omitzero"`
	Detail     string `json:"detail,omitzero"`
}

// ExecuteRotations rotates those of the keys whose rotation is due; the others stay as they are. The
// caller needs the permission for each.
func (s *Scheduler) ExecuteRotations(ctx context.Context, c *gate.Call, req ExecuteRequest) (*ExecuteAnswer, error) {
	if len(req.Keys) == 0 || len(req.Keys) > MaxExecuted {
		return nil, s.cfg.Gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "keys are 1 to %d", MaxExecuted))
	}
	asked := gate.Request{}
	for _, key := range req.Keys {
		asked.References = append(asked.References, gate.Reference{Text: key})
	}
	var out ExecuteAnswer
	var tasks []*Task
	err := s.cfg.Gate.Do(ctx, c, asked, func(a gate.Approved) (gate.Outcome, error) {
		out, tasks = ExecuteAnswer{}, nil
		for i := range req.Keys {
			t := a.Target(i)
			task, err := s.rotationOf(ctx, t)
			if err != nil {
				return gate.Outcome{}, err
			}
			out.Rotations = append(out.Rotations, Execution{KeyID: t.Key.String(), ARN: t.ARN, Version: t.State.Primary})
			tasks = append(tasks, task)
		}
		return gate.Outcome{}, nil
	})
	if err != nil {
		return nil, err
	}
	for i, task := range tasks {
		e := &out.Rotations[i]
		if task == nil {
			continue
		}
		if e.Waits = task.Waits; e.Waits != "" {
			continue
		}
		if _, e.NewVersion, err = s.try(ctx, c, task); unreachable(err) {
			return nil, err
		} else if err != nil {
			e.Error, e.Detail = told(err)
		}
	}
	return &out, nil
}

// rotationOf returns the rotation that is due of a key, nil if none is.
func (s *Scheduler) rotationOf(ctx context.Context, t *gate.Target) (*Task, error) {
	if t.Named {
		return nil, gate.Errorf(gate.InvalidRequest, "a key is rotated as a whole; leave @%d out", t.Version)
	}
	if t.State.Primary == 0 {
		return nil, nil
	}
	id := binary.BigEndian.AppendUint32(t.Key[:], t.State.Primary)
	items, _, err := s.cfg.View.Get(ctx, store.Ref{Kind: store.KindVersion, ID: string(id)})
	if err != nil || items[0].Revision == 0 {
		return nil, err
	}
	found, err := s.tasks(ctx, &items[0], s.cfg.View.Now())
	if err != nil {
		return nil, err
	}
	for i := range found {
		if found[i].Do == "rotate" {
			return &found[i], nil
		}
	}
	return nil, nil
}
