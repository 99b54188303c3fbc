package haventest_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/haventest"
)

// TestRestart asserts that a server finds everything again, and that what was revoked stays so.
func TestRestart(t *testing.T) {
	for name, options := range map[string][]haventest.Option{"embedded": nil, "memory": {haventest.InMemory()}} {
		t.Run(name, func(t *testing.T) {
			h := haventest.New(t, options...)
			key := h.MustCreateKey("Patient data encryption")
			patient := map[string]string{"patient": "7c1e"}
			first := h.MustEncrypt(key.KeyID, []byte("penicillin"), patient)
			h.MustRotateKey(key.KeyID)
			second := h.MustEncrypt(key.KeyID, []byte("penicillin"), patient)
			h.Restart()
			for _, ciphertext := range [][]byte{first, second} {
				if got := h.MustDecrypt(ciphertext, patient); !bytes.Equal(got, []byte("penicillin")) {
					t.Fatal("another plaintext")
				}
			}
			if _, err := h.Client.MarkCompromised(t.Context(), client.MarkCompromisedRequest{Key: key.KeyID + "@1", Reason: "test"}); err != nil {
				t.Fatal(err)
			}
			h.Restart()
			if _, err := h.Client.Decrypt(t.Context(), client.DecryptRequest{Ciphertext: first, Context: patient}); !errors.Is(err, client.InvalidState) {
				t.Errorf("a compromised version decrypts: %v", err)
			}
			h.MustDecrypt(second, patient)
		})
	}
}

// TestTime asserts that a deadline passes when the server's clock says so, and that a clock
// that is stepped raises an alarm and stops nobody.
func TestTime(t *testing.T) {
	h := haventest.New(t, haventest.At(time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)))
	key := h.MustCreateKey("Patient data encryption")
	ciphertext := h.MustEncrypt(key.KeyID, []byte("x"), nil)
	h.Advance(91 * 24 * time.Hour)
	h.MustEncrypt(key.KeyID, []byte("y"), nil)
	now, err := h.Client.DescribeKey(t.Context(), key.KeyID)
	if err != nil {
		t.Fatal(err)
	}
	if now.Version != 2 {
		t.Errorf("version %d after its cryptoperiod", now.Version)
	}
	h.MustDecrypt(ciphertext, nil)

	h.StepClock(10 * 365 * 24 * time.Hour)
	h.MustDecrypt(ciphertext, nil)
	if !strings.Contains(get(t, h, "/metrics"), "haven_clock_alarm 1\n") {
		t.Error("a clock that was stepped raises no alarm")
	}
	if got := get(t, h, "/readyz"); got != `{"ready":true,"reasons":[]}` {
		t.Errorf("readiness after a step: %s", got)
	}
}

func get(t *testing.T, h *haventest.Server, path string) string {
	t.Helper()
	answer, err := h.HTTPClient().Get(h.Endpoint() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestMetrics asserts that what an operator watches is there, and names no key.
func TestMetrics(t *testing.T) {
	h := haventest.New(t, haventest.InMemory())
	key := h.MustCreateKey("Patient data encryption")
	h.MustEncrypt(key.KeyID, []byte("x"), nil)
	metrics := get(t, h, "/metrics")
	for _, want := range []string{
		"haven_records_total 3", // start, create-key, encrypt
		"haven_store_low_space 0", "haven_store_failed 0", "haven_clock_alarm 0", "haven_seal_generation 1",
		"haven_tampered_items_total 0", "haven_refused_by_store_total 0",
	} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("no %q in %s", want, metrics)
		}
	}
	if strings.Contains(metrics, key.KeyID) {
		t.Error("the metrics name a key")
	}
}

// watched is a test whose failures are the result.
type watched struct {
	testing.TB
	cleanups []func()
	errors   []string
}

func (w *watched) Cleanup(f func())             { w.cleanups = append(w.cleanups, f) }
func (w *watched) Errorf(f string, args ...any) { w.errors = append(w.errors, fmt.Sprintf(f, args...)) }
func (w *watched) Fatalf(f string, args ...any) { w.Errorf(f, args...) }
func (w *watched) finish() {
	for len(w.cleanups) > 0 {
		last := w.cleanups[len(w.cleanups)-1]
		w.cleanups = w.cleanups[:len(w.cleanups)-1]
		last()
	}
}

// TestDamageIsFound asserts that the check at the end of a test is one.
func TestDamageIsFound(t *testing.T) {
	w := &watched{TB: t}
	h := haventest.New(w)
	h.MustCreateKey("Patient data encryption")
	damage(t, h.Dir())
	w.finish()
	if len(w.errors) == 0 {
		t.Error("a damaged record was not found")
	}
}

// damage changes one byte of the first record in the journal.
func damage(t *testing.T, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "journal", "*"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no journal: %v", err)
	}
	file, err := os.OpenFile(names[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// Behind the segment's header and the frame's: in the first record.
	var b [1]byte
	const at = 400
	if _, err := file.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := file.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
}
