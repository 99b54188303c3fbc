package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/server"
)

func (a *app) serve() *cobra.Command {
	var file string
	var given sealFlags
	var flags config
	var show bool
	var issuers []string
	c := &cobra.Command{
		Use: "serve", Short: "Serve a store that haven init made", GroupID: groupServer,
		Long: `Serve a store that haven init made. When none of the seals given opens it, it starts locked and
answers only health and, on DATA/unseal.sock, haven unseal. Settings come from a JSON file, whose
every member docs/config.md explains; a flag wins over it. On SIGINT or SIGTERM it lets requests
in flight end and stops.

` + sealHelp + `

` + issuerHelp + `

Fields of --output json, one line once it answers: endpoint, ca_file, data, ready_file, locked.`,
		Example: `  haven serve --data /var/lib/haven --listen :7443
  haven serve --config /etc/haven/haven.json
  haven serve --print-config > haven.json`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.configured(c, file, &flags, &given)
			if err == nil {
				err = cfg.addIssuers(issuers)
			}
			if err != nil {
				return err
			}
			if show {
				b, err := cfg.encode()
				if err == nil {
					_, err = a.stdout.Write(b)
				}
				return err
			}
			if cfg.Data == "" {
				return usagef("--data FOLDER, HAVEN_DATA or data in the configuration is required")
			}
			return a.serveConfigured(c.Context(), cfg)
		},
	}
	serverFlags(c, &flags)
	c.Flags().StringVar(&file, "config", "", "the configuration `file`")
	c.Flags().StringArrayVar(&issuers, "oidc-issuer", nil, "an issuer that is believed, `URL,audience=NAME`; repeat for more (replaces oidc of the file)")
	c.Flags().BoolVar(&show, "print-config", false, "print the configuration as it would be used, and stop")
	given.add(c, "a seal that may open the store")
	return c
}

// serverFlags are those of dev and serve alike.
func serverFlags(c *cobra.Command, cfg *config) {
	c.Flags().StringVar(&cfg.Listen, "listen", defaultListen, "the `address`, HOST:PORT; port 0 picks one")
	c.Flags().StringVar(&cfg.ReadyFile, "ready-file", "", "the `file` written once the server answers (default DATA/ready.json)")
}

// configured is the configuration of the file, the environment and the flags, the last winning.
func (a *app) configured(c *cobra.Command, file string, flags *config, given *sealFlags) (config, error) {
	cfg := defaultConfig()
	if file != "" {
		var err error
		if cfg, err = readConfig(file); err != nil {
			return cfg, err
		}
	}
	if folder := a.variable("HAVEN_DATA"); folder != "" && (cfg.Data == "" || a.data != "") {
		cfg.Data = folder
	}
	if c.Flags().Changed("listen") {
		cfg.Listen = flags.Listen
	}
	if flags.ReadyFile != "" {
		cfg.ReadyFile = flags.ReadyFile
	}
	specs, err := given.specs()
	if err == nil && len(specs) > 0 {
		cfg.Seals = specs
	}
	return cfg, err
}

func (a *app) serveConfigured(ctx context.Context, cfg config) error {
	log, err := a.logger(cfg.Log)
	if err != nil {
		return err
	}
	serve := cfg.serve()
	serve.Log, serve.Version = log, thisBuild().Version
	open := opener{app: a, folder: cfg.Data}
	defer open.close()
	if serve.Seals, err = open.all(ctx, cfg.Seals); err != nil {
		return err
	}
	if serve.Issuers, err = cfg.issuers(); err != nil {
		return err
	}
	server.ProtectProcess(log)
	return runServer(ctx, serve, func(s *haven.Server) (server.Announcement, error) {
		return server.Announcement{File: cfg.readyFile()}, a.serving(s, cfg)
	})
}

// runServer makes a server, lets tell print what its users need, and serves until the context ends.
func runServer(ctx context.Context, cfg haven.ServeConfig, tell func(*haven.Server) (server.Announcement, error)) error {
	defer server.LiftHeap()()
	s, err := haven.NewServer(ctx, cfg)
	if err != nil {
		return err
	}
	ready, err := tell(s)
	if err != nil {
		return errors.Join(err, s.Close())
	}
	return s.Run(ctx, ready)
}

// servingAnswer is what serve prints.
type servingAnswer struct {
	Endpoint  string `json:"endpoint"`
	CAFile    string `json:"ca_file"`
	Data      string `json:"data"`
	ReadyFile string `json:"ready_file"`
	Locked    bool   `json:"locked"`
}

func (a *app) serving(s *haven.Server, cfg config) error {
	out := servingAnswer{
		Endpoint: s.Endpoint(), CAFile: s.CAFile(), Data: cfg.Data, ReadyFile: cfg.readyFile(), Locked: s.Locked() != nil,
	}
	var t table
	t.add("serving", out.Endpoint)
	t.add("trust", out.CAFile)
	t.add("store", out.Data)
	if out.Locked {
		t.add("locked", howToUnlock(s.Slots(), out.Data))
		a.note("no seal opened the store: %s", oneLine(s.Locked()))
	}
	return a.answer(out, &t)
}

// howToUnlock says what can unlock a server that started locked: a passphrase if the store has one,
// else only a start with what it was sealed with.
func howToUnlock(slots []seal.Slot, folder string) string {
	var seals []string
	for _, s := range slots {
		switch s.Kind {
		case seal.KindPassphrase:
			return "unlock it with: haven unseal --data " + shellQuote(folder)
		case seal.KindKeyFile:
			seals = append(seals, "--seal "+s.Name+"=keyfile:FILE")
		default:
			seals = append(seals, "--seal "+s.Name+"="+shellQuote(s.Seal))
		}
	}
	return fmt.Sprintf("no passphrase unlocks this store: start it again with %s (the default is the key file %s)",
		strings.Join(seals, " or "), filepath.Join(folder, haven.KeyFileName))
}

func (a *app) logger(c logConfig) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return nil, usagef("log level %q is none of debug, info, warn and error", c.Level)
	}
	return server.NewLogger(a.stderr, c.Format, level)
}
