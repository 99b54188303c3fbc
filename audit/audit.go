// Package audit shows the journal as an audit trail: each record as a CloudTrail event.
//
// It guarantees that what it shows was read from the journal's frames, whose chain holds; that an event
// is made of the record's typed fields and the personal values beside it alone, so that it holds no
// plaintext, ciphertext or key material; that the same record gives the same event, id included; and
// that a call looks at a bounded number of records. It never writes, and it is no index: what is far
// back is found by going there.
package audit

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store"
)

// Config is what a Reader is made of. Every field is required.
type Config struct {
	Gate *gate.Gate
	// StoreID sets the ids of events of different stores apart.
	StoreID gate.ID
	// Region and Account stand in events and ARNs.
	Region, Account string
}

// Reader reads the journal as events.
type Reader struct {
	cfg        Config
	operations map[uint16]*gate.Operation
}

// NewReader makes a reader.
func NewReader(cfg Config) *Reader {
	r := &Reader{cfg: cfg, operations: map[uint16]*gate.Operation{}}
	for _, op := range gate.Operations() {
		r.operations[op.Number] = op
	}
	return r
}

// Bounds of a page.
const (
	defaultPage = 50
	maxPage     = 1000
	// maxLooked is how many records one call looks at. The page may hold fewer than its limit then,
	// and not be the last.
	maxLooked = 20_000
	// window is how many of them are read at a time: the journal is read forwards, and shown
	// backwards.
	window = 2_000
)

// RecordsRequest asks for a page of events, newest first. Of the filters, those that are given must all
// fit.
type RecordsRequest struct {
	// Key is a key's reference: what was done with it, or to it. With @N, only what names that
	// version.
	Key string `json:"key,omitzero"`
	// Event is an event's name or its operation's: Decrypt, RotateKeyOnDemand, rotate-key.
	Event string `json:"event,omitzero"`
	// Principal is an id or an ARN.
	Principal string `json:"principal,omitzero"`
	// Outcome is allowed, denied or failed.
	Outcome string `json:"outcome,omitzero"`
	// Since and Until bound the time: from Since on, before Until.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Changes leaves out what only uses and reads.
	Changes bool `json:"changes,omitzero"`

	Limit  int    `json:"limit,omitzero"`
	Cursor string `json:"cursor,omitzero"`
}

// RecordPage is a page of events. NextCursor continues behind it; absent at the end. It may be short, even
// empty, and not the last: NextCursor alone tells.
type RecordPage struct {
	Records    []Event `json:"records"`
	NextCursor string  `json:"next_cursor,omitzero"`
}

