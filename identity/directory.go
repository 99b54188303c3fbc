package identity

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity/oidc"
	"github.com/haven-health/haven/store"
)

// cacheSize bounds how many principals and credentials are held decoded.
const cacheSize = 16384

// Directory looks principals and credentials up. It implements gate.Authenticator.
type Directory struct {
	view        *gate.View
	account     string
	region      string
	principals  *gate.Cache[gate.ID, *gate.Principal]
	credentials *gate.Cache[[32]byte, *credentialBody]
	names       *gate.Cache[string, gate.ID] // of users and services
	signings    *gate.Cache[signingID, *signing]
	issuers     *oidc.Issuers // nil: none is believed
	sessions    *gate.Cache[[32]byte, *gate.Principal]
	secrets     Secrets
	uses        *gate.LastUses // of credentials
}

// Config is what a Directory is made of. View and Account are required.
type Config struct {
	View *gate.View
	// Account is the 12-digit account in ARNs, Region the one that requests are signed for.
	Account, Region string
	// Secrets opens those of access keys; nil where nobody is to make or use one.
	Secrets Secrets
	// Issuers are whose tokens prove who calls; nil: nobody's.
	Issuers *oidc.Issuers
}

// New makes a directory.
func New(cfg Config) *Directory {
	view := cfg.View
	return &Directory{
		view: view, account: cfg.Account, region: cfg.Region, secrets: cfg.Secrets, issuers: cfg.Issuers, uses: gate.NewLastUses(view, store.KindCredential, "credential"),
		principals:  gate.NewCache[gate.ID, *gate.Principal](view, cacheSize, store.KindPrincipal, appendID, nil),
		credentials: gate.NewCache[[32]byte, *credentialBody](view, cacheSize, store.KindCredential, appendHash, nil),
		names:       gate.NewCache[string, gate.ID](view, cacheSize, store.KindName, appendUserName, nil),
		sessions:    gate.NewCache[[32]byte, *gate.Principal](view, cacheSize, store.KindCredential, appendHash, nil),
		signings:    gate.NewCache[signingID, *signing](view, cacheSize, store.KindCredential, appendSigningID, nil),
	}
}

// Uses tells when credentials were last used.
func (d *Directory) Uses() *gate.LastUses { return d.uses }

// noteUse notes a use: once a day for each credential that is held decoded, so that a use costs no lock.
func (d *Directory) noteUse(hash [32]byte, c *credentialBody, now time.Time) {
	if day := now.Unix() / (24 * 60 * 60); c.used.Load() != day && c.used.Swap(day) != day {
		d.uses.Note(hash[:], now)
	}
}

func (d *Directory) loadCredential(ctx context.Context, hash [32]byte) (*credentialBody, store.Epoch, error) {
	items, epoch, err := d.view.Get(ctx, credentialRef(hash))
	if err != nil {
		return nil, epoch, err
	}
	if items[0].Revision == 0 {
		return nil, epoch, nobody()
	}
	c, err := decodeCredential(&items[0])
	return c, epoch, err
}

// loadPrincipal makes a principal of its item and those of its groups and policies.
func (d *Directory) loadPrincipal(ctx context.Context, id gate.ID) (*gate.Principal, gate.Rests, error) {
	return d.settled(ctx, func(l *loading) (*gate.Principal, error) { return l.principal(id) })
}

// settled loads a principal. Its items are read one after another: a policy may be gone because it was
// taken from the principal meanwhile. It is missing if whatever names it is the same when all is read
// again.
func (d *Directory) settled(ctx context.Context, load func(*loading) (*gate.Principal, error)) (*gate.Principal, gate.Rests, error) {
	var before map[store.Ref]uint64
	for {
		l := loading{d: d, ctx: ctx, revisions: map[store.Ref]uint64{}}
		p, err := load(&l)
		if !l.dangling || maps.Equal(l.revisions, before) {
			return p, l.rests, err
		}
		before = l.revisions
	}
}

// principal reads a principal that is in force.
func (l *loading) principal(id gate.ID) (*gate.Principal, error) {
	items, err := l.get(principalRef(id))
	if err != nil {
		return nil, err
	}
	if items[0].Revision == 0 {
		return nil, nobody()
	}
	body, err := decodePrincipal(&items[0])
	if err != nil {
		return nil, err
	}
	if body.Disabled {
		return nil, nobody()
	}
	p := principalOf(id, body, l.d.account)
	if err := l.policies(body, p.Access); err != nil {
		return nil, err
	}
	return &p, nil
}

