package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/server"
)

// config is the file of haven serve. docs/config.md documents each member.
type config struct {
	Data      string            `json:"data"`
	Listen    string            `json:"listen"`
	Hosts     []string          `json:"hosts,omitzero"`
	ReadyFile string            `json:"ready_file,omitzero"`
	Region    string            `json:"region,omitzero"`
	Account   string            `json:"account,omitzero"`
	Seals     map[string]string `json:"seals,omitzero"`
	TLS       tlsConfig         `json:"tls,omitzero"`
	OIDC      []issuerConfig    `json:"oidc,omitzero"`
	Log       logConfig         `json:"log"`
	Limits    limitConfig       `json:"limits"`
	CacheKeys int               `json:"cache_keys"`
	// ClockGapDays is haven.Config.ClockGap; 0: no bound.
	ClockGapDays int `json:"clock_gap_days"`
}

type tlsConfig struct {
	CertFile string `json:"cert_file,omitzero"`
	KeyFile  string `json:"key_file,omitzero"`
	CAFile   string `json:"ca_file,omitzero"`
}

type logConfig struct {
	Format   string `json:"format"`
	Level    string `json:"level"`
	Requests bool   `json:"requests"`
}

type limitConfig struct {
	Connections            int `json:"connections"`
	CallsPerSecond         int `json:"calls_per_second"`
	CallsBurst             int `json:"calls_burst"`
	FailedProofsPerAddress int `json:"failed_authentications_per_address"`
}

// defaultListen is where haven dev and serve listen unless told otherwise.
const defaultListen = "127.0.0.1:7443"

// defaultConfig is what a file need not say.
func defaultConfig() config {
	return config{
		Listen:    defaultListen,
		Log:       logConfig{Format: "json", Level: "info"},
		Limits:    limitConfig{Connections: 16384, CallsPerSecond: 10_000, CallsBurst: 20_000, FailedProofsPerAddress: 10},
		CacheKeys: haven.DefaultCacheKeys, ClockGapDays: int(gate.DefaultClockGap / day),
	}
}

// maxConfig bounds a configuration file.
const maxConfig = 64 << 10

// readConfig reads a configuration file over the defaults.
func readConfig(name string) (config, error) {
	file, err := os.Open(name)
	if err != nil {
		return config{}, err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxConfig+1))
	if err != nil {
		return config{}, fmt.Errorf("reading %s: %w", name, err)
	}
	c, err := parseConfig(b)
	if err != nil {
		return config{}, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// parseConfig reads a configuration strictly: a member that is not known, or stands twice, may be
// a limit or a certificate that somebody believes is set.
func parseConfig(b []byte) (config, error) {
	if len(b) > maxConfig {
		return config{}, fmt.Errorf("over %d bytes", maxConfig)
	}
	c := defaultConfig()
	err := json.Unmarshal(b, &c, json.RejectUnknownMembers(true), json.MatchCaseInsensitiveNames(false))
	if err != nil {
		return config{}, fmt.Errorf("not a configuration: %w; haven serve --print-config shows one", err)
	}
	return c, c.check()
}

func (c *config) check() error {
	l := c.Limits
	switch {
	case l.Connections <= 0 || l.CallsPerSecond <= 0 || l.CallsBurst <= 0 || l.FailedProofsPerAddress <= 0:
		return errors.New("each of limits is at least 1")
	case c.CacheKeys <= 0:
		return errors.New("cache_keys is at least 1")
	case c.ClockGapDays < 0 || c.ClockGapDays > maxClockGapDays:
		return fmt.Errorf("clock_gap_days is 0, for no bound, to %d", maxClockGapDays)
	}
	if err := checkIssuers(c.OIDC); err != nil {
		return err
	}
	return checkAccount(c.Account)
}

// checkAccount refuses what cannot stand in an ARN; empty is the store's own.
func checkAccount(account string) error {
	if account != "" && (len(account) != 12 || strings.Trim(account, "0123456789") != "") {
		return errors.New("account is 12 digits")
	}
	return nil
}

// encode returns the file that says the same.
func (c config) encode() ([]byte, error) {
	b, err := json.Marshal(c, json.Deterministic(true), jsontext.WithIndent("  "))
	return append(b, '\n'), err
}

// readyFile is where the ready file goes.
func (c *config) readyFile() string {
	return cmp.Or(c.ReadyFile, filepath.Join(c.Data, "ready.json"))
}

const (
	day             = 24 * time.Hour
	maxClockGapDays = 3650
)

// clockGap returns what a library's configuration calls it.
func (c *config) clockGap() time.Duration {
	if c.ClockGapDays == 0 {
		return -1
	}
	return time.Duration(c.ClockGapDays) * day
}

// serve returns what a server is made of, without seals, log and version.
func (c *config) serve() haven.ServeConfig {
	return haven.ServeConfig{
		Config: haven.Config{DataDir: c.Data, Region: c.Region, Account: c.Account, CacheKeys: c.CacheKeys, ClockGap: c.clockGap()},
		Listen: c.Listen, Hosts: c.Hosts,
		CertFile: c.TLS.CertFile, KeyFile: c.TLS.KeyFile, CAFile: c.TLS.CAFile,
		AccessLog: c.Log.Requests,
		Limits: server.Limits{
			Connections:      c.Limits.Connections,
			FailedPerAddress: server.Rate{PerSecond: float64(c.Limits.FailedProofsPerAddress), Burst: 5 * c.Limits.FailedProofsPerAddress, Keys: 1 << 16},
		},
		PrincipalRate: server.Rate{PerSecond: float64(c.Limits.CallsPerSecond), Burst: c.Limits.CallsBurst, Keys: 1 << 16},
	}
}
