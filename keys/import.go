package keys

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/lifecycle"
)

// importWindow is how long import parameters are good, as in AWS KMS.
const importWindow = 24 * time.Hour

// ImportParametersRequest asks for what material is wrapped with. Key alone means the version that
// awaits its material, or else the key's next; KEY@N brings the same material of version N back.
type ImportParametersRequest struct {
	Key string `json:"key"`
	// Algorithm is RSAES_OAEP_SHA_256 if empty, of RSA keys, which are too long for that,
	// RSA_AES_KEY_WRAP_SHA_256; WrappingKeySpec is RSA_4096 if empty.
	Algorithm       Algorithm `json:"wrapping_algorithm,omitzero"`
	WrappingKeySpec Spec      `json:"wrapping_key_spec,omitzero"`
}

// ImportParameters are good for one import into one version, by the principal who asked for them.
type ImportParameters struct {
	KeyID gate.ID `json:"key_id"`
	// Version is what the material will be.
	Version         uint32    `json:"version"`
	Spec            Spec      `json:"spec"`
	Algorithm       Algorithm `json:"wrapping_algorithm"`
	WrappingKeySpec Spec      `json:"wrapping_key_spec"`
	// PublicKey, to wrap with, is the DER of a SubjectPublicKeyInfo. ImportToken goes back with the
	// wrapped material; it is to be kept as carefully as that, not more.
	PublicKey   []byte    `json:"public_key"`
	ImportToken []byte    `json:"import_token"`
	ValidTo     time.Time `json:"valid_to"`
}

// ImportRequest brings wrapped material. Key, ImportToken and EncryptedMaterial are required.
type ImportRequest struct {
	Key               string `json:"key"`
	ImportToken       []byte `json:"import_token"`
	EncryptedMaterial []byte `json:"encrypted_material"`
	// ValidTo is when the material comes to its end; the zero time never.
	ValidTo time.Time `json:"valid_to,omitzero"`
}

// notImportable is the one answer to everything that is wrong with a token or with material: what is
// wrong with material is not for whoever made it from a stranger's ciphertext to learn.
func notImportable() error {
	return gate.Errorf(gate.InvalidCiphertext, "the import token or the material is not right, and nothing was changed: parameters are good for 24 hours, for one import into their key and version, by whoever asked for them; the material is to be wrapped by their algorithm and exactly what the key's spec wants")
}

// check refuses an origin for kinds whose material is not imported.
func (o Origin) check(k Kind) error {
	switch {
	case o == "" || o == Haven:
		return nil
	case o != External:
		return gate.Errorf(gate.InvalidRequest, "origin is HAVEN or EXTERNAL")
	}
	return k.importable("", k.wrappingAlgorithm(""))
}

// wrappingAlgorithm returns what material of the kind is wrapped with when a request names nothing.
func (k Kind) wrappingAlgorithm(a Algorithm) Algorithm {
	switch {
	case a != "":
		return a
	case slices.Contains(wrappingSpecs, k.Spec):
		return crypt.RSAAESKeyWrap
	}
	return crypt.OAEPWithSHA256
}

// importable tells whether material of the kind is imported, wrapped with an algorithm; key is for
// the error.
func (k Kind) importable(key string, a Algorithm) error {
	if key == "" {
		key = "such a key"
	}
	switch err := crypt.Importable(a, k.Spec); {
	case errors.Is(err, crypt.ErrSpec):
		return gate.Errorf(gate.Unsupported, "material of spec %s is not imported; that of SYMMETRIC_DEFAULT, HMAC, RSA and ECC is", k.Spec)
	case errors.Is(err, crypt.ErrAlgorithm):
		return gate.Errorf(gate.InvalidRequest, "wrapping_algorithm is RSAES_OAEP_SHA_256 or RSA_AES_KEY_WRAP_SHA_256")
	case errors.Is(err, crypt.ErrUnsupported):
		return gate.Errorf(gate.Unsupported, "%s, %s: importing by %s is not available in FIPS 140-3 mode; AES, HMAC and ECC material is imported by RSAES_OAEP_SHA_256 there", key, k.Spec, a)
	default:
		return err
	}
}

