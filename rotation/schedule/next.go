package schedule

import (
	"math/bits"
	"time"
)

// next returns the first time after another at which the clocks of a zone show what the expression
// says. It goes from field to field, so that one that never fires costs a look at each month of the
// 230 years at most.
func (c *cron) next(after time.Time, zone *time.Location) (time.Time, bool) {
	// What the wall shows never goes back by more than what is shown twice, and of that only the first
	// counts: all that is to come stands at this minute or later.
	now := civilOf(after.In(zone))
	if now.year < MinYear {
		now = civil{year: MinYear, month: time.January, day: 1}
	}
	for year := now.year; year <= MaxYear; year++ {
		if c.years[(year-MinYear)/64]>>((year-MinYear)%64)&1 == 0 {
			continue
		}
		for month := time.January; month <= time.December; month++ {
			if c.months>>month&1 == 0 || year == now.year && month < now.month {
				continue
			}
			for set := c.daysOf(year, month); set != 0; set &= set - 1 {
				day := civil{year: year, month: month, day: bits.TrailingZeros32(set)}
				if sameMonth := year == now.year && month == now.month; sameMonth && day.day < now.day {
					continue
				}
				if t, found := c.onDay(day, after, zone); found {
					return t, true
				}
			}
		}
	}
	return time.Time{}, false
}

// onDay returns the first time on a day.
func (c *cron) onDay(day civil, after time.Time, zone *time.Location) (time.Time, bool) {
	for hours := c.hours; hours != 0; hours &= hours - 1 {
		day.hour = bits.TrailingZeros32(hours)
		for minutes := c.minutes; minutes != 0; minutes &= minutes - 1 {
			day.minute = bits.TrailingZeros64(minutes)
			if t, exists := day.in(zone); exists && t.After(after) {
				return t.UTC(), true
			}
		}
	}
	return time.Time{}, false
}

// daysOf returns the days of a month on which the expression fires, bit 1 being the first.
func (c *cron) daysOf(year int, month time.Month) uint32 {
	first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	length := first.AddDate(0, 1, -1).Day()
	if c.byWeekday {
		return c.weekdays.of(first.Weekday(), length)
	}
	return c.days.of(first.Weekday(), length)
}

// of returns the days of a month that begins with a weekday and is so long.
func (d *days) of(first time.Weekday, length int) uint32 {
	weekday := func(day int) time.Weekday { return (first + time.Weekday(day-1)) % 7 }
	working := func(day int) bool { w := weekday(day); return w != time.Saturday && w != time.Sunday }
	set := d.numbers & (1<<(length+1) - 1)
	if d.last {
		set |= 1 << length
	}
	if d.lastWorking {
		day := length
		for !working(day) {
			day--
		}
		set |= 1 << day
	}
	for nearest := d.nearest & (1<<(length+1) - 1); nearest != 0; nearest &= nearest - 1 {
		day := bits.TrailingZeros32(nearest)
		// Friday of a Saturday and Monday of a Sunday, but not in another month.
		switch w := weekday(day); {
		case w == time.Saturday && day == 1:
			day = 3
		case w == time.Saturday:
			day--
		case w == time.Sunday && day == length:
			day -= 2
		case w == time.Sunday:
			day++
		}
		set |= 1 << day
	}
	return set
}

// of returns the days of a month that begins with a weekday and is so long.
func (w *weekdays) of(first time.Weekday, length int) (set uint32) {
	for day := 1; day <= length; day++ {
		bit := uint8(1) << ((int(first) + day - 1) % 7)
		if w.every&bit != 0 || w.nth[(day-1)/7+1]&bit != 0 || day > length-7 && w.last&bit != 0 {
			set |= 1 << day
		}
	}
	return set
}
