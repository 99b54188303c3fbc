package crashtest

import "testing"

// TestRotations is a short run of what "make rotations" does.
func TestRotations(t *testing.T) {
	cfg := build(t)
	var err error
	if cfg.Points, err = Points(module); err != nil {
		t.Fatal(err)
	}
	cfg.Cycles = 20
	if testing.Short() {
		cfg.Cycles = 4
	}
	t.Logf("seed %d", cfg.Seed)
	report, err := RunRotations(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", *report)
	if len(report.Violations) > 0 {
		t.Fatal(report.Violations)
	}
	if report.Kills() < cfg.Cycles || report.Ciphertexts != report.Encrypted || report.Encrypted == 0 || report.Versions < rotationKeys {
		t.Error("it did too little to find anything")
	}
}
