package identity

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// bodyFormat is the format of every stored body of this package.
const bodyFormat = 1

// Kind is what a principal is.
type Kind string

// The kinds of principals. Users are people, services are programs; both prove themselves by
// credentials of their own. A role is assumed.
const (
	User    Kind = "user"
	Service Kind = "service"
	Role    Kind = "role"
)

// principalBody is a stored principal. It names groups and policies by id: what is made again under
// an old name inherits nothing.
type principalBody struct {
	Format        int               `json:"v"`
	Kind          Kind              `json:"kind"`
	Name          string            `json:"name"`
	Administrator bool              `json:"administrator,omitzero"` // the bootstrap administrator: the account itself
	Disabled      bool              `json:"disabled,omitzero"`
	Created       time.Time         `json:"created"`
	Tags          map[string]string `json:"tags,omitempty"`
	Groups        []gate.ID         `json:"groups,omitempty"`
	// Policies are the managed ones attached to it and its own inline ones.
	Policies []gate.ID `json:"policies,omitempty"`
	Boundary gate.ID   `json:"boundary,omitzero"`
	// Trust is a role's policy that says who may assume it.
	Trust gate.ID `json:"trust,omitzero"`
	// MaxSession is how long a session of a role lasts at most, in seconds.
	MaxSession int `json:"max_session,omitzero"`
}

// groupBody is a stored group.
type groupBody struct {
	Format   int       `json:"v"`
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Policies []gate.ID `json:"policies,omitempty"`
}

// policyBody is a stored policy. Owner is the principal or group whose inline policy it is; zero
// for a managed one.
type policyBody struct {
	Format   int       `json:"v"`
	Name     string    `json:"name"`
	Owner    gate.ID   `json:"owner,omitzero"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated,omitzero"`
	Document string    `json:"document"`
	// Principals are the ids that the ARNs in a trust policy had when it was written: whoever is made
	// again under one of the names may not what the other might.
	Principals map[string]gate.ID `json:"principals,omitempty"`
	// Trust tells that it says who may assume its owner, a role.
	Trust bool `json:"trust,omitzero"`
}

// credentialBody is a stored credential: see the types for what its item's id is the hash of.
type credentialBody struct {
	Format    int       `json:"v"`
	Type      string    `json:"type"`
	Principal gate.ID   `json:"principal"`
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires,omitzero"`
	// Session is what a session of a role has beside that: its principal is the role.
	Session *sessionBody `json:"session,omitempty"`
	// Begins is a client certificate's own first moment.
	Begins   time.Time `json:"begins,omitzero"`
	Inactive bool      `json:"inactive,omitzero"`
	// KeyID is an access key's id, Secret its secret as Secrets sealed it.
	KeyID  string `json:"key_id,omitzero"`
	Secret []byte `json:"secret,omitempty"`
	// used is the newest day, since 1970, that was noted of it while it is held decoded.
	used atomic.Int64
}

// Types of credentials.
const (
	// bearer credentials are known by the SHA-256 of the token.
	bearer = "bearer"
	// session credentials are known likewise: they are what assuming a role gives.
	session = "session"
	// accessKey credentials are known by the SHA-256 of the access key id.
	accessKey = "access-key"
	// clientCertificate credentials are known by the SHA-256 of the certificate's DER.
	clientCertificate = "client-certificate"
)

// nameBody is a stored name.
type nameBody struct {
	Format int     `json:"v"`
	ID     gate.ID `json:"id"`
}

// Places of index values: what items may be listed by.
const (
	indexAdministrator = 0 // of a principal: administratorIndex
	indexKind          = 1 // of a principal: its kind
	indexPrincipal     = 0 // of a credential: the principal's id
	indexOwner         = 0 // of a policy: the owner's id, or managedIndex
)

const (
	administratorIndex = "administrator"
	managedIndex       = "managed"
)

