// Package access decides who may do what. It is pure: a request and what is known of it go in, a
// decision comes out; it reads no store, no clock and no network.
//
// It guarantees that what is not explicitly allowed is denied. It never decides by a name where
// there is an id.
package access

// Request is one question: may this principal do this to that?
type Request struct {
	// Principal is the caller's ARN, with its account.
	Principal string
	// Administrator tells that the caller is the bootstrap administrator.
	Administrator bool
	// Action is the permission the operation needs, as in IAM: "kms:Encrypt".
	Action string
	// Resource is the ARN of what it is done to, or "*" where the operation has none.
	Resource string
}

// Decision is the answer.
type Decision struct {
	Allowed bool
	// Reason says for people why, without telling a stranger what exists.
	Reason string
}

// AdministratorOnly is the rule of a new store: the bootstrap administrator may do everything,
// nobody else anything.
func AdministratorOnly(r *Request) Decision {
	if r.Administrator {
		return Decision{Allowed: true, Reason: "the bootstrap administrator may do everything"}
	}
	return Decision{Reason: "no policy allows it"}
}
