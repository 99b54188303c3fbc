package server_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/haven-health/haven/server"
)

// exchange sends bytes as they are and returns the answer's status.
func exchange(t *testing.T, conn net.Conn, request string) int {
	t.Helper()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}

// TestLesson08OnlyPlainPathsReachTheHandler: a path that means another to somebody on its way is refused
// before anything is looked up by it (CVE-2026-3605).
func TestLesson08OnlyPlainPathsReachTheHandler(t *testing.T) {
	var reached atomic.Int32
	f := serve(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }), nil)
	cases := []struct {
		target string
		plain  bool
	}{
		{"/", true}, {"/v1/encrypt", true}, {"/console/", true}, {"/v1/list-keys?cursor=a/../b%2f", true},
		{"/v1/..encrypt", true}, {"/v1/caf%C3%A9", true}, {"/v1/a%20b", true},
		{"//", false}, {"//v1/encrypt", false}, {"/v1//encrypt", false}, {"/console//", false},
		{"/.", false}, {"/..", false}, {"/v1/./encrypt", false}, {"/v1/../encrypt", false}, {"/v1/..", false},
		{"/v1/%2e%2e/encrypt", false}, {"/v1/%2E/encrypt", false}, {"/v1/.%2e/encrypt", false},
		{"/v1%2fencrypt", false}, {"/v1%2Fencrypt", false}, {"/v1%5cencrypt", false}, {`/v1\encrypt`, false},
		{"/v1/%252e%252e/encrypt", false}, {"/v1/encrypt%00", false}, {"/v1/%0aencrypt", false}, {"/v1/%7f", false},
		{"*", false}, {"https://localhost/v1/../encrypt", false}, {"https://localhost", false},
		{"/" + strings.Repeat("a", 1024), false},
	}
	for _, c := range cases {
		before := reached.Load()
		want := http.StatusBadRequest
		if c.plain {
			want = http.StatusOK
		}
		method := "POST"
		if c.target == "*" {
			method = "OPTIONS"
		}
		status := exchange(t, f.dial(t), method+" "+c.target+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
		if got := reached.Load() > before; status != want || got != c.plain {
			t.Errorf("%.60q: status %d, reached the handler: %t", c.target, status, got)
		}
	}
}

func TestLongHeaderIsRefused(t *testing.T) {
	f := serve(t, ok(), func(c *server.Config) { c.Limits.HeaderBytes = 4 << 10 })
	request := "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("a", 32<<10) + "\r\n\r\n"
	if status := exchange(t, f.dial(t), request); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", status)
	}
}

func TestBodyCap(t *testing.T) {
	f := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var tooLarge *http.MaxBytesError
		if _, err := io.Copy(io.Discard, r.Body); errors.As(err, &tooLarge) {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	}), func(c *server.Config) { c.Limits.BodyBytes = 100 })
	client := f.client(t)
	for _, c := range []struct {
		bytes   int
		chunked bool
		want    int
	}{{100, false, 200}, {101, false, 413}, {100, true, 200}, {101, true, 413}} {
		request := must(http.NewRequest(http.MethodPost, f.Endpoint()+"/v1/x", strings.NewReader(strings.Repeat("a", c.bytes))))
		if c.chunked {
			request.ContentLength = -1
		}
		if status, _ := do(t, client, request); status != c.want {
			t.Errorf("%+v: status %d", c, status)
		}
	}
}

// TestTooLargeIsAnswered: whoever sends far too large a body learns that, also a client that reads no
// answer before it has sent everything. What is sent without end is cut off.
func TestTooLargeIsAnswered(t *testing.T) {
	const size = 20 << 20
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/own" { // a limit of the operation's own, as in package native
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})
	for path, limit := range map[string]int64{"/v1/x": 16 << 20, "/own": 32 << 20} {
		f := serve(t, handler, func(c *server.Config) { c.Limits.BodyBytes = limit })
		one, two := f.client(t), f.client(t)
		two.Transport.(*http.Transport).ForceAttemptHTTP2 = true
		for _, client := range []*http.Client{one, two} {
			for _, length := range []int64{size, -1} {
				request := must(http.NewRequest(http.MethodPost, f.Endpoint()+path, io.LimitReader(endless{}, size)))
				request.ContentLength = length
				if status, _ := do(t, client, request); status != http.StatusRequestEntityTooLarge {
					t.Errorf("%s, length %d: status %d", path, length, status)
				}
			}
		}
		conn := f.dial(t)
		header := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", path, size)
		if status := exchange(t, conn, header+string(make([]byte, size))); status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s, read last: status %d", path, status)
		}
		closedByServer(t, conn)
	}
	f := serve(t, handler, func(c *server.Config) { c.Limits.BodyBytes = 1 << 20 })
	conn := f.dial(t)
	must(io.WriteString(conn, "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"))
	if n, err := io.Copy(conn, io.LimitReader(endless{}, 1<<30)); err == nil {
		t.Errorf("%d bytes of one body were taken", n)
	}
}

