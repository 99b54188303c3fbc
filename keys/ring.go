package keys

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// Root wraps what the root key protects: the masters. What it wrapped names the root key by an id
// of zeros, and its generation as the version.
type Root interface {
	// Present returns the root key that wraps now, and notes in the reading what says which that
	// is: whatever was wrapped by one that is replaced meanwhile is wrapped again, not stored.
	Present(ctx context.Context, r *gate.Reading) (Wrapping, error)
	// Unwrap returns an error matching crypt.ErrDecrypt when another key wrapped it or it belongs
	// elsewhere.
	Unwrap(b blob.Binding, w crypt.Wrapped) (secret.Bytes, error)
}

// Wrapping is a key that wraps keys: a generation of the root key, or a version of a master key.
type Wrapping interface {
	// Wrap encrypts material for the place the binding names.
	Wrap(b blob.Binding, material secret.Bytes) (crypt.Wrapped, error)
	// Unwrap returns an error matching crypt.ErrDecrypt when another key wrapped it or it belongs
	// elsewhere.
	Unwrap(b blob.Binding, w crypt.Wrapped) (secret.Bytes, error)
}

// RingConfig is what a Ring is made of. Every field is required.
type RingConfig struct {
	View    *gate.View
	Root    Root
	Place   Place
	StoreID gate.ID
	// Random is the source of key material; it must be cryptographically secure.
	Random io.Reader
	// People tells who there is.
	People People
	// CacheKeys bounds how many keys and how many versions are held ready for use, unwrapped.
	CacheKeys int
}

// Ring holds keys and versions as loaded, and unwraps material for approved operations. It
// implements gate.Resolver.
type Ring struct {
	cfg       RingConfig
	keys      *gate.Cache[gate.ID, *loadedKey]
	versions  *gate.Cache[versionID, *loadedVersion]
	grantUses *gate.LastUses
	aliases   *gate.Cache[string, gate.ID]
	counts    *Counts
	children  []child
}

// loadedKey is a key as stored, with the stops chain's word on it applied.
type loadedKey struct {
	item store.Item
	body keyBody
	arn  string
	// object and defaults are what decisions see of it.
	object   *access.Object
	defaults []access.Value
	// policy is its own as stored, nil if it has none; grants are by their ids.
	policy *store.Item
	grants []*loadedGrant
}

// loadedVersion is a version as stored, likewise, and its material once something used it.
type loadedVersion struct {
	item store.Item
	body versionBody

	mu       sync.Mutex
	material opened
	dropped  bool
	// public is the parsed public half of a pair, once something asked for it. It is no secret.
	public *crypt.PublicKey
}

// opened is material ready for use: the type of package crypt that does what the kind of key does.
type opened interface{ Destroy() }

// NewRing makes a ring.
func NewRing(cfg RingConfig) *Ring {
	r := &Ring{cfg: cfg, counts: newCounts(cfg.View), grantUses: gate.NewLastUses(cfg.View, store.KindGrant, "grant")}
	r.keys = gate.NewCache[gate.ID, *loadedKey](cfg.View, cfg.CacheKeys, store.KindKey, appendKeyID, nil)
	r.versions = gate.NewCache(cfg.View, cfg.CacheKeys, store.KindVersion, appendVersionID, (*loadedVersion).drop)
	r.aliases = gate.NewCache[string, gate.ID](cfg.View, cfg.CacheKeys, store.KindAlias, appendAlias, nil)
	return r
}

// Granted notes that somebody may do something by a grant.
func (r *Ring) Granted(grant string) {
	if id, ok := gate.ParseID(grant); ok {
		r.grantUses.Note(id[:], r.cfg.View.Now())
	}
}

// GrantUses tells when grants were last used.
func (r *Ring) GrantUses() *gate.LastUses { return r.grantUses }

// Counts returns the counts of uses.
func (r *Ring) Counts() *Counts { return r.counts }

// drop destroys the material; who is using it gets crypt.ErrDestroyed and loads again.
func (v *loadedVersion) drop() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.dropped = true
	if v.material != nil {
		v.material.Destroy()
		v.material = nil
	}
}

func (r *Ring) key(ctx context.Context, reading *gate.Reading, id gate.ID) (*loadedKey, error) {
	return r.keys.Get(ctx, reading, id, r.loadKey)
}

