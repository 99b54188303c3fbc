package native

import (
	"encoding/hex"
	"io"
	"mime"
	"net/http"
	"slices"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/secret"
)

// Bodies of signed requests are held before anybody knows who sent them. Those of ordinary calls are
// small, and bounded by the number of connections; longer ones share room, so that strangers can
// fill that and not the memory.
const (
	smallSigned = 16 << 10
	maxUnproven = 64 << 20
)

// before reads the body of a signed request, which the signature is over. It returns why it could
// not; the proof then proves nobody.
func (x *exchange) before(op *gate.Operation, p *gate.Proof) error {
	if p.Signed == nil || x.r.Method == http.MethodGet {
		return nil
	}
	err := x.charge(op)
	if err == nil {
		err = x.receive(op)
	}
	p.Signed.Body, p.Unreadable = x.body, err != nil
	return err
}

// charge counts the body to come against what strangers may make us hold.
func (x *exchange) charge(op *gate.Operation) error {
	n := x.r.ContentLength
	if n < 0 || n > op.BodyLimit {
		n = op.BodyLimit
	}
	if n <= smallSigned {
		return nil
	}
	x.charged = n
	if x.h.unproven.Add(n) > maxUnproven {
		return gate.Errorf(gate.Unavailable, "too many signed requests with long bodies at once; try again")
	}
	return nil
}

// free takes back what was charged.
func (x *exchange) free() {
	if x.charged != 0 {
		x.h.unproven.Add(-x.charged)
		x.charged = 0
	}
}

// read reads the body, unless it was read, and the idempotency key.
func (x *exchange) read(op *gate.Operation, signed *gate.Signed) error {
	if x.r.Method == http.MethodGet {
		if x.r.ContentLength != 0 {
			return gate.Errorf(gate.InvalidRequest, "a GET has no body; what it asks stands in the query")
		}
		return nil
	}
	if x.r.URL.RawQuery != "" {
		return gate.Errorf(gate.InvalidRequest, "a POST has no query; what it asks stands in the body")
	}
	if !isJSON(x.r.Header["Content-Type"]) {
		return gate.Errorf(gate.InvalidRequest, "send Content-Type: application/json")
	}
	if signed == nil {
		if err := x.receive(op); err != nil {
			return err
		}
	}
	if !op.Mutates {
		return nil
	}
	if approval := x.r.Header[approvalHeader]; len(approval) > 0 {
		if err := x.approved(approval); err != nil {
			return err
		}
	}
	key := x.r.Header[idempotencyHeader]
	switch {
	case len(key) > 1:
		return gate.Errorf(gate.InvalidRequest, "more than one Idempotency-Key")
	case len(key) == 1 && signed != nil && !slices.Contains(signed.Claims.SignedHeaders, "idempotency-key"):
		// Else whoever repeats the request could have it done twice.
		return gate.Errorf(gate.InvalidRequest, "the Idempotency-Key of a signed request is to be among its SignedHeaders")
	case len(key) == 1:
		return x.call.Idempotent(key[0], hashOf(x.body))
	case signed != nil:
		return x.call.Idempotent("signature-"+hex.EncodeToString(secret.Expose(signed.Claims.Signature)), hashOf(x.body))
	}
	return nil
}

// receive reads the body, within the operation's limit.
func (x *exchange) receive(op *gate.Operation) error {
	if x.r.ContentLength > op.BodyLimit {
		return tooLarge(op)
	}
	var err error
	if n := x.r.ContentLength; n > 0 {
		x.body = make([]byte, n)
		_, err = io.ReadFull(x.r.Body, x.body)
	} else {
		x.body, err = io.ReadAll(io.LimitReader(x.r.Body, op.BodyLimit+1))
	}
	if err != nil {
		return gate.Errorf(gate.InvalidRequest, "the body ended before it was whole")
	}
	if int64(len(x.body)) > op.BodyLimit {
		return tooLarge(op)
	}
	return nil
}

// isJSON tells whether a Content-Type, if there is one, is JSON's.
func isJSON(contentType []string) bool {
	if len(contentType) == 0 || len(contentType) == 1 && contentType[0] == "application/json" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType[0])
	return len(contentType) == 1 && err == nil && media == "application/json"
}

func tooLarge(op *gate.Operation) error {
	return gate.Errorf(gate.TooLarge, "a body of %s is at most %d bytes", op.Name, op.BodyLimit)
}
