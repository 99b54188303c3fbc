package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/server"
)

const day = 24 * time.Hour

// leaf is the certificate a new connection is shown, verified against the authority.
func (f *fixture) leaf(t *testing.T) *x509.Certificate {
	t.Helper()
	conn := f.dial(t)
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

func TestOwnCertificateNamesItsHosts(t *testing.T) {
	f := serve(t, nil, func(c *server.Config) { c.Hosts = []string{"kms.example.org", "192.0.2.7"} })
	leaf := f.leaf(t)
	for _, host := range []string{"localhost", "127.0.0.1", "::1", "kms.example.org", "192.0.2.7"} {
		if err := leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if leaf.VerifyHostname("other.example.org") == nil {
		t.Error("names a host that was not configured")
	}
	if life := leaf.NotAfter.Sub(start); life != 90*day {
		t.Errorf("lives %v, want 90 days", life)
	}
}

func TestTLSFilesArePrivate(t *testing.T) {
	f := serve(t, nil, nil)
	var names []string
	err := filepath.WalkDir(filepath.Join(f.dir, "tls"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		names = append(names, entry.Name())
		info, err := entry.Info()
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"ca.crt", "ca.key", "server.crt", "server.key"}; !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
}

func TestCertificateIsRenewedWithoutRestart(t *testing.T) {
	f := serve(t, nil, nil)
	first := f.leaf(t)
	f.clock.Advance(59 * day)
	if again := f.leaf(t); !again.Equal(first) {
		t.Error("renewed with more than a third of its life left")
	}
	f.clock.Advance(2 * day)
	second := f.leaf(t)
	if second.Equal(first) {
		t.Fatal("not renewed with less than a third of its life left")
	}
	if want := f.clock.Wall().Add(90 * day); !second.NotAfter.Equal(want) {
		t.Errorf("ends %v, want %v", second.NotAfter, want)
	}
	// Ten years on, and back: whichever way the clock is set, what is served is valid by it.
	f.clock.Step(10 * 365 * day)
	f.leaf(t)
	f.clock.Step(-10 * 365 * day)
	f.leaf(t)
}

func TestCertificateSurvivesARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	leafOf := func(hosts ...string) string {
		cfg, _ := config(t, dir, clock.NewManual(start))
		cfg.Hosts = hosts
		s, err := server.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		return string(must(os.ReadFile(filepath.Join(dir, "tls", "server.crt"))))
	}
	first := leafOf("a.example.org")
	if again := leafOf("a.example.org"); again != first {
		t.Error("a restart issued another certificate")
	}
	if other := leafOf("b.example.org"); other == first {
		t.Error("new hosts did not lead to a new certificate")
	}
}

func TestDamagedAuthorityIsNotReplaced(t *testing.T) {
	for _, name := range []string{"ca.crt", "ca.key"} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := config(t, filepath.Join(t.TempDir(), "data"), clock.NewManual(start))
			must(server.New(cfg)).Close()
			path := filepath.Join(cfg.DataDir, "tls", name)
			if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := server.New(cfg)
			if err == nil {
				s.Close()
				t.Fatal("started")
			}
			if !strings.Contains(err.Error(), "tls/ca.key") {
				t.Errorf("%v: does not say which file", err)
			}
		})
	}
}

func TestDamagedServerCertificateIsReplaced(t *testing.T) {
	cfg, _ := config(t, filepath.Join(t.TempDir(), "data"), clock.NewManual(start))
	must(server.New(cfg)).Close()
	path := filepath.Join(cfg.DataDir, "tls", "server.key")
	if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if string(must(os.ReadFile(path))) == "damaged" {
		t.Error("left as it was")
	}
}

func TestOlderTLSIsRefused(t *testing.T) {
	f := serve(t, nil, nil)
	cfg := f.tls(t)
	cfg.MaxVersion = tls.VersionTLS12
	conn, err := tls.Dial("tcp", f.address(), cfg)
	if err == nil {
		conn.Close()
		t.Fatal("TLS 1.2 was accepted")
	}
	if !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("refused for another reason: %v", err)
	}
}

// writePair stores a self-signed certificate for localhost in the two files.
func writePair(t *testing.T, certFile, keyFile string) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "given"}, DNSNames: []string{"localhost"},
		NotBefore: start.Add(-day), NotAfter: start.Add(365 * day),
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	keyDER := must(x509.MarshalPKCS8PrivateKey(key))
	for name, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestGivenCertificateIsReadAgainWhenItChanges(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	writePair(t, certFile, keyFile)
	f := serve(t, nil, func(c *server.Config) { c.CertFile, c.KeyFile, c.Disk = certFile, keyFile, nil })
	served := func() string {
		// Compared with the file rather than verified: trust is not what is tested here.
		conn, err := tls.Dial("tcp", f.address(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: conn.ConnectionState().PeerCertificates[0].Raw}))
	}
	first := served()
	if first != string(must(os.ReadFile(certFile))) {
		t.Fatal("another certificate than given")
	}
	writePair(t, certFile, keyFile)
	f.clock.Advance(time.Minute)
	second := served()
	if second != string(must(os.ReadFile(certFile))) {
		t.Error("the changed files were not taken up")
	}
	if err := os.WriteFile(keyFile, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Minute)
	if served() != second {
		t.Error("a damaged pair displaced the good one")
	}
	if !strings.Contains(f.log.String(), "not taken up") {
		t.Error("nothing logged of the damaged pair")
	}
}
