package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/haven-health/haven/internal/crypt"
)

// EnvelopeWriter encrypts what is written to it. See [Envelope.EncryptWriter].
type EnvelopeWriter struct {
	to      *crypt.EnvelopeWriter
	keyID   string
	version uint32
	bytes   *atomic.Int64
}

// EncryptWriter begins an envelope on w, for an encryption context, which may be nil and is not in
// the envelope: the same must be given to decrypt. ctx is for the call to the server, if one is
// needed. To show progress, wrap the reader that the plaintext is copied from.
//
// The envelope is complete once Close has returned nil, and does not open before. If the plaintext
// does not come whole, leave the writer unclosed: closing it would make a valid envelope of less.
// After [io.Copy] into it has failed, Close returns that error and completes nothing.
func (e *Envelope) EncryptWriter(ctx context.Context, w io.Writer, context map[string]string) (*EnvelopeWriter, error) {
	key, ec, err := e.keyToEncrypt(ctx, context)
	if err != nil {
		return nil, err
	}
	defer key.plain.Destroy()
	to, err := crypt.NewEnvelopeWriter(w, key.plain, ec, header(key), e.client.random)
	if err != nil {
		return nil, fmt.Errorf("client: envelope: %w", err)
	}
	return &EnvelopeWriter{to, key.keyID, key.version, key.bytes}, nil
}

// Write encrypts p. It keeps up to a chunk of plaintext until it knows whether more comes.
func (w *EnvelopeWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.bytes.Add(int64(n))
	return n, err
}

// ReadFrom encrypts all that r gives. [io.Copy] uses it.
func (w *EnvelopeWriter) ReadFrom(r io.Reader) (int64, error) {
	return w.to.ReadFrom(countingReader{r, w.bytes})
}

// Close completes the envelope, unless something failed before: then it returns that. It does not
// close the writer below.
func (w *EnvelopeWriter) Close() error { return w.to.Close() }

// Key returns the id and version of the key that the data key is encrypted under.
func (w *EnvelopeWriter) Key() (id string, version uint32) { return w.keyID, w.version }

// EnvelopeReader decrypts an envelope. See [Envelope.DecryptReader].
type EnvelopeReader struct {
	from    *crypt.EnvelopeReader
	keyID   string
	version uint32
	bytes   *atomic.Int64
}

// DecryptReader reads the header of an envelope from r, has the server decrypt its data key unless
// that is at hand, and returns the plaintext as a reader. ctx is for that call.
//
// Every byte given is authentic and in its place. That none is missing at the end is certain only
// when Read says [io.EOF]: act on nothing of an envelope that ended in any other error. The error
// is [InvalidCiphertext] for whatever is wrong with the envelope or its context, r's own, or the
// server's refusal. r is read to its end: an envelope with anything after it does not open.
func (e *Envelope) DecryptReader(ctx context.Context, r io.Reader, context map[string]string) (*EnvelopeReader, error) {
	h, key, ec, err := e.keyToDecrypt(ctx, r, context)
	if err != nil {
		return nil, err
	}
	defer key.plain.Destroy()
	from, err := crypt.NewEnvelopeReader(r, key.plain, ec, h)
	if err != nil {
		return nil, badEnvelope(underKey(key.keyID, key.version))
	}
	return &EnvelopeReader{from, key.keyID, key.version, key.bytes}, nil
}

// Read implements [io.Reader].
func (r *EnvelopeReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.bytes.Add(int64(n))
	return n, r.localError(err)
}

// WriteTo implements [io.WriterTo]. [io.Copy] uses it.
func (r *EnvelopeReader) WriteTo(w io.Writer) (int64, error) {
	n, err := r.from.WriteTo(countingWriter{w, r.bytes})
	return n, r.localError(err)
}

// Key returns the id and version of the key that the data key is encrypted under.
func (r *EnvelopeReader) Key() (id string, version uint32) { return r.keyID, r.version }

func (r *EnvelopeReader) localError(err error) error {
	if errors.Is(err, crypt.ErrDecrypt) {
		return badEnvelope(underKey(r.keyID, r.version))
	}
	return err
}

// countingReader and countingWriter count while a long message is under way, not after it.
type countingReader struct {
	io.Reader
	bytes *atomic.Int64
}

func (r countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.bytes.Add(int64(n))
	return n, err
}

type countingWriter struct {
	io.Writer
	bytes *atomic.Int64
}

func (w countingWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.bytes.Add(int64(n))
	return n, err
}
