package keys

import (
	"regexp"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
)

// MaxSpan is the longest Span: what is meant to last longer is a state, not a span.
const MaxSpan = Span(30 * lifecycle.Day)

// Span is how long something lasts, from a second to MaxSpan; the zero Span was not given. In JSON
// it is whole days, hours, minutes and seconds, in this order, each at most once: "1h", "90m",
// "2d12h".
type Span time.Duration

// SpanPattern is what the text of a Span matches, an ECMA 262 pattern for OpenAPI; not all that
// matches is one.
const SpanPattern = `^(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?$`

// spanUnits are the units of a Span in their order, as SpanPattern has them.
var spanUnits = [...]time.Duration{lifecycle.Day, time.Hour, time.Minute, time.Second}

var spanPattern = regexp.MustCompile(SpanPattern)

// ParseSpan reads a Span. Its error matches gate.InvalidRequest.
func ParseSpan(text string) (Span, error) {
	var sum time.Duration
	parts := spanPattern.FindStringSubmatch(text)
	if parts == nil {
		return 0, badSpan()
	}
	for i, unit := range spanUnits {
		n, err := strconv.Atoi(parts[i+1])
		if parts[i+1] != "" && (err != nil || time.Duration(n) > (time.Duration(MaxSpan)-sum)/unit) {
			return 0, badSpan()
		}
		sum += time.Duration(n) * unit
	}
	return Span(sum), Span(sum).check()
}

func badSpan() error {
	return gate.Errorf(gate.InvalidRequest, `a duration is whole days, hours, minutes and seconds such as "1h", "90m" or "2d12h", at least a second and at most 30 days`)
}

func (s Span) check() error {
	if s < Span(time.Second) || s > MaxSpan || s%Span(time.Second) != 0 {
		return badSpan()
	}
	return nil
}

// String returns the Span in its largest units.
func (s Span) String() string {
	var b []byte
	for i, unit := range spanUnits {
		if n := time.Duration(s) / unit; n > 0 {
			b = append(strconv.AppendInt(b, int64(n), 10), "dhms"[i])
			s -= Span(n * unit)
		}
	}
	return string(b)
}

// MarshalJSON implements json.Marshaler.
func (s Span) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalJSON implements json.Unmarshaler.
func (s *Span) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return badSpan()
	}
	var err error
	*s, err = ParseSpan(text)
	return err
}
