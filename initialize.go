package haven

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/rotation"
	"github.com/haven-health/haven/seal"
)

// founder authenticates the one operation of a store that has no principal yet: it is the
// administrator that the operation creates.
type founder struct{ principal gate.Principal }

func (f founder) Authenticate(context.Context, *gate.Reading, *gate.Proof) (gate.Principal, error) {
	return f.principal, nil
}

// first initializes a new store with the seals of its Config or, where there are none, with a key
// file made now.
func (l *Locked) first(ctx context.Context) (*System, error) {
	if len(l.cfg.Seals) == 0 && l.owned {
		file, err := makeKeyFile(&l.cfg)
		if err != nil {
			return nil, err
		}
		l.cfg.Seals = map[string]seal.Seal{seal.Daily: file}
	}
	return l.Initialize(ctx, l.cfg.Seals, DefaultAdministrator)
}

// Initialize gives a new store its root key, sealed by each of seals under its slot's name, its
// integrity key, an administrator of the given name with one bearer token, and the default master
// key: all in one commit, so that a store is whole or new.
func (l *Locked) Initialize(ctx context.Context, seals map[string]seal.Seal, administrator string) (*System, error) {
	if l.exists {
		return nil, errors.New("haven: the store is initialized already")
	}
	if len(seals) == 0 {
		return nil, errors.New("haven: a store needs at least one seal")
	}
	random := l.cfg.Random
	now := l.cfg.Clock.Wall()
	storeID, err := gate.NewID(now, random)
	if err != nil {
		return nil, err
	}
	admin, err := gate.NewID(now, random)
	if err != nil {
		return nil, err
	}
	root, err := seal.NewRoot(storeID, random)
	if err != nil {
		return nil, fmt.Errorf("haven: root key: %w", err)
	}
	defer root.Destroy()
	integrity, err := secret.Random(random, 32)
	if err != nil {
		return nil, fmt.Errorf("haven: integrity key: %w", err)
	}
	defer integrity.Destroy()
	token, err := identity.NewToken(random)
	if err != nil {
		return nil, err
	}
	s, err := assemble(ctx, l, &roots{present: root}, integrity, storeID,
		founder{identity.Founder(admin, administrator, l.cfg.Account)})
	if err != nil {
		return nil, err
	}
	people, err := identity.Administrator(admin, administrator, token, now)
	if err == nil {
		err = s.found(ctx, seals, root, integrity, people)
	}
	s.gate.Close()
	if err != nil {
		return nil, err
	}
	if err := l.read(ctx); err != nil {
		return nil, err
	}
	opened, err := l.Unlock(ctx, seals, Attempts{})
	if err != nil {
		return nil, err
	}
	opened.token = token
	return opened, nil
}

// found commits the first operation of a store.
func (s *System) found(ctx context.Context, seals map[string]seal.Seal, root *seal.Root, integrity secret.Bytes, people []gate.Change) error {
	call, err := s.gate.Begin(ctx, gate.Initialize, gate.Proof{})
	if err != nil {
		return err
	}
	return s.gate.Do(ctx, call, gate.Request{}, func(a gate.Approved) (gate.Outcome, error) {
		o, err := s.ring.Default(ctx, a, *s.cfg.Defaults)
		if err != nil {
			return o, err
		}
		body, err := json.Marshal(storeBody{Format: 1, ID: s.storeID, Region: s.cfg.Region, Account: s.cfg.Account})
		if err != nil {
			return o, err
		}
		wrapped, err := root.Wrap(integrityBinding(s.storeID), integrity)
		if err != nil {
			return o, err
		}
		o.Changes = append(o.Changes, gate.Change{Ref: rootRef(rootStore), Body: body}, gate.Change{Ref: rootRef(rootIntegrity), Body: wrapped})
		for name, with := range seals {
			slot, err := root.Attach(ctx, name, with)
			if err != nil {
				return o, fmt.Errorf("haven: seal %s: %w", name, err)
			}
			change, err := slotChange(slot)
			if err != nil {
				return o, err
			}
			o.Changes = append(o.Changes, change)
		}
		checks, err := rotation.FirstSchedule(a.Time())
		if err != nil {
			return o, err
		}
		o.Changes = append(o.Changes, checks)
		o.Changes = append(o.Changes, people...)
		return o, nil
	})
}

func slotChange(slot seal.Slot) (gate.Change, error) {
	body, err := slot.Encode()
	return gate.Change{Ref: sealRef(slot.Name), Body: body}, err
}
