package server_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/server"
)

func TestLoggerLetsOnlyListedFieldsThrough(t *testing.T) {
	const canary = "canary-31337"
	for _, format := range []string{"json", "text"} {
		var out bytes.Buffer
		log := must(server.NewLogger(&out, format, slog.LevelInfo))
		log.Info("kept", "operation", "encrypt", "status", 200, "duration", time.Second, "error", errors.New("why"), "key_id", "0190", "key_version", uint64(3), "due", time.Unix(0, 0))
		log.With("token", canary).WithGroup("operation").Info("dropped", "operation", canary)
		log.Info("dropped", "body", []byte(canary), "status", canary, "operation", []byte(canary),
			"error", struct{ Secret string }{canary}, slog.Group("request", "method", canary))
		log.Debug("below the level")
		text := out.String()
		if strings.Contains(text, canary) {
			t.Errorf("%s shows a field that is not listed:\n%s", format, text)
		}
		for _, want := range []string{"kept", "encrypt", "200", "why", "token", "body", "0190", "1970"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q:\n%s", format, want, text)
			}
		}
		if strings.Contains(text, "below") {
			t.Errorf("%s holds what is below its level", format)
		}
	}
	if _, err := server.NewLogger(&bytes.Buffer{}, "xml", slog.LevelInfo); err == nil {
		t.Error("an unknown format was accepted")
	}
}

func TestLoggerShortensTexts(t *testing.T) {
	var out bytes.Buffer
	must(server.NewLogger(&out, "json", slog.LevelInfo)).Info("x", "reason", strings.Repeat("ü", 100_000))
	if out.Len() > 4096 || !strings.Contains(out.String(), "ü…") {
		t.Errorf("%d bytes", out.Len())
	}
}
