package identity

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// MaxTags is how many tags a principal has at most.
const MaxTags = 50

// Principal is a principal as requests are answered.
type Principal struct {
	ID   gate.ID `json:"id"`
	ARN  string  `json:"arn"`
	Name string  `json:"name"`
	Kind Kind    `json:"kind"`
	// Administrator says that it stands for the account itself, whatever policies say.
	Administrator bool              `json:"administrator,omitzero"`
	Disabled      bool              `json:"disabled"`
	Tags          map[string]string `json:"tags,omitzero"`
	// Groups are the names of those it is in.
	Groups    []string  `json:"groups,omitzero"`
	CreatedAt time.Time `json:"created_at"`
}

// document shows a principal; groups are the names of its groups.
func (d *Directory) document(id gate.ID, b *principalBody, groups []string) Principal {
	return Principal{
		ID: id, ARN: arn(d.account, spaceOf(b.Kind), b.Name), Name: b.Name, Kind: b.Kind, Administrator: b.Administrator,
		Disabled: b.Disabled, Tags: b.Tags, Groups: groups, CreatedAt: b.Created,
	}
}

// read returns items and notes them: the operation runs again if one of them is changed meanwhile.
func (d *Directory) read(ctx context.Context, a gate.Approved, refs ...store.Ref) ([]store.Item, error) {
	items, epoch, err := d.view.Get(ctx, refs...)
	if err == nil {
		d.view.Note(a.Reading(), epoch, refs...)
	}
	return items, err
}

// find returns the id that a reference names, and the name's item.
func (d *Directory) find(ctx context.Context, a gate.Approved, r reference) (gate.ID, *store.Item, error) {
	items, err := d.read(ctx, a, nameRef(r.space, r.name))
	if err != nil {
		return gate.ID{}, nil, err
	}
	if items[0].Revision == 0 {
		return gate.ID{}, nil, r.unknown()
	}
	b, err := decodeName(&items[0])
	if err != nil {
		return gate.ID{}, nil, err
	}
	return b.ID, &items[0], nil
}

// free refuses a name that is taken. That it is not taken meanwhile is the store's to tell.
func (d *Directory) free(ctx context.Context, a gate.Approved, r reference) error {
	items, err := d.read(ctx, a, nameRef(r.space, r.name))
	if err == nil && items[0].Revision != 0 {
		err = gate.Errorf(gate.AlreadyExists, "another %s has that name", r.space.what())
	}
	return err
}

// edit is a principal being read or changed: what its operation stages.
type edit struct {
	m    *Manager
	ctx  context.Context
	call *gate.Call
	a    gate.Approved
	now  time.Time
	id   gate.ID
	name *store.Item
	item *store.Item
	body principalBody
	told gate.Parameters
	out  gate.Outcome
}

// load finds a principal for an operation.
func (m *Manager) load(ctx context.Context, c *gate.Call, a gate.Approved, who reference) (*edit, error) {
	e := &edit{m: m, ctx: ctx, call: c, a: a, now: a.Time()}
	var err error
	if e.id, e.name, err = m.directory.find(ctx, a, who); err != nil {
		return nil, err
	}
	items, err := m.directory.read(ctx, a, principalRef(e.id))
	if err != nil {
		return nil, err
	}
	if e.item = &items[0]; e.item.Revision == 0 {
		return nil, missing("principal")
	}
	body, err := decodePrincipal(e.item)
	if err != nil {
		return nil, err
	}
	e.body = *body
	e.told.Add("principal=%s", e.id)
	return e, nil
}

// own refuses who is no administrator what is done to one: an administrator stands for the account,
// and whoever could make a credential for it would be it.
func (e *edit) own() error {
	if e.body.Administrator && !e.a.Principal().Administrator {
		return &gate.Error{Code: gate.AccessDenied, Decision: e.call.Request(),
			Detail: "only an administrator changes an administrator or its credentials"}
	}
	return nil
}

// answer makes the document and keeps it for a repetition of the call.
func (e *edit) answer(out *Principal) error {
	groups, err := e.m.directory.groupNames(e.ctx, e.body.Groups)
	if err != nil {
		return err
	}
	*out = e.m.directory.document(e.id, &e.body, groups)
	return e.keep(out)
}

// keep stores the answer for a repetition of the call; it must hold no secret.
func (e *edit) keep(answer any) error {
	var err error
	e.out.Answer, err = json.Marshal(answer)
	return err
}

// groupNames returns the names of groups, for showing.
func (d *Directory) groupNames(ctx context.Context, ids []gate.ID) ([]string, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	refs := make([]store.Ref, len(ids))
	for i, id := range ids {
		refs[i] = groupRef(id)
	}
	items, _, err := d.view.Get(ctx, refs...)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(ids))
	for i := range items {
		if items[i].Revision == 0 {
			return nil, missing("group")
		}
		b, err := decodeGroup(&items[i])
		if err != nil {
			return nil, err
		}
		names = append(names, b.Name)
	}
	return names, nil
}

// checkTags holds IAM's limits: 50 tags, keys of 1 to 128 and values of at most 256 characters.
func checkTags(tags map[string]string) error {
	if len(tags) > MaxTags {
		return gate.Errorf(gate.LimitExceeded, "a principal has at most %d tags", MaxTags)
	}
	for name, value := range tags {
		if !validTag(name, value) {
			return gate.Errorf(gate.InvalidRequest, "a tag has a key of 1 to 128 and a value of at most 256 characters, none of them control characters, and no key begins with aws:")
		}
	}
	return nil
}

func validTag(name, value string) bool {
	n := utf8.RuneCountInString(name)
	return n > 0 && n <= 128 && utf8.RuneCountInString(value) <= 256 && !strings.HasPrefix(name, "aws:") && !strings.ContainsFunc(name+value, isControl)
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }
