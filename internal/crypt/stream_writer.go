package crypt

import (
	"fmt"
	"io"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/secret"
)

// EnvelopeWriter encrypts what is written to it into an envelope. It holds back up to a chunk,
// because only [EnvelopeWriter.Close] tells which is the last. It is not for use by several
// goroutines.
//
// After an error, the source's in ReadFrom included, every method returns it: an envelope whose
// plaintext did not come whole is never completed.
type EnvelopeWriter struct {
	to     io.Writer
	chunks *chunks
	plain  []byte // up to a chunk between calls; it has room for a byte more, which shows that more comes
	sealed []byte
	err    error
	closed bool
}

// NewEnvelopeWriter writes the header of a new envelope to w. Of h the chunk length and the
// encrypted data key are used; key is that data key and no longer needed afterwards. Salts come
// from random, which need not be secret but must not repeat. It returns [ErrKey], the error of a
// header outside its limits, random's or w's.
func NewEnvelopeWriter(w io.Writer, key secret.Bytes, context blob.Context, h blob.Envelope, random io.Reader) (*EnvelopeWriter, error) {
	c, header, err := startSealing(key, context, &h, random)
	if err != nil {
		return nil, err
	}
	e := &EnvelopeWriter{
		to: w, chunks: c,
		plain: make([]byte, 0, c.size+1), sealed: make([]byte, 0, c.size+ChunkOverhead),
	}
	if err := e.write(header); err != nil {
		return nil, err
	}
	return e, nil
}

// Write implements [io.Writer]. It returns the error of the writer below, [ErrSize] when there are
// too many chunks, or [ErrClosed].
func (e *EnvelopeWriter) Write(p []byte) (n int, err error) {
	if e.closed {
		return 0, ErrClosed
	}
	for e.err == nil && n < len(p) {
		size, rest := e.chunks.size, p[n:]
		switch {
		case len(e.plain) == size:
			e.emit(e.plain, false)
			e.plain = e.plain[:0]
		case len(e.plain) == 0 && len(rest) > size:
			e.emit(rest[:size], false)
			n += size
		default:
			m := min(size-len(e.plain), len(rest))
			e.plain = append(e.plain, rest[:m]...)
			n += m
		}
	}
	return n, e.err
}

// ReadFrom implements [io.ReaderFrom], which saves a copy: it encrypts until r ends. It returns
// r's error, [io.ErrNoProgress] where it gives nothing for ever, or one of Write's.
func (e *EnvelopeWriter) ReadFrom(r io.Reader) (n int64, err error) {
	if e.closed {
		return 0, ErrClosed
	}
	for empty := 0; e.err == nil; {
		m, err := r.Read(e.plain[len(e.plain):cap(e.plain)])
		e.plain = e.plain[:len(e.plain)+m]
		n += int64(m)
		if empty++; m > 0 {
			empty = 0
		}
		if empty == maxEmptyReads && err == nil {
			err = io.ErrNoProgress
		}
		if size := e.chunks.size; len(e.plain) > size {
			e.emit(e.plain[:size], false)
			e.plain = append(e.plain[:0], e.plain[size])
		}
		switch {
		case err == io.EOF:
			return n, e.err
		case err != nil && e.err == nil:
			e.err = err
		}
	}
	return n, e.err
}

// Close completes the envelope, without which it does not open. It does not close the writer
// below. Do not close what the plaintext did not come whole for.
func (e *EnvelopeWriter) Close() error {
	if !e.closed {
		e.closed = true
		if e.err == nil {
			e.emit(e.plain, true)
		}
		clear(e.plain[:cap(e.plain)])
	}
	return e.err
}

// emit seals a chunk and writes it.
func (e *EnvelopeWriter) emit(plaintext []byte, last bool) {
	if e.sealed, e.err = e.chunks.seal(e.sealed[:0], plaintext, last); e.err == nil {
		e.err = e.write(e.sealed)
	}
}

func (e *EnvelopeWriter) write(b []byte) error {
	n, err := e.to.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("crypt: writing an envelope: %w", err)
	}
	return nil
}
