package identity

import (
	"context"
	"slices"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// Limits of approvals.
const (
	// DefaultApprovalHours and MaxApprovalHours are how long an approval is open.
	DefaultApprovalHours = 24
	MaxApprovalHours     = 7 * 24
	// maxRequest bounds the request that an approval keeps, in bytes.
	maxRequest = 32 << 10
)

// approvalBody is a stored request for approvals. It holds the request that is asked for, so that who
// approves sees what is to be done; operations whose requests hold secrets cannot be asked for.
type approvalBody struct {
	Format    int       `json:"v"`
	Requester gate.ID   `json:"requester"`
	Operation string    `json:"operation"`
	Keys      []string  `json:"keys,omitempty"`
	Resources []string  `json:"resources,omitempty"`
	Request   string    `json:"request,omitzero"` // canonical JSON
	Body      []byte    `json:"body,omitzero"`    // its SHA-256
	Reason    string    `json:"reason,omitzero"`
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires"`

	Voices    []voice   `json:"voices,omitempty"`
	Used      time.Time `json:"used,omitzero"`
	UsedBy    gate.ID   `json:"used_by,omitzero"` // the request id
	Withdrawn time.Time `json:"withdrawn,omitzero"`
}

// voice is one approval.
type voice struct {
	By gate.ID   `json:"by"`
	At time.Time `json:"at"`
}

// indexOpen is of an approval that is neither used nor withdrawn: openIndex.
const (
	indexOpen = 0
	openIndex = "open"
)

func approvalRef(id gate.ID) store.Ref {
	return store.Ref{Kind: store.KindApproval, ID: string(id[:])}
}

func decodeApproval(item *store.Item) (*approvalBody, error) {
	return decode(item, func(b *approvalBody) int { return b.Format })
}

// approvalChange stages an approval; before is nil for a new one.
func approvalChange(id gate.ID, b *approvalBody, before *store.Item) (gate.Change, error) {
	b.Format = bodyFormat
	body, err := encode(b)
	c := gate.Change{Ref: approvalRef(id), Body: body, Before: before}
	if b.state(time.Time{}) == ApprovalOpen {
		c.Index[indexOpen] = openIndex
	}
	return c, err
}

// ApprovalState says where a request for approvals stands.
type ApprovalState string

// The states.
const (
	ApprovalOpen      ApprovalState = "open"
	ApprovalUsed      ApprovalState = "used"
	ApprovalWithdrawn ApprovalState = "withdrawn"
	ApprovalExpired   ApprovalState = "expired"
)

func (b *approvalBody) state(now time.Time) ApprovalState {
	switch {
	case !b.Withdrawn.IsZero():
		return ApprovalWithdrawn
	case !b.Used.IsZero():
		return ApprovalUsed
	case !now.Before(b.Expires):
		return ApprovalExpired
	}
	return ApprovalOpen
}

func (b *approvalBody) asked() *gate.Approvable {
	a := &gate.Approvable{Principal: b.Requester, Operation: b.Operation, Keys: b.Keys, Resources: b.Resources}
	copy(a.Body[:], b.Body)
	return a
}

// loadApproval reads an approval and notes it; a nil body when there is none.
func (d *Directory) loadApproval(ctx context.Context, r *gate.Reading, id gate.ID) (*approvalBody, *store.Item, error) {
	items, epoch, err := d.view.Get(ctx, approvalRef(id))
	if err != nil {
		return nil, nil, err
	}
	d.view.Note(r, epoch, approvalRef(id))
	if items[0].Revision == 0 {
		return nil, nil, nil
	}
	b, err := decodeApproval(&items[0])
	return b, &items[0], err
}

// Approvers implements gate.Approvals. Who approved counts while they exist and are not disabled.
func (d *Directory) Approvers(ctx context.Context, r *gate.Reading, id gate.ID, asked *gate.Approvable, request gate.ID) ([]*gate.Principal, gate.Change, error) {
	b, item, err := d.loadApproval(ctx, r, id)
	now := d.view.Now()
	if err != nil || b == nil || b.state(now) != ApprovalOpen || !b.asked().Is(asked) {
		return nil, gate.Change{}, err
	}
	var by []*gate.Principal
	for _, v := range b.Voices {
		switch p, err := d.principals.GetComposed(ctx, r, v.By, d.loadPrincipal); {
		case err == nil:
			by = append(by, p)
		case !isNobody(err):
			return nil, gate.Change{}, err
		}
	}
	used := *b
	used.Used, used.UsedBy = now.UTC(), request
	change, err := approvalChange(id, &used, item)
	return by, change, err
}

// heard tells whether a principal approved.
func (b *approvalBody) heard(by gate.ID) bool {
	return slices.ContainsFunc(b.Voices, func(v voice) bool { return v.By == by })
}
