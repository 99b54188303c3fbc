package gate

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/internal/sigv4"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/store"
)

// Proof is what a caller shows of who it is. It is kept for the length of the call, because an
// operation that runs again is authenticated again.
type Proof struct {
	// Bearer is the token of an Authorization header.
	Bearer secret.Bytes
	// Certificate is the one whose key the caller's connection was shown to hold; nil without.
	Certificate *Certificate
	// Signed is the request itself, signed with an access key's secret; nil for one that is not. Beside
	// it there is no Bearer.
	Signed *Signed
	// At is when the call began, as [Gate.Begin] notes it: what proves for minutes only proves for the
	// whole of a call.
	At time.Time
	// Unreadable tells that there was an Authorization that could not be read: whatever else is
	// shown, the call is nobody's.
	Unreadable bool
	// Local names a principal that the process itself vouches for: the library's and the
	// scheduler's way in. No surface that reads from a network ever sets it.
	Local ID
	// Source is the caller's address; invalid for a local one.
	Source netip.Addr
	// UserAgent is what the caller's program calls itself, cut at journal.MaxPersonal bytes.
	UserAgent string
}

// Certificate is what is known of a client certificate whose key its caller holds.
type Certificate struct {
	// Fingerprint is the SHA-256 of its DER.
	Fingerprint [32]byte
	// NotBefore and NotAfter are its first and last moment.
	NotBefore, NotAfter time.Time
}

// Signed is a request that an access key signed, so its sender says. It is true of the very body it
// came with.
type Signed struct {
	Claims sigv4.Signed
	Body   []byte
}

// Principal is who was proven.
type Principal struct {
	ID   ID
	ARN  string
	Name string // personal: it stands in records as a commitment
	// Administrator tells that it is the bootstrap administrator.
	Administrator bool
	// Access is the principal as decisions see it.
	Access *access.Principal
}

// Authenticator proves who calls. Package identity implements it.
type Authenticator interface {
	// Authenticate returns the principal of a proof, and notes in r every item the answer rests
	// on. It returns an error matching Unauthenticated, always the same, when the proof proves
	// nobody; other errors mean that it could not be told.
	Authenticate(ctx context.Context, r *Reading, p *Proof) (Principal, error)
}

// Reference is how a caller names a key: see interfaces: id, ARN, alias or alias ARN, each
// perhaps with @version.
type Reference struct {
	// Text is as the caller wrote it. Empty: Key and Version are given directly.
	Text string
	// Stored names a stored key, by name or ARN; nothing else is given then.
	Stored string
	// Grant names one of the key's grants that the operation is about: see [Resolver].
	Grant ID
	// Key and Version name a version that Haven itself knows, as from a ciphertext's header.
	Key     ID
	Version uint32
}

// Target is what a reference names, as of the reading's epoch.
type Target struct {
	// Key is its id, ARN its name in policies.
	Key ID
	ARN string
	// Object is the key as decisions see it, made once when it was loaded; nil where no more is
	// known than the ARN. Alias is the alias that the caller named it by, "alias/NAME", and Defaults
	// hold the values of condition keys where a request leaves the choice to the key.
	Object   *access.Object
	Alias    string
	Defaults []access.Value
	// Version is the version it names, or the primary where a use names none; 0 when the whole
	// key is meant, or it has no primary.
	Version uint32
	// Named tells that the caller named the version.
	Named bool
	// State allows or refuses a use by the lifecycle table.
	State lifecycle.Key
	// Material is the version's part of it.
	Material lifecycle.Version
	// Master is the key that wraps this one, nil for one that the root key wraps: while it is
	// stopped, so is what it wraps.
	Master *lifecycle.Key
	// Recovery tells that unwrapping this version means using a compromised master version, which
	// the gate alone may, until its children are wrapped anew.
	Recovery bool
	// Wrapping is the master version that wraps the material, for the record.
	Wrapping    ID
	WrappingVer uint32
	// Unfit refuses an operation that keys of this kind do not do, whatever their state; nil where
	// they do. It is told to who may do the operation to the key.
	Unfit *Error
	// Domain is the resolver's own: what it loaded, for the operation's function.
	Domain any
}

// Check decides one use of the target by the lifecycle table: nil, an error matching InvalidState
// that tells what happened, to which key, and what to do, or lifecycle.ErrUntrusted.
func (t *Target) Check(use lifecycle.Use, now time.Time) error {
	if err := t.CheckMaster(now); err != nil {
		return err
	}
	if t.Version == 0 {
		if t.State.Status() == lifecycle.Enabled {
			return t.withoutPrimary(use)
		}
		t.Material.Number = 1 // the key refuses before the version is asked
	}
	err := lifecycle.Check(t.State, t.Material, use, t.Named, now)
	if err == nil || errors.Is(err, lifecycle.ErrUntrusted) {
		return err
	}
	return Refused(t.Key, err)
}

