package keys

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/store"
)

// MaxGrants is how many grants a key has at most.
const MaxGrants = 1000

// Place of index values of a grant.
const (
	indexGrantOf = 0 // the key's id
	indexGrantee = 1 // the grantee's id
)

// constraints bind a grant to an encryption context: Equals is the whole of it, Subset what it has at
// least.
type constraints struct {
	Equals map[string]string `json:"equals,omitzero"`
	Subset map[string]string `json:"subset,omitzero"`
}

// grantBody is a stored grant. Grantee and Retiring are ids: whoever takes an old name has none of it.
type grantBody struct {
	Format      int         `json:"v"`
	Key         gate.ID     `json:"key"`
	Grantee     gate.ID     `json:"grantee"`
	Retiring    gate.ID     `json:"retiring,omitzero"`
	Operations  []string    `json:"operations"`
	Constraints constraints `json:"constraints,omitzero"`
	Name        string      `json:"name,omitzero"`
	Created     time.Time   `json:"created"`
	CreatedBy   gate.ID     `json:"by"`
}

// loadedGrant is a grant as stored.
type loadedGrant struct {
	id   gate.ID
	item store.Item
	body grantBody
}

func decodeGrant(item *store.Item) (*loadedGrant, error) {
	g := &loadedGrant{id: idOf(item.ID), item: *item}
	if err := json.Unmarshal(item.Body, &g.body, json.RejectUnknownMembers(true)); err != nil {
		return nil, unreadable(item.Ref, err)
	}
	if g.body.Format != bodyFormat {
		return nil, unreadable(item.Ref, fmt.Errorf("format %d", g.body.Format))
	}
	return g, nil
}

// grantChange stages a new grant.
func grantChange(id gate.ID, b *grantBody) (gate.Change, error) {
	body, err := json.Marshal(b, json.Deterministic(true))
	if err != nil {
		return gate.Change{}, fmt.Errorf("keys: encoding a grant: %w", err)
	}
	c := gate.Change{Ref: store.Ref{Kind: store.KindGrant, ID: string(id[:])}, Body: body, Also: []store.Ref{keyRef(b.Key)}}
	c.Index[indexGrantOf], c.Index[indexGrantee] = string(b.Key[:]), string(b.Grantee[:])
	return c, nil
}

// decision is the grant as decisions see it.
func (g *loadedGrant) decision() (access.Grant, error) {
	actions := make([]string, len(g.body.Operations))
	for i, name := range g.body.Operations {
		actions[i] = grantable[name].action(name)
	}
	return access.NewGrant(g.id.String(), g.body.Grantee.String(), actions, g.body.Constraints.Equals, g.body.Constraints.Subset)
}

// grantOf is what a grant may let its grantee do: uses are of the keys that do one of them; management
// has none.
type grantOf struct {
	uses  []*gate.Operation
	haven bool // the action has no name in AWS KMS
}

func (o grantOf) action(name string) string {
	if o.haven {
		return "haven:" + name
	}
	return "kms:" + name
}

// grantable is what a grant may be of, by name: what AWS KMS has, and what only keys of Haven do.
var grantable = map[string]grantOf{
	"Encrypt": {uses: ops(gate.Encrypt)}, "Decrypt": {uses: ops(gate.Decrypt)},
	"ReEncryptFrom": {uses: ops(gate.ReEncrypt)}, "ReEncryptTo": {uses: ops(gate.ReEncrypt.Onto)},
	"GenerateDataKey": {uses: ops(gate.GenerateDataKey)}, "GenerateDataKeyWithoutPlaintext": {uses: ops(gate.GenerateDataKey)},
	"GenerateDataKeyPair": {uses: ops(gate.GenerateDataKeyPair)}, "GenerateDataKeyPairWithoutPlaintext": {uses: ops(gate.GenerateDataKeyPair)},
	"Sign": {uses: ops(gate.Sign)}, "Verify": {uses: ops(gate.Verify)}, "GetPublicKey": {uses: ops(gate.GetPublicKey)},
	"GenerateMac": {uses: ops(gate.GenerateMAC)}, "VerifyMac": {uses: ops(gate.VerifyMAC)}, "DeriveSharedSecret": {uses: ops(gate.DeriveSharedSecret)},
	"Encapsulate": {uses: ops(gate.Encapsulate)}, "Decapsulate": {uses: ops(gate.Decapsulate)},
	"HPKESeal": {uses: ops(gate.HPKESeal), haven: true}, "HPKEOpen": {uses: ops(gate.HPKEOpen), haven: true},
	"DescribeKey": {}, "CreateGrant": {}, "RetireGrant": {},
}