// ListRecords returns a page of events, newest first. Its own record is not among them.
func (r *Reader) ListRecords(ctx context.Context, c *gate.Call, req RecordsRequest) (*RecordPage, error) {
	f, err := r.filter(&req)
	if err != nil {
		return nil, r.cfg.Gate.Refuse(ctx, c, err)
	}
	var about gate.Request
	if req.Key != "" {
		about.References = []gate.Reference{{Text: req.Key}}
	}
	var out *RecordPage
	err = r.cfg.Gate.Do(ctx, c, about, func(a gate.Approved) (gate.Outcome, error) {
		if req.Key != "" {
			t := a.Target(0)
			f.key, f.version = t.Key, t.Version
		}
		var err error
		out, err = r.list(ctx, f)
		return gate.Outcome{}, err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// filter is a RecordsRequest understood.
type filter struct {
	*RecordsRequest
	limit     int
	before    uint64 // records from it on are not looked at; 0 at the first page
	event     map[uint16]bool
	outcome   journal.Outcome
	principal gate.ID
	user      string // of an ARN
	key       gate.ID
	version   uint32
}

func (r *Reader) filter(req *RecordsRequest) (*filter, error) {
	f := &filter{RecordsRequest: req, limit: req.Limit}
	switch {
	case f.limit < 0 || f.limit > maxPage:
		return nil, gate.Errorf(gate.InvalidRequest, "limit is 1 to %d", maxPage)
	case f.limit == 0:
		f.limit = defaultPage
	}
	if req.Cursor != "" {
		b, err := base64.RawURLEncoding.Strict().DecodeString(req.Cursor)
		if err != nil || len(b) != 8 || binary.BigEndian.Uint64(b) == 0 {
			return nil, gate.Errorf(gate.InvalidRequest, "not a cursor that this list returned")
		}
		f.before = binary.BigEndian.Uint64(b)
	}
	if req.Event != "" {
		f.event = map[uint16]bool{}
		for n, op := range r.operations {
			if req.Event == op.Event || req.Event == op.Name {
				f.event[n] = true
			}
		}
		if len(f.event) == 0 {
			return nil, gate.Errorf(gate.InvalidRequest, "event is an operation's name or its event's, as rotate-key or RotateKeyOnDemand")
		}
	}
	if req.Outcome != "" {
		f.outcome = journal.Allowed
		for f.outcome.String() != req.Outcome {
			if f.outcome++; f.outcome > journal.Failed {
				return nil, gate.Errorf(gate.InvalidRequest, "outcome is allowed, denied or failed")
			}
		}
	}
	if req.Principal != "" {
		name, ok := strings.CutPrefix(req.Principal, r.userARN(""))
		if ok && name != "" {
			f.user = name
		} else if f.principal, ok = gate.ParseID(req.Principal); !ok {
			return nil, gate.Errorf(gate.InvalidRequest, "principal is a principal's id or ARN")
		}
	}
	return f, nil
}

// fits tells whether a record is asked for, by itself.
func (f *filter) fits(op *gate.Operation, r *journal.Record) bool {
	at := time.Unix(0, r.Time)
	switch {
	case f.event != nil && !f.event[r.Operation],
		f.outcome != 0 && f.outcome != r.Outcome,
		!f.principal.IsZero() && f.principal != r.Principal,
		!f.Since.IsZero() && at.Before(f.Since),
		!f.Until.IsZero() && !at.Before(f.Until),
		f.Changes && (op == nil || !op.Mutates):
		return false
	}
	return f.key.IsZero() || f.concerns(r)
}

// concerns tells whether a record is about the key: it names it first or second, or changed it.
func (f *filter) concerns(r *journal.Record) bool {
	if f.version != 0 {
		return r.Key == f.key && r.Version == f.version || strings.Contains(r.Parameters, versioned(f.key, f.version))
	}
	return r.Key == f.key || strings.Contains(r.Parameters, f.key.String()) ||
		slices.ContainsFunc(r.Changes, func(c journal.ItemChange) bool {
			return (c.Kind == uint8(store.KindKey) || c.Kind == uint8(store.KindVersion)) && strings.HasPrefix(c.ID, string(f.key[:]))
		})
}

// clockSlack is by how much a record may be older than the frame it stands in: what an operation takes
// from its approval to its commit.
const clockSlack = 10 * time.Minute

// list looks backwards from where the page begins.
func (r *Reader) list(ctx context.Context, f *filter) (*RecordPage, error) {
	view := r.cfg.Gate.View()
	end, err := view.Position(ctx)
	if err != nil {
		return nil, err
	}
	if f.before > 0 {
		end = min(end, f.before)
	} else if !f.Until.IsZero() {
		if end, err = r.positionAt(ctx, f.Until.Add(clockSlack), end); err != nil {
			return nil, err
		}
	}
	out := &RecordPage{Records: []Event{}}
	for looked := uint64(0); end > 0; looked += window {
		if looked >= maxLooked {
			out.NextCursor = cursorBehind(end)
			return out, nil
		}
		from := end - min(end, window)
		found, older, err := r.read(ctx, f, from, end)
		if err != nil {
			return nil, err
		}
		for _, e := range slices.Backward(found) {
			if len(out.Records) == f.limit {
				out.NextCursor = cursorBehind(out.Records[f.limit-1].position)
				return out, nil
			}
			out.Records = append(out.Records, e)
		}
		if older {
			break
		}
		end = from
	}
	return out, nil
}

// cursorBehind continues with the records before one.
func cursorBehind(position uint64) string {
	if position == 0 {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, position))
}

// read returns the events that fit of the records from one up to another, oldest first; older tells
// that the first of them is from before f.Since, and so is everything before it.
func (r *Reader) read(ctx context.Context, f *filter, from, to uint64) (found []Event, older bool, err error) {
	for frame, err := range r.cfg.Gate.View().Records(ctx, from) {
		if err != nil {
			return nil, false, err
		}
		if frame.Position >= to {
			break
		}
		if !f.Since.IsZero() && time.Unix(0, frame.Time).Before(f.Since) {
			older = true
			continue
		}
		events, err := r.frame(f, &frame, from, to)
		if err != nil {
			return nil, false, err
		}
		found = append(found, events...)
	}
	return found, older, nil
}

// frame returns the events that fit of one frame.
func (r *Reader) frame(f *filter, frame *journal.Frame, from, to uint64) (found []Event, err error) {
	at := frame.Position
	for encoded, err := range frame.Records() {
		if err != nil {
			return nil, err
		}
		position := at
		at++
		if position < from || position >= to {
			continue
		}
		record, err := journal.DecodeRecord(encoded)
		if err != nil {
			return nil, err
		}
		if !f.fits(r.operations[record.Operation], &record) {
			continue
		}
		person, err := personalOf(frame, uint16(position-frame.Position))
		if err != nil {
			return nil, err
		}
		if f.user == "" || f.user == person.name {
			found = append(found, r.event(&record, person, position))
		}
	}
	return found, nil
}

// personal are the values beside a record; those that were erased are empty.
type personal struct{ name, source, agent string }

func personalOf(frame *journal.Frame, record uint16) (p personal, err error) {
	values, err := frame.Personal()
	if err != nil {
		return p, err
	}
	for _, v := range values {
		if v.Record != record || v.Erased {
			continue
		}
		switch v.Field {
		case journal.PrincipalName:
			p.name = v.Value
		case journal.SourceAddress:
			p.source = v.Value
		case journal.UserAgent:
			p.agent = v.Value
		}
	}
	return p, nil
}

// positionAt returns a position before which every frame until a moment stands, at most end: the
// frames' times never go back.
func (r *Reader) positionAt(ctx context.Context, moment time.Time, end uint64) (uint64, error) {
	low, high := uint64(0), end // the frames before low are not later, that of high is, or it is the end
	for low < high {
		middle := low + (high-low)/2
		for frame, err := range r.cfg.Gate.View().Records(ctx, middle) {
			if err != nil {
				return 0, err
			}
			if time.Unix(0, frame.Time).After(moment) {
				high = min(middle, frame.Position)
			} else {
				low = frame.Position + uint64(frame.Count)
			}
			break
		}
	}
	return min(low, end), nil
}
