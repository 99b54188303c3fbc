package keys_test

import (
	"errors"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
)

func TestSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1h": time.Hour, "90m": 90 * time.Minute, "2d12h": 60 * time.Hour, "1s": time.Second, "30d": 720 * time.Hour,
		"720h": 720 * time.Hour, "1d1h1m1s": 25*time.Hour + 61*time.Second, "007h": 7 * time.Hour,
	} {
		if got, err := keys.ParseSpan(text); err != nil || time.Duration(got) != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0s", "31d", "30d1s", "721h", "1", "h", "-1h", "1h1d", "1h1h", "1.5h", "1H", " 1h", "PT1H", "1h\n", "999999999d", "1000000000s", "999999999d999999999h"} {
		if got, err := keys.ParseSpan(text); !errors.Is(err, gate.InvalidRequest) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

// FuzzSpan: what is read is within its bounds, and its own text is read as the same.
func FuzzSpan(f *testing.F) {
	for _, text := range []string{"1h", "90m", "2d12h", "1d1h1m1s", "31d", "1h\n", "999999999h"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		span, err := keys.ParseSpan(text)
		if err != nil {
			return
		}
		if span < keys.Span(time.Second) || span > keys.MaxSpan {
			t.Fatalf("%q is %d", text, span)
		}
		if again, err := keys.ParseSpan(span.String()); err != nil || again != span {
			t.Fatalf("%q is %s, which is %v, %v", text, span, again, err)
		}
	})
}
