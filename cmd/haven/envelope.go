package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/internal/clock"
)

// envelopeAnswer is what encrypting into an envelope, and decrypting one, say with --output json.
type envelopeAnswer struct {
	KeyID          string `json:"key_id"`
	Version        uint32 `json:"version"`
	PlaintextBytes int64  `json:"plaintext_bytes"`
	EnvelopeBytes  int64  `json:"envelope_bytes"`
}

var errNeedsOut = usagef("with --output json an envelope needs --out: stdout is for the answer")

// encryptEnvelope encrypts an input of any length locally.
func (a *app) encryptEnvelope(ctx context.Context, use useFlags, ec map[string]string) error {
	switch {
	case use.out == "" && a.output == "json":
		return errNeedsOut
	case use.out == "" && isTerminal(a.stdout):
		return errors.New("binary output does not go to a terminal: use --out FILE or a pipe")
	}
	in, err := a.open(ctx, use.in)
	if err != nil {
		return err
	}
	defer in.Close()
	return a.throughEnvelope(ctx, use.out, client.EnvelopeConfig{Key: use.key, MaxMessages: 1},
		func(e *client.Envelope, to io.Writer) (envelopeAnswer, error) {
			made := &countingWriter{Writer: to}
			w, err := e.EncryptWriter(ctx, made, ec)
			if err != nil {
				return envelopeAnswer{}, err
			}
			n, err := io.Copy(w, in)
			if err != nil {
				return envelopeAnswer{}, err
			}
			if err := w.Close(); err != nil {
				return envelopeAnswer{}, err
			}
			id, version := w.Key()
			return envelopeAnswer{id, version, n, made.n}, nil
		})
}

// decryptEnvelope decrypts an envelope locally; only its data key goes to the server.
func (a *app) decryptEnvelope(ctx context.Context, use useFlags, ec map[string]string, from io.Reader, in *meter) error {
	if use.out == "" && a.output == "json" {
		return errNeedsOut
	}
	return a.throughEnvelope(ctx, use.out, client.EnvelopeConfig{DecryptKey: use.key, MaxMessages: 1},
		func(e *client.Envelope, to io.Writer) (envelopeAnswer, error) {
			r, err := e.DecryptReader(ctx, from, ec)
			if err != nil {
				return envelopeAnswer{}, err
			}
			n, err := io.Copy(to, r)
			if err != nil {
				return envelopeAnswer{}, err
			}
			id, version := r.Key()
			return envelopeAnswer{id, version, n, in.read}, nil
		})
}

// throughEnvelope runs do with an Envelope and the output, and prints the answer if programs want
// one.
func (a *app) throughEnvelope(ctx context.Context, out string, cfg client.EnvelopeConfig, do func(*client.Envelope, io.Writer) (envelopeAnswer, error)) error {
	answer, err := call(ctx, a, func(ctx context.Context, c *client.Client) (answer envelopeAnswer, err error) {
		e, err := client.NewEnvelope(c, cfg)
		if err != nil {
			return answer, err
		}
		defer e.Close()
		err = a.writeWhole(out, func(to io.Writer) error {
			return untilDone(ctx, func() (err error) {
				answer, err = do(e, to)
				return err
			})
		})
		return answer, err
	})
	if err != nil || a.output != "json" {
		return err
	}
	return writeJSON(a.stdout, answer)
}

// untilDone returns when do has, or at once when the context is done: do may be waiting for input
// that never comes. What do still does then is lost with the process.
func untilDone(ctx context.Context, do func() error) error {
	ended := make(chan error, 1)
	go func() { ended <- do() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return fmt.Errorf("interrupted: %w", ctx.Err())
	}
}

// writeWhole lets write fill a new file, which gets its name only once it is whole and on disk, or
// stdout, which gets what there is as it comes.
func (a *app) writeWhole(out string, write func(io.Writer) error) error {
	if out == "" {
		return write(a.stdout)
	}
	if _, err := os.Lstat(out); err == nil {
		return alreadyThere(out)
	}
	part, err := os.CreateTemp(filepath.Dir(out), ".haven-partial-*")
	if err != nil {
		return err
	}
	defer os.Remove(part.Name()) // fails when all went well: it has its name then
	defer part.Close()
	if err := write(part); err != nil {
		return err
	}
	if err := errors.Join(part.Sync(), part.Close()); err != nil {
		return err
	}
	return publish(part.Name(), out)
}

// publish gives a file its name, and replaces none.
func publish(part, name string) error {
	err := os.Link(part, name)
	switch {
	case err == nil:
		return os.Remove(part)
	case errors.Is(err, os.ErrExist):
		return alreadyThere(name)
	}
	// A file system without hard links, such as FAT on a memory stick.
	if _, err := os.Lstat(name); err == nil {
		return alreadyThere(name)
	}
	return os.Rename(part, name)
}

func alreadyThere(name string) error {
	return fmt.Errorf("%s exists already: choose another name or remove it", name)
}

// meter is the input of a long command. It counts, stops when the context is done, and tells a
// person who waits how far it is.
type meter struct {
	io.Reader
	closer io.Closer
	ctx    context.Context
	read   int64
	total  int64     // 0: not known
	draw   io.Writer // nil: nobody watches
	now    func() time.Duration
	began  time.Duration
	drawn  time.Duration
}

// open opens a file or, without one, stdin.
func (a *app) open(ctx context.Context, in string) (*meter, error) {
	m := &meter{Reader: a.stdin, closer: io.NopCloser(nil), ctx: ctx, now: clock.System().Monotonic}
	if in != "" {
		file, err := os.Open(in)
		if err != nil {
			return nil, err
		}
		m.Reader, m.closer = file, file
	}
	if file, ok := m.Reader.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
			m.total = info.Size()
		}
	}
	if isTerminal(a.stderr) && a.output == "text" {
		m.draw = a.stderr
	}
	m.began = m.now()
	return m, nil
}

// Read implements [io.Reader].
func (m *meter) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	// Looked at afterwards: who interrupts a pipeline stops what fills it too, and the end that
	// makes is no end of the data.
	if done := m.ctx.Err(); done != nil {
		return 0, done
	}
	m.read += int64(n)
	if m.draw != nil {
		m.tell()
	}
	return n, err
}

// wipe empties a terminal's line.
const wipe = "\r\x1b[K"

// Close implements [io.Closer]. It leaves the line as it was.
func (m *meter) Close() error {
	if m.draw != nil {
		fmt.Fprint(m.draw, wipe)
	}
	return m.closer.Close()
}

// tell draws one line over the last one, five times a second, once it has taken a second.
func (m *meter) tell() {
	now := m.now()
	took := now - m.began
	if took < time.Second || now-m.drawn < time.Second/5 {
		return
	}
	m.drawn = now
	text := inUnits(m.read)
	if m.total > 0 {
		text += fmt.Sprintf(" of %s, %d %%", inUnits(m.total), 100*m.read/m.total)
	}
	fmt.Fprintf(m.draw, "%s%s, %s/s", wipe, text, inUnits(int64(float64(m.read)/took.Seconds())))
}

// inUnits is a number of bytes for people.
func inUnits(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for value >= 1024 {
		value, unit = value/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}

// countingWriter counts what was written.
type countingWriter struct {
	io.Writer
	n int64
}

// Write implements [io.Writer].
func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.n += int64(n)
	return n, err
}
