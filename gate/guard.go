package gate

import (
	"crypto/subtle"
	"encoding/binary"
	"fmt"

	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store"
)

// decides tells which kinds decide who may do what. They are one set, whose hash stands in every
// frame, so that one of them rolled back or deleted is found.
func decides(k store.Kind) bool {
	switch k {
	case store.KindPrincipal, store.KindCredential, store.KindGroup, store.KindPolicy, store.KindGrant, store.KindApproval:
		return true
	}
	return false
}

// setHash is a multiset hash (MSet-Add-Hash, Clarke et al., ASIACRYPT 2003): the sum modulo 2^256
// of a keyed hash of each element. Without the key nobody can find other elements with the same
// sum; an element is added or removed in constant time, whatever the set holds.
type setHash [32]byte

const setLabel = "haven/access-set/v1\x00"

func element(itemMAC *[32]byte, mac MAC) [32]byte {
	return mac(append([]byte(setLabel), itemMAC[:]...))
}

func (h *setHash) add(itemMAC *[32]byte, mac MAC) {
	e, carry := element(itemMAC, mac), uint16(0)
	for i := 31; i >= 0; i-- {
		carry += uint16(h[i]) + uint16(e[i])
		h[i] = byte(carry)
		carry >>= 8
	}
}

func (h *setHash) remove(itemMAC *[32]byte, mac MAC) {
	e, borrow := element(itemMAC, mac), int16(0)
	for i := 31; i >= 0; i-- {
		d := int16(h[i]) - int16(e[i]) - borrow
		borrow = 0
		if d < 0 {
			d, borrow = d+256, 1
		}
		h[i] = byte(d)
	}
}

// A guard stands in every frame: version (1), stops (8), head of the stops chain (32), hash of
// the access set (32), MAC (32) over "haven/guard/v1" ‖ 0x00 ‖ chain before the frame ‖ its
// position ‖ incarnation ‖ epoch ‖ time ‖ batch ‖ all above. Since the chain before it covers every
// earlier record, who can write the store but has no key cannot continue a journal of their own
// making.
const (
	guardVersion = 1
	guardLen     = 1 + 8 + 32 + 32 + 32
	guardLabel   = "haven/guard/v1\x00"
)

func (s *sequencer) guard(h *journal.Header, stops stopPosition) []byte {
	g := append(make([]byte, 0, guardLen), guardVersion)
	g = binary.BigEndian.AppendUint64(g, stops.count)
	g = append(g, stops.head[:]...)
	g = append(g, s.staged[:]...)
	tag := guardMAC(s.view.mac, h, g)
	return append(g, tag[:]...)
}

func guardMAC(mac MAC, h *journal.Header, body []byte) [32]byte {
	b := append(make([]byte, 0, 256), guardLabel...)
	b = append(b, h.Before[:]...)
	for _, n := range []uint64{h.Position, h.Incarnation, h.Epoch, uint64(h.Time)} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = append(b, h.Batch[:]...)
	return mac(append(b, body...))
}

// guarded is what a frame's guard says.
type guarded struct {
	stops  stopPosition
	access setHash
}

// readGuard checks a frame's guard and returns what it says.
func readGuard(mac MAC, h *journal.Header) (guarded, error) {
	bad := &Error{Code: Tampered, Detail: "the journal holds a frame that Haven did not write; restore the store or run haven fsck",
		cause: fmt.Errorf("%w: guard of the frame at record %d", store.ErrCorrupt, h.Position)}
	g := h.Guard
	if len(g) != guardLen || g[0] != guardVersion {
		return guarded{}, bad
	}
	if tag := guardMAC(mac, h, g[:guardLen-32]); subtle.ConstantTimeCompare(tag[:], g[guardLen-32:]) != 1 {
		return guarded{}, bad
	}
	out := guarded{stops: stopPosition{count: binary.BigEndian.Uint64(g[1:])}}
	copy(out.stops.head[:], g[9:])
	copy(out.access[:], g[41:])
	return out, nil
}
