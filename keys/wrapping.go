package keys

import (
	"context"
	"errors"
	"io"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/lifecycle"
)

func isNotFound(err error) bool { return errors.Is(err, gate.NotFound) }

func invalidCiphertext() error {
	return gate.Errorf(gate.InvalidCiphertext, "the ciphertext cannot be decrypted with this key and context")
}

// fresh is new material of one operation, kept for when it runs again: an RSA key takes seconds.
// It belongs to the operation, which destroys it at its end.
type fresh struct {
	spec     Spec
	material secret.Bytes
	check    string
	public   []byte
}

func (f *fresh) destroy() { f.material.Destroy() }

// make makes material of a spec, once.
func (f *fresh) make(kind Kind, random io.Reader) error {
	if f.spec == kind.Spec {
		return nil
	}
	material, err := crypt.GenerateMaterial(kind.Spec, random)
	if err != nil {
		return err
	}
	return f.take(kind, material)
}

// take takes material that came from elsewhere.
func (f *fresh) take(kind Kind, material secret.Bytes) error {
	f.destroy()
	f.spec, f.material = kind.Spec, material
	var err error
	if f.check, err = crypt.CheckValue(kind.Spec, material); err != nil || !kind.Pair() {
		return err
	}
	public, err := crypt.PublicKeyOf(kind.Spec, material)
	if err == nil {
		f.public = public.Bytes()
	}
	return err
}

// newMaterial makes material for a new version and wraps it: under the primary of the key's
// master, or under the root key for a master.
func (r *Ring) newMaterial(ctx context.Context, a gate.Approved, id gate.ID, key *keyBody, n uint32, made *fresh) (*versionBody, error) {
	if err := made.make(key.kind(), r.cfg.Random); err != nil {
		return nil, key.kind().wrongly(id, err)
	}
	v := &versionBody{Format: bodyFormat, Spec: key.Spec, Usage: key.Usage, Check: made.check, Public: made.public}
	v.Life.Number = n
	if err := r.wrap(ctx, a, id, key.Master, v, made.material); err != nil {
		return nil, err
	}
	return v, nil
}

// wrap wraps material for v under the primary version of master, or under the root key where
// master is zero. Wrapping is a protecting use of the master: its state must allow it.
func (r *Ring) wrap(ctx context.Context, a gate.Approved, id, master gate.ID, v *versionBody, material secret.Bytes) (err error) {
	v.wrapped, v.by, v.byVer, err = r.wrapFor(ctx, a, master, r.binding(id, v.Life.Number, v.Spec, v.Usage), material)
	return err
}

// wrapFor wraps material for where the binding says it belongs, and tells what wraps it.
func (r *Ring) wrapFor(ctx context.Context, a gate.Approved, master gate.ID, b blob.Binding, material secret.Bytes) (w crypt.Wrapped, by gate.ID, version uint32, err error) {
	if master.IsZero() {
		root, err := r.cfg.Root.Present(ctx, a.Reading())
		if err != nil {
			return nil, by, 0, err
		}
		if w, err = root.Wrap(b, material); err != nil {
			return nil, by, 0, err
		}
		by, version, err = crypt.WrappingKeyOf(w)
		return w, by, version, err
	}
	t, err := r.Resolve(ctx, a.Reading(), gate.Encrypt, gate.Reference{Text: master.String()})
	if err != nil {
		return nil, by, 0, missingMaster(err)
	}
	if err := t.Check(lifecycle.Protect, a.Time()); err != nil {
		return nil, by, 0, err
	}
	err = use(ctx, r, a, &t, func(k *crypt.Key) error {
		var err error
		w, err = k.Wrap(b, material)
		return err
	})
	return w, t.Key, t.Version, err
}

// masterOf returns the id of the master key that a request names; the default one for "".
func (r *Ring) masterOf(ctx context.Context, a gate.Approved, text string) (gate.ID, error) {
	if text == "" {
		text = "alias/" + DefaultMaster
	}
	parsed, err := r.cfg.Place.parseReference(text)
	if err != nil {
		return gate.ID{}, err
	}
	if parsed.version != 0 {
		return gate.ID{}, gate.Errorf(gate.InvalidRequest, "name the master key without a version: its primary wraps")
	}
	id := parsed.id
	if parsed.alias != "" {
		if id, err = r.aliases.Get(ctx, a.Reading(), parsed.alias, r.loadAlias); err != nil {
			return gate.ID{}, err
		}
	}
	key, err := r.key(ctx, a.Reading(), id)
	if err != nil {
		return gate.ID{}, err
	}
	if key.body.Type != Master {
		return gate.ID{}, gate.Errorf(gate.InvalidRequest, "key %s is not a master key", id)
	}
	return id, nil
}

// Default returns the outcome that creates the default master key: what a new store begins with.
func (r *Ring) Default(ctx context.Context, a gate.Approved, policy lifecycle.Policy) (gate.Outcome, error) {
	var out Key
	req := &CreateRequest{Purpose: "Wraps the keys of this store", Type: Master, Alias: "alias/" + DefaultMaster}
	var made fresh
	defer made.destroy()
	return r.create(ctx, a, req, creation{Kind{Master, SymmetricDefault, EncryptDecrypt}, policy, gate.ID{}, &made}, &out)
}
