package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/server"
)

// devTokenFile holds the administrator's token of a development store, devAccessKeyFile an access key
// of its, in the clear: so that a second start can show them again.
const (
	devTokenFile     = "dev-token"
	devAccessKeyFile = "dev-access-key"
)

const maxTokenFile = 1 << 10

func (a *app) dev() *cobra.Command {
	var flags config
	var from string
	c := &cobra.Command{
		Use: "dev", Short: "A server to try things on and develop against", GroupID: groupServer,
		Long: `A server to try things on and develop against, in ./haven-dev, which the first start makes.

Not for production: the administrator's token lies in the clear in dev-token and in the ready
file, an access key for requests signed as for AWS in dev-access-key and in the ready file, and the
key that opens the store lies beside them. For production see haven init and serve.

Its clock can be moved on: haven clock advance 90d. With --clock it begins at another time than now;
where it stands is kept in dev-clock.

Other commands find it by HAVEN_DATA or --data: the folder or, with --ready-file, that file.

Fields of --output json, one line once it answers: endpoint, ca_file, data, ready_file, token,
access_key_id, secret_access_key.`,
		Example: `  haven dev
  haven dev --clock 2026-03-01T08:00:00Z
  haven dev --data /tmp/try --listen 127.0.0.1:0 --ready-file /tmp/ready.json`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg := defaultConfig()
			cfg.Listen, cfg.ReadyFile = flags.Listen, flags.ReadyFile
			cfg.Log = logConfig{Format: "text", Level: "warn"}
			cfg.ClockGapDays = 0 // a folder that was tried months ago goes on
			if cfg.Data = a.variable("HAVEN_DATA"); cfg.Data == "" {
				cfg.Data = "haven-dev"
			}
			var err error
			if cfg.Data, err = filepath.Abs(cfg.Data); err != nil {
				return err
			}
			start, err := moment(from)
			if err != nil {
				return err
			}
			return a.develop(c.Context(), cfg, start)
		},
	}
	serverFlags(c, &flags)
	c.Flags().StringVar(&from, "clock", "", "the `time` to begin at, as 2026-03-01T08:00:00Z (default: now, or where it stood)")
	return c
}

func (a *app) develop(ctx context.Context, cfg config, start time.Time) error {
	log, err := a.logger(cfg.Log)
	if err != nil {
		return err
	}
	serve := cfg.serve()
	serve.Log, serve.Version, serve.Initialize = log, thisBuild().Version, true
	moved, err := newDevClock(cfg.Data, start)
	if err != nil {
		return err
	}
	serve.Clock, serve.AdvanceClock, serve.ListenerClock = moved, moved.Advance, clock.System()
	return runServer(ctx, serve, func(s *haven.Server) (server.Announcement, error) {
		token, err := devToken(s, cfg.Data)
		if err != nil {
			return server.Announcement{}, err
		}
		key, err := devAccessKey(ctx, s, cfg.Data)
		if err != nil {
			return server.Announcement{}, err
		}
		return server.Announcement{File: cfg.readyFile(), Token: token, AccessKeyID: key.ID, SecretAccessKey: key.Secret}, a.developing(s, cfg, token, key)
	})
}

// devToken returns the administrator's token: of a store made just now, which it writes down, or
// the one written down before.
func devToken(s *haven.Server, folder string) (string, error) {
	fs, err := disk.Dir(folder)
	if err != nil {
		return "", err
	}
	system, unlocked := s.System()
	if !unlocked {
		return "", fmt.Errorf("the key file in %s does not open the store: %w", folder, s.Locked())
	}
	if token, made := system.FirstToken(); made {
		defer token.Destroy()
		return string(secret.Expose(token)), writeDevFile(fs, devTokenFile, secret.Expose(token))
	}
	b, err := fs.ReadFile(devTokenFile, maxTokenFile)
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("the store in %s was not made by haven dev: use haven serve, or another folder with --data", folder)
	}
	if err == nil && len(b) == 0 {
		err = fmt.Errorf("%s in %s is empty: begin anew with another folder", devTokenFile, folder)
	}
	return string(b), err
}

// accessKey is an access key as a development store keeps it.
type accessKey struct {
	ID     string `json:"access_key_id"`
	Secret string `json:"secret_access_key"`
}

// devAccessKey returns the administrator's access key that was written down, or makes one.
func devAccessKey(ctx context.Context, s *haven.Server, folder string) (key accessKey, err error) {
	fs, err := disk.Dir(folder)
	if err != nil {
		return key, err
	}
	b, err := fs.ReadFile(devAccessKeyFile, maxTokenFile)
	if err == nil {
		if err := json.Unmarshal(b, &key); err != nil {
			return key, fmt.Errorf("%s in %s cannot be read: delete it, and the next start makes another", devAccessKeyFile, folder)
		}
		return key, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return key, err
	}
	system, _ := s.System()
	made, err := system.Identity().CreateCredential(ctx, identity.CreateCredentialRequest{Type: "access-key"})
	if err != nil {
		return key, fmt.Errorf("making an access key: %w", err)
	}
	key = accessKey{made.ID, made.SecretAccessKey}
	if b, err = json.Marshal(key); err != nil {
		return key, err
	}
	return key, writeDevFile(fs, devAccessKeyFile, b)
}

// writeDevFile makes a secret as durable as the store that knows it.
func writeDevFile(fs disk.FS, name string, token []byte) error {
	making := name + ".new" // never half a secret under the name itself
	file, err := fs.Create(making)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(token, 0)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return errors.Join(fs.Rename(making, name), fs.SyncDir("."))
}

// devAnswer is what dev prints.
type devAnswer struct {
	Endpoint  string `json:"endpoint"`
	CAFile    string `json:"ca_file"`
	Data      string `json:"data"`
	ReadyFile string `json:"ready_file"`
	Token     string `json:"token"`

	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
}

func (a *app) developing(s *haven.Server, cfg config, token string, key accessKey) error {
	out := devAnswer{s.Endpoint(), s.CAFile(), cfg.Data, cfg.readyFile(), token, key.ID, key.Secret}
	var t table
	t.add("endpoint", out.Endpoint)
	t.add("trust", out.CAFile)
	t.add("token", out.Token)
	t.add("access key", out.AccessKeyID+" "+out.SecretAccessKey)
	t.add("store", out.Data)
	t.add("ready file", out.ReadyFile)
	if err := a.answer(out, &t); err != nil || a.output == "json" {
		return err
	}
	find := "export HAVEN_DATA=" + shellQuote(cfg.Data)
	if cfg.readyFile() != filepath.Join(cfg.Data, "ready.json") { // the data folder does not tell then
		ready, err := filepath.Abs(cfg.readyFile())
		if err != nil {
			return err
		}
		find = "export HAVEN_DATA=" + shellQuote(ready)
	}
	fmt.Fprintf(a.stdout, devText, find, out.Token, shellQuote(out.CAFile), out.Endpoint)
	return nil
}

const devText = `
NOT FOR PRODUCTION: token and key lie in the clear in the folder above. See haven init.

In another terminal (haven is: go run ./cmd/haven):

  %[1]s
  haven key create --type data --purpose "Patient data encryption" --alias alias/patients
  echo 'penicillin: anaphylaxis' | haven encrypt --key alias/patients --context patient=7c1e --out allergy.enc
  haven key rotate alias/patients
  haven decrypt --context patient=7c1e --in allergy.enc

Or without the command line:

  curl --cacert %[3]s -H 'Authorization: Bearer %[2]s' %[4]s/v1/list-keys

Ctrl-C stops it; the next haven dev finds everything again.
`
