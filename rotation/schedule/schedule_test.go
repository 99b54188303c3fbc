package schedule_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/rotation/schedule"
)

// TestAWS: what EventBridge itself was seen to take is taken, and what it refused is refused.
func TestAWS(t *testing.T) {
	folder := os.Getenv("HAVEN_VECTORS")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "vectors")
	}
	text, err := os.ReadFile(filepath.Join(folder, "..", "aws", "schedule-expressions-real-aws.json"))
	if errors.Is(err, os.ErrNotExist) && os.Getenv("HAVEN_CI") == "" {
		t.Skip("no observations of AWS: set HAVEN_VECTORS")
	}
	if err != nil {
		t.Fatal(err)
	}
	var seen struct {
		Sets []struct {
			File, Expect string
			Values       []string
		}
	}
	if err := json.Unmarshal(text, &seen); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, set := range seen.Sets {
		d := schedule.Rules
		if strings.Contains(set.File, "/scheduler/") {
			d = schedule.Scheduler
		}
		for _, text := range set.Values {
			n++
			if _, err := schedule.Parse(text, d); (err == nil) != (set.Expect == "valid") {
				t.Errorf("%q is %s in %s: %v", text, set.Expect, set.File, err)
			}
		}
	}
	if n < 60 {
		t.Errorf("%d expressions", n)
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string][2]bool{ // taken of rules, of the scheduler
		"rate(1 minute)": {true, true}, "rate(1 minutes)": {false, true}, "rate(5 hour)": {false, true}, "rate(90 days)": {true, true},
		"rate(01 days)": {false, false}, "rate(+1 day)": {false, false}, "rate(1  day)": {false, false}, "rate(4294967295 days)": {false, false},
		"rate(36500 days)": {true, true}, "rate(36501 days)": {false, false}, "rate(1 dayss)": {false, false}, "rate(2 s)": {false, false},
		"at(2027-03-01T08:00:00)": {false, true}, "at(2027-02-29T08:00:00)": {false, false}, "at(2027-03-01T8:00:00)": {false, false},
		"at(1969-12-31T23:59:59)": {false, false}, "at(2027-03-01T24:00:00)": {false, false},
		"cron(0 0 1 1 ? *)": {true, true}, "cron(0  0 1   1 ? *)": {true, true}, "cron(0 0 1 1 ? * )": {false, false}, "cron( 0 0 1 1 ? *)": {false, false},
		"cron(0 0 1 1 ?)": {false, false}, "cron(0 0 1 1 ? * *)": {false, false}, "cron(0 0 ? 1 ? *)": {false, false}, "cron(0 0 * 1 * *)": {false, false},
		"cron(60 0 1 1 ? *)": {false, false}, "cron(0 24 1 1 ? *)": {false, false}, "cron(0 0 0 1 ? *)": {false, false}, "cron(0 0 32 1 ? *)": {false, false},
		"cron(0 0 1 13 ? *)": {false, false}, "cron(0 0 ? 1 0 *)": {false, false}, "cron(0 0 ? 1 8 *)": {false, false}, "cron(0 0 1 1 ? 1969)": {false, false},
		"cron(0 0 1 1 ? 2200)": {false, false}, "cron(0 0 LW jan ? *)": {true, true}, "cron(0 0 15W * ? *)": {true, true}, "cron(0 0 W * ? *)": {false, false},
		"cron(0 0 32W * ? *)": {false, false}, "cron(0 0 L-3 * ? *)": {false, false}, "cron(0 0 ? * L *)": {true, true}, "cron(0 0 ? * friL *)": {true, true},
		"cron(0 0 ? * 3#2 *)": {true, true}, "cron(0 0 ? * 3#6 *)": {false, false}, "cron(0 0 ? * 3#2,4#2 *)": {false, false}, "cron(0 0 ? * #2 *)": {false, false},
		"cron(0 0 ? * 3#22 *)": {false, false}, "cron(0 22-2 ? * FRI-MON *)": {true, true}, "cron(0 22-2/2 ? * FRI *)": {false, false},
		"cron(0 0 ? * 2 2030-2020)": {false, false}, "cron(0/0 0 ? * 2 *)": {false, false}, "cron(*/60 0 ? * 2 *)": {true, true}, "cron(, 0 ? * 2 *)": {false, false},
		"cron(0 0 ? * ?,2 *)": {false, false}, "cron(0\t0 1 1 ? *)": {false, false}, "": {false, false}, "rate(": {false, false}, "rate(1 day))": {false, false},
		"every(1 day)": {false, false}, "1 day": {false, false}, "RATE(1 day)": {false, false},
		"cron(0 0 1 1 ? " + strings.Repeat("2020,", 60) + "2020)": {false, false},
	} {
		for i, d := range []schedule.Dialect{schedule.Rules, schedule.Scheduler} {
			e, err := schedule.Parse(text, d)
			if (err == nil) != want[i] {
				t.Errorf("%q of dialect %d: %v", text, d, err)
			}
			if err != nil && !e.IsZero() {
				t.Errorf("%q: refused, and %v", text, e)
			}
		}
	}
}