// CheckMaster decides whether the target's master key lets it be unwrapped: nil, or an error matching
// InvalidState.
func (t *Target) CheckMaster(now time.Time) error {
	if t.Master == nil {
		return nil
	}
	_, resumes := lifecycle.AdvanceKey(*t.Master, now)
	switch {
	case resumes:
		return Refused(t.Wrapping, &lifecycle.Refusal{Reason: lifecycle.ReasonResumeFirst})
	case t.Master.Status() != lifecycle.Enabled:
		return &Error{Code: InvalidState, Key: t.Key, Reason: "master_" + reasonOf(t.Master),
			Detail: fmt.Sprintf("key %s cannot be used while its master key %s is %s%s", t.Key, t.Wrapping, t.Master.Status(), resumed[t.Master.Status()])}
	case t.Master.Primary == 0 && t.WrappingVer <= t.Master.CompromisedThrough:
		return &Error{Code: InvalidState, Key: t.Key, Reason: "master_compromised",
			Detail: fmt.Sprintf("key %s cannot be used: its master key %s was compromised as a whole and has no primary: %s", t.Key, t.Wrapping, newPrimary(t.Master))}
	}
	return nil
}

// resumed is how a stopped master key, and with it what it wraps, comes back. Only then can a key
// leave it: what is stopped with its master is not taken from under it.
var resumed = map[lifecycle.Status]string{
	lifecycle.Disabled:        ": enable-key on the master key lets it be used again; to another master it is moved by update-key after that",
	lifecycle.PendingDeletion: ": cancel-key-deletion, then enable-key, on the master key let it be used again; to another master it is moved by update-key after that",
}

// newPrimary is what gives a key without a primary one.
func newPrimary(k *lifecycle.Key) string {
	if k.External {
		return "import new material with get-parameters-for-import and import-key-material"
	}
	return "rotate-key makes one"
}

// withoutPrimary decides a use of a key that has none: an older version may still tell whether a
// signature is its own.
func (t *Target) withoutPrimary(use lifecycle.Use) error {
	if use == lifecycle.VerifySignature {
		return nil
	}
	return &Error{Code: InvalidState, Key: t.Key, Reason: string(lifecycle.ReasonCompromised),
		Detail: fmt.Sprintf("key %s has no primary version since it was compromised: %s", t.Key, newPrimary(&t.State))}
}

func reasonOf(k *lifecycle.Key) string {
	if k.Status() == lifecycle.PendingDeletion {
		return string(lifecycle.ReasonPendingDeletion)
	}
	return k.Status().String()
}

// Resolver finds what a reference names. Package keys implements it.
type Resolver interface {
	// Resolve returns the target of ref for op and notes in r every item the answer rests on. It
	// returns an error matching NotFound, InvalidRequest or Tampered; the first and last are told
	// to who may do op to the ARN of the target returned beside them, or to every key if it has none.
	// A grant that ref names counts by itself: its retiring principal may end it, and so may its
	// grantee where it says so; no other grant of the key lets anybody.
	Resolve(ctx context.Context, r *Reading, op *Operation, ref Reference) (Target, error)
}

// Request is what an operation is about, as the gate needs to know it.
type Request struct {
	// References are resolved in order; none for operations on no key.
	References []Reference
	// Resources are ARNs of what else is read or changed: the caller needs the operation's permission
	// for each of them as well. Of a request with neither references nor resources the caller needs
	// it for "*", which may stand among them.
	Resources []string
	// As is a row without a number whose permission the caller needs in place of the operation's
	// own, where AWS has one for each kind of thing that the operation is done to; nil: its own.
	As *Operation
	// EachItem tells that the function asks for each thing it shows with [Approved.May]: the request as
	// a whole needs no permission.
	EachItem bool
	// Needs are permissions for what the operation does in passing.
	Needs []Need
	// Master names a master key that is to wrap what the operation makes or moves: the caller needs
	// the operation's Onto for it. The zero Reference names none.
	Master Reference
	// Replay is given the stored answer when the call's idempotency key was used before; nil where
	// the operation takes none.
	Replay func(answer []byte) error
	// What conditions of policies may ask of the request; of its second key, Onto says it.
	Asked
	Onto Asked
	// Reason is the caller's reason; Parameters are the operation's own, "name=value;…": for the
	// record. Neither holds personal data or secrets.
	Reason     string
	Parameters string
}

// Need is a permission for another operation than the call's, on what an ARN names.
type Need struct {
	For *Operation
	ARN string
}

// Asked is what conditions of policies may ask of a request.
type Asked struct {
	// Context is the encryption context, encoded; nil for none. That of the first key is recorded.
	Context []byte
	// Algorithm is the value of the condition key that tells the algorithm, Values are others. Where
	// a Text is empty the target's Defaults have it.
	Algorithm access.Value
	Values    []access.Value
	// Tags are those that the request would set.
	Tags []access.Tag
}

// Change is a change of an item, as a domain stages it. The gate sets revision, epoch and MAC.
type Change struct {
	Ref   store.Ref
	Index [store.MaxIndexes]string
	Due   int64 // milliseconds since 1970 UTC, 0 never
	Body  []byte
	// Before is the item this replaces or deletes; nil inserts.
	Before *store.Item
	Delete bool
	// Also names what an insert of an access item bears on: its principal, group or key.
	Also []store.Ref
}

