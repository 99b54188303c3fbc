package crypt

// JumpTo makes the chunk with a number the next, as if those before it were there.
func (e *EnvelopeWriter) JumpTo(number uint64) { e.chunks.next = number }

// JumpTo likewise.
func (e *EnvelopeReader) JumpTo(number uint64) { e.chunks.next = number }

// MaxChunks is how many chunks an envelope may have.
const MaxChunks = maxChunks
