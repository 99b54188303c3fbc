package server

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode/utf8"
)

// maxLogText bounds one text in a log record. A stack needs the most.
const maxLogText = 2048

// NewLogger makes the logger that all of Haven writes to, in format "json" or "text". It lets
// through only fields that are listed, each with its one kind of value; of any other it writes
// the name alone. So a careless line can lose a value, but cannot show a secret, a request or a
// whole struct. Groups are not let through.
func NewLogger(w io.Writer, format string, level slog.Leveler) (*slog.Logger, error) {
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: allowField}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	}
	return nil, fmt.Errorf("server: log format %q is neither json nor text", format)
}

// fieldKind is the allow-list: the kind of value a field may have. A new field is a line here, to
// be reviewed for what it may reveal.
func fieldKind(name string) (kind slog.Kind, listed bool) {
	switch name {
	case slog.MessageKey, "component", "endpoint", "key_id", "method", "operation", "outcome", "reason", "remote",
		"request_id", "route", "stack", "type", "version":
		return slog.KindString, true
	case "batch", "bytes", "configured", "connections", "count", "epoch", "key_version", "position", "records", "status":
		return slog.KindInt64, true
	case slog.TimeKey, "due", "not_after", "since":
		return slog.KindTime, true
	case "duration", "skew":
		return slog.KindDuration, true
	// A level, and an error, whose text is kept: errors of Haven hold no values.
	case slog.LevelKey, "error":
		return slog.KindAny, true
	}
	return 0, false
}

func allowField(groups []string, field slog.Attr) slog.Attr {
	kind, listed := fieldKind(field.Key)
	got := field.Value.Kind()
	if got == slog.KindUint64 {
		got = slog.KindInt64
	}
	if !listed || len(groups) > 0 || got != kind {
		return slog.String("dropped", field.Key)
	}
	switch kind {
	case slog.KindString:
		field.Value = slog.StringValue(shorten(field.Value.String()))
	case slog.KindAny:
		switch value := field.Value.Any().(type) {
		case slog.Level:
		case error:
			field.Value = slog.StringValue(shorten(value.Error()))
		default:
			return slog.String("dropped", field.Key)
		}
	}
	return field
}

func shorten(text string) string {
	if len(text) <= maxLogText {
		return text
	}
	end := maxLogText
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return strings.Clone(text[:end]) + "…"
}
