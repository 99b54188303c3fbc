package haven_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/server"
	"github.com/haven-health/haven/store/storetest"
)

// TestServerOverStoreThatHangs: readiness, metrics and the log tell of it while it lasts, and no
// longer.
func TestServerOverStoreThatHangs(t *testing.T) {
	faulty, manual := storetest.NewFaulty(newMemory(t)), clock.NewManual(gatetest.Start)
	s, err := haven.NewServer(t.Context(), haven.ServeConfig{
		Config: haven.Config{
			DataDir: filepath.Join(t.TempDir(), "d"), Store: faulty, Clock: manual, Seals: map[string]seal.Seal{seal.Daily: keyFile(t)},
		},
		Listen: "127.0.0.1:0", Initialize: true, ListenerClock: clock.System(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, server.Announcement{}) }()
	system, _ := s.System()
	quiet := system.Alarms()

	reached, release := faulty.Hang()
	waiting := make(chan error, 1)
	go func() {
		_, err := system.KeyManager().GenerateRandom(ctx, keys.RandomRequest{})
		waiting <- err
	}()
	<-reached
	manual.Advance(gate.MaxStoreWait + 1)
	if ready, measured := look(t, s); ready != `{"ready":false,"reasons":["store_stalled"]}` || !measured {
		t.Errorf("it hangs: %s, metric %v", ready, measured)
	}
	alarmed := system.Alarms()
	release()
	if err := <-waiting; err != nil {
		t.Error(err)
	}
	if _, err := system.KeyManager().GenerateRandom(ctx, keys.RandomRequest{}); err != nil {
		t.Error(err)
	}
	if ready, measured := look(t, s); ready != `{"ready":true,"reasons":[]}` || measured {
		t.Errorf("it has returned: %s, metric %v", ready, measured)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	var log bytes.Buffer
	haven.LogAlarms(slog.New(slog.NewTextHandler(&log, nil)), quiet, alarmed)
	haven.LogAlarms(slog.New(slog.NewTextHandler(&log, nil)), alarmed, quiet)
	if text := log.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "the store hangs") || !strings.Contains(text, "the store has returned") {
		t.Errorf("the log says %q", text)
	}
}

// look returns what a server says of its readiness, and whether its metrics tell of a stalled store.
func look(t *testing.T, s *haven.Server) (ready string, stalled bool) {
	t.Helper()
	pem, err := os.ReadFile(s.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	var answers [2]string
	for i, path := range []string{"/readyz", "/metrics"} {
		answer, err := (&http.Client{Transport: transport}).Get(s.Endpoint() + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		answers[i] = string(b)
	}
	return answers[0], strings.Contains(answers[1], "\nhaven_store_stalled 1\n")
}
