package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
)

// statusAnswer is the answer of haven status.
type statusAnswer struct {
	Endpoint string   `json:"endpoint"`
	Ready    bool     `json:"ready"`
	Reasons  []string `json:"reasons"`
}

func (a *app) status() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Tell whether a server is ready, and if not why", GroupID: groupOperate,
		Long: `Tell whether a server is ready, and if not why: locked (see haven unseal), stopping, low_space
(only what restricts is accepted), store_stalled (nothing is), storage_failed. No token is needed.

Exit code 0: ready; 1: not, or no answer.

Fields of --output json: endpoint, ready, reasons.`,
		Example: `  haven status --data /var/lib/haven`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			out, err := a.readiness(c.Context())
			if err != nil {
				return err
			}
			var t table
			t.add("endpoint", out.Endpoint)
			t.add("ready", fmt.Sprint(out.Ready))
			t.add("because", strings.Join(out.Reasons, ", "))
			if err := a.answer(out, &t); err != nil {
				return err
			}
			if !out.Ready {
				return fmt.Errorf("%s is not ready: %s", out.Endpoint, strings.Join(out.Reasons, ", "))
			}
			return nil
		},
	}
}

// maxHealth bounds the answer of a health probe.
const maxHealth = 64 << 10

func (a *app) readiness(ctx context.Context) (*statusAnswer, error) {
	cfg, err := a.server()
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(cfg.CAFile)
	if err != nil {
		return nil, fmt.Errorf("the certificates to trust (--ca): %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", cfg.CAFile)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cfg.Endpoint+"/readyz", nil)
	if err != nil {
		return nil, errors.New("the endpoint is not a URL")
	}
	answer, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	out := &statusAnswer{Endpoint: cfg.Endpoint}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxHealth))
	if err != nil || json.Unmarshal(body, out) != nil || out.Reasons == nil {
		return nil, fmt.Errorf("%s is not a Haven server: it answered %s", cfg.Endpoint, answer.Status)
	}
	return out, nil
}
