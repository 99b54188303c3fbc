package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/internal/disk"
)

// Config says what a [Server] serves and within which limits. [New] validates it and changes
// nothing of it.
type Config struct {
	// Listen is the TCP address, "host:port". Required; port 0 picks a free one.
	Listen string

	// DataDir is the path of the data folder, absolute or relative; the caller holds its lock.
	// Required: the unseal socket lies in it and the ready file names the CA file below it.
	DataDir string

	// Disk is that same folder as a file system. Required when Haven is its own certificate
	// authority, whose files lie under tls/ in it; unused with CertFile.
	Disk disk.FS

	// Hosts are further DNS names and IP addresses for the own certificate, beside localhost,
	// 127.0.0.1, ::1 and the host of Listen. Optional. Must be empty with CertFile.
	Hosts []string

	// CertFile and KeyFile are paths of a certificate chain and its key in PEM, made elsewhere;
	// they are read again when they change. Both or neither; empty: the own authority.
	CertFile, KeyFile string

	// CAFile is the path of the certificates that clients should trust, as the ready file tells
	// it. Optional: empty means tls/ca.crt of the own authority, or CertFile.
	CAFile string

	// Clock is the time for certificates, rates and durations. Required. The timeouts of
	// connections are kept by the kernel's timers and not by this clock.
	Clock clock.Clock

	// Log receives structured records; see [NewLogger]. Required.
	Log *slog.Logger

	// AccessLog writes one record for each answered request: method, route, status, duration,
	// remote address, request id; never a path as sent, a query, a header or a body.
	// False: none.
	AccessLog bool

	// Readiness returns short codes that say why the server should get no traffic; empty means
	// ready. They are shown to anyone who asks, so they name no key, path or address. It must
	// answer at once. Required. The server itself adds "locked" and "stopping".
	Readiness func() []string

	// Unseal unlocks the store with a passphrase. It must not keep the slice, which is wiped
	// when it returns. An error matching [ErrUnsealRefused] says the passphrase is wrong, one
	// matching [ErrUnsealImpossible] that none is right; any other is a failure and is logged. On success the caller's function has called
	// [Server.SetHandler]. Optional: nil serves no unseal socket.
	Unseal func(ctx context.Context, passphrase []byte) error

	// Limits bound what one client, and all of them, may take. Zero fields mean the defaults.
	Limits Limits
}

// Limits bound connections, requests and times. The zero value of each field means the default
// named beside it; a negative value is refused by [New].
type Limits struct {
	// Connections open at once; further ones wait in the kernel's queue. 16,384. It is lowered
	// to what the process's file descriptors allow, keeping 64 for the store and the journal.
	Connections int
	// Streams at once on one HTTP/2 connection. 100.
	Streams int
	// HeaderBytes of a request, request line included. 16 KiB (net/http allows 4 KiB more).
	HeaderBytes int
	// BodyBytes is the cap over every route; each operation has a lower one of its own. 16 MiB.
	BodyBytes int64
	// ReadHeader is the time to complete the TLS handshake, and again to send a request's
	// header. 5 s.
	ReadHeader time.Duration
	// Read is the time to send a whole request. 30 s.
	Read time.Duration
	// Write is the time from the end of the request's header to the end of its answer. 60 s.
	Write time.Duration
	// Idle is how long a connection may wait between requests. 2 min.
	Idle time.Duration
	// Drain is how long requests in flight may take to end when the server stops. 10 s.
	Drain time.Duration
	// FailedPerAddress bounds failed authentications of one remote address (an IPv6 /64 counts
	// as one): 10 a second, bursts of 50, 65,536 addresses remembered.
	FailedPerAddress Rate
	// FailedTotal bounds those of all addresses together: 500 a second, bursts of 1,000. Its
	// Keys is not used.
	FailedTotal Rate
}

func (l Limits) withDefaults() Limits {
	l.Connections = cmp.Or(l.Connections, 16384)
	l.Streams = cmp.Or(l.Streams, 100)
	l.HeaderBytes = cmp.Or(l.HeaderBytes, 16<<10)
	l.BodyBytes = cmp.Or(l.BodyBytes, 16<<20)
	l.ReadHeader = cmp.Or(l.ReadHeader, 5*time.Second)
	l.Read = cmp.Or(l.Read, 30*time.Second)
	l.Write = cmp.Or(l.Write, time.Minute)
	l.Idle = cmp.Or(l.Idle, 2*time.Minute)
	l.Drain = cmp.Or(l.Drain, 10*time.Second)
	l.FailedPerAddress = cmp.Or(l.FailedPerAddress, Rate{PerSecond: 10, Burst: 50, Keys: 1 << 16})
	l.FailedTotal = cmp.Or(l.FailedTotal, Rate{PerSecond: 500, Burst: 1000, Keys: 1})
	return l
}

func (l Limits) validate() error {
	for _, n := range []int64{
		int64(l.Connections), int64(l.Streams), int64(l.HeaderBytes), l.BodyBytes,
		int64(l.ReadHeader), int64(l.Read), int64(l.Write), int64(l.Idle), int64(l.Drain),
	} {
		if n < 0 {
			return errors.New("server: a limit is negative; zero means its default")
		}
	}
	if err := l.FailedPerAddress.validate(); err != nil {
		return err
	}
	return l.FailedTotal.validate()
}

// validate returns the configuration with its defaults filled in.
func (c Config) validate() (Config, error) {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return c, fmt.Errorf("server: the listen address must be host:port: %w", err)
	}
	if c.DataDir == "" || c.Clock == nil || c.Log == nil || c.Readiness == nil {
		return c, errors.New("server: DataDir, Clock, Log and Readiness are required")
	}
	if c.DataDir, err = filepath.Abs(c.DataDir); err != nil {
		return c, fmt.Errorf("server: data folder: %w", err)
	}
	c.Limits = c.Limits.withDefaults()
	if err := c.Limits.validate(); err != nil {
		return c, err
	}
	if (c.CertFile == "") != (c.KeyFile == "") {
		return c, errors.New("server: a certificate file needs its key file, and the other way round")
	}
	if c.CertFile != "" {
		if len(c.Hosts) > 0 {
			return c, errors.New("server: hosts are for the own certificate and mean nothing to a given one")
		}
		c.CAFile = cmp.Or(c.CAFile, c.CertFile)
		return c, nil
	}
	if c.Disk == nil {
		return c, errors.New("server: the own certificate authority needs the data folder's file system")
	}
	for _, name := range c.Hosts {
		if net.ParseIP(name) == nil && (name == "" || strings.ContainsAny(name, "/:* \t\r\n")) {
			return c, errors.New("server: each host is a DNS name or an IP address, without scheme, port or wildcard")
		}
	}
	c.CAFile = cmp.Or(c.CAFile, filepath.Join(c.DataDir, filepath.FromSlash(caCertFile)))
	c.Hosts = certificateHosts(host, c.Hosts)
	return c, nil
}
