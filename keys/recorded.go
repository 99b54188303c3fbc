package keys

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/lifecycle"
)

// told is what a record says of an operation beside the key and version: its parameters. Two effects
// that are not the same never leave the same, but for the texts of a purpose, description, owner and
// tag, which may say something of a person and of which the names alone are told.
type told []string

func (t *told) add(format string, args ...any) { *t = append(*t, fmt.Sprintf(format, args...)) }

// String returns the parameters as a record holds them.
func (t told) String() string { return strings.Join(t, ";") }

// moved tells of a number that is not what it was.
func (t *told) moved(name string, from, to uint32) {
	if from != to {
		t.add("%s=%d>%d", name, from, to)
	}
}

// names tells of names, by their order, in what room there is. Where they do not fit, as many as do
// stand there, and a digest of all of them.
func (t *told) names(what string, names []string) {
	if len(names) == 0 {
		return
	}
	plain := make([]string, len(names))
	for i, name := range names {
		plain[i] = inParameters.Replace(name)
	}
	slices.Sort(plain)
	room := journal.MaxParameters - len(t.String()) - 1
	whole := what + "=" + strings.Join(plain, ",")
	if len(whole) <= room {
		t.add("%s", whole)
		return
	}
	sum := sha256.Sum256([]byte(strings.Join(plain, ",")))
	digest := fmt.Sprintf("%s_sha256=%x", what, sum[:16])
	room -= len(digest) + 1
	n := 0
	for length := len(what); n < len(plain) && length+1+len(plain[n]) <= room; n++ {
		length += 1 + len(plain[n])
	}
	if n > 0 {
		t.add("%s=%s", what, strings.Join(plain[:n], ","))
	}
	t.add("%s", digest)
}

// inParameters keeps a caller's name from being read as anything else in parameters.
var inParameters = strings.NewReplacer("%", "%25", ";", "%3B", "=", "%3D", ",", "%2C", ">", "%3E")

// created is what the record of a new key tells.
func created(key *keyBody) string {
	var t told
	t.add("type=%s;spec=%s;usage=%s;origin=%s", key.Type, key.Spec, key.Usage, key.origin())
	t.add("rotation_days=%d;grace_days=%d;lifetime_days=%d", key.Life.RotationDays, key.Life.GraceDays, key.Life.LifetimeDays)
	if key.Alias != "" {
		t.add("alias=%s", key.Alias)
	}
	if !key.Master.IsZero() {
		t.add("master=%s", key.Master)
	}
	var with []string
	if key.Description != "" {
		with = append(with, "description")
	}
	if key.Owner != "" {
		with = append(with, "owner")
	}
	t.names("with", with)
	t.names("tags", tagNames(key.Tags))
	return t.String()
}

// updated is what the record of an update tells: what is not as it was.
func updated(from, to *keyBody) (t told) {
	var changed, removed []string
	for _, field := range []struct{ name, from, to string }{
		{"purpose", from.Purpose, to.Purpose}, {"description", from.Description, to.Description}, {"owner", from.Owner, to.Owner},
	} {
		switch {
		case field.from == field.to:
		case field.to == "":
			removed = append(removed, field.name)
		default:
			changed = append(changed, field.name)
		}
	}
	t.names("changed", changed)
	t.names("removed", removed)
	t.periods(from.Life.Policy, to.Life.Policy)
	if from.Master != to.Master {
		t.add("master=%s>%s", from.Master, to.Master)
	}
	return t
}

func (t *told) periods(from, to lifecycle.Policy) {
	t.moved("rotation_days", from.RotationDays, to.RotationDays)
	t.moved("grace_days", from.GraceDays, to.GraceDays)
	t.moved("lifetime_days", from.LifetimeDays, to.LifetimeDays)
}

// tagged is what the record of a change of tags tells: the names of those that have another value,
// and of those that are gone.
func tagged(from, to map[string]string) string {
	var set, removed []string
	for name, value := range to {
		if before, had := from[name]; !had || before != value {
			set = append(set, name)
		}
	}
	for name := range from {
		if _, kept := to[name]; !kept {
			removed = append(removed, name)
		}
	}
	var t told
	t.names("set", set)
	t.names("removed", removed)
	return t.String()
}

func tagNames(tags map[string]string) (names []string) {
	for name := range tags {
		names = append(names, name)
	}
	return names
}