// endless is a body without end.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// closedByServer waits until the server ends the connection.
func closedByServer(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection was left open")
	}
}

func TestSlowClientsAreClosed(t *testing.T) {
	var reached atomic.Int32
	f := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		io.Copy(io.Discard, r.Body)
	}), func(c *server.Config) {
		// Long enough for a handshake on a busy machine.
		c.Limits.ReadHeader, c.Limits.Read, c.Limits.Idle = time.Second, time.Second, time.Second
	})
	t.Run("no handshake", func(t *testing.T) {
		t.Parallel()
		conn := must(net.Dial("tcp", f.address()))
		defer conn.Close()
		closedByServer(t, conn)
	})
	for name, sent := range map[string]string{
		"idle":             "",
		"half a header":    "POST /v1/encrypt HTTP/1.1\r\nHost: localhost\r\nX-A: b",
		"a body that ebbs": "POST /v1/encrypt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := f.dial(t)
			if _, err := io.WriteString(conn, sent); err != nil {
				t.Fatal(err)
			}
			closedByServer(t, conn)
		})
	}
	t.Cleanup(func() {
		if got := reached.Load(); got != 1 {
			t.Errorf("%d requests reached the handler, want the one whose header was whole", got)
		}
	})
}

func TestConnectionsAreBounded(t *testing.T) {
	f := serve(t, ok(), func(c *server.Config) { c.Limits.Connections = 2 })
	request := "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
	first, second := f.dial(t), f.dial(t)
	exchange(t, first, request)
	exchange(t, second, request)

	waiting := must(net.Dial("tcp", f.address())) // the kernel's queue takes it
	defer waiting.Close()
	if err := waiting.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(waiting, "not TLS"); err != nil {
		t.Fatal(err)
	}
	// A server that had taken it up would answer such bytes at once by closing.
	if _, err := waiting.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a third connection was taken up: %v", err)
	}
	first.Close()
	closedByServer(t, waiting) // which is how it answers such bytes
}

func TestFailedAuthenticationsAreHeldBack(t *testing.T) {
	f := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer good" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}), func(c *server.Config) {
		c.Limits.FailedPerAddress = server.Rate{PerSecond: 1, Burst: 3, Keys: 10}
	})
	call := func(client *http.Client, token string) int {
		request := must(http.NewRequest(http.MethodPost, f.Endpoint()+"/v1/x", nil))
		request.Header.Set("Authorization", "Bearer "+token)
		status, _ := do(t, client, request)
		return status
	}
	atWork, flooding := f.client(t), f.client(t)
	if status := call(atWork, "good"); status != 200 {
		t.Fatal(status)
	}
	for range 3 {
		if status := call(flooding, "bad"); status != 401 {
			t.Fatal(status)
		}
	}
	if status := call(flooding, "bad"); status != 429 {
		t.Errorf("after three failures: %d", status)
	}
	if status := call(f.client(t), "good"); status != 429 {
		t.Errorf("a new connection from the same address: %d", status)
	}
	if status := call(atWork, "good"); status != 200 {
		t.Errorf("a connection that had proven itself: %d", status)
	}
	if status, _ := get(t, f.client(t), f.Endpoint()+"/healthz"); status != 200 {
		t.Errorf("health: %d", status)
	}
	if status := call(atWork, "bad"); status != 401 {
		t.Error(status)
	}
	if status := call(atWork, "good"); status != 429 {
		t.Errorf("a connection that failed since: %d", status)
	}
	f.clock.Advance(time.Minute)
	if status := call(flooding, "good"); status != 200 {
		t.Errorf("a minute later: %d", status)
	}
}

func TestFloodOverAllAddressesHoldsBackThoseWhoFailed(t *testing.T) {
	f := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusUnauthorized) }),
		func(c *server.Config) {
			c.Limits.FailedPerAddress = server.Rate{PerSecond: 1, Burst: 100, Keys: 10}
			c.Limits.FailedTotal = server.Rate{PerSecond: 1, Burst: 2, Keys: 1}
		})
	for i, want := range []int{401, 401, 429} {
		if status, _ := get(t, f.client(t), f.Endpoint()+fmt.Sprint("/", i)); status != want {
			t.Errorf("call %d: %d, want %d", i+1, status, want)
		}
	}
	// An address that has not failed gets its chance: the answer is the handler's.
	elsewhere := f.client(t)
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	elsewhere.Transport.(*http.Transport).DialContext = dialer.DialContext
	for i, want := range []int{401, 429} {
		if status, _ := get(t, elsewhere, f.Endpoint()+"/"); status != want {
			t.Errorf("call %d from elsewhere: %d, want %d", i+1, status, want)
		}
	}
}
