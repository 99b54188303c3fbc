package gate

import (
	"context"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/haven-health/haven/store"
)

// What names a way in which an item is stopped.
type What uint8

// The ways. The numbers are part of the format.
const (
	Disabled        What = 1
	PendingDeletion What = 2
	Compromised     What = 3 // of a key: its versions up to Stop.Through
	Destroyed       What = 4
)

// Stop is an entry of the stops chain: it takes a right away, or gives one back. Compromised and
// destroyed are never given back.
type Stop struct {
	Ref  store.Ref
	What What
	// Through is, of Compromised, the last version it stops; of Disabled, the moment, in seconds
	// since 1970 UTC, from which the entry that lifts it may be written without anybody asking
	// for it: see [StopUntil]. 0: only somebody lifts it.
	Through uint32
	Lift    bool
}

// StopUntil is what [Stop.Through] says of a suspension that ends at t; the zero time is never. The
// moment must be a whole second, before the year 2106; ok is false for another.
func StopUntil(t time.Time) (through uint32, ok bool) {
	if t.IsZero() {
		return 0, true
	}
	s := t.Unix()
	return uint32(s), s > 0 && s <= math.MaxUint32 && t.Nanosecond() == 0
}

// Until is when a suspension ends, the zero time if it does not.
func (s Stopped) Until() time.Time {
	if s.DisabledUntil == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s.DisabledUntil), 0).UTC()
}

// Stopped is what the chain says of one item. It overrides the item itself: an item rolled back to
// a time before its stop is stopped all the same, and as long.
type Stopped struct {
	Disabled           bool
	DisabledUntil      uint32 // see Stop.Through
	PendingDeletion    bool
	CompromisedThrough uint32 // of a key
	Compromised        bool   // of a version
	Destroyed          bool
}

// stops is the chain in memory: its head, and what is stopped now. Only what is stopped takes
// room.
type stops struct {
	mu      sync.RWMutex
	entries map[store.Ref]Stopped
	stopPosition
}

// stopPosition is how long a stops chain is, and its head.
type stopPosition struct {
	count uint64
	head  [32]byte
}

const stopLabel = "haven/stop/v1\x00"

// A stop's body: what (1) lift (1) through (4) kind (1) id; its MAC continues the chain:
// MAC("haven/stop/v1" ‖ 0x00 ‖ MAC before ‖ position ‖ body), kept as the first 32 bytes of the
// item's body, so that the item's own MAC covers it too.
func encodeStop(s *Stop) []byte {
	lift := byte(0)
	if s.Lift {
		lift = 1
	}
	b := []byte{byte(s.What), lift}
	b = binary.BigEndian.AppendUint32(b, s.Through)
	b = append(b, byte(s.Ref.Kind))
	return append(b, s.Ref.ID...)
}

func decodeStop(b []byte) (Stop, bool) {
	if len(b) < 8 || b[0] < byte(Disabled) || b[0] > byte(Destroyed) || b[1] > 1 {
		return Stop{}, false
	}
	return Stop{
		What: What(b[0]), Lift: b[1] == 1, Through: binary.BigEndian.Uint32(b[2:]),
		Ref: store.Ref{Kind: store.Kind(b[6]), ID: string(b[7:])},
	}, true
}

func stopMAC(mac MAC, before [32]byte, position uint64, body []byte) [32]byte {
	m := append([]byte(stopLabel), before[:]...)
	m = binary.BigEndian.AppendUint64(m, position)
	return mac(append(m, body...))
}

// stopItem returns the item for the next entry of the chain and the chain's head after it.
func stopItem(mac MAC, before [32]byte, position uint64, s *Stop) (store.Item, [32]byte) {
	body := encodeStop(s)
	head := stopMAC(mac, before, position, body)
	item := store.Item{
		Ref:      store.Ref{Kind: store.KindStop, ID: string(binary.BigEndian.AppendUint64(nil, position))},
		Revision: 1,
		Body:     append(head[:], body...),
	}
	return item, head
}

// loadStops reads the whole chain and checks every link.
func loadStops(ctx context.Context, v *View) (*stops, error) {
	s := &stops{entries: map[store.Ref]Stopped{}}
	q := store.Query{Kind: store.KindStop, Limit: store.MaxPage}
	for {
		page, err := v.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			if err := s.link(v.mac, &page.Items[i]); err != nil {
				return nil, err
			}
			q.After = page.Items[i].ID
		}
		if !page.More {
			return s, nil
		}
	}
}

func (s *stops) link(mac MAC, item *store.Item) error {
	broken := &Error{Code: Tampered, Detail: "the chain of stopped keys is broken; restore the store or run haven fsck",
		cause: fmt.Errorf("%w: stop %d", store.ErrCorrupt, s.count)}
	if len(item.ID) != 8 || binary.BigEndian.Uint64([]byte(item.ID)) != s.count || len(item.Body) < 32 {
		return broken
	}
	stop, ok := decodeStop(item.Body[32:])
	want := stopMAC(mac, s.head, s.count, item.Body[32:])
	if !ok || subtle.ConstantTimeCompare(want[:], item.Body[:32]) != 1 {
		return broken
	}
	s.head = want
	s.count++
	s.apply(&stop)
	return nil
}

// apply makes one entry count and returns how to undo it.
func (s *stops) apply(stop *Stop) (undo func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, had := s.entries[stop.Ref]
	now := before
	switch stop.What {
	case Disabled:
		now.Disabled, now.DisabledUntil = !stop.Lift, 0
		if !stop.Lift {
			now.DisabledUntil = stop.Through
		}
	case PendingDeletion:
		now.PendingDeletion = !stop.Lift
	case Compromised:
		now.Compromised = true
		now.CompromisedThrough = max(now.CompromisedThrough, stop.Through)
	case Destroyed:
		now.Destroyed = true
	}
	if now == (Stopped{}) {
		delete(s.entries, stop.Ref)
	} else {
		s.entries[stop.Ref] = now
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if had {
			s.entries[stop.Ref] = before
		} else {
			delete(s.entries, stop.Ref)
		}
	}
}

func (s *stops) position() stopPosition {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.stopPosition
}

func (s *stops) advance(p stopPosition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopPosition = p
}

// replace takes over what was read anew from the store.
func (s *stops) replace(fresh *stops) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries, s.stopPosition = fresh.entries, fresh.stopPosition
}

func (s *stops) of(ref store.Ref) Stopped {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.entries[ref]
}
