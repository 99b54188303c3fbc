package crypt

// SkipTo makes the chunk with a number the next, as if those before it were there.
func (e *EnvelopeWriter) SkipTo(number uint64) { e.chunks.next = number }

// SkipTo likewise.
func (e *EnvelopeReader) SkipTo(number uint64) { e.chunks.next = number }

// MaxChunks is how many chunks an envelope may have.
const MaxChunks = maxChunks