// GetParametersForImport makes a one-time wrapping key. Nothing of it is stored: the token carries
// its private half, wrapped.
func (m *Manager) GetParametersForImport(ctx context.Context, c *gate.Call, req ImportParametersRequest) (*ImportParameters, error) {
	spec := req.WrappingKeySpec
	if spec == "" {
		spec = wrappingSpecs[0]
	}
	if !slices.Contains(wrappingSpecs, spec) {
		return nil, m.gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "wrapping_key_spec is RSA_4096, RSA_3072 or RSA_2048"))
	}
	pair := Kind{Type: Transport, Spec: spec, Usage: EncryptDecrypt}
	var out ImportParameters
	var made fresh
	defer made.destroy()
	r := onKey(req.Key, gate.Asked{Algorithm: by(access.WrappingAlgorithm, req.Algorithm), Values: value(access.WrappingKeySpec, string(spec))})
	err := m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		e := m.edit(ctx, a, nil)
		in, err := e.importInto(e.named)
		if err != nil {
			return gate.Outcome{}, err
		}
		if err := e.mayImport(&in); err != nil {
			return gate.Outcome{}, err
		}
		kind := e.body.kind()
		t := importToken{
			key: e.id, version: in.number, imports: in.imports(), spec: spec, wrapping: kind.wrappingAlgorithm(req.Algorithm),
			until: time.UnixMilli(e.now.Add(importWindow).UnixMilli()).UTC(),
		}
		if err := kind.importable("key "+e.id.String(), t.wrapping); err != nil {
			return gate.Outcome{}, err
		}
		if err := made.make(pair, m.random); err != nil {
			return gate.Outcome{}, pair.wrongly(e.id, err)
		}
		o := gate.Outcome{Version: in.number, Parameters: fmt.Sprintf("algorithm=%s;spec=%s", t.wrapping, spec)}
		if o.Wrapping, o.WrappingVer, err = m.ring.sealToken(ctx, a, &t, &e.body, made.material); err != nil {
			return gate.Outcome{}, err
		}
		out = ImportParameters{
			KeyID: e.id, Version: in.number, Spec: kind.Spec, Algorithm: t.wrapping, WrappingKeySpec: spec,
			PublicKey: made.public, ImportToken: t.encode(), ValidTo: t.until,
		}
		return o, nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// ImportKeyMaterial makes wrapped material the primary, or brings the same material of a version
// back. Nothing changes unless all of it is right.
func (m *Manager) ImportKeyMaterial(ctx context.Context, c *gate.Call, req ImportRequest) (*Key, error) {
	return m.change(ctx, c, onKey(req.Key, req.asked()), func(e *edit) error {
		t, ok := parseImportToken(req.ImportToken)
		if !ok || t.key != e.id || e.named != 0 && e.named != t.version || !e.now.Before(t.until) {
			return notImportable()
		}
		in, err := e.importInto(t.version)
		if err != nil {
			return err
		}
		if in.imports() != t.imports {
			return notImportable()
		}
		if err := e.mayImport(&in); err != nil {
			return err
		}
		if err := e.unwrapInto(&t, req.EncryptedMaterial); err != nil {
			return err
		}
		e.out.Parameters = fmt.Sprintf("imports=%d", in.imports()+1)
		if !req.ValidTo.IsZero() {
			e.out.Parameters += ";valid_to=" + req.ValidTo.UTC().Format(time.RFC3339)
		}
		return e.imported(&in, req.ValidTo)
	})
}

// unwrapInto leaves the material in e.made, ready for a new version.
func (e *edit) unwrapInto(t *importToken, wrapped []byte) error {
	private, err := e.m.ring.openToken(e.ctx, e.a, t, &e.body)
	if err != nil {
		return err
	}
	defer private.Destroy()
	kind := e.body.kind()
	material, err := private.UnwrapMaterial(t.wrapping, kind.Spec, wrapped)
	if errors.Is(err, crypt.ErrMaterial) {
		return notImportable()
	}
	if err != nil {
		return kind.wrongly(e.id, err)
	}
	return e.made.take(kind, material)
}

// importing is a version that material goes into.
type importing struct {
	number uint32
	before *loadedVersion // nil: the key's next, which is not there yet
}

// imports counts how often material came into the version.
func (in *importing) imports() uint32 {
	if in.before == nil {
		return 0
	}
	return in.before.body.Imports
}

// awaits tells whether the version's first material is still to come.
func (in *importing) awaits() bool {
	return in.before == nil || in.before.body.Life.State == lifecycle.Pending
}

// importInto returns version n or, for 0, the one that awaits its material, which else is the key's
// next.
func (e *edit) importInto(n uint32) (importing, error) {
	next := e.body.Life.Versions + 1
	if n > next {
		return importing{}, notImportable()
	}
	in := importing{number: next}
	ask := n
	if n == 0 && e.body.Life.Primary == 0 {
		ask = e.body.Life.Versions
	}
	if ask == 0 || ask == next {
		return in, nil
	}
	v, err := e.version(ask)
	if err != nil {
		return in, err
	}
	if n != 0 || lifecycle.Effective(e.body.Life, v.body.Life, e.now) == lifecycle.Pending {
		in = importing{number: ask, before: v}
	}
	return in, nil
}

// mayImport asks the lifecycle table, without changing anything.
func (e *edit) mayImport(in *importing) error {
	_, _, err := e.importLife(in, time.Time{})
	return err
}

