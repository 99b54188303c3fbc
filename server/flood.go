package server

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/haven-health/haven/internal/clock"
)

// floodGuard holds back callers who keep failing to prove who they are. It learns of a failure
// from the answer, status 401, and so needs to know nothing about credentials.
//
// An address that used up its failures is refused until some come back. When all addresses
// together used up theirs, those with a recent failure are refused. A connection on which a
// credential was accepted keeps its standing until one on it is not, so that a flood from behind
// a shared address does not stop the clients already at work there.
type floodGuard struct {
	perAddress *RateLimiter
	total      *RateLimiter
}

// everyone is the one key of the limiter over all addresses.
const everyone = ""

func newFloodGuard(limits Limits, c clock.Clock) (*floodGuard, error) {
	perAddress, err := NewRateLimiter(limits.FailedPerAddress, c)
	if err != nil {
		return nil, err
	}
	total, err := NewRateLimiter(limits.FailedTotal, c)
	if err != nil {
		return nil, err
	}
	return &floodGuard{perAddress, total}, nil
}

// refused tells whether a request of this connection is to be refused now, and for how long.
func (g *floodGuard) refused(c *connection) (retryAfter time.Duration, refused bool) {
	if c.proven.Load() {
		return 0, false
	}
	failures, retryAfter := g.perAddress.spent(c.address)
	if retryAfter > 0 {
		return retryAfter, true
	}
	if failures < 1 {
		return 0, false
	}
	_, retryAfter = g.total.spent(everyone)
	return retryAfter, retryAfter > 0
}

// failed notes a failed authentication.
func (g *floodGuard) failed(c *connection) {
	c.proven.Store(false)
	g.perAddress.Allow(c.address)
	g.total.Allow(everyone)
}

// connection is what the server remembers of one.
type connection struct {
	// address is the remote address as a key: an IPv6 /64 counts as one caller, since that is
	// what one is given.
	address string
	// proven is set when a credential was accepted on it, and cleared when one was not.
	proven atomic.Bool
}

// connectionKey finds the connection in a request's context.
type connectionKey struct{}

func newConnection(remote net.Addr) *connection {
	tcp, ok := remote.(*net.TCPAddr)
	if !ok {
		return &connection{address: remote.String()}
	}
	address := tcp.AddrPort().Addr().Unmap()
	if address.Is6() {
		return &connection{address: netip.PrefixFrom(address.WithZone(""), 64).Masked().String()}
	}
	return &connection{address: address.String()}
}
