package keys

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

// Lengths of the ids that cursors are made of; 0 where they differ.
const (
	keyIDLen     = 16
	versionIDLen = 20
	aliasLen     = 0
)

// page puts limit and cursor into a query over items whose ids have a length.
func page(q *store.Query, limit int, cursor string, idLen int) error {
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
	if err != nil || len(after) != idLen && (idLen != aliasLen || !ValidAlias(string(after))) {
		return gate.Errorf(gate.InvalidRequest, "not a cursor that this list returned")
	}
	q.After = string(after)
	return nil
}

// nextCursor continues behind the last item of a page.
func nextCursor(p *store.Page) string {
	if !p.More || len(p.Items) == 0 {
		return ""
	}
	return cursorBehind(p.Items[len(p.Items)-1].ID)
}

func cursorBehind(id string) string { return base64.RawURLEncoding.EncodeToString([]byte(id)) }
