package haven

import (
	"context"

	"github.com/haven-health/haven/audit"
	"github.com/haven-health/haven/gate"
)

// AuditTrail shows what was done, to one principal.
type AuditTrail struct {
	system    *System
	principal gate.ID
}

// AuditTrail acts as the local administrator.
func (s *System) AuditTrail() AuditTrail { return AuditTrail{s, s.admin} }

// AuditTrail acts for the principal.
func (a Acting) AuditTrail() AuditTrail { return AuditTrail(a) }

// ListRecords returns a page of events, newest first.
func (t AuditTrail) ListRecords(ctx context.Context, req audit.RecordsRequest) (*audit.RecordPage, error) {
	c, err := t.system.gate.Begin(ctx, gate.ListRecords, gate.Proof{Local: t.principal})
	if err != nil {
		return nil, err
	}
	return t.system.audit.ListRecords(ctx, c, req)
}
