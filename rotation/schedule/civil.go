package schedule

import "time"

// civil is a day and time as a calendar and a clock on the wall show them, somewhere.
type civil struct {
	year                      int
	month                     time.Month
	day, hour, minute, second int
}

// civilOf returns what a wall shows at a time, in its zone.
func civilOf(t time.Time) civil {
	var c civil
	c.year, c.month, c.day = t.Date()
	c.hour, c.minute, c.second = t.Clock()
	return c
}

// in returns when the clocks of a zone show a civil time first, false if they skip it.
func (c civil) in(zone *time.Location) (time.Time, bool) {
	t := time.Date(c.year, c.month, c.day, c.hour, c.minute, c.second, 0, zone)
	if civilOf(t) != c {
		return t, false
	}
	// Time.Date may take either of two: look whether the clocks showed it before they were last set.
	if set, _ := t.ZoneBounds(); !set.IsZero() {
		_, now := t.Zone()
		_, before := set.Add(-1).Zone()
		if first := t.Add(time.Duration(now-before) * time.Second); first.Before(set) && civilOf(first) == c {
			return first, true
		}
	}
	return t, true
}

// jump returns when the clocks of a zone jump over a civil time that they skip.
func jump(c civil, zone *time.Location) time.Time {
	t := time.Date(c.year, c.month, c.day, c.hour, c.minute, c.second, 0, zone)
	begins, ends := t.ZoneBounds()
	// Time.Date gives a time on one of the two sides; the jump is the nearer bound.
	if begins.IsZero() || !ends.IsZero() && ends.Sub(t) < t.Sub(begins) {
		return ends
	}
	return begins
}
