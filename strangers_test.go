package haven_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/internal/secret"
)

// TestStrangersAreRecordedWithinTenSeconds: a process that is killed loses the counts of ten seconds
// at most, though no stranger comes any more.
func TestStrangersAreRecordedWithinTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := gatetest.New(t)
		defer w.End()
		ctx, stop := context.WithTimeout(t.Context(), gate.StrangersEvery+time.Millisecond)
		defer stop()
		served := make(chan struct{})
		go func() {
			defer close(served)
			w.System.RecordStrangers(ctx)
		}()
		for range 500 {
			_, err := w.Gate().Begin(ctx, gate.Encrypt, gate.Proof{Bearer: secret.New([]byte("haven_wrong"))})
			if !errors.Is(err, gate.Unauthenticated) {
				t.Fatal(err)
			}
		}
		<-served
		synctest.Wait()
		var told []string
		for _, e := range w.Records(0) {
			if e.Operation == gate.Unrecognized.Number {
				told = append(told, e.Parameters)
			}
		}
		if len(told) != 2 || told[0] != "operation=encrypt;count=1" || told[1] != "operation=encrypt;count=499" {
			t.Errorf("recorded %q", told)
		}
	})
}
