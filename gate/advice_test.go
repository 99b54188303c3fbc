package gate_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
)

var hyphenated = regexp.MustCompile(`[a-z]+(-[a-z]+)+`)

// TestAdviceNamesWhatExists: what a refusal advises is an operation that there is, and no errand
// that nobody can run.
func TestAdviceNamesWhatExists(t *testing.T) {
	var names []string
	for _, op := range gate.Operations() {
		names = append(names, op.Name)
	}
	named := 0
	for _, reason := range []lifecycle.Reason{
		lifecycle.ReasonDisabled, lifecycle.ReasonPendingDeletion, lifecycle.ReasonPending, lifecycle.ReasonNotPrimary,
		lifecycle.ReasonDeprecated, lifecycle.ReasonExpired, lifecycle.ReasonCompromised, lifecycle.ReasonDestroyed,
		lifecycle.ReasonRotateFirst, lifecycle.ReasonResumeFirst, lifecycle.ReasonActive, lifecycle.ReasonPrimary,
		lifecycle.ReasonNotPendingDeletion, lifecycle.ReasonNotDue, lifecycle.ReasonWraps, lifecycle.ReasonTooManyVersions,
		lifecycle.ReasonWrongVersion,
	} {
		text := gate.Refused(gate.ID{1}, &lifecycle.Refusal{Reason: reason}).Detail
		if strings.Contains(text, "not possible: ") {
			t.Errorf("%s: no advice: %q", reason, text)
		}
		_, text, _ = strings.Cut(text, " is ") // behind the key's id
		if strings.Contains(text, "recovery") || strings.Contains(text, "rescue") {
			t.Errorf("%s: there is no recovery: %q", reason, text)
		}
		for _, name := range hyphenated.FindAllString(text, -1) {
			if named++; !slices.Contains(names, name) {
				t.Errorf("%s advises %s, which is no operation", reason, name)
			}
		}
	}
	for _, target := range stoppedTargets() {
		err := target.Check(lifecycle.Protect, time.Unix(0, 0))
		if !errors.Is(err, gate.InvalidState) {
			t.Fatalf("%+v: %v", target, err)
		}
		_, text, _ := strings.Cut(err.Error(), ": ")
		advised := 0
		for _, name := range hyphenated.FindAllString(text, -1) {
			if named, advised = named+1, advised+1; !slices.Contains(names, name) {
				t.Errorf("%q advises %s, which is no operation", text, name)
			}
		}
		if external := target.State.External || target.Master != nil && target.Master.External; advised == 0 || strings.Contains(text, "import-key-material") != external {
			t.Errorf("advised: %q", text)
		}
	}
	if named == 0 {
		t.Error("no advice names an operation: does this test still see them?")
	}
}

// stoppedTargets are refused because of the whole key, or its master.
func stoppedTargets() []gate.Target {
	fine := lifecycle.Key{Primary: 1, Versions: 1}
	revoked := lifecycle.Key{Versions: 1, CompromisedThrough: 1}
	var out []gate.Target
	for _, external := range []bool{false, true} {
		state := revoked
		state.External = external
		out = append(out, gate.Target{Key: gate.ID{10}, State: state}, gate.Target{Key: gate.ID{10}, State: fine, Version: 1, Master: &state, WrappingVer: 1})
	}
	disabled, deleted := fine, fine
	disabled.Disabled, deleted.DeletionDate = true, time.Unix(1, 0)
	return append(out, gate.Target{Key: gate.ID{10}, State: fine, Version: 1, Master: &disabled}, gate.Target{Key: gate.ID{10}, State: fine, Version: 1, Master: &deleted})
}
