package benchmark

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// client asks a server over persistent TLS connections. It writes whole prepared requests and
// looks at no more of an answer than its status and length, so that on a small machine it takes
// little from the server.
type client struct {
	greeting
	host  string
	tls   *tls.Config
	conns []*connection
}

// connection is used by one goroutine at a time.
type connection struct {
	conn *tls.Conn
	in   *bufio.Reader
}

func newClient(g greeting) (*client, error) {
	u, err := url.Parse(g.Endpoint)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(g.CA)) {
		return nil, errors.New("benchmark: the server's CA cannot be read")
	}
	return &client{greeting: g, host: u.Host, tls: &tls.Config{
		RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"},
	}}, nil
}

// connections returns n open connections.
func (c *client) connections(n int) ([]*connection, error) {
	for len(c.conns) < n {
		conn, err := tls.Dial("tcp", c.host, c.tls)
		if err != nil {
			return nil, err
		}
		c.conns = append(c.conns, &connection{conn: conn, in: bufio.NewReaderSize(conn, 16<<10)})
	}
	return c.conns[:n], nil
}

func (c *client) close() {
	for _, conn := range c.conns {
		conn.conn.Close()
	}
}

// request returns the bytes of a request.
func (c *client) request(operation, body string) []byte {
	return fmt.Appendf(nil, "POST /v1/%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: application/json\r\nUser-Agent: haven-bench\r\nContent-Length: %d\r\n\r\n%s",
		operation, c.host, c.Token, len(body), body)
}

// do sends a request and reads its answer; the body is kept only where into is not nil.
func (c *connection) do(request []byte, into *[]byte) error {
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	ok := bytes.HasPrefix(line, []byte("HTTP/1.1 200"))
	length := -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("an answer that does not tell its length")
	}
	if ok && into == nil {
		_, err = c.in.Discard(length)
		return err
	}
	body := make([]byte, length)
	if _, err := io.ReadFull(c.in, body); err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("refused: %s", body)
	}
	*into = body
	return nil
}

// answer asks once and returns a member of the answer.
func (c *client) answer(operation, body, member string) (string, error) {
	conns, err := c.connections(1)
	if err != nil {
		return "", err
	}
	var raw []byte
	if err := conns[0].do(c.request(operation, body), &raw); err != nil {
		return "", err
	}
	var members map[string]any
	if err := json.Unmarshal(raw, &members); err != nil {
		return "", err
	}
	text, ok := members[member].(string)
	if !ok {
		return "", fmt.Errorf("the answer of %s has no %s", operation, member)
	}
	return text, nil
}

// load makes requests on n connections for a time and returns how long each took. next is asked
// for the next request of a connection, counted from 0.
func (c *client) load(n int, lasts time.Duration, next func(conn int) []byte) ([]time.Duration, error) {
	conns, err := c.connections(n)
	if err != nil {
		return nil, err
	}
	took := make([][]time.Duration, n)
	errs := make([]error, n)
	var wait sync.WaitGroup
	began := time.Now()
	for i, conn := range conns {
		wait.Go(func() {
			took[i] = make([]time.Duration, 0, 1<<14)
			for last := began; last.Sub(began) < lasts && errs[i] == nil; {
				errs[i] = conn.do(next(i), nil)
				now := time.Now()
				took[i] = append(took[i], now.Sub(last))
				last = now
			}
		})
	}
	wait.Wait()
	var all []time.Duration
	for _, t := range took {
		all = append(all, t...)
	}
	return all, errors.Join(errs...)
}

func encoded(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