func (r *Ring) version(ctx context.Context, reading *gate.Reading, key gate.ID, n uint32) (*loadedVersion, error) {
	return r.versions.Get(ctx, reading, versionID{key, n}, r.loadVersion)
}

func (r *Ring) loadKey(ctx context.Context, id gate.ID) (*loadedKey, store.Epoch, error) {
	k, epoch, err := r.readKey(ctx, id)
	if err == nil {
		r.stopKey(id, &k.body.Life)
	}
	return k, epoch, err
}

// readKey reads a key as its items have it, without what the stops chain lays over it.
func (r *Ring) readKey(ctx context.Context, id gate.ID) (*loadedKey, store.Epoch, error) {
	items, epoch, err := r.cfg.View.Get(ctx, keyRef(id), keyPolicyRef(id))
	if err != nil {
		return nil, epoch, err
	}
	if items[0].Revision == 0 {
		return nil, epoch, gate.Errorf(gate.NotFound, "no key %s", id)
	}
	body, err := decodeKey(&items[0])
	if err != nil {
		return nil, epoch, err
	}
	object := r.object(id, body)
	k := &loadedKey{item: items[0], body: *body, arn: object.ARN, object: object, defaults: body.kind().defaults()}
	return k, epoch, r.decide(ctx, id, k, &items[1])
}

// stopKey lays the stops chain over a key: what it stops is stopped, whatever the item says.
func (r *Ring) stopKey(id gate.ID, life *lifecycle.Key) {
	s := r.cfg.View.Stopped(keyRef(id))
	switch {
	case s.PendingDeletion && life.DeletionDate.IsZero():
		life.Disabled, life.DisabledUntil = true, time.Time{}
	case s.Disabled:
		life.Disabled, life.DisabledUntil = true, s.Until()
	}
	life.Destroyed = life.Destroyed || s.Destroyed
	if s.CompromisedThrough > life.CompromisedThrough {
		life.CompromisedThrough = s.CompromisedThrough
	}
	if life.Primary != 0 && life.Primary <= life.CompromisedThrough {
		life.Primary = 0
	}
}

func (r *Ring) loadVersion(ctx context.Context, v versionID) (*loadedVersion, store.Epoch, error) {
	items, epoch, err := r.cfg.View.Get(ctx, versionRef(v))
	if err != nil {
		return nil, epoch, err
	}
	if items[0].Revision == 0 {
		return nil, epoch, gate.Errorf(gate.NotFound, "key %s has no version %d", v.key, v.number)
	}
	body, err := decodeVersion(&items[0])
	if err != nil {
		return nil, epoch, err
	}
	r.stopVersion(items[0].Ref, &body.Life)
	return &loadedVersion{item: items[0], body: *body}, epoch, nil
}

// stopVersion lays the stops chain over a version.
func (r *Ring) stopVersion(ref store.Ref, life *lifecycle.Version) {
	switch s := r.cfg.View.Stopped(ref); {
	case s.Destroyed:
		life.State = lifecycle.Destroyed
	case s.Compromised:
		life.State, life.WasCompromised = lifecycle.Compromised, true
	}
}

func (r *Ring) loadAlias(ctx context.Context, name string) (gate.ID, store.Epoch, error) {
	items, epoch, err := r.cfg.View.Get(ctx, aliasRef(name))
	if err != nil {
		return gate.ID{}, epoch, err
	}
	if items[0].Revision == 0 {
		return gate.ID{}, epoch, gate.Errorf(gate.NotFound, "no alias alias/%s", name)
	}
	body, err := decodeAlias(&items[0])
	return body.Key, epoch, err
}

