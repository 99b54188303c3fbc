// Package store is the contract of the Metadata Store: the place where keys, versions,
// principals, policies, stored keys' records and the journal live, as one durability domain.
//
// A store guarantees: a batch is durable as a whole or not at all; a change happens only to the
// revision it names; every reader sees one snapshot; the records of all batches stand in one
// order, none lost, none twice.
//
// A store never understands a body, never sees plaintext key material, and knows no principals
// and no policies: those live above, in the gate. It may be read and written by an attacker; what
// it returns is checked above by a MAC on each item and a hash chain through the records.
//
// Implementations: memory, embedded. Each is tested by package storetest, wholly and only.
package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// Kind tells what an item is. To a store it is a number.
type Kind uint8

// The kinds. The numbers are part of the stored format and are never given another meaning.
const (
	KindKey           Kind = 1  // a key: id is its 16 bytes
	KindVersion       Kind = 2  // a version: id is the key's 16 bytes and its number, big-endian uint32
	KindAlias         Kind = 3  // an alias: id is its name without "alias/"
	KindPrincipal     Kind = 4  // a principal: id is its 16 bytes
	KindCredential    Kind = 5  // a credential: id is the SHA-256 of its secret
	KindStop          Kind = 6  // an entry of the stops chain: id is its position, big-endian uint64
	KindIdempotency   Kind = 7  // a stored answer: id is the SHA-256 of principal, operation and key
	KindSeal          Kind = 8  // an attached seal: id is its slot's name
	KindRoot          Kind = 9  // what the root key wraps for the store itself: id is its name
	KindSetting       Kind = 10 // a setting of the whole system: id is its name
	KindUsage         Kind = 11 // counts of uses: id is the key's 16 bytes and a number, big-endian uint32, or a name, or "credential/" and a credential's id
	KindGroup         Kind = 12 // a group of principals: id is its 16 bytes
	KindPolicy        Kind = 13 // a policy: id is its 16 bytes; a key's own has the key's
	KindGrant         Kind = 14 // a grant on a key: id is its 16 bytes
	KindName          Kind = 15 // a name that one principal, group, policy or stored key has: id is "user/NAME", "role/NAME", "group/NAME", "policy/NAME" or "stored/NAME"; or that one is in a group: "member/", 16 bytes of each id
	KindApproval      Kind = 16 // a request for approvals: id is its 16 bytes
	KindStored        Kind = 17 // a stored key: id is its 16 bytes
	KindStoredVersion Kind = 18 // a version of a stored key: id is the stored key's 16 bytes and the version's
)

var kindNames = [...]string{
	KindKey: "key", KindVersion: "version", KindAlias: "alias", KindPrincipal: "principal",
	KindCredential: "credential", KindStop: "stop", KindIdempotency: "idempotency",
	KindSeal: "seal", KindRoot: "root", KindSetting: "setting", KindUsage: "usage",
	KindGroup: "group", KindPolicy: "policy", KindGrant: "grant", KindName: "name", KindApproval: "approval",
	KindStored: "stored key", KindStoredVersion: "version of a stored key",
}

// String returns the kind's name.
func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Kinds returns every kind, ascending.
func Kinds() []Kind {
	var out []Kind
	for k, name := range kindNames {
		if name != "" {
			out = append(out, Kind(k))
		}
	}
	return out
}

// Ref names one item.
type Ref struct {
	Kind Kind
	ID   string // exact bytes, 1 to [MaxID]
}

// String returns the reference for people: kind and id, the id as hexadecimal.
func (r Ref) String() string { return fmt.Sprintf("%s %x", r.Kind, r.ID) }

// Epoch counts the commits that took something away from someone or could have: see
// [Batch.Touched]. Incarnation changes when the store's history does not continue the one that
// was known (a restore, an unsafe failover); a node that sees another one, or a lower N, stops.
type Epoch struct {
	Incarnation uint64
	N           uint64
}

// Limits of an item and a batch. A store refuses what is over them with [ErrInvalid].
const (
	MaxID      = 255       // bytes of an id; a record of the journal can name no longer one
	MaxIndex   = 512       // bytes of one index value
	MaxBody    = 128 << 10 // bytes of a body
	MaxIndexes = 4
	MaxGet     = 64   // references in one Get
	MaxPage    = 1000 // items in one page
	MaxFrame   = 8 << 20
)

// Item is a thing kept: opaque body, a revision that counts its changes, and what it may be found
// by.
type Item struct {
	Ref
	// Revision is 1 when inserted and one more with each change.
	Revision uint64
	// Index holds the values it may be listed by; "" is not indexed.
	Index [MaxIndexes]string
	// Due is when something has to be done about it, in milliseconds since 1970 UTC; 0 is never.
	Due int64
	// Body is opaque.
	Body []byte
	// Epoch is that of the head after the commit which wrote this revision.
	Epoch Epoch
	// MAC authenticates everything above. The store keeps it and cannot check it.
	MAC [32]byte
}

// Change is one item inserted, replaced or deleted.
type Change struct {
	// Op is the operation of the batch, counted from 0, that the change belongs to; a conflict
	// names it.
	Op int
	// Item is the new item; its Revision is Expected+1. Of a deletion only Ref and Revision count.
	Item Item
	// Expected is the revision the item must have; 0: it must not exist.
	Expected uint64
	// Delete removes the item.
	Delete bool
}

// Head is where the journal stands: how many records there are, and the chain hash after the
// last one (package journal). Epoch is that of the last commit.
type Head struct {
	Epoch    Epoch
	Position uint64
	Chain    [32]byte
}