func principalRef(id gate.ID) store.Ref {
	return store.Ref{Kind: store.KindPrincipal, ID: string(id[:])}
}

func groupRef(id gate.ID) store.Ref { return store.Ref{Kind: store.KindGroup, ID: string(id[:])} }

func policyRef(id gate.ID) store.Ref { return store.Ref{Kind: store.KindPolicy, ID: string(id[:])} }

func credentialRef(hash [32]byte) store.Ref {
	return store.Ref{Kind: store.KindCredential, ID: string(hash[:])}
}

func appendID(b []byte, id gate.ID) []byte { return append(b, id[:]...) }

func appendHash(b []byte, hash [32]byte) []byte { return append(b, hash[:]...) }

func idOf(id string) (out gate.ID) {
	copy(out[:], id)
	return out
}

// encode makes a body's bytes.
func encode(body any) ([]byte, error) {
	b, err := json.Marshal(body, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("identity: encoding a %T: %w", body, err)
	}
	return b, nil
}

// decode reads an item's body.
func decode[B any](item *store.Item, format func(*B) int) (*B, error) {
	b := new(B)
	err := json.Unmarshal(item.Body, b, json.RejectUnknownMembers(true))
	if err == nil && format(b) != bodyFormat {
		err = fmt.Errorf("format %d", format(b))
	}
	if err != nil {
		return nil, gate.Errorf(gate.Internal, "a stored %s cannot be read; it may come from a later release: %v", item.Ref.Kind, err)
	}
	return b, nil
}

func decodePrincipal(item *store.Item) (*principalBody, error) {
	return decode(item, func(b *principalBody) int { return b.Format })
}

func decodeGroup(item *store.Item) (*groupBody, error) {
	return decode(item, func(b *groupBody) int { return b.Format })
}

func decodePolicy(item *store.Item) (*policyBody, error) {
	return decode(item, func(b *policyBody) int { return b.Format })
}

func decodeCredential(item *store.Item) (*credentialBody, error) {
	return decode(item, func(b *credentialBody) int { return b.Format })
}

func decodeName(item *store.Item) (*nameBody, error) {
	return decode(item, func(b *nameBody) int { return b.Format })
}

// principalChange stages a principal; before is nil for a new one.
func principalChange(id gate.ID, b *principalBody, before *store.Item) (gate.Change, error) {
	b.Format = bodyFormat
	body, err := encode(b)
	c := gate.Change{Ref: principalRef(id), Body: body, Before: before}
	c.Index[indexKind] = string(b.Kind)
	if b.Administrator {
		c.Index[indexAdministrator] = administratorIndex
	}
	return c, err
}

// groupChange stages a group likewise.
func groupChange(id gate.ID, b *groupBody, before *store.Item) (gate.Change, error) {
	b.Format = bodyFormat
	body, err := encode(b)
	return gate.Change{Ref: groupRef(id), Body: body, Before: before}, err
}

// policyChange stages a policy likewise.
func policyChange(id gate.ID, b *policyBody, before *store.Item) (gate.Change, error) {
	b.Format = bodyFormat
	body, err := encode(b)
	c := gate.Change{Ref: policyRef(id), Body: body, Before: before}
	if c.Index[indexOwner] = managedIndex; !b.Owner.IsZero() {
		c.Index[indexOwner] = string(b.Owner[:])
	}
	return c, err
}

// credentialChange stages a credential likewise; hash is of what it is known by.
func credentialChange(hash [32]byte, b *credentialBody, before *store.Item) (gate.Change, error) {
	b.Format = bodyFormat
	body, err := encode(b)
	c := gate.Change{Ref: credentialRef(hash), Body: body, Before: before, Also: []store.Ref{principalRef(b.Principal)}}
	c.Index[indexPrincipal] = string(b.Principal[:])
	if !b.Expires.IsZero() {
		c.Due = b.Expires.Add(time.Millisecond - 1).UnixMilli() // rounded up: what is found is past it
	}
	return c, err
}