// Resolve implements gate.Resolver. In Domain it leaves what the operation's function begins from:
// the *loadedVersion for a use, the *loadedKey for anything else.
func (r *Ring) Resolve(ctx context.Context, reading *gate.Reading, op *gate.Operation, ref gate.Reference) (gate.Target, error) {
	if ref == (gate.Reference{}) { // the caller named none; a ciphertext's version is never 0
		return gate.Target{}, badReference()
	}
	id, number, named := ref.Key, ref.Version, ref.Text == ""
	alias := ""
	if ref.Text != "" {
		parsed, err := r.cfg.Place.parseReference(ref.Text)
		if err != nil {
			return gate.Target{}, err
		}
		if id = parsed.id; parsed.alias != "" {
			alias = parsed.text
			if id, err = r.aliases.Get(ctx, reading, parsed.alias, r.loadAlias); err != nil {
				return gate.Target{}, err
			}
		}
		if parsed.version != 0 {
			number, named = parsed.version, true
		} else if id != ref.Key {
			number = 0 // the ciphertext's number is of its own key: the operation compares the two
		}
	}
	key, err := r.key(ctx, reading, id)
	if err != nil {
		return gate.Target{}, unnamed(ref, err)
	}
	t := gate.Target{Key: id, ARN: key.arn, Named: named, State: key.body.Life, Domain: key, Object: key.object, Defaults: key.defaults, Alias: alias}
	if !ref.Grant.IsZero() {
		if t.Object, err = key.retiring(ref.Grant); err != nil {
			return t, err
		}
	}
	if op.Use != 0 {
		t.Unfit = key.body.kind().unfit(id, op)
	}
	if number == 0 && op.Use != 0 {
		number = shown(key.body.Life)
	}
	if number == 0 {
		return t, nil
	}
	whole := t
	version, err := r.at(ctx, reading, &t, number)
	if err != nil { // who may do this to the key is told
		return whole, unnamed(ref, err)
	}
	if op.Use != 0 {
		t.Domain = version
	}
	return t, nil
}

// at makes a version of the target's key what the target names.
func (r *Ring) at(ctx context.Context, reading *gate.Reading, t *gate.Target, number uint32) (*loadedVersion, error) {
	version, err := r.version(ctx, reading, t.Key, number)
	if isNotFound(err) && number <= t.State.Versions {
		err = gate.Errorf(gate.Tampered, "version %d of key %s is missing from the store; run haven fsck", number, t.Key)
	}
	if err != nil {
		return nil, err
	}
	t.Version, t.Material = number, version.body.Life
	t.Wrapping, t.WrappingVer = version.body.by, version.body.byVer
	return version, r.above(ctx, reading, t)
}

// unnamed answers for a key that only a ciphertext names: one that does not exist is a ciphertext
// that does not decrypt, and nothing more is told.
func unnamed(ref gate.Reference, err error) error {
	if ref.Text == "" && isNotFound(err) {
		return invalidCiphertext()
	}
	return err
}

// above notes the master key and version that wrap the target: stopped, they stop it too. A
// master version that was compromised by itself still unwraps, for the gate alone, until what it
// wraps is wrapped anew; each such use is recorded as recovery.
func (r *Ring) above(ctx context.Context, reading *gate.Reading, t *gate.Target) error {
	t.Master, t.Recovery = nil, false
	if t.Wrapping.IsZero() {
		return nil
	}
	master, err := r.key(ctx, reading, t.Wrapping)
	if err != nil {
		return missingMaster(err)
	}
	version, err := r.version(ctx, reading, t.Wrapping, t.WrappingVer)
	if err != nil {
		return missingMaster(err)
	}
	t.Master = &master.body.Life
	t.Recovery = version.body.Life.State == lifecycle.Compromised || t.WrappingVer <= master.body.Life.CompromisedThrough
	return nil
}

func missingMaster(err error) error {
	if isNotFound(err) {
		return gate.Errorf(gate.Tampered, "the master key version that wraps this key is missing from the store; run haven fsck")
	}
	return err
}

// binding says where a version's material belongs, for wrapping it.
func (r *Ring) binding(id gate.ID, n uint32, spec Spec, usage Usage) blob.Binding {
	return blob.Binding{
		Store: r.cfg.StoreID, Account: r.cfg.Place.Account, Purpose: "key version",
		ID: string(id[:]), Version: n, Spec: string(spec), Usage: string(usage),
	}
}

// use runs f with the target's material, opened as K. The material may leave the cache meanwhile,
// for a change or for want of room; then it is loaded once more, the last time for this use alone,
// so that no cache is too small. What a change means is the gate's to decide.
func use[K opened](ctx context.Context, r *Ring, a gate.Approved, t *gate.Target, f func(K) error) error {
	version := t.Domain.(*loadedVersion)
	for attempt := 0; ; attempt++ {
		last := attempt == 2
		material, own, err := r.material(ctx, a, t.Key, version, last)
		if err == nil {
			key, ok := material.(K)
			if !ok { // the gate refuses what keys of the kind do not do
				return fmt.Errorf("keys: key %s version %d: a %T was asked for", t.Key, t.Version, key)
			}
			err = f(key)
		}
		if own {
			material.Destroy()
		}
		if err != crypt.ErrDestroyed || last {
			return err
		}
		if version, err = r.version(ctx, a.Reading(), t.Key, t.Version); err != nil {
			return err
		}
	}
}