func ops(list ...*gate.Operation) []*gate.Operation { return list }

// contextual tells of which kinds the uses have an encryption context, so that grants on such keys may
// be constrained.
func (k Kind) contextual() bool { return k.Spec == SymmetricDefault || k.Usage == crypt.SealOpen }

// mayBeGranted checks that keys of the kind do the operations, and that constraints mean something.
func (k Kind) mayBeGranted(id gate.ID, operations []string, c constraints) error {
	if len(operations) == 0 || len(operations) > len(grantable) {
		return gate.Errorf(gate.InvalidRequest, "operations says what is granted: some of %s", grantableNames())
	}
	for _, name := range operations {
		of, ok := grantable[name]
		if !ok {
			return gate.Errorf(gate.InvalidRequest, "operations are some of %s", grantableNames())
		}
		if len(of.uses) > 0 && !slices.Contains(k.Operations(), of.uses[0]) {
			return &gate.Error{Code: gate.InvalidKeyUsage, Key: id, Detail: fmt.Sprintf("key %s, %s for %s, does not %s, so there is nothing to grant", id, k.Spec, k.Usage, name)}
		}
	}
	if (c.Equals != nil || c.Subset != nil) && !k.contextual() {
		return &gate.Error{Code: gate.InvalidRequest, Key: id, Detail: "what this key does has no encryption context; leave the constraints out"}
	}
	return nil
}

func grantableNames() string { return strings.Join(slices.Sorted(maps.Keys(grantable)), ", ") }

// check holds the limits of constraints.
func (c constraints) check() error {
	if c.Equals != nil && c.Subset != nil {
		return gate.Errorf(gate.InvalidRequest, "a grant is constrained by encryption_context_equals or by encryption_context_subset, not by both")
	}
	for _, pairs := range []map[string]string{c.Equals, c.Subset} {
		if pairs != nil && len(pairs) == 0 {
			return gate.Errorf(gate.InvalidRequest, "a constraint has at least one pair; leave it out for none")
		}
		if _, err := ContextOf(pairs); err != nil {
			return err
		}
	}
	return nil
}

// within tells whether a grant made by the grantee of another lets nothing through that the other does
// not.
func (g *grantBody) within(other *grantBody) bool {
	for _, name := range g.Operations {
		if !slices.Contains(other.Operations, name) {
			return false
		}
	}
	if want := other.Constraints.Equals; want != nil && !maps.Equal(want, g.Constraints.Equals) {
		return false
	}
	have := g.Constraints.Subset
	if g.Constraints.Equals != nil {
		have = g.Constraints.Equals
	}
	for name, value := range other.Constraints.Subset {
		if got, ok := have[name]; !ok || got != value {
			return false
		}
	}
	return true
}

// same tells whether two grants are alike in all that a caller chose.
func (g *grantBody) same(other *grantBody) bool {
	return g.Grantee == other.Grantee && g.Retiring == other.Retiring && g.Name == other.Name && slices.Equal(g.Operations, other.Operations) &&
		maps.Equal(g.Constraints.Equals, other.Constraints.Equals) && maps.Equal(g.Constraints.Subset, other.Constraints.Subset)
}

// grantTokenLabel begins a grant token. A token names a grant and its key, and is no secret: what it
// names counts by itself as soon as the grant is there.
const grantTokenLabel = "haven/grant/v1"

func grantToken(key, grant gate.ID) string {
	return base64.RawURLEncoding.EncodeToString(slices.Concat([]byte(grantTokenLabel), key[:], grant[:]))
}

// parseGrantToken returns what a token names.
func parseGrantToken(text string) (key, grant gate.ID, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != len(grantTokenLabel)+2*len(key) || string(b[:len(grantTokenLabel)]) != grantTokenLabel {
		return key, grant, false
	}
	ids := b[len(grantTokenLabel):]
	return gate.ID(ids[:len(key)]), gate.ID(ids[len(key):]), true
}
