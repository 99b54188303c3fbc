package client

import (
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Token is a bearer token. It does not print; string(token) is its value.
type Token string

// Format implements [fmt.Formatter] for every verb.
func (Token) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, redacted) }

// LogValue implements [slog.LogValuer].
func (Token) LogValue() slog.Value { return slog.StringValue(redacted) }

// Sensitive is bytes that must not be seen, a plaintext or a data key. A []byte can be assigned
// to it and it to a []byte. It does not print, but it does travel as base64 in JSON: that is how
// it is sent.
type Sensitive []byte

// Format implements [fmt.Formatter] for every verb.
func (Sensitive) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, redacted) }

// LogValue implements [slog.LogValuer].
func (Sensitive) LogValue() slog.Value { return slog.StringValue(redacted) }

// Wipe overwrites the bytes. Copies made by the network and JSON layers are not reached.
func (s Sensitive) Wipe() { clear(s) }
