package identity

import (
	"context"
	"fmt"
	"time"

	"github.com/haven-health/haven/gate"
)

// Bounds of a session, as AWS's.
const (
	MinSession       = 15 * time.Minute
	DefaultSession   = time.Hour
	MaxSession       = 12 * time.Hour
	maxChained       = time.Hour // of a session that another session began
	MaxSessionPolicy = 2048      // characters without white space
)

// sessionBody is what a session of a role rests on beside the role.
type sessionBody struct {
	Name string `json:"name"`
	// Policy is the session policy, "" for none: the session may nothing that it does not allow.
	Policy string `json:"policy,omitzero"`
	// Source is the ARN of who began it, for people.
	Source string `json:"source"`
	// How its beginner had proven to be who it is.
	MultiFactor bool     `json:"mfa,omitzero"`
	Class       string   `json:"acr,omitzero"`
	Methods     []string `json:"amr,omitempty"`
}

// loadSession makes the principal of a session: the role's, as long as the role is in force, within
// the session policy. What becomes of who began it changes nothing, as with AWS.
func (d *Directory) loadSession(ctx context.Context, hash [32]byte) (*gate.Principal, gate.Rests, error) {
	return d.settled(ctx, func(l *loading) (*gate.Principal, error) {
		items, err := l.get(credentialRef(hash))
		if err != nil {
			return nil, err
		}
		if items[0].Revision == 0 {
			return nil, nobody()
		}
		c, err := decodeCredential(&items[0])
		if err != nil {
			return nil, err
		}
		if c.Session == nil {
			return nil, nobody()
		}
		p, err := l.principal(c.Principal)
		if err != nil {
			return nil, err
		}
		return p, d.assume(p, c)
	})
}

// assume makes of a role's principal that of a session.
func (d *Directory) assume(p *gate.Principal, c *credentialBody) error {
	a, s := p.Access, c.Session
	a.RoleID, a.RoleARN = a.ID, a.ARN
	a.ID, a.ARN, a.Kind = a.ID+":"+s.Name, sessionARN(d.account, p.Name, s.Name), "AssumedRole"
	a.Temporary, a.Issued = true, c.Created
	a.MultiFactor, a.AuthContextClass, a.AuthMethods = s.MultiFactor, s.Class, s.Methods
	p.ARN, p.Name = a.ARN, p.Name+"/"+s.Name
	if s.Policy == "" {
		return nil
	}
	var err error
	a.Session, err = d.compile("of a session", s.Policy)
	return err
}

func sessionARN(account, role, name string) string {
	return fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", account, role, name)
}
