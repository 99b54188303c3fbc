package identity_test

import (
	library "github.com/haven-health/haven"
	"github.com/haven-health/haven/identity"
)

// haven shortens the library's methods to what a table of calls needs.
type haven struct{ library.Identity }

func (h haven) create(name, document, principal string) error {
	_, err := h.CreatePolicy(background, identity.CreatePolicyRequest{Name: name, Document: document, Principal: principal})
	return err
}

func (h haven) describe(req identity.PolicyRequest) error {
	_, err := h.DescribePolicy(background, req)
	return err
}

func (h haven) list(principal string) error {
	_, err := h.ListPolicies(background, identity.ListPoliciesRequest{Principal: principal})
	return err
}

func (h haven) update(req identity.PolicyRequest, document string) error {
	_, err := h.UpdatePolicy(background, identity.UpdatePolicyRequest{Policy: req.Policy, Principal: req.Principal, As: req.As, Document: document})
	return err
}

func (h haven) remove(req identity.PolicyRequest) error {
	_, err := h.DeletePolicy(background, req)
	return err
}

func (h haven) attach(policy, principal string, as identity.Part) error {
	_, err := h.AttachPolicy(background, identity.AttachPolicyRequest{Policy: policy, Principal: principal, As: as})
	return err
}

func (h haven) detach(policy, principal string, as identity.Part) error {
	_, err := h.DetachPolicy(background, identity.AttachPolicyRequest{Policy: policy, Principal: principal, As: as})
	return err
}
