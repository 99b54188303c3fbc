package server_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/haven-health/haven/server"
)

// sealed is a server whose seal opens with one passphrase. The slices it was called with are
// kept, to see that they are wiped.
func sealed(t *testing.T, passphrase string) (f *fixture, seen *atomic.Pointer[[]byte]) {
	t.Helper()
	seen = new(atomic.Pointer[[]byte])
	var running atomic.Pointer[fixture]
	f = serve(t, nil, func(c *server.Config) {
		c.Unseal = func(_ context.Context, given []byte) error {
			seen.Store(&given)
			switch string(given) {
			case passphrase:
				running.Load().SetHandler(ok())
				return nil
			case "broken":
				return errors.New("the disk failed")
			case "none":
				return fmt.Errorf("%w: use the key file", server.ErrUnsealImpossible)
			}
			return server.ErrUnsealRefused
		}
	})
	running.Store(f)
	return f, seen
}

func (f *fixture) unseal(t *testing.T, body string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(f.dir, server.UnsealSocket))
		},
	}}
	return do(t, client, must(http.NewRequest(http.MethodPost, "http://haven/unseal", strings.NewReader(body))))
}

func TestUnseal(t *testing.T) {
	const passphrase = `correct "horse" ü`
	f, seen := sealed(t, passphrase)
	if status, body := f.unseal(t, `{"passphrase":"wrong horse"}`); status != 403 || !strings.Contains(body, "access_denied") {
		t.Errorf("wrong: %d %s", status, body)
	}
	if status, body := f.unseal(t, `{"passphrase":"broken"}`); status != 500 || strings.Contains(body, "disk") {
		t.Errorf("broken: %d %s", status, body)
	}
	if status, body := f.unseal(t, `{"passphrase":"none"}`); status != 409 || !strings.Contains(body, "invalid_state") || !strings.Contains(body, "use the key file") {
		t.Errorf("none: %d %s", status, body)
	}
	if status, body := f.unseal(t, `{"passphrase":"correct \"horse\" \u00fc"}`); status != 200 || body != `{"unsealed":true}` {
		t.Errorf("right: %d %s", status, body)
	}
	if status, _ := get(t, f.client(t), f.Endpoint()+"/v1/x"); status != 200 {
		t.Errorf("unlocked: %d", status)
	}
	if status, _ := f.unseal(t, `{"passphrase":"wrong horse"}`); status != 409 {
		t.Errorf("again: %d", status)
	}
	if got, want := f.UnsealAttempts(), (server.UnsealAttempts{Tried: 4, Refused: 1}); got != want {
		t.Errorf("attempts %+v, want %+v", got, want)
	}
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	if left := *seen.Load(); strings.Trim(string(left), "\x00") != "" {
		t.Error("the passphrase was not wiped")
	}
	if strings.Contains(f.log.String(), "horse") {
		t.Error("the log holds a passphrase")
	}
}

func TestUnsealSocketIsPrivate(t *testing.T) {
	f, _ := sealed(t, "x")
	name := filepath.Join(f.dir, server.UnsealSocket)
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || info.Mode().Type() != os.ModeSocket {
		t.Errorf("mode %v", info.Mode())
	}
	if err := f.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("after the stop: %v", err)
	}
}

func TestUnsealIsThrottled(t *testing.T) {
	f, _ := sealed(t, "right")
	for range 5 {
		if status, _ := f.unseal(t, `{"passphrase":"wrong"}`); status != 403 {
			t.Fatal(status)
		}
	}
	if status, _ := f.unseal(t, `{"passphrase":"right"}`); status != 429 {
		t.Errorf("a sixth attempt: %d", status)
	}
	f.clock.Advance(time.Second)
	if status, _ := f.unseal(t, `{"passphrase":"right"}`); status != 200 {
		t.Errorf("a second later: %d", status)
	}
	if got, want := f.UnsealAttempts(), (server.UnsealAttempts{Tried: 6, Refused: 5, Throttled: 1}); got != want {
		t.Errorf("attempts %+v, want %+v", got, want)
	}
}

func TestUnsealRefusesOddBodies(t *testing.T) {
	f, seen := sealed(t, "x")
	for _, body := range []string{
		"", "{}", "null", `"x"`, `{"passphrase":""}`, `{"passphrase":null}`, `{"passphrase":7}`, `{"passphrase":["x"]}`,
		`{"passphrase":"x","passphrase":"x"}`, `{"passphrase":"x","other":1}`, `{"passphrase":"x"} {}`, "{\"passphrase\":\"\xff\"}",
		`{"Passphrase":"x"}`, `{"passphrase":"` + strings.Repeat("x", 8<<10) + `"}`,
	} {
		if status, _ := f.unseal(t, body); status != 400 {
			t.Errorf("%.40q: %d", body, status)
		}
	}
	if seen.Load() != nil || f.UnsealAttempts() != (server.UnsealAttempts{}) {
		t.Error("an odd body was tried")
	}
}
