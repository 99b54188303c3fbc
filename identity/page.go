package identity

import (
	"encoding/base64"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// Bounds of a page.
const (
	defaultPage = 50
	maxPage     = 100
)

// page puts limit and cursor into a query over items with ids of 16 bytes.
func page(q *store.Query, limit int, cursor string) error {
	switch {
	case limit < 0 || limit > maxPage:
		return gate.Errorf(gate.InvalidRequest, "limit is 1 to %d", maxPage)
	case limit == 0:
		limit = defaultPage
	}
	q.Limit = limit
	if cursor == "" {
		return nil
	}
	after, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(after) != len(gate.ID{}) {
		return gate.Errorf(gate.InvalidRequest, "not a cursor that this list returned")
	}
	q.After = string(after)
	return nil
}

func cursorBehind(id gate.ID) string { return base64.RawURLEncoding.EncodeToString(id[:]) }
