package client_test

import (
	"net/http"
	"testing"

	"github.com/haven-health/haven/client"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestWrapSeesEveryTry(t *testing.T) {
	s := newContract(t, problem(503, "unavailable"))
	seen := 0
	c := s.client(t, func(cfg *client.Config) {
		cfg.Wrap = func(base http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				seen++
				return base.RoundTrip(r)
			})
		}
	})
	if _, err := c.DescribeKey(t.Context(), "k"); err == nil {
		t.Fatal("no error")
	}
	if seen != 3 || len(s.arrived()) != 3 {
		t.Errorf("%d tries seen, %d arrived, want 3", seen, len(s.arrived()))
	}
}
