package keys_test

import (
	"testing"
	"time"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/lifecycle"
	"github.com/haven-health/haven/rotation"
)

// TestImportedIsDue: imported material is erased at its end by the check that finds it, whether or not
// the rotation of its key waits for other material; and what waits says so.
func TestImportedIsDue(t *testing.T) {
	r := newRig(gatetest.New(t, func(c *haven.Config) { c.Defaults = &lifecycle.Policy{RotateEarlyDays: 7, GraceDays: 30} }))
	k := r.external(keys.CreateRequest{Type: keys.Data, RotationDays: 90})
	material := aesKey(1)
	r.mustBring(k.ID, material, r.Clock.Wall().Add(100*lifecycle.Day))
	check := func(done, waiting string) {
		t.Helper()
		out, err := r.RotationScheduler().CheckRotation(background, rotation.CheckRequest{})
		r.fatal(err)
		did, waits := "", ""
		for _, task := range out.Done {
			if task.KeyID == k.ID {
				did += task.Do
			}
		}
		for _, task := range out.Waiting {
			if task.KeyID == k.ID {
				waits += task.Do + " " + task.Waits
			}
		}
		if did != done || waits != waiting || len(out.Failed) != 0 {
			t.Errorf("at %v: did %q, waits %q, failed %+v", r.Clock.Wall(), did, waits, out.Failed)
		}
	}
	r.pass(82)
	check("", "")
	r.pass(1)
	check("", "rotate needs_material")
	r.pass(16)
	check("", "rotate needs_material")
	r.pass(1)
	check("erase-material", "rotate needs_material")
	check("", "rotate needs_material")
	shown, err := r.KeyManager().DescribeKey(background, k.ID)
	r.fatal(err)
	if !shown.MaterialExpired {
		t.Error("the material is there still")
	}
	r.mustBring(k.ID, aesKey(2), time.Time{})
	check("", "")
	r.mustBring(k.ID+"@1", material, r.Clock.Wall().Add(lifecycle.Day)) // the same again
	r.pass(1)
	check("erase-material", "")
}
