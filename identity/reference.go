package identity

import (
	"strings"

	"github.com/haven-health/haven/gate"
)

// reference is a principal or group as a request names it, before anybody looks whether there is one:
// permission is asked for its ARN, so that who may not do the operation does not learn that either.
type reference struct {
	space space
	name  string
}

// principalReference reads how a request names a principal: by ARN, user/NAME, role/NAME, or the
// bare NAME of a user or service.
func (d *Directory) principalReference(text string) (reference, error) {
	r := reference{userNames, text}
	if rest, ok := strings.CutPrefix(text, "arn:"); ok {
		if rest, ok = strings.CutPrefix(rest, "aws:iam::"+d.account+":"); !ok {
			return r, gate.Errorf(gate.InvalidRequest, "that ARN is of no user, service or role of account %s", d.account)
		}
		text = rest
	}
	for _, s := range []space{userNames, roleNames} {
		if rest, ok := strings.CutPrefix(text, string(s)+"/"); ok {
			r = reference{s, rest}
		}
	}
	if checkName(r.space, r.name) != nil {
		return r, gate.Errorf(gate.InvalidRequest, "a principal is named by ARN, user/NAME, role/NAME, or the bare NAME of a user or service")
	}
	return r, nil
}

// groupReference reads how a request names a group: by ARN, group/NAME or NAME.
func (d *Directory) groupReference(text string) (reference, error) {
	name := strings.TrimPrefix(strings.TrimPrefix(text, "arn:aws:iam::"+d.account+":"), string(groupNames)+"/")
	r := reference{groupNames, name}
	if checkName(r.space, r.name) != nil {
		return r, gate.Errorf(gate.InvalidRequest, "a group is named by ARN, group/NAME or NAME")
	}
	return r, nil
}

func (r reference) arn(d *Directory) string { return arn(d.account, r.space, r.name) }

// unknown says that nothing has the name. It does not repeat the name, which may be a person's.
func (r reference) unknown() error {
	return gate.Errorf(gate.NotFound, "no %s has that name", r.space.what())
}
