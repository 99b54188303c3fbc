package native

import (
	"errors"

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
	request, hash, err := canonical(body.Request)
	if err != nil {
		return nil, x.refuse(err)
	}
	op, ask, err := x.asker(body.Operation, request)
	if err != nil {
		return nil, x.refuse(err)
	}
	out, err := x.h.cfg.Identity.RequestApproval(x.r.Context(), x.call, op, identity.RequestApprovalRequest{
		Request: string(request), Body: hash, Reason: body.Reason, Hours: body.Hours, Do: ask,
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(out, json.Deterministic(true))
}

// asker returns the operation of a name, and what asks it with the request.
func (x *exchange) asker(name string, request []byte) (*gate.Operation, func() error, error) {
	for _, op := range []*gate.Operation{gate.RotateSeal, gate.MigrateSeal} {
		if op.Name != name {
			continue
		}
		var change identity.SealChange
		err := decode(request, &change)
		return op, func() error { return x.h.cfg.Identity.AtMachine(x.r.Context(), x.call, op, change) }, err
	}
	route := x.h.routes[name]
	if route == nil {
		return nil, nil, gate.Errorf(gate.InvalidRequest, "no such operation; /v1/openapi.json lists them")
	}
	return route.op, func() error {
		asked := *x
		asked.body = request
		_, err := route.serve(&asked)
		return err
	}, nil
}

func canonical(body []byte) ([]byte, [32]byte, error) {
	request, hash, err := identity.Canonical(body)
	if err != nil && !errors.Is(err, gate.InvalidRequest) {
		err = malformed(err)
	}
	return request, hash, err
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
