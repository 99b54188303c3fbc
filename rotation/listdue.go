package rotation

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// Bounds of a list of what comes due.
const (
	DefaultDays = 30
	MaxDays     = 36500
	defaultPage = 50
	maxPage     = 100
)

// DueRequest asks for a page of what is due, and comes due within Days (0: DefaultDays).
type DueRequest struct {
	Days   int    `json:"days,omitzero"`
	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// DuePage is a page of what is due, oldest first. A page may be short, even empty, and not the last:
// NextCursor alone tells.
type DuePage struct {
	Due        []Task `json:"due"`
	NextCursor string `json:"next_cursor,omitzero"`
}

// ListDue lists what is due and what comes due. What follows from that, as the rotation after the next,
// is not told before.
func (s *Scheduler) ListDue(ctx context.Context, c *gate.Call, req DueRequest) (*DuePage, error) {
	q, err := req.query()
	if err != nil {
		return nil, s.cfg.Gate.Refuse(ctx, c, err)
	}
	var out DuePage
	err = s.cfg.Gate.Do(ctx, c, gate.Request{}, func(a gate.Approved) (gate.Outcome, error) {
		days := req.Days
		if days == 0 {
			days = DefaultDays
		}
		by := a.Time().AddDate(0, 0, days)
		q.Before = by.UnixMilli()
		page, err := s.cfg.View.Due(ctx, q)
		if err != nil {
			return gate.Outcome{}, err
		}
		out = DuePage{Due: []Task{}}
		for i := range page.Items {
			found, err := s.tasks(ctx, &page.Items[i], by)
			if err != nil {
				return gate.Outcome{}, err
			}
			out.Due = append(out.Due, found...)
		}
		if page.More {
			out.NextCursor = cursorBehind(&page.Items[len(page.Items)-1])
		}
		return gate.Outcome{}, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

func (r *DueRequest) query() (q store.DueQuery, err error) {
	switch {
	case r.Days < 0 || r.Days > MaxDays:
		return q, gate.Errorf(gate.InvalidRequest, "days is 1 to %d", MaxDays)
	case r.Limit < 0 || r.Limit > maxPage:
		return q, gate.Errorf(gate.InvalidRequest, "limit is 1 to %d", maxPage)
	case r.Limit == 0:
		r.Limit = defaultPage
	}
	q.Limit = r.Limit
	if r.Cursor == "" {
		return q, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(r.Cursor)
	if err != nil || len(b) <= cursorHead || len(b) > cursorHead+store.MaxID {
		return q, gate.Errorf(gate.InvalidRequest, "not a cursor that this list returned")
	}
	q.After.Due = int64(binary.BigEndian.Uint64(b))
	q.After.Kind, q.After.ID = store.Kind(b[8]), string(b[cursorHead:])
	return q, nil
}

// A cursor is when its item is due (8), its kind (1) and its id.
const cursorHead = 9

func cursorBehind(item *store.Item) string {
	b := binary.BigEndian.AppendUint64(nil, uint64(item.Due))
	b = append(append(b, byte(item.Kind)), item.ID...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// horizon returns what comes due after one time and by another, at most MaxChecked of it.
func (s *Scheduler) horizon(ctx context.Context, after, by time.Time) (found []Task, err error) {
	err = s.each(ctx, by, func(tasks []Task, _ []store.Item) (bool, error) {
		for _, t := range tasks {
			if t.At.After(after) {
				found = append(found, t)
			}
		}
		return len(found) < MaxChecked, nil
	})
	return found, err
}
