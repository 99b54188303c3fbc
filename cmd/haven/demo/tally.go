package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store/embedded"
)

// counted is one kind of record: what was asked, and whether it was done.
type counted struct {
	operation uint16
	done      bool
}

// tally counts them.
type tally map[counted]uint64

// operations of the commands that reach the server.
func operationOf(args []string) *gate.Operation {
	command := args[0]
	switch command {
	case "key", "principal", "credential", "policy", "grant", "access", "vault", "rotation":
		command += " " + args[1]
	}
	return map[string]*gate.Operation{
		"key create": gate.CreateKey, "key rotate": gate.RotateKey, "key versions": gate.ListKeyVersions,
		"key deprecate": gate.DeprecateVersion, "key compromise": gate.MarkCompromised, "key enable": gate.EnableKey,
		"key schedule-deletion": gate.ScheduleKeyDeletion, "key cancel-deletion": gate.CancelKeyDeletion,
		"principal create": gate.CreatePrincipal, "credential create": gate.CreateCredential, "policy create": gate.CreatePolicy,
		"policy attach": gate.AttachPolicy, "grant create": gate.CreateGrant, "grant revoke": gate.RevokeGrant,
		"access explain": gate.ExplainAccess, "access list": gate.ListAccess,
		"vault put": gate.StoreKey, "vault get": gate.RetrieveKey,
		"rotation due": gate.ListDue, "rotation check": gate.CheckRotation, "rotation status": gate.DescribeRotationSchedule,
		"encrypt": gate.Encrypt, "decrypt": gate.Decrypt, "data-key": gate.GenerateDataKey,
		"sign": gate.Sign, "verify": gate.Verify, "hpke-seal": gate.HPKESeal, "hpke-open": gate.HPKEOpen,
	}[command]
}

// count notes that a command must have left a record.
func (t tally) count(args []string, done bool) {
	if op := operationOf(args); op != nil {
		t[counted{op.Number, done}]++
	}
}

// records stops the server, reads the journal from its first record, and compares it with the
// commands that were run: not one more, not one less.
func (p *play) records(ctx context.Context) error {
	if err := p.stop(); err != nil {
		return err
	}
	found, err := p.read(ctx)
	if err != nil {
		return err
	}
	p.outcome.Records = map[string]uint64{}
	for _, op := range gate.Operations() {
		done, refused := counted{op.Number, true}, counted{op.Number, false}
		if found[done]+found[refused] == 0 && p.expected[done]+p.expected[refused] == 0 {
			continue
		}
		p.outcome.Records[op.Event] = found[done] + found[refused]
		fmt.Fprintf(p.Out, "   %-22s %3d done, %d refused\n", op.Event, found[done], found[refused])
		if op.Internal {
			continue
		}
		if found[done] != p.expected[done] || found[refused] != p.expected[refused] {
			return fmt.Errorf("the journal has %d and %d records of %s, %d and %d were asked for",
				found[done], found[refused], op.Name, p.expected[done], p.expected[refused])
		}
	}
	p.say("One record for each command above, done or refused, written before its answer left.")
	return nil
}

func (p *play) read(ctx context.Context) (found tally, err error) {
	folder, err := disk.Dir(p.store)
	if err != nil {
		return nil, err
	}
	s, err := embedded.Open(ctx, embedded.Config{FS: folder, Rand: rand.Reader})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	found = tally{}
	for stored, err := range s.Records(ctx, 0) {
		if err != nil {
			return nil, err
		}
		frame, err := journal.DecodeFrame(stored.Data)
		if err != nil {
			return nil, err
		}
		for encoded, err := range frame.Records() {
			if err != nil {
				return nil, err
			}
			r, err := journal.DecodeRecord(encoded)
			if err != nil {
				return nil, err
			}
			found[counted{r.Operation, r.Outcome == journal.Allowed}]++
		}
	}
	return found, nil
}
