package keys

import (
	"slices"
	"strings"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// ListRequest asks for a page of keys, newest first. Of the filters, those that are given must all
// fit.
type ListRequest struct {
	Type Type `json:"type,omitzero"`
	// State is what the key can be used for now: disabled, pending_deletion or destroyed where the
	// key is; material_missing where imported material came to its end, was deleted, or is still to
	// come; else the state of its primary. A key that awaits its first material is pending too. Or
	// enabled, whatever its primary's state.
	State string `json:"state,omitzero"`
	// Purpose is the whole purpose.
	Purpose string `json:"purpose,omitzero"`
	// Tag is NAME, of whatever value, or NAME=VALUE.
	Tag string `json:"tag,omitzero"`
	// AliasPrefix is what an alias of the key begins with, "alias/…". The list is by alias then.
	AliasPrefix string `json:"alias_prefix,omitzero"`
	// DueBefore: next_rotation_at, expires_at, valid_to or deletion_date comes before it.
	DueBefore time.Time `json:"due_before,omitzero"`
	Owner     string    `json:"owner,omitzero"`

	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// maxLooked is how many keys one call looks at where a filter has no index: it bounds what a call
// costs, whatever there is. The page may hold fewer than its limit then, and not be the last.
const maxLooked = 500

// filter is a ListRequest understood.
type filter struct {
	*ListRequest
	tag, value string
	anyValue   bool
	prefix     string // without "alias/"
	limit      int
	// query is of the items that are looked at: keys, or aliases.
	query store.Query
}

func (req *ListRequest) filter() (*filter, error) {
	f := &filter{ListRequest: req, query: store.Query{Kind: store.KindKey, Reverse: true}}
	if req.Type != "" && !slices.ContainsFunc(kinds, func(k Kind) bool { return k.Type == req.Type }) {
		return nil, gate.Errorf(gate.InvalidRequest, "type must be master, data, signing or transport")
	}
	if req.State != "" && !slices.Contains(listedStates(), req.State) {
		return nil, gate.Errorf(gate.InvalidRequest, "state must be one of %s", strings.Join(listedStates(), ", "))
	}
	f.tag, f.value, f.anyValue = cutTag(req.Tag)
	if req.Tag != "" && !validTag(f.tag, f.value) {
		return nil, gate.Errorf(gate.InvalidRequest, "tag is NAME or NAME=VALUE")
	}
	idLen := keyIDLen
	switch {
	case req.AliasPrefix != "":
		var ok bool
		f.prefix, ok = strings.CutPrefix(req.AliasPrefix, "alias/")
		if !ok || f.prefix != "" && !ValidAlias(f.prefix) {
			return nil, gate.Errorf(gate.InvalidRequest, "alias_prefix is the beginning of an alias: alias/NAME")
		}
		f.query, idLen = store.Query{Kind: store.KindAlias, Prefix: f.prefix}, aliasLen
	case len(req.Purpose) > MaxPurpose || len(req.Owner) > 4*MaxOwner:
		return nil, gate.Errorf(gate.InvalidRequest, "no key has a purpose or owner of that length")
	case req.Purpose != "":
		f.query.Index, f.query.Value = indexPurpose, req.Purpose
	default:
		f.query.Index, f.query.Value = indexType, string(req.Type)
	}
	if err := page(&f.query, req.Limit, req.Cursor, idLen); err != nil {
		return nil, err
	}
	if f.limit = f.query.Limit; !f.indexed() {
		f.query.Limit = maxLooked
	}
	return f, nil
}

// indexed tells whether whatever the query finds fits.
func (f *filter) indexed() bool {
	return f.State == "" && f.Tag == "" && f.AliasPrefix == "" && f.DueBefore.IsZero() && f.Owner == "" && (f.Type == "" || f.Purpose == "")
}

func cutTag(text string) (name, value string, anyValue bool) {
	name, value, given := strings.Cut(text, "=")
	return name, value, !given
}

const pendingDeletion = string(lifecycle.ReasonPendingDeletion)

// materialMissing is how a list names enabled keys whose imported material is not there.
const materialMissing = "material_missing"

// listedStates are what State may be.
func listedStates() []string {
	names := []string{lifecycle.Enabled.String(), lifecycle.Disabled.String(), pendingDeletion, materialMissing}
	for s := range lifecycle.State(255) {
		if s.Valid() {
			names = append(names, s.String())
		}
	}
	return names
}

// fits tells by the key itself what can be told by it.
func (f *filter) fits(b *keyBody) bool {
	if f.Type != "" && b.Type != f.Type || f.Purpose != "" && b.Purpose != f.Purpose || f.Owner != "" && b.Owner != f.Owner {
		return false
	}
	if f.Tag == "" {
		return true
	}
	value, has := b.Tags[f.tag]
	return has && (f.anyValue || value == f.value)
}

// shows tells by the key's document what depends on its primary and the time.
func (f *filter) shows(k *Key, life *lifecycle.Key) bool {
	if f.State != "" && !f.isInState(k, life) {
		return false
	}
	if f.DueBefore.IsZero() {
		return true
	}
	return slices.ContainsFunc([]time.Time{k.NextRotationAt, k.ExpiresAt, k.ValidTo, k.DeletionDate}, func(due time.Time) bool {
		return !due.IsZero() && due.Before(f.DueBefore)
	})
}

// isInState tells whether the key is what State names.
func (f *filter) isInState(k *Key, life *lifecycle.Key) bool {
	switch f.State {
	case usableState(k, life):
		return true
	case lifecycle.Enabled.String():
		return k.Enabled
	case materialMissing: // still awaited
		return k.Enabled && k.Origin == External && k.State == lifecycle.Pending
	}
	return false
}

// usableState is the stricter of the key's status and its primary's state.
func usableState(k *Key, life *lifecycle.Key) string {
	switch status := life.Status(); {
	case status == lifecycle.PendingDeletion:
		return pendingDeletion
	case status != lifecycle.Enabled:
		return status.String()
	case k.MaterialExpired:
		return materialMissing
	case k.State.Valid():
		return k.State.String()
	}
	return ""
}
