package vault

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/rotation/schedule"
	"github.com/haven-health/haven/store"
)

// storedBody is a stored key as it is kept.
type storedBody struct {
	Format      int               `json:"v"`
	Name        string            `json:"name"`
	Suffix      string            `json:"suffix"`
	Description string            `json:"description,omitzero"`
	Master      gate.ID           `json:"master"`
	Tags        map[string]string `json:"tags,omitempty"`
	Created     time.Time         `json:"created"`
	CreatedBy   gate.ID           `json:"by"`
	Changed     time.Time         `json:"changed"`
	// Versions are those that are kept, the oldest first; Stages are of those.
	Versions []gate.ID         `json:"versions"`
	Stages   map[Stage]gate.ID `json:"stages"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Generate string            `json:"generate,omitzero"`
	// Rotation is a schedule expression, followed since Since; Rotated is when the last rotation was.
	Rotation string    `json:"rotation,omitzero"`
	Since    time.Time `json:"since,omitzero"`
	Rotated  time.Time `json:"rotated,omitzero"`
	Deletion time.Time `json:"deletion,omitzero"`
}

// versionBody is a version as it is kept: a JSON part, and after it the wrapped value.
type versionBody struct {
	Format    int               `json:"v"`
	Created   time.Time         `json:"created"`
	CreatedBy gate.ID           `json:"by"`
	Text      bool              `json:"text,omitzero"`
	Metadata  map[string]string `json:"metadata,omitempty"`

	wrapped crypt.Wrapped
}

// nameBody is a name that a stored key has.
type nameBody struct {
	Format int     `json:"v"`
	ID     gate.ID `json:"id"`
}

const bodyFormat = 1

// indexWrapped is the place of the index value that tells what wraps a version, as with keys.
const indexWrapped = 0

func storedRef(id gate.ID) store.Ref {
	return store.Ref{Kind: store.KindStored, ID: string(id[:])}
}

func versionRef(id, version gate.ID) store.Ref {
	return store.Ref{Kind: store.KindStoredVersion, ID: string(id[:]) + string(version[:])}
}

// storedNames begins the ids of names of stored keys.
const storedNames = "stored/"

// longName is from how many bytes on a name stands shortened in its item's id, with a digest of it.
const longName = 200

func nameID(name string) string {
	if len(name) < longName {
		return storedNames + name
	}
	digest := sha256.Sum256([]byte(name))
	return storedNames + name[:longName] + "\x00" + string(digest[:])
}

func nameRef(name string) store.Ref { return store.Ref{Kind: store.KindName, ID: nameID(name)} }

func encode(what string, v any) ([]byte, error) {
	b, err := json.Marshal(v, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("vault: encoding a %s: %w", what, err)
	}
	return b, nil
}

// storedChange stages a stored key; before is nil for a new one.
func storedChange(id gate.ID, b *storedBody, before *store.Item) (gate.Change, error) {
	b.Format = bodyFormat
	body, err := encode("stored key", b)
	c := gate.Change{Ref: storedRef(id), Body: body, Before: before}
	if next := b.due(); !next.IsZero() {
		c.Due = next.Add(time.Millisecond - 1).UnixMilli()
	}
	return c, err
}

// due is when something is to be done about it: delete it, or rotate it.
func (b *storedBody) due() time.Time {
	if !b.Deletion.IsZero() {
		return b.Deletion
	}
	return b.nextRotation()
}

// nextRotation is the first time of its schedule after the last rotation; the zero time: never.
func (b *storedBody) nextRotation() time.Time {
	if b.Rotation == "" {
		return time.Time{}
	}
	e, err := schedule.Parse(b.Rotation, schedule.Rules)
	if err != nil {
		return time.Time{}
	}
	next, _ := e.Next(b.Rotated, schedule.Plan{Start: b.Since})
	return next
}

func versionChange(id, version gate.ID, b *versionBody, index string, before *store.Item) (gate.Change, error) {
	b.Format = bodyFormat
	head, err := encode("version of a stored key", b)
	body := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(head)+len(b.wrapped)), uint16(len(head)))
	c := gate.Change{Ref: versionRef(id, version), Body: append(append(body, head...), b.wrapped...), Before: before}
	c.Index[indexWrapped] = index
	return c, err
}

func unreadable(ref store.Ref, err error) error {
	return gate.Errorf(gate.Internal, "a stored %s cannot be read; it may come from a later release: %v", ref.Kind, err)
}

func decode(item *store.Item, body []byte, to any, format *int) error {
	if err := json.Unmarshal(body, to, json.RejectUnknownMembers(true)); err != nil {
		return unreadable(item.Ref, err)
	}
	if *format != bodyFormat {
		return unreadable(item.Ref, fmt.Errorf("format %d", *format))
	}
	return nil
}

func decodeStored(item *store.Item) (*storedBody, error) {
	b := new(storedBody)
	return b, decode(item, item.Body, b, &b.Format)
}

func decodeName(item *store.Item) (b nameBody, err error) {
	return b, decode(item, item.Body, &b, &b.Format)
}

func decodeVersion(item *store.Item) (*versionBody, error) {
	b := new(versionBody)
	if len(item.Body) < 2 || len(item.ID) != 32 {
		return nil, unreadable(item.Ref, fmt.Errorf("%d bytes", len(item.Body)))
	}
	n := int(binary.BigEndian.Uint16(item.Body))
	if n > len(item.Body)-2 {
		return nil, unreadable(item.Ref, fmt.Errorf("head of %d bytes in %d", n, len(item.Body)))
	}
	if err := decode(item, item.Body[2:2+n], b, &b.Format); err != nil {
		return nil, err
	}
	b.wrapped = item.Body[2+n:]
	return b, nil
}

// binding says where a value belongs.
func (m *Manager) binding(id, version gate.ID) blob.Binding {
	return blob.Binding{
		Store: m.cfg.StoreID, Account: m.cfg.Account, Purpose: "stored key", ID: string(id[:]) + string(version[:]),
	}
}
