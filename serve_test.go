package haven_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/server"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/memory"
	"github.com/haven-health/haven/store/storetest"
)

// passphraseSeal is a seal for tests.
func passphraseSeal(t *testing.T, phrase string) seal.Seal {
	t.Helper()
	s, err := seal.NewPassphrase(secret.New([]byte(phrase)), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestServeStorageFailed asserts that a server whose storage fails answers nothing as done, ends
// by itself, and says why in a way that the exit code can be told from.
func TestServeStorageFailed(t *testing.T) {
	file, err := seal.NewKeyFile(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	faulty := storetest.NewFaulty(memory.New(1))
	s, err := haven.NewServer(t.Context(), haven.ServeConfig{
		Config: haven.Config{DataDir: filepath.Join(t.TempDir(), "d"), Store: faulty, Seals: map[string]seal.Seal{seal.Daily: file}},
		Listen: "127.0.0.1:0", Initialize: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	system, _ := s.System()
	token, _ := system.FirstToken()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(t.Context(), server.Announcement{}) }()
	c, err := client.New(client.Config{Endpoint: s.Endpoint(), CAFile: s.CAFile(), Token: client.Token(secret.Expose(token))})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	faulty.FailCommit(1, true, store.ErrFailed)
	if _, err := c.CreateKey(t.Context(), client.CreateKeyRequest{Purpose: "x", Type: client.Data}); err == nil {
		t.Error("an operation whose record may not be durable was answered as done")
	}
	if err := <-ended; !errors.Is(err, store.ErrFailed) {
		t.Errorf("the server ended with %v", err)
	}
}

// TestUnsealRecordsAttempts asserts that a locked server answers nothing, and that what was tried
// on it is the first thing recorded.
func TestUnsealRecordsAttempts(t *testing.T) {
	kept := memory.New(1)
	phrase := "correct horse battery staple"
	cfg := haven.Config{Store: kept, Seals: map[string]seal.Seal{seal.Recovery: passphraseSeal(t, phrase)}}
	made, err := haven.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := kept.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	cfg.Seals, cfg.DataDir = nil, filepath.Join(t.TempDir(), "d")
	s, err := haven.NewServer(t.Context(), haven.ServeConfig{Config: cfg, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Locked() == nil {
		t.Fatal("unlocked without a seal")
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, server.Announcement{}) }()
	socket := filepath.Join(cfg.DataDir, server.UnsealSocket)
	for _, attempt := range []struct {
		phrase string
		status int
	}{{"incorrect horse battery staple", 403}, {phrase, 200}, {phrase, 409}} {
		if got := unsealAt(t, socket, attempt.phrase); got != attempt.status {
			t.Fatalf("status %d, want %d", got, attempt.status)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got := parametersOf(t, kept, before.Position, gate.Start); !slices.Equal(got, []string{"tried=2;refused=1;throttled=0"}) {
		t.Errorf("recorded: %q", got)
	}
}

func unsealAt(t *testing.T, socket, phrase string) (status int) {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	body := bytes.NewReader([]byte(`{"passphrase":"` + phrase + `"}`))
	answer, err := (&http.Client{Transport: transport}).Post("http://unseal/unseal", "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	return answer.StatusCode
}

// parametersOf returns the parameters of an operation's records, from a position on.
func parametersOf(t *testing.T, s store.Store, from uint64, op *gate.Operation) (out []string) {
	t.Helper()
	for stored, err := range s.Records(t.Context(), from) {
		if err != nil {
			t.Fatal(err)
		}
		frame, err := journal.DecodeFrame(stored.Data)
		if err != nil {
			t.Fatal(err)
		}
		for encoded, err := range frame.Records() {
			if err != nil {
				t.Fatal(err)
			}
			r, err := journal.DecodeRecord(encoded)
			if err != nil {
				t.Fatal(err)
			}
			if r.Operation == op.Number {
				out = append(out, r.Parameters)
			}
		}
	}
	return out
}

// TestServePlace asserts that a store is not served under another region or account than its own.
func TestServePlace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	made, err := haven.Open(t.Context(), haven.Config{DataDir: dir, Account: "210987654321"})
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Close(); err != nil {
		t.Fatal(err)
	}
	for _, other := range []haven.Config{{Account: "000000000000"}, {Region: "eu-central-1"}} {
		other.DataDir = dir
		if s, err := haven.Open(t.Context(), other); err == nil {
			t.Errorf("opened as %q %q", other.Region, other.Account)
			s.Close()
		}
	}
	same, err := haven.Open(t.Context(), haven.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer same.Close()
	if got := same.Config(); got.Account != "210987654321" || got.Region != "us-east-1" {
		t.Errorf("opened as %q %q", got.Region, got.Account)
	}
}