// TestErrors: they say what AWS says, and then what to write.
func TestErrors(t *testing.T) {
	for text, want := range map[string][2]string{
		"rate(2 day)": {"Parameter ScheduleExpression is not valid. of 1 it is minute, hour or day, else minutes, hours or days", ""},
		"cron(71 8 1 * ? *)": {"Parameter ScheduleExpression is not valid. minutes: values are 0 to 59, *, ranges a-b, and steps a/n",
			"Invalid Schedule Expression cron(71 8 1 * ? *). minutes: values are 0 to 59, *, ranges a-b, and steps a/n"},
		"cron(INVALID)": {"Parameter ScheduleExpression is not valid. a cron has six fields, separated by blanks: minutes hours days months weekdays years",
			"Invalid Schedule Expression cron(INVALID). a cron has six fields, separated by blanks: minutes hours days months weekdays years"},
	} {
		for i, d := range []schedule.Dialect{schedule.Rules, schedule.Scheduler} {
			_, err := schedule.Parse(text, d)
			var wrong *schedule.Error
			if want[i] != "" && (!errors.As(err, &wrong) || err.Error() != want[i] || !strings.HasPrefix(err.Error(), wrong.Message())) {
				t.Errorf("%q: %v", text, err)
			}
		}
	}
	var wrong *schedule.Error
	if _, err := schedule.Parse(strings.Repeat("x", 1<<20), schedule.Scheduler); !errors.As(err, &wrong) || len(err.Error()) > 400 {
		t.Error("an error repeats a megabyte")
	}
}

