package server

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path"
	"sync"
	"time"

	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/internal/disk"
)

// maxPEM bounds a certificate or key file.
const maxPEM = 256 << 10

// certificateSource is what stands behind GetCertificate: [authority] or [keyPairFiles].
type certificateSource interface {
	// certificate returns the one to serve now, with Leaf set.
	certificate() (*tls.Certificate, error)
}

// openCertificates chooses the source of the server's certificate.
func openCertificates(cfg Config) (certificateSource, error) {
	if cfg.CertFile != "" {
		return openKeyPairFiles(cfg)
	}
	return openAuthority(cfg)
}

// tlsConfig allows TLS 1.3 alone. Every client Haven speaks with has had it for years, and it
// leaves out what TLS 1.2 lets a server get wrong: renegotiation, static RSA, CBC, unencrypted
// client certificates. The standard library prefers the hybrid post-quantum key exchange there,
// which matters for keys that must stay secret longer than today's curves may.
//
// A client is asked for a certificate and need not show one. No authority is asked about it: that
// its holder has the key is all that TLS tells, and whose it is, the handler decides.
func tlsConfig(source certificateSource) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: []string{"h2", "http/1.1"},
		ClientAuth: tls.RequestClientCert,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return source.certificate()
		},
	}
}

// lookAgain is how often, at most, the given files are looked at for a change.
const lookAgain = 5 * time.Second

// keyPairFiles is a certificate made elsewhere, read again when its files change. A pair that
// does not load, as while only one of two files has been replaced, is logged and the one before
// goes on being served.
type keyPairFiles struct {
	certFile, keyFile string
	clock             clock.Clock
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	looked  time.Duration
	certPEM []byte
	keyPEM  []byte
}

func openKeyPairFiles(cfg Config) (*keyPairFiles, error) {
	f := &keyPairFiles{certFile: cfg.CertFile, keyFile: cfg.KeyFile, clock: cfg.Clock, log: cfg.Log}
	f.looked = f.clock.Monotonic()
	if err := f.read(); err != nil {
		return nil, fmt.Errorf("server: certificate and key files: %w", err)
	}
	return f, nil
}

func (f *keyPairFiles) certificate() (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.clock.Monotonic(); now-f.looked >= lookAgain {
		f.looked = now
		if err := f.read(); err != nil {
			f.log.Error("certificate files not taken up", slog.Any("error", err))
		}
	}
	return f.pair, nil
}

// read takes up the files when their bytes differ from those in use. Contents are compared, not
// times: a renewal tool may keep those, and the files are small.
func (f *keyPairFiles) read() error {
	certPEM, err := readBounded(f.certFile)
	if err != nil {
		return err
	}
	keyPEM, err := readBounded(f.keyFile)
	if err != nil {
		return err
	}
	if bytes.Equal(certPEM, f.certPEM) && bytes.Equal(keyPEM, f.keyPEM) {
		return nil
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return err
	}
	f.pair, f.certPEM, f.keyPEM = &pair, certPEM, keyPEM
	f.log.Info("certificate files taken up", slog.Time("not_after", pair.Leaf.NotAfter))
	return nil
}

func readBounded(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxPEM+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxPEM {
		return nil, errors.New("a certificate or key file is longer than 256 KiB")
	}
	return data, nil
}

// writeKeyPair stores a chain and its key in PEM, the key first.
func writeKeyPair(to disk.FS, certFile, keyFile string, chain [][]byte, key crypto.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	defer clear(der)
	defer clear(keyPEM)
	if err := replaceFile(to, keyFile, keyPEM); err != nil {
		return err
	}
	var certPEM bytes.Buffer
	for _, cert := range chain {
		if err := pem.Encode(&certPEM, &pem.Block{Type: "CERTIFICATE", Bytes: cert}); err != nil {
			return err
		}
	}
	return replaceFile(to, certFile, certPEM.Bytes())
}

// replaceFile puts a whole file in place of the one before, durably: a crash leaves one or the
// other.
func replaceFile(to disk.FS, name string, data []byte) (err error) {
	temporary := name + ".new"
	file, err := to.Create(temporary)
	if err != nil {
		return err
	}
	err = errors.Join(file.Truncate(0), writeAll(file, data), file.Sync())
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := to.Rename(temporary, name); err != nil {
		return err
	}
	return to.SyncDir(path.Dir(name))
}

func writeAll(file disk.File, data []byte) error {
	_, err := file.WriteAt(data, 0)
	return err
}
