package keys

import (
	"context"
	"slices"
	"strings"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// reservedAlias begins the names that Haven gives. Whoever moved or deleted alias/haven-master would
// change the master of every key created later, by people who never named it.
const reservedAlias = "haven-"

// AliasRequest names an alias, "alias/NAME", and a key: the one to give it to.
type AliasRequest struct {
	Alias string `json:"alias"`
	Key   string `json:"key"`
}

// DeleteAliasRequest names the alias to delete.
type DeleteAliasRequest struct {
	Alias string `json:"alias"`
}

// CreateAlias gives a key one more name.
func (m *Manager) CreateAlias(ctx context.Context, c *gate.Call, req AliasRequest) (*Key, error) {
	name, err := ownAlias(req.Alias)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	return m.change(ctx, c, m.aliasRequest(name, req.Key), func(e *edit) error {
		if err := e.name(name); err != nil {
			return err
		}
		if err := e.m.ring.aliasFree(e.ctx, e.a, name); err != nil {
			return err
		}
		put, err := aliasChange(name, aliasBody{Key: e.id, Created: e.now}, nil)
		e.out.Changes = append(e.out.Changes, put)
		return err
	})
}

// UpdateAlias makes an alias name another key, of the same type and usage. The caller needs the
// permission for both keys. When it has returned, whatever names the alias means the new key.
func (m *Manager) UpdateAlias(ctx context.Context, c *gate.Call, req AliasRequest) (*Key, error) {
	name, err := ownAlias(req.Alias)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	return m.change(ctx, c, m.aliasRequest(name, req.Key, req.Alias), func(e *edit) error {
		old := e.a.Target(1)
		if old.Key == e.id {
			return e.wholeKey()
		}
		e.out.Parameters = "from=" + old.Key.String()
		from := old.Domain.(*loadedKey)
		if a, b := from.body.kind(), e.body.kind(); a.Type != b.Type || a.Usage != b.Usage {
			return &gate.Error{Code: gate.InvalidState, Key: e.id, Reason: "other_kind", Detail: "alias/" + name + " names a " + string(a.Type) + " key for " +
				string(a.Usage) + "; it can be given only to another of those"}
		}
		if err := e.name(name); err != nil {
			return err
		}
		left := from.body
		left.unname(name)
		put, err := keyChange(old.Key, &left, &from.item)
		if err != nil {
			return err
		}
		alias, body, err := e.alias(name)
		if err != nil {
			return err
		}
		body.Key, body.Updated = e.id, e.now
		moved, err := aliasChange(name, body, alias)
		e.out.Changes = append(e.out.Changes, put, moved)
		return err
	})
}

// DeleteAlias takes a name from a key. The key stays, with what was encrypted under it.
func (m *Manager) DeleteAlias(ctx context.Context, c *gate.Call, req DeleteAliasRequest) (*Key, error) {
	name, err := ownAlias(req.Alias)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	return m.change(ctx, c, m.aliasRequest(name, req.Alias), func(e *edit) error {
		alias, _, err := e.alias(name)
		if err != nil {
			return err
		}
		e.body.unname(name)
		e.out.Changes = append(e.out.Changes, gate.Change{Ref: alias.Ref, Before: alias, Delete: true})
		return nil
	})
}

// aliasRequest is the gate's request of an operation on an alias and keys.
func (m *Manager) aliasRequest(name string, keys ...string) gate.Request {
	req := gate.Request{Resources: []string{m.ring.cfg.Place.AliasARN(name)}, Parameters: "alias=" + name}
	for _, key := range keys {
		req.References = append(req.References, gate.Reference{Text: key})
	}
	return req
}

// name adds a name to the key.
func (e *edit) name(alias string) error {
	if err := e.wholeKey(); err != nil {
		return err
	}
	if err := e.kept(); err != nil {
		return err
	}
	names := e.body.aliases()
	if len(names) >= MaxAliases {
		return &gate.Error{Code: gate.LimitExceeded, Key: e.id, Detail: "the key has 50 aliases, and no key has more"}
	}
	e.body.setAliases(append(names, alias))
	return nil
}

// alias loads an alias for changing it.
func (e *edit) alias(name string) (*store.Item, aliasBody, error) {
	items, epoch, err := e.m.ring.cfg.View.Get(e.ctx, aliasRef(name))
	if err != nil {
		return nil, aliasBody{}, err
	}
	e.m.ring.cfg.View.Note(e.a.Reading(), epoch, items[0].Ref)
	if items[0].Revision == 0 {
		return nil, aliasBody{}, noAlias(name)
	}
	body, err := decodeAlias(&items[0])
	return &items[0], body, err
}

func noAlias(name string) error { return gate.Errorf(gate.NotFound, "no alias alias/%s", name) }

// aliases returns all names of the key, the first first, in a slice of its own.
func (b *keyBody) aliases() []string {
	if b.Alias == "" {
		return nil
	}
	return append([]string{b.Alias}, b.Further...)
}

func (b *keyBody) setAliases(names []string) {
	b.Alias, b.Further = "", nil
	if len(names) > 0 {
		b.Alias = names[0]
	}
	if len(names) > 1 {
		b.Further = names[1:]
	}
}

func (b *keyBody) unname(alias string) {
	b.setAliases(slices.DeleteFunc(b.aliases(), func(name string) bool { return name == alias }))
}

// aliasName reads "alias/NAME" and returns NAME.
func aliasName(alias string) (string, error) {
	name, ok := strings.CutPrefix(alias, "alias/")
	if !ok || !ValidAlias(name) {
		return "", gate.Errorf(gate.InvalidRequest, "an alias is alias/NAME, NAME 1 to %d letters, digits and /_-, not beginning with aws/", MaxAlias)
	}
	return name, nil
}

// ownAlias reads an alias that callers may give and take.
func ownAlias(alias string) (string, error) {
	name, err := aliasName(alias)
	if err == nil && strings.HasPrefix(name, reservedAlias) {
		err = gate.Errorf(gate.InvalidRequest, "aliases that begin with alias/haven- are Haven's own: they are not given, moved or deleted; to use another master key, name it when creating a key")
	}
	return name, err
}

// aliasFree tells early that an alias is taken; that it is not taken meanwhile is the store's to
// tell.
func (r *Ring) aliasFree(ctx context.Context, a gate.Approved, name string) error {
	a.Principal()
	items, _, err := r.cfg.View.Get(ctx, aliasRef(name))
	if err != nil {
		return err
	}
	if items[0].Revision != 0 {
		return gate.Errorf(gate.AlreadyExists, "alias/%s names another key already", name)
	}
	return nil
}
