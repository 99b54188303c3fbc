package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// Config says what a vault stands on. Everything is required; Gate is given by [Manager.Wire].
type Config struct {
	View            *gate.View
	Keys            Wrapper
	Random          io.Reader
	StoreID         gate.ID
	Region, Account string
}

// Manager is the Key Vault: one method an operation, each in the file of its name. Every method takes the
// call that the gate began, and returns when its record is durable.
type Manager struct {
	cfg  Config
	gate *gate.Gate
}

// New makes a vault. It is usable once it is wired.
func New(cfg Config) *Manager { return &Manager{cfg: cfg} }

// Wire gives the vault its gate, which resolves references through the vault.
func (m *Manager) Wire(g *gate.Gate) { m.gate = g }

// found is a stored key as a reference named it.
type found struct {
	id   gate.ID
	item *store.Item
	body *storedBody
	// name is the item of its name; of one that is not there, revision 0.
	name *store.Item
	// asked is the name that was asked for.
	asked string
}

const arnPrefix = "arn:aws:secretsmanager:"

// arn is a stored key's name in policies.
func (m *Manager) arn(name, suffix string) string {
	return fmt.Sprintf("%s%s:%s:secret:%s-%s", arnPrefix, m.cfg.Region, m.cfg.Account, name, suffix)
}

// suffixLen is how many characters an ARN has behind the name.
const suffixLen = 6

// unknown stands for the suffix of a stored key that does not exist: a policy's ?????? matches it.
const unknown = "??????"

// split reads a name or an ARN; suffix is empty where a name was given.
func (m *Manager) split(text string) (name, suffix string, err error) {
	rest, isARN := strings.CutPrefix(text, arnPrefix)
	if isARN {
		place := m.cfg.Region + ":" + m.cfg.Account + ":secret:"
		var ours bool
		if rest, ours = strings.CutPrefix(rest, place); !ours || len(rest) <= suffixLen+1 || rest[len(rest)-suffixLen-1] != '-' {
			return "", "", gate.Errorf(gate.InvalidRequest, "not the ARN of a stored key here: it begins with %s%s", arnPrefix, place)
		}
		text, suffix = rest[:len(rest)-suffixLen-1], rest[len(rest)-suffixLen:]
	}
	if !ValidName(text) {
		return "", "", gate.Errorf(gate.InvalidRequest, "a name is 1 to %d letters, digits and /_+=.@-", MaxName)
	}
	return text, suffix, nil
}

// ValidName tells whether a stored key may have a name: letters, digits and /_+=.@-, as in AWS Secrets
// Manager.
func ValidName(name string) bool {
	return len(name) > 0 && len(name) <= MaxName && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/_+=.@-", r))
	})
}

// text is how a request names its stored key.
func (r Reference) text() (string, error) {
	switch {
	case r.Name != "" && r.ARN != "":
		return "", gate.Errorf(gate.InvalidRequest, "name the stored key by name or by arn")
	case r.Name+r.ARN == "":
		return "", gate.Errorf(gate.InvalidRequest, "name or arn is required")
	case r.ARN != "" && !strings.HasPrefix(r.ARN, arnPrefix):
		return "", gate.Errorf(gate.InvalidRequest, "not the ARN of a stored key")
	}
	return r.Name + r.ARN, nil
}

// Resolve returns what a reference to a stored key names, as the gate asks. For an operation that may make
// it, one that is not there is no error.
func (m *Manager) Resolve(ctx context.Context, r *gate.Reading, op *gate.Operation, ref gate.Reference) (gate.Target, error) {
	name, suffix, err := m.split(ref.Stored)
	if err != nil {
		return gate.Target{}, err
	}
	f, err := m.find(ctx, r, name)
	if err != nil {
		return gate.Target{}, err
	}
	if f.body == nil || suffix != "" && f.body.Suffix != suffix {
		arn := m.arn(name, unknown)
		if suffix != "" {
			arn = m.arn(name, suffix)
		}
		t := gate.Target{ARN: arn, Object: &access.Object{ARN: arn, Account: m.cfg.Account}, Domain: f}
		if op == gate.StoreKey && suffix == "" {
			return t, nil
		}
		return t, gate.Errorf(gate.NotFound, "no stored key %s", name)
	}
	arn := m.arn(name, f.body.Suffix)
	return gate.Target{ARN: arn, Object: &access.Object{ARN: arn, Account: m.cfg.Account, Tags: f.body.Tags}, Domain: f}, nil
}

// find loads what has a name; its body is nil if nothing has.
func (m *Manager) find(ctx context.Context, r *gate.Reading, name string) (*found, error) {
	items, epoch, err := m.cfg.View.Get(ctx, nameRef(name))
	if err != nil {
		return nil, err
	}
	m.cfg.View.Note(r, epoch, nameRef(name))
	f := &found{name: &items[0], asked: name}
	if items[0].Revision == 0 {
		return f, nil
	}
	b, err := decodeName(&items[0])
	if err != nil {
		return nil, err
	}
	return f, m.load(ctx, r, f, b.ID)
}

