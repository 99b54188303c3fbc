package schedule

import (
	"slices"
	"strconv"
	"strings"
)

// cron is a parsed cron expression: which values each field has, as sets of bits.
type cron struct {
	minutes uint64
	hours   uint32
	months  uint16
	years   [4]uint64 // from MinYear
	days    days
	// weekdays are set if byWeekday; else days are.
	weekdays  weekdays
	byWeekday bool
}

// days are days of a month: numbers, those that the nearest working day stands for, the last, and the
// last working day.
type days struct {
	numbers, nearest  uint32
	last, lastWorking bool
}

// weekdays are days of the week from Sunday, bit 0: every one, the last of a month, and the nth of a
// month, by n.
type weekdays struct {
	every, last uint8
	nth         [6]uint8
}

// field is what a field of a cron expression may hold.
type field struct {
	name      string
	low, high int
	names     []string // of the values from low
	wraps     bool     // a range may go past the end
}

var (
	minuteField  = field{name: "minutes", low: 0, high: 59, wraps: true}
	hourField    = field{name: "hours", low: 0, high: 23, wraps: true}
	dayField     = field{name: "days", low: 1, high: 31, wraps: true}
	monthField   = field{name: "months", low: 1, high: 12, wraps: true, names: strings.Fields("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")}
	weekdayField = field{name: "weekdays", low: 1, high: 7, wraps: true, names: strings.Fields("SUN MON TUE WED THU FRI SAT")}
	yearField    = field{name: "years", low: MinYear, high: MaxYear}
)

// parseCron reads what stands between the parentheses of a cron; where and why tell what is wrong.
func parseCron(body string) (c cron, where, why string) {
	fields := strings.FieldsFunc(body, func(r rune) bool { return r == ' ' })
	if len(fields) != 6 || strings.HasPrefix(body, " ") || strings.HasSuffix(body, " ") {
		return c, "", "a cron has six fields, separated by blanks: minutes hours days months weekdays years"
	}
	if (fields[2] == "?") == (fields[4] == "?") {
		return c, "", "exactly one of days and weekdays is ?"
	}
	if c.byWeekday = fields[2] == "?"; c.byWeekday {
		why = c.weekdays.parse(fields[4])
		where = weekdayField.name
	} else {
		why = c.days.parse(fields[2])
		where = dayField.name
	}
	if why != "" {
		return c, where, why
	}
	for _, f := range []struct {
		field field
		text  string
		add   func(int)
	}{
		{minuteField, fields[0], func(n int) { c.minutes |= 1 << n }},
		{hourField, fields[1], func(n int) { c.hours |= 1 << n }},
		{monthField, fields[3], func(n int) { c.months |= 1 << n }},
		{yearField, fields[5], func(n int) { c.years[(n-MinYear)/64] |= 1 << ((n - MinYear) % 64) }},
	} {
		for item := range strings.SplitSeq(f.text, ",") {
			if why := f.field.values(item, f.add); why != "" {
				return c, f.field.name, why
			}
		}
	}
	return c, "", ""
}

// parse reads the days of a month.
func (d *days) parse(text string) (why string) {
	for item := range strings.SplitSeq(text, ",") {
		number, working := strings.CutSuffix(item, "W")
		switch {
		case item == "L":
			d.last = true
		case item == "LW":
			d.lastWorking = true
		case working:
			n, ok := dayField.value(number)
			if !ok {
				return "W stands behind a day, 1W to 31W, or as LW"
			}
			d.nearest |= 1 << n
		default:
			if why := dayField.values(item, func(n int) { d.numbers |= 1 << n }); why != "" {
				return why
			}
		}
	}
	return ""
}

// parse reads the days of a week.
func (w *weekdays) parse(text string) (why string) {
	for item := range strings.SplitSeq(text, ",") {
		day, nth, numbered := strings.Cut(item, "#")
		name, last := strings.CutSuffix(item, "L")
		switch {
		case item == "L": // the last day of a week, not of a month
			w.every |= 1 << 6
		case numbered:
			n, ok := weekdayField.value(day)
			if !ok || len(nth) != 1 || nth[0] < '1' || nth[0] > '5' || text != item {
				return "# stands between a weekday and which of the month it is, as in TUE#2 for the second Tuesday, and stands alone"
			}
			w.nth[nth[0]-'0'] |= 1 << (n - 1)
		case last:
			n, ok := weekdayField.value(name)
			if !ok {
				return "L stands alone, or behind a weekday, as in 6L for the last Friday of the month"
			}
			w.last |= 1 << (n - 1)
		default:
			if why := weekdayField.values(item, func(n int) { w.every |= 1 << (n - 1) }); why != "" {
				return why
			}
		}
	}
	return ""
}

// value reads one value, a number or a name.
func (f *field) value(text string) (int, bool) {
	if i := slices.IndexFunc(f.names, func(name string) bool { return strings.EqualFold(name, text) }); i >= 0 {
		return f.low + i, true
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return int(n), err == nil && int(n) >= f.low && int(n) <= f.high
}

// values adds the values of one item: *, a, a-b, and each of them with /step.
func (f *field) values(item string, add func(int)) (why string) {
	span, by, stepped := strings.Cut(item, "/")
	from, to, ranged := strings.Cut(span, "-")
	low, high, step := f.low, f.high, 1
	var ok bool
	if span != "*" {
		if low, ok = f.value(from); !ok {
			return f.allowed()
		}
		switch {
		case ranged:
			if high, ok = f.value(to); !ok {
				return f.allowed()
			}
		case !stepped:
			high = low
		}
	}
	if stepped {
		n, err := strconv.ParseUint(by, 10, 16)
		if step = int(n); err != nil || step < 1 {
			return "a step is a whole number from 1"
		}
	}
	switch {
	case low <= high:
	case !f.wraps:
		return "a range goes from the lesser to the greater"
	case stepped:
		return "a range that goes past the end takes no step"
	default:
		high += f.high - f.low + 1
	}
	for n := low; n <= high; n += step {
		if n > f.high {
			add(n - (f.high - f.low + 1))
		} else {
			add(n)
		}
	}
	return ""
}

func (f *field) allowed() string {
	text := "values are " + strconv.Itoa(f.low) + " to " + strconv.Itoa(f.high)
	if len(f.names) > 0 {
		text += ", or " + f.names[0] + " to " + f.names[len(f.names)-1]
	}
	return text + ", *, ranges a-b, and steps a/n"
}