// importLife is what the import makes of the key and the version.
func (e *edit) importLife(in *importing, ends time.Time) (lifecycle.Change, *loadedVersion, error) {
	if !ends.IsZero() {
		ends = ends.Round(0).UTC()
	}
	if !in.awaits() {
		again, err := lifecycle.ImportAgain(e.body.Life, in.before.body.Life, ends, e.now)
		return lifecycle.Change{Key: e.body.Life, New: again}, nil, e.refusedImport(err)
	}
	old, err := e.loadPrimary()
	if err != nil {
		return lifecycle.Change{}, nil, err
	}
	var life, pending lifecycle.Version
	if old != nil {
		life = old.body.Life
	}
	if in.before != nil {
		pending = in.before.body.Life
	}
	moved, err := lifecycle.Import(e.body.Life, life, pending, ends, e.now)
	return moved, old, e.refusedImport(err)
}

func (e *edit) refusedImport(err error) error {
	if err == nil {
		return nil
	}
	var r *lifecycle.Refusal
	if errors.As(err, &r) && r.Reason == lifecycle.ReasonPeriod {
		return gate.Errorf(gate.InvalidRequest, "valid_to is in the future, and at most %d days from now", lifecycle.MaxDays)
	}
	return e.refused(err)
}

// newToKey refuses material that another version of the key has or had: a rotation would change
// nothing, and what a compromised version signed would be believed again.
func (e *edit) newToKey(v *versionBody) error {
	for n := uint32(1); n <= e.body.Life.Versions; n++ {
		if n == v.Life.Number {
			continue
		}
		other, err := e.version(n)
		if err != nil {
			return err
		}
		same := *v
		if v.Public == nil {
			same.Material = crypt.MaterialID(e.id, n, v.Spec, e.made.material)
		}
		if sameMaterial(&same, &other.body) {
			return &gate.Error{Code: gate.InvalidState, Key: e.id, Reason: "same_material",
				Detail: fmt.Sprintf("key %s has this material as version %d, which is %s; import new material", e.id, n, lifecycle.Effective(e.body.Life, other.body.Life, e.now))}
		}
	}
	return nil
}

// imported stages the version with the material that e.made holds.
func (e *edit) imported(in *importing, ends time.Time) error {
	if !ends.IsZero() && e.body.Type == Master {
		return gate.Errorf(gate.InvalidRequest, "a master key wraps others, so its material does not end; leave valid_to out")
	}
	moved, old, err := e.importLife(in, ends)
	if err != nil {
		return err
	}
	e.body.Life = moved.Key
	v, err := e.m.ring.newMaterial(e.ctx, e.a, e.id, &e.body, moved.New.Number, e.made)
	if err != nil {
		return err
	}
	v.Life, v.Imports = moved.New, in.imports()+1
	if v.Public == nil {
		v.Material = crypt.MaterialID(e.id, v.Life.Number, v.Spec, e.made.material)
	}
	if !in.awaits() && !sameMaterial(v, &in.before.body) {
		return notImportable()
	}
	if in.awaits() {
		if err := e.newToKey(v); err != nil {
			return err
		}
	}
	if old != nil {
		if err := e.changeVersion(old, moved.Old); err != nil {
			return err
		}
		previous := moved.Old.Number
		e.answer = func(k *Key) { k.PreviousVersion = previous }
	}
	e.out.Version, e.out.Wrapping, e.out.WrappingVer = v.Life.Number, v.by, v.byVer
	return e.putVersion(v, in.before)
}

func sameMaterial(a, b *versionBody) bool {
	return bytes.Equal(a.Public, b.Public) && subtle.ConstantTimeCompare(a.Material, b.Material) == 1
}

// DeleteImportedKeyMaterial deletes the imported material of a version, KEY@N, or of the primary:
// when it returns, nothing that needs the material is done any more. The same material can be
// imported again.
func (m *Manager) DeleteImportedKeyMaterial(ctx context.Context, c *gate.Call, req KeyRequest) (*Key, error) {
	return m.manage(ctx, c, req.Key, "", func(e *edit) error {
		n := e.named
		if n == 0 {
			n = shown(e.body.Life)
		}
		if n == 0 || !e.body.Life.External {
			return e.refused(&lifecycle.Refusal{Reason: lifecycle.ReasonNotExternal})
		}
		v, err := e.version(n)
		if err != nil {
			return err
		}
		life, err := lifecycle.EraseMaterial(e.body.Life, v.body.Life, e.now)
		if err != nil {
			return e.refused(err)
		}
		e.out.Version = n
		return e.erase(v, life)
	})
}

// erase stages a version without its material.
func (e *edit) erase(v *loadedVersion, life lifecycle.Version) error {
	body := v.body
	body.Life, body.wrapped, body.by, body.byVer = life, nil, gate.ID{}, 0
	return e.putVersion(&body, v)
}
