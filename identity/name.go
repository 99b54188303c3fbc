package identity

import (
	"context"
	"fmt"
	"strings"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/store"
)

// MaxName is the longest name of a principal or group, as in IAM; MaxPolicyName of a policy.
const (
	MaxName       = 64
	MaxPolicyName = 128
)

// space is what names are unique in.
type space string

// The spaces. Users and services share one.
const (
	userNames   space = "user"
	roleNames   space = "role"
	groupNames  space = "group"
	policyNames space = "policy"
)

// spaceOf returns where the names of a kind of principals are unique.
func spaceOf(k Kind) space {
	if k == Role {
		return roleNames
	}
	return userNames
}

// what says in words what the names of a space are of.
func (s space) what() string {
	if s == userNames {
		return "user or service"
	}
	return string(s)
}

func nameRef(s space, name string) store.Ref {
	return store.Ref{Kind: store.KindName, ID: string(s) + "/" + name}
}

// arn is how policies and people call what has a name.
func arn(account string, s space, name string) string {
	return fmt.Sprintf("arn:aws:iam::%s:%s/%s", account, s, name)
}

// checkName refuses what IAM does not allow in names.
func checkName(s space, name string) error {
	limit := MaxName
	if s == policyNames {
		limit = MaxPolicyName
	}
	if name == "" || len(name) > limit || strings.ContainsFunc(name, notName) {
		return gate.Errorf(gate.InvalidRequest, "the name of a %s is 1 to %d letters, digits and +=,.@_-", s.what(), limit)
	}
	return nil
}

// notName tells what IAM does not allow in a name.
func notName(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("+=,.@_-", r)
}

// nameChange stages a new name. The commit fails when it exists: that keeps names unique.
func nameChange(s space, name string, id gate.ID) (gate.Change, error) {
	body, err := encode(nameBody{Format: bodyFormat, ID: id})
	return gate.Change{Ref: nameRef(s, name), Body: body}, err
}

// named returns the id that a name has now, and the name's item; the zero id when nothing has it.
func (d *Directory) named(ctx context.Context, s space, name string) (gate.ID, *store.Item, error) {
	items, _, err := d.view.Get(ctx, nameRef(s, name))
	if err != nil || items[0].Revision == 0 {
		return gate.ID{}, nil, err
	}
	b, err := decodeName(&items[0])
	if err != nil {
		return gate.ID{}, nil, err
	}
	return b.ID, &items[0], nil
}

// PrincipalOf returns the id of the user, service or role that an ARN names now; the zero id when
// there is none in this account.
func (d *Directory) PrincipalOf(ctx context.Context, text string) (gate.ID, error) {
	rest, ok := strings.CutPrefix(text, "arn:aws:iam::"+d.account+":")
	kind, name, found := strings.Cut(rest, "/")
	s := space(kind)
	if !ok || !found || s != userNames && s != roleNames || checkName(s, name) != nil {
		return gate.ID{}, nil
	}
	id, _, err := d.named(ctx, s, name)
	return id, err
}
