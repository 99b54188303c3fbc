package keys

import (
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
)

// created is what the record of a new key tells.
func created(key *keyBody, req *CreateRequest) string {
	var t gate.Parameters
	t.Add("type=%s;spec=%s;usage=%s;origin=%s", key.Type, key.Spec, key.Usage, key.origin())
	t.Add("rotation_days=%d;grace_days=%d;lifetime_days=%d", key.Life.RotationDays, key.Life.GraceDays, key.Life.LifetimeDays)
	if key.Alias != "" {
		t.Add("alias=%s", key.Alias)
	}
	if !key.Master.IsZero() {
		t.Add("master=%s", key.Master)
	}
	if req.Policy != "" {
		t.Add("%s", policyTold(req.Policy, req.Bypass))
	}
	var with []string
	if key.Description != "" {
		with = append(with, "description")
	}
	if key.Owner != "" {
		with = append(with, "owner")
	}
	t.Names("with", with)
	t.Names("tags", tagNames(key.Tags))
	return t.String()
}

// updated is what the record of an update tells: what is not as it was.
func updated(from, to *keyBody) (t gate.Parameters) {
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
	t.Names("changed", changed)
	t.Names("removed", removed)
	periodsMoved(&t, from.Life.Policy, to.Life.Policy)
	if from.Master != to.Master {
		t.Add("master=%s>%s", from.Master, to.Master)
	}
	return t
}

func periodsMoved(t *gate.Parameters, from, to lifecycle.Policy) {
	t.Moved("rotation_days", from.RotationDays, to.RotationDays)
	t.Moved("grace_days", from.GraceDays, to.GraceDays)
	t.Moved("lifetime_days", from.LifetimeDays, to.LifetimeDays)
}

// tagged is what the record of a change of tags tells.
func tagged(from, to map[string]string) string {
	var t gate.Parameters
	t.Tags(from, to)
	return t.String()
}

func tagNames(tags map[string]string) (names []string) {
	for name := range tags {
		names = append(names, name)
	}
	return names
}
