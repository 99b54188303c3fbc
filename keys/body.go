package keys

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// keyBody is a stored key. Spec and Usage are left out where they are what most keys have.
type keyBody struct {
	Format  int    `json:"v"`
	Type    Type   `json:"type"`
	Spec    Spec   `json:"spec,omitzero"`
	Usage   Usage  `json:"usage,omitzero"`
	Purpose string `json:"purpose"`
	// Alias is the first of the key's aliases, Further are the others in the order they were given.
	// The items of the aliases say the same; each commit that changes one changes both.
	Alias       string   `json:"alias,omitzero"`
	Further     []string `json:"aliases,omitzero"`
	Description string   `json:"description,omitzero"`
	Owner       string   `json:"owner,omitzero"`

	Created   time.Time `json:"created"`
	CreatedBy gate.ID   `json:"by"`
	Master    gate.ID   `json:"master,omitzero"` // zero: the root key
	// Moving marks that other masters than Master may wrap versions still: see moveRest.
	Moving bool `json:"moving,omitzero"`
	// Erasing marks a destroyed key of which versions still have their material: see destroyDue.
	Erasing bool              `json:"erasing,omitzero"`
	Tags    map[string]string `json:"tags,omitempty"`
	Life    lifecycle.Key     `json:"life"`

	// Policy tells that the key has a policy of its own, an item of its id, and Grants how many grants
	// there are on it: each commit that changes one of those changes the key.
	Policy bool `json:"policy,omitzero"`
	Grants int  `json:"grants,omitzero"`
}

func (b *keyBody) kind() Kind { return Kind{b.Type, b.Spec, b.Usage} }

func (b *keyBody) origin() Origin {
	if b.Life.External {
		return External
	}
	return Haven
}

// nextDue is when something is to be done about the key as a whole.
func (b *keyBody) nextDue() time.Time {
	if b.Erasing {
		return b.Life.DeletionDate
	}
	return lifecycle.NextDueKey(b.Life)
}

// versionBody is a stored version: a JSON part, and after it the wrapped material, whose header
// names the master version that wraps it. Spec and Usage are the key's, and left out likewise.
type versionBody struct {
	Format int               `json:"v"`
	Spec   Spec              `json:"spec,omitzero"`
	Usage  Usage             `json:"usage,omitzero"`
	Life   lifecycle.Version `json:"life"`
	// Check is the key check value. Public is the public half of a pair, as crypt encodes it: it
	// outlives the material, so that signatures made in good time keep verifying.
	Check  string `json:"kcv,omitzero"`
	Public []byte `json:"public,omitzero"`
	// Imports counts how often material was imported into it; Material tells whether imported bytes
	// are the same as before, of which pairs have the public half.
	Imports  uint32 `json:"imports,omitzero"`
	Material []byte `json:"material,omitzero"`

	wrapped crypt.Wrapped // empty while it awaits an import, and once erased or destroyed
	by      gate.ID       // of the master version; zero: the root key
	byVer   uint32
}

// aliasBody is a stored alias.
type aliasBody struct {
	Format int     `json:"v"`
	Key    gate.ID `json:"key"`
	// Created is when the alias was made, Updated when it was last given another key.
	Created time.Time `json:"created,omitzero"`
	Updated time.Time `json:"updated,omitzero"`
}

const bodyFormat = 1

// Places of index values: what items may be listed by.
const (
	indexType    = 0 // of a key
	indexPurpose = 1 // of a key
	indexWrapped = 0 // of a version: master id ‖ version that wraps it
	indexWraps   = 1 // of a version that wraps, or may: its own key's id
	indexAliasOf = 0 // of an alias: the key's id
)

func keyRef(id gate.ID) store.Ref { return store.Ref{Kind: store.KindKey, ID: string(id[:])} }

func versionRef(v versionID) store.Ref {
	return store.Ref{Kind: store.KindVersion, ID: string(appendVersionID(make([]byte, 0, 20), v))}
}

func aliasRef(name string) store.Ref { return store.Ref{Kind: store.KindAlias, ID: name} }

// What the caches append as the id of an item.

func appendKeyID(b []byte, id gate.ID) []byte { return append(b, id[:]...) }

func appendVersionID(b []byte, v versionID) []byte {
	return binary.BigEndian.AppendUint32(append(b, v.key[:]...), v.number)
}

func appendAlias(b []byte, name string) []byte { return append(b, name...) }

// versionID names a version.
type versionID struct {
	key    gate.ID
	number uint32
}

func wrappedIndex(by gate.ID, version uint32) string {
	return string(binary.BigEndian.AppendUint32(append(make([]byte, 0, 20), by[:]...), version))
}

// leftOut returns spec and usage as bodies have them, filledIn as they are meant.
func leftOut(s Spec, u Usage) (Spec, Usage) {
	if s == SymmetricDefault && u == EncryptDecrypt {
		return "", ""
	}
	return s, u
}

