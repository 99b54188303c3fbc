package client

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/go-json-experiment/json"
)

// FromEnvironment makes a client from HAVEN_ENDPOINT, HAVEN_CA and HAVEN_TOKEN, or from the ready
// file of the data folder HAVEN_DATA, which may name a ready file itself; of both, the single
// variables win. HAVEN_ACCESS_KEY_ID and HAVEN_SECRET_ACCESS_KEY sign in place of a token, for the
// region HAVEN_REGION, or the ready file's. HAVEN_CLIENT_CERT and HAVEN_CLIENT_KEY name the PEM files of a certificate to
// show, beside the token or in its place.
func FromEnvironment() (*Client, error) {
	cfg, err := ConfigFrom(os.Getenv)
	if err != nil {
		return nil, err
	}
	return New(cfg)
}

// ConfigFrom is the configuration that [FromEnvironment] uses, from any source of variables. With
// HAVEN_ENDPOINT the ready file is used only for what is missing when it is of the same endpoint:
// a token is never sent to another server than it came from.
func ConfigFrom(getenv func(string) string) (Config, error) {
	cfg := Config{Endpoint: getenv("HAVEN_ENDPOINT"), CAFile: getenv("HAVEN_CA"), Token: Token(getenv("HAVEN_TOKEN"))}
	var err error
	if cfg.Certificate, err = certificateFrom(getenv("HAVEN_CLIENT_CERT"), getenv("HAVEN_CLIENT_KEY")); err != nil {
		return Config{}, err
	}
	cfg.SigningKey = SigningKey{ID: getenv("HAVEN_ACCESS_KEY_ID"), Secret: Token(getenv("HAVEN_SECRET_ACCESS_KEY")), Region: getenv("HAVEN_REGION")}
	data := getenv("HAVEN_DATA")
	if data == "" {
		if cfg.Endpoint == "" {
			return Config{}, errors.New("client: set HAVEN_DATA to a server's data folder, or HAVEN_ENDPOINT, HAVEN_CA and HAVEN_TOKEN")
		}
		return cfg, nil
	}
	ready, err := ConfigFromReady(filepath.Join(data, "ready.json"))
	if errors.Is(err, syscall.ENOTDIR) { // it is the ready file itself
		ready, err = ConfigFromReady(data)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, fmt.Errorf("%w; one that was started with --ready-file FILE is found by HAVEN_DATA=FILE", err)
	}
	if err != nil {
		return Config{}, err
	}
	if cfg.Endpoint != "" && cfg.Endpoint != ready.Endpoint {
		return cfg, nil
	}
	cfg.Endpoint = ready.Endpoint
	cfg.CAFile = cmp.Or(cfg.CAFile, ready.CAFile)
	cfg.SigningKey.Region = cmp.Or(cfg.SigningKey.Region, ready.SigningKey.Region)
	if cfg.Certificate == nil && cfg.SigningKey.ID == "" { // who names another proof means that principal, not the file's
		cfg.Token = cmp.Or(cfg.Token, ready.Token)
	}
	return cfg, nil
}

// certificateFrom reads a certificate and its key; nil where neither is named.
func certificateFrom(certFile, keyFile string) (*tls.Certificate, error) {
	if certFile == "" && keyFile == "" {
		return nil, nil
	}
	if certFile == "" || keyFile == "" {
		return nil, errors.New("client: a client certificate needs its key, and the other way round: set HAVEN_CLIENT_CERT and HAVEN_CLIENT_KEY")
	}
	certPEM, err := readBounded(certFile, maxCAFile)
	if err != nil {
		return nil, fmt.Errorf("client: certificate: %w", err)
	}
	keyPEM, err := readBounded(keyFile, maxCAFile)
	if err != nil {
		return nil, fmt.Errorf("client: key of the certificate: %w", err)
	}
	defer clear(keyPEM)
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("client: %s and %s are not a certificate and its key in PEM: %w", certFile, keyFile, err)
	}
	return &pair, nil
}

// maxReadyFile bounds a ready file.
const maxReadyFile = 64 << 10

// ConfigFromReady reads a server's ready file. Its token is empty unless the server is one for
// development.
func ConfigFromReady(name string) (Config, error) {
	data, err := readBounded(name, maxReadyFile)
	if err != nil {
		return Config{}, fmt.Errorf("client: ready file; is the server running? %w", err)
	}
	defer clear(data)
	var ready struct {
		Endpoint string `json:"endpoint"`
		CAFile   string `json:"ca_file"`
		Token    Token  `json:"token"`
		Region   string `json:"region"`
	}
	if err := json.Unmarshal(data, &ready); err != nil {
		// Without the decoder's words, which may quote the file.
		return Config{}, fmt.Errorf("client: %s is not a ready file", name)
	}
	return Config{Endpoint: ready.Endpoint, CAFile: ready.CAFile, Token: ready.Token, SigningKey: SigningKey{Region: ready.Region}}, nil
}
