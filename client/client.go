// Package client speaks Haven's native API from Go: pooled TLS connections, retries within a
// budget, idempotency keys, typed errors.
//
// It guarantees that a mutating call, however often it is sent, happens once; that no call is
// sent more than three times; that retries add at most a tenth to the load of a server in
// trouble; that an answer is bounded before it is believed; and that tokens and plaintexts do not
// print.
//
// It never follows a redirect, trusts no certificate authority but the one it is given, and keeps
// no plaintext: what a call returns is the caller's to wipe.
package client

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Config says which server to speak with and as whom.
type Config struct {
	// Endpoint is the server's URL, "https://host:port". Required.
	Endpoint string
	// CAFile is the path of the PEM certificates to trust, such as the server's tls/ca.crt. One
	// of CAFile and RootCAs is required, unless the system's authorities are meant: SystemCAs.
	CAFile string
	// RootCAs are the certificates to trust. Optional, instead of CAFile.
	RootCAs *x509.CertPool
	// SystemCAs trusts the machine's own certificate authorities, for a server with a public
	// certificate. False: only CAFile or RootCAs are trusted.
	SystemCAs bool
	// Token is the bearer token. Required, unless there is a Certificate or a SigningKey.
	Token Token
	// SigningKey signs every request in place of a Token, so that no secret is sent at all. Optional.
	SigningKey SigningKey
	// Certificate is shown to the server, with proof of its key: alone it is who calls, if the server
	// knows it; with a Token both must be the same principal's. Optional.
	Certificate *tls.Certificate

	// Timeout bounds one try of a call, connecting included. Optional: zero means 30 s. The
	// whole call is bounded by its context.
	Timeout time.Duration
	// Connections is how many idle ones are kept. Optional: zero means 256.
	Connections int

	// Random makes idempotency keys, jitter and the salts of envelopes. It must be safe for several
	// goroutines. Optional: nil means crypto/rand.
	Random io.Reader
	// Wrap puts something around the transport, such as tracing or a log of request ids. It sees
	// the token of every try, and must not follow redirects. Optional.
	Wrap func(http.RoundTripper) http.RoundTripper
	// Now is the time that requests are signed at; the server accepts five minutes of difference.
	// Optional: nil means the machine's clock.
	Now func() time.Time
	// Wait pauses between tries and ends early, with the context's error, when it is done.
	// Optional: nil waits for real; tests give their own.
	Wait func(context.Context, time.Duration) error
}

// Client calls one server as one principal. It is safe for use by several goroutines and meant to
// be kept: connections and the retry budget are its own.
type Client struct {
	endpoint string // without a slash at its end
	token    Token
	signer   *signer // nil without an access key
	http     *http.Client
	random   io.Reader
	wait     func(context.Context, time.Duration) error
	budget   budget
}

// New validates the configuration and makes a client. It does not connect.
func New(cfg Config) (*Client, error) {
	endpoint, err := checkEndpoint(cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	if cfg.Token == "" && cfg.Certificate == nil && cfg.SigningKey.ID == "" {
		return nil, errors.New("client: a token, an access key or a certificate is required")
	}
	signer, err := cfg.signer()
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(string(cfg.Token), " \t\r\n") {
		return nil, errors.New("client: a token has no white space in it")
	}
	if cfg.Timeout < 0 || cfg.Connections < 0 {
		return nil, errors.New("client: a timeout or number of connections is negative; zero means its default")
	}
	roots, err := cfg.roots()
	if err != nil {
		return nil, err
	}
	c := &Client{endpoint: endpoint, token: cfg.Token, signer: signer, random: cfg.Random, wait: cfg.Wait}
	if c.random == nil {
		c.random = rand.Reader
	}
	if c.wait == nil {
		c.wait = waitForReal
	}
	c.http = newHTTPClient(roots, cfg.Certificate, cmp.Or(cfg.Timeout, 30*time.Second), cmp.Or(cfg.Connections, 256))
	if cfg.Wrap != nil {
		c.http.Transport = cfg.Wrap(c.http.Transport)
	}
	return c, nil
}

// Close closes idle connections. Calls in flight go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func checkEndpoint(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" ||
		(u.Path != "" && u.Path != "/") {
		// Not quoted: a mistaken setting may hold a credential.
		return "", errors.New("client: the endpoint must be https://host:port and nothing more")
	}
	return "https://" + u.Host, nil
}

// maxCAFile bounds a file of certificates.
const maxCAFile = 1 << 20

func (cfg Config) roots() (*x509.CertPool, error) {
	switch given := cfg.CAFile != ""; {
	case given && cfg.RootCAs != nil, cfg.SystemCAs && (given || cfg.RootCAs != nil):
		return nil, errors.New("client: more than one of CAFile, RootCAs and SystemCAs is given")
	case cfg.SystemCAs:
		return nil, nil // to crypto/tls nil means those
	case cfg.RootCAs != nil:
		return cfg.RootCAs, nil
	case !given:
		return nil, errors.New("client: CAFile, RootCAs or SystemCAs is required: whom to trust is never guessed")
	}
	pem, err := readBounded(cfg.CAFile, maxCAFile)
	if err != nil {
		return nil, fmt.Errorf("client: CA file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("client: CA file %s holds no certificate in PEM", cfg.CAFile)
	}
	return roots, nil
}

func readBounded(name string, limit int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is over %d bytes", name, limit)
	}
	return data, nil
}

// newHTTPClient keeps to HTTP/1.1: over one multiplexed connection a slow answer, or a lost
// packet, would hold up all calls behind it.
func newHTTPClient(roots *x509.CertPool, certificate *tls.Certificate, timeout time.Duration, connections int) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	security := &tls.Config{
		MinVersion:         tls.VersionTLS13,
		RootCAs:            roots,
		ClientSessionCache: tls.NewLRUClientSessionCache(64),
	}
	if certificate != nil {
		security.Certificates = []tls.Certificate{*certificate}
	}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			Protocols:              protocols,
			TLSClientConfig:        security,
			MaxIdleConns:           connections,
			MaxIdleConnsPerHost:    connections,
			IdleConnTimeout:        90 * time.Second, // less than the server's two minutes
			TLSHandshakeTimeout:    10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
		},
		// A redirect would carry the token to a place nobody configured.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func waitForReal(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