// Batch is what one commit makes durable.
type Batch struct {
	// ID makes a repetition safe: a store that already made this batch durable says so by
	// returning success again.
	ID [16]byte
	// Seen is the head the batch was made against: Position and Chain are the journal's before
	// it, Epoch the last one the node has applied.
	Seen Head
	// Next is the head after it. Next.Epoch.N is Seen.Epoch.N+1 when Touched is not empty, else
	// the same.
	Next Head
	// Frame holds the batch's records (package journal), at least one, at most [MaxFrame] bytes.
	Frame []byte
	// Changes may be empty: then the batch only adds records.
	Changes []Change
	// Touched names the items whose users elsewhere must look again. Not empty: the epoch moves,
	// by one.
	Touched []Ref
	// Restricting says that refusing this batch for want of space would leave a right standing
	// that is being taken away. It may use the space that is reserved for that.
	Restricting bool
}

// Query selects items of one kind.
type Query struct {
	Kind Kind
	// Index, when Value is not empty, is the index (0 to 3) to search; the order is by id then.
	Index int
	// Value is the exact index value.
	Value string
	// Prefix, when Value is empty, limits the listing to ids that begin with it.
	Prefix string
	// After continues behind this id; "" begins.
	After string
	// Limit is the most items to return, 1 to [MaxPage].
	Limit int
	// Reverse lists from the greatest id down; After then continues below it.
	Reverse bool
}

// DueQuery selects items whose Due is not 0 and at most Before.
type DueQuery struct {
	// Before is in milliseconds since 1970 UTC.
	Before int64
	// After continues behind an item, of which Due and Ref count; the zero value begins.
	After Item
	// Limit is the most items to return, 1 to [MaxPage].
	Limit int
}

// Page is one snapshot's answer to a [Query]. More tells that further items follow the last.
type Page struct {
	Items []Item
	More  bool
	Epoch Epoch
}

// Moved names what one epoch touched.
type Moved struct {
	Epoch   Epoch
	Touched []Ref
}

// Frame is a frame of the journal as stored. Position is the number of records before it.
type Frame struct {
	Position uint64
	Data     []byte
}

// Errors of a store. Each method says which it returns; all are tested with [errors.Is].
var (
	// ErrInvalid says that the caller broke a rule of this contract. Nothing was written.
	ErrInvalid = errors.New("store: invalid use")
	// ErrMoved says that Batch.Seen is not the head, or not the epoch: another node was first,
	// or this one forgot. Nothing was written. [Store.Changes] tells what moved.
	ErrMoved = errors.New("store: the head has moved")
	// ErrUncertain says that it cannot be known whether the batch was written. The same batch
	// may be committed again, and that tells.
	ErrUncertain = errors.New("store: outcome unknown")
	// ErrUnavailable says that the store could not be asked. Nothing was written.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrNoSpace says that there is no room. Nothing was written.
	ErrNoSpace = errors.New("store: no space left")
	// ErrFailed says that the storage failed and its state is unknown: stop the process (exit
	// code 74) and let the next start find out. Every later call returns it too.
	ErrFailed = errors.New("store: storage failed")
	// ErrTooOld says that the changes asked for are no longer kept: forget everything cached.
	ErrTooOld = errors.New("store: changes no longer kept")
	// ErrCorrupt says that what is stored cannot be what was written. Errors that wrap it name
	// the place.
	ErrCorrupt = errors.New("store: corrupt")
)

// Conflict says that changes met another revision than they expected. Nothing of the batch was
// written; without these operations it may be committed again under another id.
type Conflict struct {
	Ops []int // ascending, each once
}

// Error implements error.
func (c *Conflict) Error() string { return fmt.Sprintf("store: operations %v met a change", c.Ops) }

// Store is the contract. Methods may be called from several goroutines, except Commit, which one
// goroutine calls, and Close, which is called last.
type Store interface {
	// Commit makes the batch durable: frame, changes and epoch, all or nothing, before it
	// returns nil. Committing the last durable batch again, told by its ID, returns nil and does
	// nothing. Otherwise it returns *Conflict, ErrMoved, ErrUncertain, ErrUnavailable,
	// ErrNoSpace, ErrFailed or ErrInvalid. The batch and all it points to belong to the caller
	// again when Commit returns.
	Commit(ctx context.Context, b *Batch) error
	// Get returns the items named, in the order asked, from one snapshot, and that snapshot's
	// epoch. An item that does not exist has Revision 0. ErrUnavailable, ErrFailed, ErrCorrupt.
	Get(ctx context.Context, refs ...Ref) ([]Item, Epoch, error)
	// List returns one page from one snapshot. ErrUnavailable, ErrFailed, ErrInvalid, ErrCorrupt.
	List(ctx context.Context, q Query) (Page, error)
	// Due returns one page of items, of any kind, that something is to be done about, oldest first;
	// of one time by kind and id. Its cost grows with what is returned, not with what is stored.
	// ErrUnavailable, ErrFailed, ErrInvalid, ErrCorrupt.
	Due(ctx context.Context, q DueQuery) (Page, error)
	// Head returns the head, read after the call began.
	Head(ctx context.Context) (Head, error)
	// Changes returns what was touched in each epoch after since, ascending; ErrTooOld when
	// some of it is no longer kept, or since is of another incarnation.
	Changes(ctx context.Context, since Epoch) ([]Moved, error)
	// Records yields the frames from the one that holds record number from on (0 is the first),
	// in order, up to the head at the time of the call. It stops after the first error. What it
	// yields is valid until the next.
	Records(ctx context.Context, from uint64) iter.Seq2[Frame, error]
	// Limits tells what this store can carry.
	Limits() Limits
	// Close releases what the store holds. Nothing durable depends on it.
	Close() error
}

// Limits of one store.
type Limits struct {
	// MaxChanging is how many operations with changes one batch may carry, at least 1.
	MaxChanging int
	// LowSpace is set when only restricting batches are accepted for want of space.
	LowSpace bool
}