func parse(t testing.TB, text string, d schedule.Dialect) schedule.Expression {
	t.Helper()
	e, err := schedule.Parse(text, d)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// fires returns the next times, as a clock of the zone shows them.
func fires(e schedule.Expression, after time.Time, p schedule.Plan, n int) (out []string) {
	zone := time.UTC
	if p.Zone != nil {
		zone = p.Zone
	}
	for range n {
		t, ok := e.Next(after, p)
		if !ok {
			break
		}
		out = append(out, t.In(zone).Format("2006-01-02 15:04:05 -0700"))
		after = t
	}
	return out
}

func TestRate(t *testing.T) {
	start := time.Date(2026, 3, 3, 12, 0, 7, 5, time.UTC)
	for _, c := range []struct {
		text    string
		dialect schedule.Dialect
		after   time.Duration // since the start
		want    time.Duration
	}{
		{"rate(1 day)", schedule.Rules, -time.Hour, 24 * time.Hour},
		{"rate(1 day)", schedule.Rules, 0, 24 * time.Hour},
		{"rate(1 day)", schedule.Rules, 24*time.Hour - 1, 24 * time.Hour},
		{"rate(1 day)", schedule.Rules, 24 * time.Hour, 48 * time.Hour},
		{"rate(7 minutes)", schedule.Rules, 1000 * time.Hour, 60004 * time.Minute},
		{"rate(1 day)", schedule.Scheduler, -time.Hour, 0},
		{"rate(1 day)", schedule.Scheduler, 0, 24 * time.Hour},
		{"rate(36500 days)", schedule.Scheduler, 1, 36500 * 24 * time.Hour},
	} {
		got, ok := parse(t, c.text, c.dialect).Next(start.Add(c.after), schedule.Plan{Start: start})
		if !ok || !got.Equal(start.Add(c.want)) {
			t.Errorf("%s, %v after the start: %v, want %v", c.text, c.after, got.Sub(start), c.want)
		}
	}
	// Centuries later it is still exact.
	if got, _ := parse(t, "rate(7 days)", schedule.Rules).Next(time.Date(2700, 1, 1, 0, 0, 0, 0, time.UTC), schedule.Plan{Start: start}); (got.Unix()-start.Unix())%(7*24*3600) != 0 || got.Nanosecond() != 5 {
		t.Error(got)
	}
	// A day is 24 hours when the clocks change.
	berlin := zone(t, "Europe/Berlin")
	got := fires(parse(t, "rate(1 day)", schedule.Scheduler), time.Date(2026, 3, 28, 7, 0, 0, 0, time.UTC), schedule.Plan{Start: time.Date(2026, 3, 28, 7, 0, 0, 0, time.UTC), Zone: berlin}, 1)
	if got[0] != "2026-03-29 09:00:00 +0200" {
		t.Error(got)
	}
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestZones: a local time that the clocks skip does not fire, one that they show twice fires once, when
// it is shown first; in both hemispheres, with half hours, and where a whole day was left out.
func TestZones(t *testing.T) {
	for _, c := range []struct {
		zone, text, after string // after is UTC
		want              string
	}{
		{"Europe/Berlin", "cron(30 2 * * ? *)", "2026-03-28T12:00", "2026-03-30 02:30:00 +0200"},
		{"Europe/Berlin", "cron(30 2 * * ? *)", "2026-10-24T12:00", "2026-10-25 02:30:00 +0200; 2026-10-26 02:30:00 +0100"},
		{"Europe/Berlin", "cron(0,30 1-3 25 10 ? 2026)", "2026-10-24T12:00", "2026-10-25 01:00:00 +0200; 2026-10-25 01:30:00 +0200; 2026-10-25 02:00:00 +0200; 2026-10-25 02:30:00 +0200; 2026-10-25 03:00:00 +0100; 2026-10-25 03:30:00 +0100"},
		{"Europe/Berlin", "cron(0,30 1-3 29 3 ? 2026)", "2026-03-28T12:00", "2026-03-29 01:00:00 +0100; 2026-03-29 01:30:00 +0100; 2026-03-29 03:00:00 +0200; 2026-03-29 03:30:00 +0200"},
		// Asked in the hour that is shown again.
		{"Europe/Berlin", "cron(30 2 * * ? *)", "2026-10-25T01:10", "2026-10-26 02:30:00 +0100"},
		{"America/Santiago", "cron(15 23 * * ? *)", "2026-04-04T12:00", "2026-04-04 23:15:00 -0300; 2026-04-05 23:15:00 -0400"},
		{"America/Santiago", "cron(30 0 * * ? *)", "2026-09-05T12:00", "2026-09-07 00:30:00 -0300"},
		{"Australia/Lord_Howe", "cron(0,15,45 2 * * ? *)", "2026-10-03T12:00", "2026-10-04 02:45:00 +1100; 2026-10-05 02:00:00 +1100"},
		{"Australia/Lord_Howe", "cron(45 1 * * ? *)", "2026-04-04T10:00", "2026-04-05 01:45:00 +1100; 2026-04-06 01:45:00 +1030"},
		{"Pacific/Apia", "cron(0 12 * * ? *)", "2011-12-29T12:00", "2011-12-29 12:00:00 -1000; 2011-12-31 12:00:00 +1400"},
		{"Asia/Kathmandu", "cron(0 0 L * ? *)", "2026-02-01T00:00", "2026-02-28 00:00:00 +0545"},
		{"Europe/Berlin", "at(2026-03-29T02:30:00)", "2026-01-01T00:00", "2026-03-29 03:00:00 +0200"},
		{"Australia/Lord_Howe", "at(2026-10-04T02:10:00)", "2026-01-01T00:00", "2026-10-04 02:30:00 +1100"},
		{"Europe/Berlin", "at(2026-10-25T02:30:00)", "2026-01-01T00:00", "2026-10-25 02:30:00 +0200"},
		{"Europe/Berlin", "at(2026-10-25T02:30:00)", "2026-10-25T00:30", ""},
	} {
		after, err := time.Parse("2006-01-02T15:04", c.after)
		if err != nil {
			t.Fatal(err)
		}
		n := strings.Count(c.want, ";") + 1
		got := strings.Join(fires(parse(t, c.text, schedule.Scheduler), after, schedule.Plan{Zone: zone(t, c.zone)}, n), "; ")
		if got != c.want {
			t.Errorf("%s in %s after %s:\n got %s\nwant %s", c.text, c.zone, c.after, got, c.want)
		}
	}
	// Rules know no zone.
	if got := fires(parse(t, "cron(0 8 * * ? *)", schedule.Rules), time.Unix(0, 0), schedule.Plan{Zone: zone(t, "Europe/Berlin")}, 1); got[0] != "1970-01-01 09:00:00 +0100" {
		t.Error(got)
	}
}

// TestNever: an expression that never fires, or never again, says so.
func TestNever(t *testing.T) {
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for _, text := range []string{"cron(0 0 31 2,4,6,9,11 ? *)", "cron(0 0 30 FEB ? *)", "cron(15 10 ? * 6L 2002-2005)", "cron(* * * * ? 1970)", "at(2026-11-24T00:00:00)"} {
		if at, ok := parse(t, text, schedule.Scheduler).Next(now, schedule.Plan{}); ok {
			t.Errorf("%s fires at %v", text, at)
		}
	}
	var none schedule.Expression
	if _, ok := none.Next(now, schedule.Plan{}); ok || !none.IsZero() {
		t.Error("no expression fires")
	}
	if _, ok := parse(t, "cron(* * * * ? *)", schedule.Rules).Next(time.Date(2199, 12, 31, 23, 59, 0, 0, time.UTC), schedule.Plan{}); ok {
		t.Error("after the last year")
	}
	if got := fires(parse(t, "cron(* * * * ? *)", schedule.Rules), time.Date(-5000, 1, 1, 0, 0, 0, 0, time.UTC), schedule.Plan{}, 1); got[0] != "1970-01-01 00:00:00 +0000" {
		t.Error(got)
	}
	// Nothing fires before the start.
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := fires(parse(t, "cron(0 0 * * ? *)", schedule.Rules), now, schedule.Plan{Start: start}, 2); strings.Join(got, " ") != "2030-01-01 00:00:00 +0000 2030-01-02 00:00:00 +0000" {
		t.Error(got)
	}
}

// TestComparable: expressions are values, and equal where they were written alike.
func TestComparable(t *testing.T) {
	a, b := parse(t, "rate(1 day)", schedule.Rules), parse(t, "rate(1 day)", schedule.Rules)
	if a != b || a == parse(t, "rate(1 day)", schedule.Scheduler) || a == parse(t, "rate(24 hours)", schedule.Rules) || a.String() != "rate(1 day)" {
		t.Error("expressions do not compare")
	}
}

// naive tells whether a cron expression fires in a minute, field by field, from its text alone.
func naive(text string, at time.Time) bool {
	f := strings.Fields(strings.TrimSuffix(strings.TrimPrefix(text, "cron("), ")"))
	last := time.Date(at.Year(), at.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
	is := func(field string, value, low, high int, names string) bool {
		number := func(s string) int {
			if i := strings.Index(names, strings.ToUpper(s)); names != "" && i >= 0 && len(s) == 3 {
				return i/4 + low
			}
			n := 0
			for _, r := range s {
				n = n*10 + int(r-'0')
			}
			return n
		}
		for _, item := range strings.Split(field, ",") {
			step := 1
			span := item
			if i := strings.IndexByte(item, '/'); i >= 0 {
				span, step = item[:i], number(item[i+1:])
			}
			from, to := low, high
			if i := strings.IndexByte(span, '-'); i >= 0 {
				from, to = number(span[:i]), number(span[i+1:])
			} else if span != "*" {
				if from = number(span); span == item {
					to = from
				}
			}
			for n := from; ; n++ {
				if n > high {
					n = low
				}
				if n == value && (n-from)%step == 0 {
					return true
				}
				if n == to {
					break
				}
			}
		}
		return false
	}
	day := func() bool {
		if f[2] == "?" {
			for _, item := range strings.Split(f[4], ",") {
				week := int(at.Weekday()) + 1
				switch name, n, nth := strings.Cut(item, "#"); {
				case item == "L" && week == 7:
					return true
				case item == "L":
				case nth && is(name, week, 1, 7, weekdayNames) && (at.Day()+6)/7 == int(n[0]-'0'):
					return true
				case nth:
				case strings.HasSuffix(item, "L") && is(strings.TrimSuffix(item, "L"), week, 1, 7, weekdayNames) && at.Day()+7 > last:
					return true
				case strings.HasSuffix(item, "L"):
				case is(item, week, 1, 7, weekdayNames):
					return true
				}
			}
			return false
		}
		for _, item := range strings.Split(f[2], ",") {
			working := func(d int) bool { w := at.AddDate(0, 0, d-at.Day()).Weekday(); return w != 0 && w != 6 }
			switch {
			case item == "L" && at.Day() == last:
				return true
			case item == "LW":
				for d := last; d > 0; d-- {
					if working(d) {
						if d == at.Day() {
							return true
						}
						break
					}
				}
			case item == "L":
			case strings.HasSuffix(item, "W"):
				for want := 1; want <= last; want++ {
					if !is(strings.TrimSuffix(item, "W"), want, 1, 31, "") {
						continue
					}
					for _, off := range []int{0, -1, 1, -2, 2} { // a Saturday's Friday comes before a Sunday's Monday
						if d := want + off; d >= 1 && d <= last && working(d) {
							if d == at.Day() {
								return true
							}
							break
						}
					}
				}
			case is(item, at.Day(), 1, 31, ""):
				return true
			}
		}
		return false
	}
	return is(f[0], at.Minute(), 0, 59, "") && is(f[1], at.Hour(), 0, 23, "") && is(f[3], int(at.Month()), 1, 12, monthNames) && is(f[5], at.Year(), 1970, 2199, "") && day()
}

const (
	weekdayNames = "SUN MON TUE WED THU FRI SAT"
	monthNames   = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
)

// FuzzParse: what is taken is printed and taken again as the same; its next time is later than what was
// asked after, on a whole minute that its fields allow, and none before it is.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"rate(1 day)", "rate(5 minutes)", "at(2027-03-01T08:00:00)", "cron(0/15 8-17 ? JAN-MAR MON-FRI 2026-2030)", "cron(0 0 LW * ? *)",
		"cron(1,2 22-2 15W,L 1/2 ? *)", "cron(0 0 ? * 6L *)", "cron(0 0 ? * 2#3 *)", "cron(0 0 31 2 ? *)", "cron(", ""} {
		f.Add(text, int64(1_795_000_000), false)
	}
	f.Fuzz(func(t *testing.T, text string, seconds int64, rules bool) {
		d := schedule.Scheduler
		if rules {
			d = schedule.Rules
		}
		e, err := schedule.Parse(text, d)
		if err != nil {
			var wrong *schedule.Error
			if !errors.As(err, &wrong) || wrong.Why == "" || len(wrong.Text) > schedule.MaxLength {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		if again, err := schedule.Parse(e.String(), d); err != nil || again != e {
			t.Fatalf("%q: %v, %v", text, again, err)
		}
		after := time.Unix(seconds%8_000_000_000, 0).UTC()
		next, ok := e.Next(after, schedule.Plan{})
		if ok && !next.After(after) {
			t.Fatalf("%q after %v: %v", text, after, next)
		}
		if !strings.HasPrefix(text, "cron(") {
			return
		}
		if ok && (!naive(text, next) || next.Second() != 0 || next.Nanosecond() != 0) {
			t.Fatalf("%q after %v: %v, which its fields do not allow", text, after, next)
		}
		for at, n := after.Truncate(time.Minute).Add(time.Minute), 0; n < 3000 && (!ok || at.Before(next)); at, n = at.Add(time.Minute), n+1 {
			if at.Year() <= schedule.MaxYear && at.Year() >= schedule.MinYear && naive(text, at) {
				t.Fatalf("%q after %v: %v, and %v came before", text, after, next, at)
			}
		}
	})
}