// material returns a version's material ready for use, unwrapping it if need be. It demands the
// gate's approval, and uses no more of the hierarchy than the approved operation needs. Own says
// that the caller alone has it, and destroys it: because it asked for that, or because the version
// has left the cache.
func (r *Ring) material(ctx context.Context, a gate.Approved, id gate.ID, v *loadedVersion, alone bool) (key opened, own bool, err error) {
	a.Principal()
	v.mu.Lock()
	ready := v.material
	v.mu.Unlock()
	if ready != nil && !alone {
		return ready, false, nil
	}
	if len(v.body.wrapped) == 0 {
		return nil, false, gate.Errorf(gate.InvalidState, "key %s version %d has no material", id, v.body.Life.Number)
	}
	material, err := r.unwrap(ctx, a, id, v, alone)
	if err != nil {
		return nil, false, err
	}
	if key, err = r.open(id, &v.body, material); err != nil {
		return nil, false, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case alone || v.dropped:
		return key, true, nil
	case v.material != nil: // another operation was first
		key.Destroy()
		return v.material, false, nil
	}
	v.material = key
	return key, false, nil
}

// open makes material ready for what keys of its kind do, and takes it over.
func (r *Ring) open(id gate.ID, v *versionBody, material secret.Bytes) (key opened, err error) {
	if v.Spec != SymmetricDefault { // whose key keeps the bytes
		defer material.Destroy()
	}
	switch {
	case v.Spec == SymmetricDefault:
		key, err = crypt.NewKey(id, v.Life.Number, material, r.cfg.Random)
	case v.Usage == EncryptDecrypt:
		key, err = crypt.OpenOAEPKey(v.Spec, material)
	case v.Usage == crypt.SignVerify:
		key, err = crypt.OpenSigningKey(v.Spec, material, r.cfg.Random)
	case v.Usage == crypt.GenerateVerifyMAC:
		key, err = crypt.OpenMACKey(v.Spec, material)
	case v.Usage == crypt.KeyAgreement:
		key, err = crypt.OpenAgreementKey(v.Spec, material)
	case v.Usage == crypt.EncapsulateDecapsulate:
		key, err = crypt.OpenKEMKey(v.Spec, material)
	case v.Usage == crypt.SealOpen:
		key, err = crypt.OpenHPKEKey(v.Spec, id, v.Life.Number, material)
	default:
		err = crypt.ErrSpec
	}
	switch {
	case errors.Is(err, crypt.ErrUnsupported):
		return nil, gate.Errorf(gate.Unsupported, "key %s, %s, is not available in FIPS 140-3 mode", id, v.Spec)
	case err != nil:
		return nil, fmt.Errorf("keys: key %s version %d: %w", id, v.Life.Number, err)
	}
	return key, nil
}

func (r *Ring) unwrap(ctx context.Context, a gate.Approved, id gate.ID, v *loadedVersion, alone bool) (secret.Bytes, error) {
	b := r.binding(id, v.body.Life.Number, v.body.Spec, v.body.Usage)
	if v.body.by.IsZero() {
		return unwrapped(r.cfg.Root.Unwrap(b, v.body.wrapped))
	}
	master, err := r.version(ctx, a.Reading(), v.body.by, v.body.byVer)
	if err != nil {
		return secret.Bytes{}, missingMaster(err)
	}
	above, own, err := r.material(ctx, a, v.body.by, master, alone)
	if err != nil {
		return secret.Bytes{}, err
	}
	if own {
		defer above.Destroy()
	}
	wrapping, ok := above.(*crypt.Key)
	if !ok {
		return secret.Bytes{}, gate.Errorf(gate.Tampered, "what wraps the key is no master key; run haven fsck")
	}
	return unwrapped(wrapping.Unwrap(b, v.body.wrapped))
}

func unwrapped(material secret.Bytes, err error) (secret.Bytes, error) {
	if err == crypt.ErrDecrypt {
		return material, gate.Errorf(gate.Tampered, "the key's stored material does not unwrap: it was altered, or belongs to another store; run haven fsck")
	}
	return material, err
}
