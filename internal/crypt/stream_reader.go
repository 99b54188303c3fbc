package crypt

import (
	"fmt"
	"io"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/secret"
)

// EnvelopeReader decrypts an envelope. What it gives is authentic and in its place; that nothing
// is missing at the end is known only once it says [io.EOF]. It is not for use by several
// goroutines.
type EnvelopeReader struct {
	from   io.Reader
	chunks *chunks
	sealed []byte // a chunk and a byte: the byte shows that more comes
	held   int    // bytes of the next chunk in sealed, 0 or 1
	plain  []byte
	ready  []byte // the part of plain that is to be given yet
	err    error
}

// NewEnvelopeReader opens the envelope whose header h was read from r. The key is no longer needed
// afterwards. It returns [ErrDecrypt].
func NewEnvelopeReader(r io.Reader, key secret.Bytes, context blob.Context, h blob.Envelope) (*EnvelopeReader, error) {
	c, err := startOpening(key, context, &h)
	if err != nil {
		return nil, err
	}
	return &EnvelopeReader{
		from: r, chunks: c,
		sealed: make([]byte, c.size+ChunkOverhead+1), plain: make([]byte, 0, c.size),
	}, nil
}

// Read implements [io.Reader]. It returns [ErrDecrypt] for whatever is wrong with the envelope, or
// the error of the reader below.
func (e *EnvelopeReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if !e.fill() {
		return 0, e.err
	}
	n := copy(p, e.ready)
	e.ready = e.ready[n:]
	return n, nil
}

// WriteTo implements [io.WriterTo], which saves a copy. It returns w's error, or one of Read's.
func (e *EnvelopeReader) WriteTo(w io.Writer) (n int64, err error) {
	for e.fill() {
		m, err := w.Write(e.ready)
		n += int64(m)
		if err == nil && m < len(e.ready) {
			err = io.ErrShortWrite
		}
		e.ready = e.ready[m:]
		if err != nil {
			return n, err
		}
	}
	if e.err == io.EOF {
		return n, nil
	}
	return n, e.err
}

// fill makes sure that there is something to give, or returns false and leaves why in e.err.
func (e *EnvelopeReader) fill() bool {
	if len(e.ready) == 0 && e.err == nil {
		e.open()
	}
	if len(e.ready) == 0 {
		clear(e.plain[:cap(e.plain)])
	}
	return len(e.ready) > 0
}

// open reads and opens the next chunk. It is the last exactly if nothing follows it: cut between
// two chunks, or with something appended, the place that is authenticated is another.
func (e *EnvelopeReader) open() {
	n, err := readUpTo(e.from, e.sealed[e.held:])
	if err != nil {
		e.err = fmt.Errorf("crypt: reading an envelope: %w", err)
		return
	}
	n += e.held
	last := n < len(e.sealed)
	plain, err := e.chunks.open(e.plain[:0], e.sealed[:min(n, len(e.sealed)-1)], last)
	if err != nil {
		e.err = err
		return
	}
	e.ready = plain
	if last {
		e.err = io.EOF
		return
	}
	e.sealed[0], e.held = e.sealed[len(e.sealed)-1], 1
}

// maxEmptyReads is how often in a row a reader may give nothing, and no error: as in package bufio.
const maxEmptyReads = 100

// readUpTo fills b as far as r goes. Unlike io.ReadFull it tells the end of r from an error that
// says the same of what r itself reads, and it gives up on a reader that gives nothing for ever.
func readUpTo(r io.Reader, b []byte) (n int, err error) {
	for empty := 0; n < len(b) && err == nil; {
		var m int
		m, err = r.Read(b[n:])
		n += m
		if empty++; m > 0 {
			empty = 0
		}
		if empty == maxEmptyReads && err == nil {
			err = io.ErrNoProgress
		}
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}
