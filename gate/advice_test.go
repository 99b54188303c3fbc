package gate_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

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
	if named == 0 {
		t.Error("no advice names an operation: does this test still see them?")
	}
}
