package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// maxTries is how often a call is sent at most.
	maxTries = 3
	// firstPause and longestPause bound the exponential back-off, whose pauses are drawn evenly
	// between nothing and the bound ("full jitter"), so that clients that failed together do not
	// come back together.
	firstPause   = 50 * time.Millisecond
	longestPause = 2 * time.Second
	// longestRetryAfter is the longest a server's wish is waited for; a longer one is the
	// caller's to decide about.
	longestRetryAfter = 30 * time.Second
)

// budget bounds retries to a tenth of the successes, so that retrying cannot keep down a server
// that is down. It is counted in tenths of a retry. A new client may make a few before its first
// success, or a program that makes one call could never retry.
type budget struct {
	mu     sync.Mutex
	spent  int64 // in tenths; it may not pass freeRetries + earned
	earned int64
}

const (
	tenthsPerRetry = 10
	freeRetries    = 3 * tenthsPerRetry
	// savings bounds what long good times may leave for bad ones.
	savings = 100 * tenthsPerRetry
)

func (b *budget) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.earned = min(b.earned+1, b.spent+savings)
}

// take takes a retry, if there is one.
func (b *budget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.spent+tenthsPerRetry > b.earned+freeRetries {
		return false
	}
	b.spent += tenthsPerRetry
	return true
}

// pauseBefore returns the pause before another try, and false when the failure is not one that
// passes, the server wants to be left alone for long, or the tries or the budget are used up.
func (c *Client) pauseBefore(try int, failure error) (pause time.Duration, again bool, err error) {
	wish, passing := passes(failure)
	if !passing || try >= maxTries || wish > longestRetryAfter || !c.budget.take() {
		return 0, false, nil
	}
	var draw [8]byte
	if _, err := io.ReadFull(c.random, draw[:]); err != nil {
		return 0, false, fmt.Errorf("client: randomness: %w", err)
	}
	bound := min(firstPause<<(try-1), longestPause)
	// The wish is kept in full and the jitter added to it. The bias of the remainder is below
	// one in 2^32.
	return wish + time.Duration(binary.BigEndian.Uint64(draw[:])%uint64(bound)), true, nil
}

// passes tells whether a failure may be gone at the next try, and how long the server asked to
// wait.
func passes(failure error) (wish time.Duration, passing bool) {
	if e, ok := errors.AsType[*Error](failure); ok {
		switch e.Status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable:
			// A locked store stays so until an operator comes.
			return e.RetryAfter, e.Code != Locked
		}
		return 0, false
	}
	if errors.Is(failure, context.Canceled) {
		return 0, false
	}
	return 0, connectionLost(failure)
}

// connectionLost tells whether the connection broke or could not be made. Certificates that do
// not verify are not among it: they do not get better.
func connectionLost(failure error) bool {
	for _, lost := range []error{
		io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
		syscall.ECONNRESET, syscall.ECONNREFUSED, syscall.ECONNABORTED, syscall.EPIPE,
	} {
		if errors.Is(failure, lost) {
			return true
		}
	}
	return false
}

// retryAfter reads the header's whole seconds. Its other form, a date, would need a clock that
// agrees with the server's, and Haven does not send it.
func retryAfter(header http.Header) time.Duration {
	seconds, err := strconv.ParseUint(strings.TrimSpace(header.Get("Retry-After")), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