func filledIn(s Spec, u Usage) (Spec, Usage) {
	if s == "" && u == "" {
		return SymmetricDefault, EncryptDecrypt
	}
	return s, u
}

// keyChange stages a key; before is nil for a new one.
func keyChange(id gate.ID, b *keyBody, before *store.Item) (gate.Change, error) {
	stored := *b
	stored.Spec, stored.Usage = leftOut(b.Spec, b.Usage)
	body, err := json.Marshal(&stored, json.Deterministic(true))
	if err != nil {
		return gate.Change{}, fmt.Errorf("keys: encoding key %s: %w", id, err)
	}
	c := gate.Change{Ref: keyRef(id), Body: body, Before: before, Due: due(b.nextDue())}
	c.Index[indexType], c.Index[indexPurpose] = string(b.Type), b.Purpose
	return c, nil
}

// versionChange stages a version; key is its key's life, which its due time depends on.
func versionChange(id gate.ID, key lifecycle.Key, b *versionBody, before *store.Item) (gate.Change, error) {
	stored := *b
	stored.Spec, stored.Usage = leftOut(b.Spec, b.Usage)
	head, err := json.Marshal(&stored)
	if err != nil {
		return gate.Change{}, fmt.Errorf("keys: encoding version %d of key %s: %w", b.Life.Number, id, err)
	}
	body := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(head)+len(b.wrapped)), uint16(len(head)))
	body = append(append(body, head...), b.wrapped...)
	c := gate.Change{
		Ref:  versionRef(versionID{id, b.Life.Number}),
		Body: body, Before: before, Due: due(lifecycle.NextDue(key, b.Life)),
	}
	if len(b.wrapped) > 0 {
		c.Index[indexWrapped] = wrappedIndex(b.by, b.byVer)
	}
	if b.Life.Wraps {
		c.Index[indexWraps] = string(id[:])
	}
	return c, nil
}

// aliasChange stages an alias; before is nil for a new one.
func aliasChange(name string, b aliasBody, before *store.Item) (gate.Change, error) {
	b.Format = bodyFormat
	body, err := json.Marshal(b)
	if err != nil {
		return gate.Change{}, fmt.Errorf("keys: encoding an alias: %w", err)
	}
	c := gate.Change{Ref: aliasRef(name), Body: body, Before: before}
	c.Index[indexAliasOf] = string(b.Key[:])
	return c, nil
}

func decodeAlias(item *store.Item) (aliasBody, error) {
	var b aliasBody
	if err := json.Unmarshal(item.Body, &b, json.RejectUnknownMembers(true)); err != nil {
		return b, unreadable(item.Ref, err)
	}
	if b.Format != bodyFormat {
		return b, unreadable(item.Ref, fmt.Errorf("format %d", b.Format))
	}
	return b, nil
}

// due is a deadline as the store indexes it; rounded up, so that what is found is past it.
func due(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Add(time.Millisecond - 1).UnixMilli()
}

func unreadable(ref store.Ref, err error) error {
	return gate.Errorf(gate.Internal, "a stored %s cannot be read; it may come from a later release: %v", ref.Kind, err)
}

func decodeKey(item *store.Item) (*keyBody, error) {
	b := new(keyBody)
	if err := json.Unmarshal(item.Body, b, json.RejectUnknownMembers(true)); err != nil {
		return nil, unreadable(item.Ref, err)
	}
	if b.Format != bodyFormat {
		return nil, unreadable(item.Ref, fmt.Errorf("format %d", b.Format))
	}
	b.Spec, b.Usage = filledIn(b.Spec, b.Usage)
	return b, nil
}

func decodeVersion(item *store.Item) (*versionBody, error) {
	b := new(versionBody)
	if len(item.Body) < 2 {
		return nil, unreadable(item.Ref, fmt.Errorf("%d bytes", len(item.Body)))
	}
	n := int(binary.BigEndian.Uint16(item.Body))
	if n > len(item.Body)-2 {
		return nil, unreadable(item.Ref, fmt.Errorf("head of %d bytes in %d", n, len(item.Body)))
	}
	if err := json.Unmarshal(item.Body[2:2+n], b, json.RejectUnknownMembers(true)); err != nil {
		return nil, unreadable(item.Ref, err)
	}
	if b.Format != bodyFormat {
		return nil, unreadable(item.Ref, fmt.Errorf("format %d", b.Format))
	}
	b.Spec, b.Usage = filledIn(b.Spec, b.Usage)
	if b.wrapped = item.Body[2+n:]; len(b.wrapped) > 0 {
		by, version, err := crypt.WrappingKeyOf(b.wrapped)
		if err != nil {
			return nil, unreadable(item.Ref, err)
		}
		b.by, b.byVer = by, version
	}
	return b, nil
}
