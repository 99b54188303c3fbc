package identity

import (
	"context"
	"time"

	"github.com/haven-health/haven/gate"
)

// DefaultOverlap is how long a credential that was rotated goes on proving its principal, where
// nothing is said; MaxOverlap the longest that can be said.
const (
	DefaultOverlap = 24 * time.Hour
	MaxOverlap     = 30 * 24 * time.Hour
)

// RotateCredentialRequest names a credential of a principal, "" being the caller.
type RotateCredentialRequest struct {
	Principal  string `json:"principal,omitzero"`
	Credential string `json:"credential"`
	// OverlapSeconds is how long the old one goes on; absent: DefaultOverlap; 0: it ends at once.
	OverlapSeconds *int `json:"overlap_seconds,omitzero"`
	// ExpiresAt is the new one's end; absent: it lasts until it is deleted.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// Certificate is that of a new client-certificate.
	Certificate string `json:"certificate,omitzero"`
}

// RotateCredential makes a new credential of the same type in place of one, which ends after the
// overlap if it does not before. The new secret stands in this one answer.
func (m *Manager) RotateCredential(ctx context.Context, c *gate.Call, req RotateCredentialRequest) (*Credential, error) {
	overlap := DefaultOverlap
	if s := req.OverlapSeconds; s != nil {
		if *s < 0 || *s > int(MaxOverlap/time.Second) {
			return nil, m.gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "overlap_seconds is 0 to %d", int(MaxOverlap/time.Second)))
		}
		overlap = time.Duration(*s) * time.Second
	}
	hash, err := credentialHash(req.Credential)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Credential
	return m.credentials(ctx, c, req.Principal, &out, func(e *edit) (*Credential, error) {
		old, err := e.credential(hash)
		if err != nil {
			return nil, err
		}
		pinned, err := checkCredential(old.body.Type, req.Certificate)
		if err != nil {
			return nil, err
		}
		switch {
		case !old.body.active(e.now):
			return nil, gate.Errorf(gate.Conflict, "that credential is not in force: create-credential makes another")
		case !req.ExpiresAt.IsZero() && !e.now.Before(req.ExpiresAt):
			return nil, gate.Errorf(gate.InvalidRequest, "expires_at is a time to come")
		}
		if err := e.roomBeside(overlap == 0); err != nil {
			return nil, err
		}
		e.told.Add("replaces=%s;overlap_seconds=%d", req.Credential, int(overlap/time.Second))
		if overlap == 0 {
			err = e.dropCredential(old.item)
		} else {
			if end := e.now.Add(overlap); old.body.Expires.IsZero() || end.Before(old.body.Expires) {
				old.body.Expires = end
			}
			err = e.putCredential(hash, old.body, old.item)
		}
		if err != nil {
			return nil, err
		}
		return e.issue(old.body.Type, req.ExpiresAt, pinned)
	})
}

// roomBeside makes room for one more credential, unless it takes the place of one that goes at once.
func (e *edit) roomBeside(gone bool) error {
	if gone {
		return nil
	}
	return e.room()
}
