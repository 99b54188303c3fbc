package server

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/haven-health/haven/internal/clock"
)

// Rate is a token bucket for each of a bounded number of keys.
type Rate struct {
	// PerSecond is how many tokens come back each second. Required, positive.
	PerSecond float64
	// Burst is how many may be taken at once. Required, positive.
	Burst int
	// Keys is how many are remembered; beyond it the least recently used are forgotten and
	// start anew with a full bucket. Required, positive.
	Keys int
}

func (r Rate) validate() error {
	if !(r.PerSecond > 0) || r.Burst <= 0 || r.Keys <= 0 {
		return errors.New("server: a rate needs a positive rate, burst and number of keys")
	}
	return nil
}

// RateLimiter holds a token bucket for each key, a principal or a remote address, in bounded
// memory. Time is the monotonic clock, so that a step of the wall clock neither refills nor
// starves anyone. It is safe for use by several goroutines.
type RateLimiter struct {
	rate  Rate
	clock clock.Clock

	mu sync.Mutex
	// Two generations make an approximate least-recently-used order at constant cost: a key is
	// found in either, moves to the young one, and is forgotten when it lay untouched in the
	// old one while the young one filled.
	young, old map[string]*rate.Limiter
}

// NewRateLimiter makes a limiter, or returns an error when a field of the rate is not positive.
func NewRateLimiter(r Rate, c clock.Clock) (*RateLimiter, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	return &RateLimiter{rate: r, clock: c, young: make(map[string]*rate.Limiter)}, nil
}

// Allow takes a token of the key. When there is none it takes nothing and returns how long until
// there is one.
func (l *RateLimiter) Allow(key string) (retryAfter time.Duration, allowed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	bucket := l.find(key)
	if bucket == nil {
		bucket = rate.NewLimiter(rate.Limit(l.rate.PerSecond), l.rate.Burst)
		l.keep(key, bucket)
	}
	if bucket.AllowN(now, 1) {
		return 0, true
	}
	return wait(bucket, now), false
}

// spent tells how many tokens of the key are gone and, when it has none, how long until there is
// one. It takes nothing and remembers nobody new.
func (l *RateLimiter) spent(key string) (tokens float64, retryAfter time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket := l.find(key)
	if bucket == nil {
		return 0, 0
	}
	now := l.now()
	return float64(l.rate.Burst) - bucket.TokensAt(now), wait(bucket, now)
}

func wait(bucket *rate.Limiter, now time.Time) time.Duration {
	missing := 1 - bucket.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return time.Duration(missing / float64(bucket.Limit()) * float64(time.Second))
}

func (l *RateLimiter) now() time.Time { return time.Unix(0, 0).Add(l.clock.Monotonic()) }

func (l *RateLimiter) find(key string) *rate.Limiter {
	if bucket, found := l.young[key]; found {
		return bucket
	}
	bucket, found := l.old[key]
	if found {
		delete(l.old, key)
		l.keep(key, bucket)
	}
	return bucket
}

func (l *RateLimiter) keep(key string, bucket *rate.Limiter) {
	if len(l.young) >= (l.rate.Keys+1)/2 {
		l.old, l.young = l.young, make(map[string]*rate.Limiter)
	}
	l.young[key] = bucket
}

// remembered is the number of keys held.
func (l *RateLimiter) remembered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.young) + len(l.old)
}
