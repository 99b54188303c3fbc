// Package schedule reads schedule expressions as Amazon EventBridge takes them, and tells when they fire:
//
//	rate(1 day)                      every 24 hours
//	cron(0 8 ? * MON-FRI *)          at eight on working days: minutes hours days months weekdays years
//	at(2027-03-01T08:00:00)          once
//
// It guarantees that what it takes means what it means there, as far as AWS documents it or was seen to
// behave, in the two dialects that AWS has; that a parsed expression is a comparable value; and that
// [Expression.Next] is exact and ends soon, also for an expression that never fires.
//
// It never looks at a clock, waits, or keeps anything.
package schedule

import (
	"strconv"
	"strings"
	"time"
)

// Dialect is whose expressions are read.
type Dialect uint8

// The dialects.
const (
	// Rules are those of EventBridge rules: rate and cron, in UTC.
	Rules Dialect = iota
	// Scheduler are those of EventBridge Scheduler: rate, cron and at, in a time zone.
	Scheduler
)

// MaxLength is the longest expression that is taken, in bytes, as there.
const MaxLength = 256

// The years in which a cron expression can fire.
const (
	MinYear = 1970
	MaxYear = 2199
)

// maxRate is the longest rate: 100 years of 365 days, in minutes.
const maxRate = 100 * 365 * 24 * 60

// Expression says when something happens, again and again or once. Two that are equal were written alike.
type Expression struct {
	text    string
	dialect Dialect
	// One of the three is set.
	rate time.Duration
	at   civil
	cron cron
}

// Error tells what is wrong with an expression.
type Error struct {
	Dialect Dialect
	// Text is the expression, cut short where it is longer than [MaxLength].
	Text string
	// Field is the field of a cron expression: minutes, hours, days, months, weekdays or years.
	Field string
	// Why tells what to write instead.
	Why string
}

// Message is what AWS's service says of such an expression.
func (e *Error) Message() string {
	if e.Dialect == Scheduler {
		return "Invalid Schedule Expression " + e.Text + "."
	}
	return "Parameter ScheduleExpression is not valid."
}

// Error is AWS's message, and what to write instead.
func (e *Error) Error() string {
	if e.Field != "" {
		return e.Message() + " " + e.Field + ": " + e.Why
	}
	return e.Message() + " " + e.Why
}

// Parse reads an expression. Its error is an [*Error].
func Parse(text string, d Dialect) (Expression, error) {
	e := Expression{text: text, dialect: d}
	wrong := &Error{Dialect: d, Text: text[:min(len(text), MaxLength)]}
	kind, rest, opened := strings.Cut(text, "(")
	body, closed := strings.CutSuffix(rest, ")")
	switch {
	case len(text) > MaxLength:
		wrong.Why = "it is longer than " + strconv.Itoa(MaxLength) + " characters"
	case opened && closed && kind == "rate":
		e.rate, wrong.Why = parseRate(body, d)
	case opened && closed && kind == "cron":
		e.cron, wrong.Field, wrong.Why = parseCron(body)
	case opened && closed && kind == "at" && d == Scheduler:
		e.at, wrong.Why = parseAt(body)
	case d == Scheduler:
		wrong.Why = "write rate(1 day), cron(0 8 * * ? *) or at(2027-03-01T08:00:00)"
	default:
		wrong.Why = "write rate(1 day) or cron(0 8 * * ? *)"
	}
	if wrong.Why != "" {
		return Expression{}, wrong
	}
	return e, nil
}

// parseRate reads what stands between the parentheses of a rate; why tells what is wrong.
func parseRate(body string, d Dialect) (_ time.Duration, why string) {
	const form = "a rate is a whole number from 1, one blank, and minutes, hours or days"
	number, unit, _ := strings.Cut(body, " ")
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil || n == 0 || number[0] == '0' {
		return 0, form
	}
	one, plural := strings.CutSuffix(unit, "s")
	minutes := map[string]uint64{"minute": 1, "hour": 60, "day": 24 * 60}[one]
	switch {
	case minutes == 0:
		return 0, form
	case d == Rules && plural != (n > 1):
		return 0, "of 1 it is minute, hour or day, else minutes, hours or days"
	case n > maxRate/minutes:
		return 0, "a rate is at most 100 years"
	}
	return time.Duration(n*minutes) * time.Minute, ""
}

// parseAt reads what stands between the parentheses of an at.
func parseAt(body string) (_ civil, why string) {
	const layout = "2006-01-02T15:04:05"
	t, err := time.Parse(layout, body)
	if err != nil || t.Format(layout) != body || t.Year() < MinYear || t.Year() > MaxYear {
		return civil{}, "at takes a day and time without a zone, as in at(2027-03-01T08:00:00), from 1970 to 2199"
	}
	return civilOf(t), ""
}

// String returns the expression as it was written.
func (e Expression) String() string { return e.text }

// IsZero tells whether it is no expression.
func (e Expression) IsZero() bool { return e == Expression{} }

// Plan is where and from when an expression is followed. The zero value is UTC, from 1970.
type Plan struct {
	// Start is when it began to be followed: a rate counts from it. A rate of [Scheduler] fires at
	// the start for the first time, one of [Rules] a period later. Nothing fires before it.
	Start time.Time
	// Zone is the time zone of cron and at; nil for UTC, which [Rules] always have.
	Zone *time.Location
}

// Next returns the first time after another at which the expression fires, in UTC; false if it never
// does any more. A local time that the clocks skip is no time of a cron expression; one that they show
// twice fires when they show it first. An at that the clocks skip fires when they jump.
func (e Expression) Next(after time.Time, p Plan) (time.Time, bool) {
	zone := p.Zone
	if zone == nil || e.dialect == Rules {
		zone = time.UTC
	}
	if earliest := p.Start.Add(-1); !p.Start.IsZero() && after.Before(earliest) {
		after = earliest
	}
	switch {
	case e.rate > 0:
		return e.nextOfRate(after, p.Start)
	case e.at != civil{}:
		t, exists := e.at.in(zone)
		if !exists {
			t = jump(e.at, zone)
		}
		return t.UTC(), t.After(after)
	case e.text != "":
		return e.cron.next(after, zone)
	}
	return time.Time{}, false
}

// nextOfRate counts periods from the start. A day of a rate is 24 hours, whatever the clocks do.
func (e Expression) nextOfRate(after, start time.Time) (time.Time, bool) {
	if start.IsZero() {
		start = time.Unix(0, 0)
	}
	first := start
	if e.dialect == Rules {
		first = start.Add(e.rate)
	}
	if after.Before(first) {
		return first.UTC(), true
	}
	// In seconds, as durations end after 292 years.
	period := int64(e.rate / time.Second)
	passed := (after.Unix() - first.Unix()) / period
	t := time.Unix(first.Unix()+passed*period, int64(first.Nanosecond()))
	for !t.After(after) {
		t = t.Add(e.rate)
	}
	return t.UTC(), true
}
