package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/internal/disk"
)

// The own authority's files, below the data folder. Only ca.crt is for others to read, and it is
// given to them as a copy.
const (
	tlsFolder      = "tls"
	caCertFile     = "tls/ca.crt"
	caKeyFile      = "tls/ca.key"
	serverCertFile = "tls/server.crt"
	serverKeyFile  = "tls/server.key"
)

const (
	// The authority outlives the installation: its certificate is in every client's hands, and
	// changing it means visiting each of them.
	authorityLife = 25 * 365 * 24 * time.Hour
	leafLife      = 90 * 24 * time.Hour
	// Certificates begin a little early, for clients whose clocks are behind.
	clockSlack = time.Hour
)

// authority is Haven's own certificate authority and the server certificate it issued. The
// authority's key is read from the disk for each signature and not kept.
//
// Keys and serial numbers come from crypto/rand: the standard library takes no other source for
// them, so there is no randomness to inject.
type authority struct {
	disk  disk.FS
	clock clock.Clock
	log   *slog.Logger
	hosts []string

	mu   sync.Mutex
	leaf *tls.Certificate // with Leaf set; replaced as a whole
}

// openAuthority loads the authority and its server certificate, making what is missing. An
// authority that was handed out is never replaced: a damaged one is an error.
func openAuthority(cfg Config) (*authority, error) {
	a := &authority{disk: cfg.Disk, clock: cfg.Clock, log: cfg.Log, hosts: cfg.Hosts}
	if err := errors.Join(a.disk.MkdirAll(tlsFolder), a.disk.SyncDir(".")); err != nil {
		return nil, fmt.Errorf("server: TLS folder: %w", err)
	}
	_, err := a.disk.ReadFile(caCertFile, maxPEM)
	if errors.Is(err, fs.ErrNotExist) {
		err = a.create()
	}
	if err != nil {
		return nil, fmt.Errorf("server: own certificate authority: %w", err)
	}
	ca, err := a.load(caCertFile, caKeyFile)
	if err != nil {
		return nil, fmt.Errorf("server: %s and %s do not make a certificate authority; restore them from a backup, "+
			"or remove both for a new one, which every client must then be given: %w", caCertFile, caKeyFile, err)
	}
	if left := ca.Leaf.NotAfter.Sub(a.clock.Wall()); left < 2*leafLife {
		a.log.Warn("the own certificate authority ends soon", slog.Time("not_after", ca.Leaf.NotAfter))
	}
	if leaf, err := a.load(serverCertFile, serverKeyFile); err == nil && a.isOurs(leaf.Leaf, ca.Leaf) {
		a.leaf = leaf
	}
	_, err = a.certificate()
	return a, err
}

// create makes the authority. The certificate is written last: while it is absent nobody can have
// trusted it, so a crash in between leaves nothing to mend.
func (a *authority) create() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := a.clock.Wall()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Haven own certificate authority"},
		NotBefore:             now.Add(-clockSlack),
		NotAfter:              now.Add(authorityLife),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	return writeKeyPair(a.disk, caCertFile, caKeyFile, [][]byte{der}, key)
}

// certificate returns the server certificate, first renewing one with less than a third of its
// life left, or one that the wall clock, set back, puts in the future. When the renewal fails the
// old certificate goes on being served and the failure is logged: refusing sooner than the clock
// does would help nobody.
func (a *authority) certificate() (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock.Wall()
	if a.leaf != nil && !isDue(a.leaf.Leaf, now) {
		return a.leaf, nil
	}
	fresh, err := a.issue(now)
	switch {
	case err == nil:
		a.leaf = fresh
		a.log.Info("server certificate issued", slog.Time("not_after", fresh.Leaf.NotAfter))
	case a.leaf == nil:
		return nil, fmt.Errorf("server: issue the server certificate: %w", err)
	default:
		a.log.Error("server certificate not renewed", slog.Any("error", err), slog.Time("not_after", a.leaf.Leaf.NotAfter))
	}
	return a.leaf, nil
}

func isDue(leaf *x509.Certificate, now time.Time) bool {
	third := leaf.NotAfter.Sub(leaf.NotBefore) / 3
	return now.Before(leaf.NotBefore) || now.After(leaf.NotAfter.Add(-third))
}

// issue signs a certificate for a new key. One that cannot be stored is served all the same: a
// full disk must not end TLS, and the next start issues another.
func (a *authority) issue(now time.Time) (*tls.Certificate, error) {
	ca, err := a.load(caCertFile, caKeyFile)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "Haven"},
		NotBefore:   now.Add(-clockSlack),
		NotAfter:    now.Add(leafLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	template.DNSNames, template.IPAddresses = splitHosts(a.hosts)
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Leaf, key.Public(), ca.PrivateKey)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	chain := [][]byte{der, ca.Certificate[0]}
	if err := writeKeyPair(a.disk, serverCertFile, serverKeyFile, chain, key); err != nil {
		a.log.Warn("the server certificate could not be stored", slog.Any("error", err))
	}
	return &tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: leaf}, nil
}

// load reads a certificate and its key; they must belong together.
func (a *authority) load(certFile, keyFile string) (*tls.Certificate, error) {
	certPEM, err := a.disk.ReadFile(certFile, maxPEM)
	if err != nil {
		return nil, err
	}
	keyPEM, err := a.disk.ReadFile(keyFile, maxPEM)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	return &pair, nil
}

// isOurs tells whether a stored server certificate is the authority's and names exactly the
// hosts configured now.
func (a *authority) isOurs(leaf, ca *x509.Certificate) bool {
	names, addresses := splitHosts(a.hosts)
	return leaf.CheckSignatureFrom(ca) == nil && slices.Equal(leaf.DNSNames, names) &&
		slices.EqualFunc(leaf.IPAddresses, addresses, net.IP.Equal)
}

// certificateHosts returns the names of the own certificate: those of this machine seen from
// itself, the listener's own, and the configured ones; sorted, each once.
func certificateHosts(listen string, configured []string) []string {
	hosts := append([]string{"localhost", "127.0.0.1", "::1"}, configured...)
	if ip := net.ParseIP(listen); listen != "" && (ip == nil || !ip.IsUnspecified()) {
		hosts = append(hosts, listen)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

func splitHosts(hosts []string) (names []string, addresses []net.IP) {
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			addresses = append(addresses, ip)
		} else {
			names = append(names, host)
		}
	}
	return names, addresses
}