// loading reads the items that one principal is made of, and notes them.
type loading struct {
	d     *Directory
	ctx   context.Context
	rests gate.Rests
	read  bool
	// revisions are those of all that was read, and dangling that something named was not there.
	revisions map[store.Ref]uint64
	dangling  bool
	// instead are policies that are taken in the place of those stored, by id.
	instead map[gate.ID]*access.Policy
}

func (l *loading) missing(what string) error {
	l.dangling = true
	return missing(what)
}

// get reads items and notes them, with the earliest epoch of any.
func (l *loading) get(refs ...store.Ref) ([]store.Item, error) {
	var out []store.Item
	for part := range slices.Chunk(refs, store.MaxGet) {
		items, epoch, err := l.d.view.Get(l.ctx, part...)
		if err != nil {
			return nil, err
		}
		if !l.read || epoch.N < l.rests.Epoch.N {
			l.rests.Epoch, l.read = epoch, true
		}
		l.rests.On = append(l.rests.On, part...)
		for i := range items {
			l.revisions[items[i].Ref] = items[i].Revision
		}
		out = append(out, items...)
	}
	return out, nil
}

// policies gives the principal what its own and its groups' policies say, and its boundary.
func (l *loading) policies(b *principalBody, to *access.Principal) error {
	ids := append([]gate.ID(nil), b.Policies...)
	refs := make([]store.Ref, len(b.Groups))
	for i, group := range b.Groups {
		refs[i] = groupRef(group)
	}
	groups, err := l.get(refs...)
	if err != nil {
		return err
	}
	for i := range groups {
		if groups[i].Revision == 0 {
			return l.missing("group")
		}
		group, err := decodeGroup(&groups[i])
		if err != nil {
			return err
		}
		ids = append(ids, group.Policies...)
	}
	if to.Policies, err = l.compiled(ids); err != nil || b.Boundary.IsZero() {
		return err
	}
	boundary, err := l.compiled([]gate.ID{b.Boundary})
	if err == nil {
		to.Boundary = boundary[0]
	}
	return err
}

// compiled reads policies and compiles them. Ready ones are in no store.
func (l *loading) compiled(ids []gate.ID) ([]*access.Policy, error) {
	var out []*access.Policy
	var refs []store.Ref
	for _, id := range ids {
		if p := l.instead[id]; p != nil {
			out = append(out, p)
			continue
		}
		ready := readyOf(id)
		if ready == nil {
			refs = append(refs, policyRef(id))
			continue
		}
		p, err := l.d.compile(ready.name, ready.document())
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	items, err := l.get(refs...)
	if err != nil {
		return nil, err
	}
	for i := range items {
		if items[i].Revision == 0 {
			return nil, l.missing("policy")
		}
		body, err := decodePolicy(&items[i])
		if err != nil {
			return nil, err
		}
		p, err := l.d.compile(body.Name, body.Document)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// compile compiles the policy of an identity.
func (d *Directory) compile(name, document string) (*access.Policy, error) {
	p, err := access.Compile([]byte(document), access.Identity, d.account, nil)
	if err != nil {
		return nil, unreadable(name, err)
	}
	p.Name = name
	return p, nil
}

// missing answers for what a principal names and the store does not have: whoever took it away may
// have taken a Deny away, so nothing is decided without it.
func missing(what string) error {
	return gate.Errorf(gate.Tampered, "a %s that a principal has is missing from the store; run haven fsck", what)
}

// unreadable answers for a stored policy that this release cannot honour.
func unreadable(name string, err error) error {
	return gate.Errorf(gate.Internal, "policy %s cannot be honoured; it may come from a later release: %v", name, err)
}

// principalOf makes what the gate and decisions know of a stored principal, its policies left out.
// The bootstrap administrator stands for the account itself.
func principalOf(id gate.ID, p *principalBody, account string) gate.Principal {
	called := arn(account, spaceOf(p.Kind), p.Name)
	return gate.Principal{
		ID: id, Name: p.Name, Administrator: p.Administrator, ARN: called,
		Access: &access.Principal{
			ID: id.String(), ARN: called, Account: account, Root: p.Administrator, Kind: "User", Name: p.Name, Tags: p.Tags,
		},
	}
}

// Administrators returns the ids of the administrators: who the library acts as by default.
func (d *Directory) Administrators(ctx context.Context) ([]gate.ID, error) {
	page, err := d.view.List(ctx, store.Query{Kind: store.KindPrincipal, Index: indexAdministrator, Value: administratorIndex, Limit: store.MaxPage})
	if err != nil {
		return nil, err
	}
	var out []gate.ID
	for i := range page.Items {
		out = append(out, idOf(page.Items[i].ID))
	}
	return out, nil
}

// isNobody tells whether an error is that of nobody.
func isNobody(err error) bool { return errors.Is(err, gate.Unauthenticated) }