// load loads the stored key that a name names.
func (m *Manager) load(ctx context.Context, r *gate.Reading, f *found, id gate.ID) error {
	items, epoch, err := m.cfg.View.Get(ctx, storedRef(id))
	if err != nil {
		return err
	}
	m.cfg.View.Note(r, epoch, storedRef(id))
	if items[0].Revision == 0 {
		return gate.Errorf(gate.Tampered, "a stored key is missing from the store; run haven fsck")
	}
	if f.body, err = decodeStored(&items[0]); err != nil {
		return err
	}
	f.id, f.item = id, &items[0]
	// What is stopped is stopped, whatever the item says: one that was rolled back revives nothing.
	if s := m.cfg.View.Stopped(storedRef(id)); (s.PendingDeletion || s.Destroyed) && f.body.Deletion.IsZero() {
		return gate.Errorf(gate.Tampered, "the stored key is not what Haven wrote: it was to be deleted; run haven fsck")
	}
	return nil
}

// available refuses what is not done to a stored key that is to be deleted.
func (f *found) available() error {
	if f.body.Deletion.IsZero() {
		return nil
	}
	return &gate.Error{Code: gate.InvalidState, Reason: "pending_deletion",
		Detail: fmt.Sprintf("the stored key %s is to be deleted at %s: restore-stored-key keeps it", f.body.Name, f.body.Deletion.Format(time.RFC3339))}
}

// document shows a stored key.
func (m *Manager) document(b *storedBody) StoredKey {
	out := StoredKey{
		Name: b.Name, ARN: m.arn(b.Name, b.Suffix), Description: b.Description, KMSKeyID: b.Master.String(),
		Metadata: b.Metadata, Tags: b.Tags, CreatedAt: b.Created, CreatedBy: b.CreatedBy, ChangedAt: b.Changed,
		Stages: map[Stage]string{}, Versions: len(b.Versions), Generate: b.Generate, Rotation: b.Rotation,
		NextRotationAt: b.nextRotation(), LastRotatedAt: b.Rotated, DeletionDate: b.Deletion,
	}
	for stage, id := range b.Stages {
		out.Stages[stage] = id.String()
	}
	if !b.Deletion.IsZero() {
		out.NextRotationAt = time.Time{}
	}
	return out
}

// on runs an operation on one stored key.
func (m *Manager) on(ctx context.Context, c *gate.Call, ref Reference, req gate.Request, f func(gate.Approved, *found) (gate.Outcome, error)) error {
	text, err := ref.text()
	if err != nil {
		return m.gate.Refuse(ctx, c, err)
	}
	req.References = []gate.Reference{{Stored: text}}
	return m.gate.Do(ctx, c, req, func(a gate.Approved) (gate.Outcome, error) {
		target := a.Target(0).Domain.(*found)
		o, err := f(a, target)
		o.Parameters = about(target.asked, o.Parameters)
		return o, err
	})
}

// longRecorded is from how many bytes on a name stands shortened in records, with a digest of it.
const longRecorded = 128

// about is what a record says of an operation on a stored key.
func about(name, parameters string) string {
	if len(name) > longRecorded {
		digest := sha256.Sum256([]byte(name))
		name = name[:longRecorded] + "..." + hex.EncodeToString(digest[:8])
	}
	if parameters == "" {
		return "stored=" + name
	}
	return "stored=" + name + ";" + parameters
}

// change runs an operation that changes one stored key, and answers with its document.
func (m *Manager) change(ctx context.Context, c *gate.Call, ref Reference, asked gate.Asked, f func(gate.Approved, *found) (gate.Outcome, error)) (*StoredKey, error) {
	var out StoredKey
	err := m.on(ctx, c, ref, gate.Request{Replay: replay(&out), Asked: asked}, func(a gate.Approved, target *found) (gate.Outcome, error) {
		o, err := f(a, target)
		if err != nil {
			return o, err
		}
		target.body.Changed = a.Time()
		change, err := storedChange(target.id, target.body, target.item)
		if err != nil {
			return o, err
		}
		o.Changes = append(o.Changes, change)
		out = m.document(target.body)
		o.Answer, err = json.Marshal(&out)
		return o, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// replay returns how an operation answers again for an idempotency key, from what it stored.
func replay[T any](answer *T) func([]byte) error {
	return func(stored []byte) error {
		var whole T // nothing of an earlier run shows through
		if err := json.Unmarshal(stored, &whole); err != nil {
			return fmt.Errorf("vault: a stored answer: %w", err)
		}
		*answer = whole
		return nil
	}
}