// Outcome is what an operation's function made: staged, not yet done.
type Outcome struct {
	Changes []Change
	Stops   []Stop
	// Version, when not 0, is the version that was made or used, for the record, where it is not
	// the first target's; Key likewise, where there was no target.
	Key     ID
	Version uint32
	// Wrapping and WrappingVer likewise.
	Wrapping    ID
	WrappingVer uint32
	// Recovery tells that a compromised master version unwrapped something: see [Target.Recovery].
	Recovery bool
	// Parameters are added to the request's in the record.
	Parameters string
	// Answer is kept for the idempotency key, without any secret; nil keeps an empty one.
	Answer []byte
}

// Call is one authenticated call on its way. It belongs to one goroutine.
type Call struct {
	*caller
	op      *Operation
	reading Reading
	// system marks work Haven began by itself in the caller's name; it needs no permission of its
	// own: the operation it serves was approved.
	system bool
	batch  bool
	item   uint16
	// unproven marks a call whose authentication failed: nothing can be done with it.
	unproven bool

	idempotency string
	body        [32]byte

	// decision is the last that allowed something.
	decision access.Decision
	// approval is nil for most calls.
	approval *approval
}

// caller is what the items of a batch share with their call.
type caller struct {
	proof     Proof
	principal Principal
	request   ID
	// drawn is what the request id and the salts of the personal values are made of; personal is
	// made when a record needs it.
	drawn    [randomOfID + 3*saltLen]byte
	personal *personal
	// Room for an ordinary operation without an allocation.
	target [1]Target
	asked  access.Request
	object access.Object
	values [8]access.Value
	pairs  blob.Pairs
}

// Idempotent gives the call the caller's idempotency key, 1 to MaxIdempotency printable ASCII
// characters, and the SHA-256 of what is asked, so that one key is not used for two things.
func (c *Call) Idempotent(key string, body [32]byte) error {
	if key == "" || len(key) > MaxIdempotency || strings.ContainsFunc(key, func(r rune) bool { return r < '!' || r > '~' }) {
		return Errorf(InvalidRequest, "an Idempotency-Key is 1 to %d printable characters without spaces", MaxIdempotency)
	}
	c.idempotency, c.body = key, body
	return nil
}

// Principal returns who calls.
func (c *Call) Principal() Principal { return c.principal }

// Request returns the request's id, which is its record's.
func (c *Call) Request() ID { return c.request }

// Operation returns the row of the table the call is for.
func (c *Call) Operation() *Operation { return c.op }

// Approved is the gate's word that the call was authenticated, is authorized and that the states
// allow it, all as of one epoch. Functions that unwrap or use key material demand one; only the
// gate makes it; the zero value panics when used.
type Approved struct {
	call    *Call
	targets []Target
	now     int64
	gate    *Gate
}

func (a Approved) must() *Call {
	if a.call == nil {
		panic("gate: an Approved that the gate did not give")
	}
	return a.call
}

// Target returns what the i-th reference of the request named.
func (a Approved) Target(i int) *Target {
	a.must()
	return &a.targets[i]
}

// Principal returns who calls.
func (a Approved) Principal() Principal { return a.must().principal }

// Reading is where further reads of the operation are noted.
func (a Approved) Reading() *Reading { return &a.must().reading }

// Now is the operation's time, in nanoseconds since 1970 UTC: every deadline in it is compared
// with this one.
func (a Approved) Now() int64 {
	a.must()
	return a.now
}

// personal holds what the records of a call commit to.
type personal struct {
	commitments []journal.Commitment
	values      []journal.PersonalValue

	room struct { // for both
		commitments [3]journal.Commitment
		values      [3]journal.PersonalValue
	}
}

// committed returns the personal values of a record about the caller. The items of a batch share
// them, salts included: their records tell anyhow that they are one caller's.
func (c *caller) committed() *personal {
	if c.personal != nil {
		return c.personal
	}
	p := new(personal)
	p.commitments, p.values = p.room.commitments[:0], p.room.values[:0]
	p.add(journal.PrincipalName, c.salt(0), c.principal.Name)
	if c.proof.Source.IsValid() {
		p.add(journal.SourceAddress, c.salt(1), c.proof.Source.String())
	}
	p.add(journal.UserAgent, c.salt(2), c.proof.UserAgent)
	c.personal = p
	return p
}

const saltLen = 16

func (c *caller) salt(i int) [saltLen]byte { return [saltLen]byte(c.drawn[randomOfID+i*saltLen:]) }

func (p *personal) add(field journal.Personal, salt [saltLen]byte, value string) {
	if value == "" {
		return
	}
	if len(value) > journal.MaxPersonal {
		value = value[:journal.MaxPersonal]
	}
	p.commitments = append(p.commitments, journal.Commit(field, salt, value))
	p.values = append(p.values, journal.PersonalValue{Field: field, Salt: salt, Value: value})
}
