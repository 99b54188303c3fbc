package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/server"
)

func (a *app) unseal() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "unseal", Short: "Unlock a server with a passphrase", GroupID: groupServer,
		Long: `Unlock a server on this machine with a passphrase, through the socket in its data folder, which
only its own user can open. Attempts are bounded, counted, and recorded once it is unlocked.

Fields of --output json: unsealed.`,
		Example: `  haven unseal --data /var/lib/haven
  haven unseal --data /var/lib/haven --passphrase-file /media/usb/recovery`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			folder, err := a.folder()
			if err != nil {
				return err
			}
			phrase, err := a.passphrase(c.Context(), "Passphrase", file, false)
			if err != nil {
				return err
			}
			defer phrase.Destroy()
			if err := unsealAt(c.Context(), filepath.Join(folder, server.UnsealSocket), phrase); err != nil {
				return err
			}
			var t table
			t.add("unsealed", folder)
			return a.answer(struct {
				Unsealed bool `json:"unsealed"`
			}{true}, &t)
		},
	}
	c.Flags().StringVar(&file, "passphrase-file", "", "read it from a `file`, its only line; - is stdin")
	return c
}

func unsealAt(ctx context.Context, socket string, phrase secret.Bytes) error {
	text, err := quoted(secret.Expose(phrase))
	if err != nil {
		return err
	}
	defer clear(text)
	body := append(append(append(make([]byte, 0, len(text)+32), `{"passphrase":`...), text...), '}')
	defer clear(body)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://unseal/unseal", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	answer, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Do(req)
	if err != nil {
		return fmt.Errorf("no server answers on %s; is it running, and are you its user? %w", socket, errors.Unwrap(err))
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		return nil
	}
	var problem struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}
	text, err = io.ReadAll(io.LimitReader(answer.Body, maxHealth))
	if err != nil || json.Unmarshal(text, &problem) != nil {
		return fmt.Errorf("the server answered %s", answer.Status)
	}
	return errors.New(strings.Join([]string{problem.Code, problem.Detail}, ": "))
}
