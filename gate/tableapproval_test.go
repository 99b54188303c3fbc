package gate_test

import (
	"context"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/keys"
)

// approvalRows are the operations of dual control.
func approvalRows() map[string]row {
	open := func(f *fixture) {
		asker, _ := f.Principal("asker", true)
		call, err := f.Gate().Begin(background, gate.RequestApproval, gate.Proof{Local: asker})
		f.must(err)
		f.must(f.ask(call, 30))
	}
	one := func(do func(*identity.Manager, *gate.Call, identity.ApprovalRequest) error) func(*fixture, *gate.Call, bool) error {
		return func(f *fixture, c *gate.Call, fail bool) error {
			id, _ := gate.ParseID(pick(fail, absent, string(f.given)))
			return do(f.IdentityManager(), c, identity.ApprovalRequest{Approval: id})
		}
	}
	return map[string]row{
		"request-approval": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				hours := 1
				if fail {
					hours = 1000
				}
				return f.ask(c, hours)
			},
			fails: gate.InvalidRequest, names: func(f *fixture, _ gate.ID) names { return names{key: f.id} },
		},
		"approve": {
			prepare: open, fails: gate.NotFound, names: func(f *fixture, _ gate.ID) names { return names{key: f.id} },
			run: one(func(m *identity.Manager, c *gate.Call, req identity.ApprovalRequest) error {
				_, err := m.Approve(background, c, req)
				return err
			}),
		},
		"describe-approval": {
			prepare: open, fails: gate.NotFound, names: func(f *fixture, _ gate.ID) names { return names{key: f.id} },
			run: one(func(m *identity.Manager, c *gate.Call, req identity.ApprovalRequest) error {
				_, err := m.DescribeApproval(background, c, req)
				return err
			}),
		},
		"withdraw-approval": {
			prepare: open, fails: gate.NotFound, names: func(f *fixture, _ gate.ID) names { return names{key: f.id} },
			run: one(func(m *identity.Manager, c *gate.Call, req identity.ApprovalRequest) error {
				_, err := m.WithdrawApproval(background, c, req)
				return err
			}),
		},
		"list-approvals": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.IdentityManager().ListApprovals(background, c, identity.ListApprovalsRequest{Cursor: pick(fail, "x", "")})
				return err
			},
			fails: gate.InvalidRequest, names: nothingNamed,
		},
	}
}

// ask asks for approvals of the deletion of the fixture's key, and leaves the id in given.
func (f *fixture) ask(c *gate.Call, hours int) error {
	return f.askFor(c, gate.ScheduleKeyDeletion, f.key, identity.RequestApprovalRequest{Hours: hours})
}

// askFor asks for approvals of the deletion of a key, or that it be disabled.
func (f *fixture) askFor(c *gate.Call, op *gate.Operation, key string, req identity.RequestApprovalRequest) error {
	req.Do = func() (err error) {
		if op == gate.DisableKey {
			_, err = f.Manager().DisableKey(background, c, keys.DisableRequest{Key: key})
		} else {
			_, err = f.Manager().ScheduleKeyDeletion(background, c, keys.ScheduleDeletionRequest{Key: key, Days: 7})
		}
		return err
	}
	out, err := f.IdentityManager().RequestApproval(background, c, op, req)
	if err == nil {
		f.given = []byte(out.ID.String())
	}
	return err
}

// changesOfApprovals are the operations of dual control.
func changesOfApprovals() map[string]changing {
	type request = identity.RequestApprovalRequest
	begin := func(f *furnished, as gate.ID, op *gate.Operation) *gate.Call {
		call, err := f.Gate().Begin(background, op, gate.Proof{Local: as})
		f.must(err)
		return call
	}
	asking := func(op *gate.Operation, other bool, req request) effect {
		return func(f *furnished) error {
			return f.askFor(begin(f, f.Admin, gate.RequestApproval), op, pick(other, f.other, f.key), req)
		}
	}
	// Two are asked for, of two keys.
	prepare := func(f *furnished) {
		asker, _ := f.Principal("asker", true)
		for name, key := range map[string]string{"FIRST": f.key, "SECOND KEY'S": f.other} {
			f.must(f.askFor(begin(f, asker, gate.RequestApproval), gate.ScheduleKeyDeletion, key, request{}))
			f.called[string(f.given)] = name
		}
	}
	on := func(name string, do func(*identity.Manager, context.Context, *gate.Call, identity.ApprovalRequest) (*identity.Approval, error), op *gate.Operation) effect {
		return func(f *furnished) error {
			id, _ := gate.ParseID(f.idOf(name))
			_, err := do(f.IdentityManager(), background, begin(f, f.Admin, op), identity.ApprovalRequest{Approval: id})
			return err
		}
	}
	return map[string]changing{
		"request-approval": {effects: []effect{
			asking(gate.ScheduleKeyDeletion, false, request{}), asking(gate.ScheduleKeyDeletion, true, request{}), asking(gate.DisableKey, false, request{}),
			asking(gate.ScheduleKeyDeletion, false, request{Hours: 2}), asking(gate.ScheduleKeyDeletion, false, request{Reason: "old"}),
			asking(gate.ScheduleKeyDeletion, false, request{Request: "{}", Body: [32]byte{1}}),
		}},
		"approve": {prepare: prepare, effects: []effect{
			on("FIRST", (*identity.Manager).Approve, gate.Approve), on("SECOND KEY'S", (*identity.Manager).Approve, gate.Approve),
		}},
		"withdraw-approval": {prepare: prepare, effects: []effect{
			on("FIRST", (*identity.Manager).WithdrawApproval, gate.WithdrawApproval), on("SECOND KEY'S", (*identity.Manager).WithdrawApproval, gate.WithdrawApproval),
		}},
	}
}
