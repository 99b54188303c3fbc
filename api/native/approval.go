package native

import (
	"crypto/sha256"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
)

// approvalHeader names the approval that a call has.
const approvalHeader = "Haven-Approval"

// RequestApprovalBody asks that others approve an operation: its name, and exactly the request that
// will be sent then.
type RequestApprovalBody struct {
	Operation string         `json:"operation"`
	Request   jsontext.Value `json:"request,omitzero"`
	Reason    string         `json:"reason,omitzero"`
	Hours     int            `json:"hours,omitzero"`
}

// requestApproval lets the operation's own route read its request, with a call that only asks.
func (x *exchange) requestApproval() ([]byte, error) {
	var body RequestApprovalBody
	if err := x.decode(&body); err != nil {
		return nil, x.refuse(err)
	}
	route := x.h.routes[body.Operation]
	if route == nil {
		return nil, x.refuse(gate.Errorf(gate.InvalidRequest, "no such operation; /v1/openapi.json lists them"))
	}
	request, hash, err := canonical(body.Request)
	if err != nil {
		return nil, x.refuse(err)
	}
	out, err := x.h.cfg.Identity.RequestApproval(x.r.Context(), x.call, route.op, identity.RequestApprovalRequest{
		Request: string(request), Body: hash, Reason: body.Reason, Hours: body.Hours,
		Do: func() error {
			asked := *x
			asked.body = request
			_, err := route.serve(&asked)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(out, json.Deterministic(true))
}

// canonical returns a request as RFC 8785 writes it, so that it has one hash however it was sent.
func canonical(body []byte) ([]byte, [32]byte, error) {
	v := jsontext.Value(slices.Clone(body))
	if v.Kind() != '{' {
		return nil, [32]byte{}, gate.Errorf(gate.InvalidRequest, "the request to be approved must be a JSON object")
	}
	if err := v.Canonicalize(); err != nil {
		return nil, [32]byte{}, malformed(err)
	}
	return v, sha256.Sum256(v), nil
}

// approved notes the approval that the caller says the call has.
func (x *exchange) approved(id []string) error {
	if len(id) > 1 {
		return gate.Errorf(gate.InvalidRequest, "more than one %s", approvalHeader)
	}
	approval, ok := gate.ParseID(id[0])
	if !ok {
		return gate.Errorf(gate.InvalidRequest, "%s is an id that request-approval answered", approvalHeader)
	}
	_, hash, err := canonical(x.body)
	if err == nil {
		x.call.Approved(approval, hash)
	}
	return err
}
