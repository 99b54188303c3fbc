package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/winebarrel/cronplan/v2"

	"github.com/haven-health/haven/rotation/schedule"
)

// differences are those between Haven and cronplan, each with what decides it.
var differences = []struct {
	what    string
	is      func(text string, refused, panics bool) bool
	decided string
}{
	{"a step of 0", func(text string, refused, panics bool) bool {
		return refused && regexp.MustCompile(`/0+\b`).MatchString(text)
	},
		"EventBridge User Guide, Cron expressions, wildcards: / specifies increments; 0 is none, and is refused here"},
	{"a range past the end, with a step", func(text string, refused, panics bool) bool {
		return refused && strings.Contains(text, "-") && strings.Contains(text, "/")
	},
		"EventBridge User Guide, Cron expressions, wildcards: - specifies ranges, / increments; of both past the end nothing is said: there it never fires, here it is refused"},
	{"the sixth of a month", func(text string, refused, panics bool) bool { return refused && strings.Contains(text, "#6") },
		"EventBridge User Guide, Cron expressions, wildcards: # specifies a certain instance of the day of the week within a month; no month has six, so it is refused here"},
	{"years that go backwards", func(text string, refused, panics bool) bool {
		return refused && regexp.MustCompile(`\b\d{4}-\d{4}\b`).MatchString(text)
	}, "EventBridge User Guide, Cron expressions, fields: years are 1970 to 2199, which do not come again; it is refused here"},
	{"a range of days that begins after the end of a month", func(text string, refused, panics bool) bool { return panics },
		"EventBridge User Guide, Cron expressions, fields: days are 1 to 31; in a shorter month those that it has are meant; there the process panics"},
}

// TestCronplan: another reader of AWS's expressions, made by others, takes the same ones and gives the
// same next times, but for the differences listed. HAVEN_SEED repeats a
// run, HAVEN_EXPRESSIONS is how many are drawn.
func TestCronplan(t *testing.T) {
	seed := number(t, "HAVEN_SEED", uint64(time.Now().UnixNano()))
	t.Logf("HAVEN_SEED=%d", seed)
	d := &drawn{rand.New(rand.NewPCG(seed, 17))}
	n := number(t, "HAVEN_EXPRESSIONS", 10_000)
	met, agreed, fired := map[string]int{}, uint64(0), uint64(0)
	for range n {
		text, after := d.cron(), time.Unix(d.Int64N(7_258_118_400), 0).UTC()
		if d.IntN(4) > 0 { // most of what people ask
			after = time.Unix(1_767_225_600+d.Int64N(400_000_000), 0).UTC()
		}
		ours, err := schedule.Parse("cron("+text+")", schedule.Rules)
		theirs, theirErr := cronplan.Parse(text)
		if err != nil && theirErr != nil {
			agreed++
			continue
		}
		var a, b time.Time
		if err == nil {
			a, _ = ours.Next(after, schedule.Plan{})
		}
		panics := false
		if theirErr == nil {
			b, panics = next(theirs, after)
		}
		if !panics && (err == nil) == (theirErr == nil) && a.Equal(b) {
			if agreed++; !a.IsZero() {
				fired++
			}
			continue
		}
		class := ""
		for _, x := range differences {
			if class == "" && x.is(text, err != nil, panics) {
				class = x.what
			}
		}
		if class == "" {
			t.Errorf("cron(%s) after %v: %v, %v; there %v, %v", text, after, a, err, b, theirErr)
		}
		met[class]++
	}
	t.Logf("%d of %d agree, %d of them fire", agreed, n, fired)
	for _, x := range differences {
		t.Logf("%6d %s: %s", met[x.what], x.what, x.decided)
	}
	if fired < n/2 {
		t.Error("too few fire for this to be a test")
	}
}

// number reads a setting.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// next is cronplan's next time strictly after another; it looks from a minute on.
func next(e *cronplan.Expression, after time.Time) (at time.Time, panics bool) {
	defer func() { panics = recover() != nil }()
	return e.Next(after.Truncate(time.Minute).Add(time.Minute)), false
}

type drawn struct{ *rand.Rand }

func (d *drawn) one(n int) bool { return d.IntN(n) == 0 }

// cron draws what stands between the parentheses.
func (d *drawn) cron() string {
	days, weekdays := d.field(1, 31, nil), "?"
	switch {
	case d.one(40):
		weekdays = "*"
	case d.one(2):
		days, weekdays = "?", d.field(1, 7, strings.Fields(weekdayNames))
		if d.one(4) {
			weekdays = d.value(1, 7, strings.Fields(weekdayNames)) + "#" + strconv.Itoa(1+d.IntN(6))
		} else if d.one(4) {
			weekdays = d.value(1, 7, nil) + "L"
		} else if d.one(12) {
			weekdays = "L"
		}
	case d.one(4):
		days = []string{"L", "LW", d.value(1, 31, nil) + "W", "L,15", "1W,15W", "LW,1"}[d.IntN(6)]
	}
	years := "*"
	if d.one(4) {
		years = d.field(2020, 2040, nil)
	}
	minutes, hours, months := d.field(0, 59, nil), d.field(0, 23, nil), d.field(1, 12, strings.Fields(monthNames))
	return strings.Join([]string{minutes, hours, days, months, weekdays, years}, " ")
}

// field draws items of a field, joined.
func (d *drawn) field(low, high int, names []string) string {
	items := []string{d.item(low, high, names)}
	for d.one(4) {
		items = append(items, d.item(low, high, names))
	}
	return strings.Join(items, ",")
}

func (d *drawn) item(low, high int, names []string) string {
	out := d.value(low, high, names)
	switch d.IntN(6) {
	case 0, 1:
		out = "*"
	case 2:
		a, b := low+d.IntN(high-low+1), low+d.IntN(high-low+1)
		if a > b && !d.one(5) {
			a, b = b, a
		}
		out = fmt.Sprintf("%d-%d", a, b)
		if names != nil && d.one(2) {
			out = names[a-low] + "-" + names[b-low]
		}
	}
	if d.one(5) {
		out += "/" + strconv.Itoa(d.IntN(16))
	}
	return out
}

func (d *drawn) value(low, high int, names []string) string {
	n := low + d.IntN(high-low+1)
	if d.one(60) {
		n = low - 1 + d.IntN(2)*(high-low+2)
	} else if names != nil && d.one(2) {
		return names[n-low]
	}
	return strconv.Itoa(max(n, 0))
}
