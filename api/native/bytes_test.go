package native_test

import (
	"strings"
	"testing"
)

// TestNoBytes: who asks for no bytes is not given the 32 that are meant where nothing is said.
func TestNoBytes(t *testing.T) {
	w := newWorld(t)
	key := w.newKey()
	for op, with := range map[string]string{"generate-random": ``, "generate-data-key": `"key":"` + key + `",`} {
		for bytes, status := range map[string]int{"0": 400, "1": 200, "1024": 200, "1025": 400} {
			if a := w.post(op, `{`+with+`"bytes":`+bytes+`}`); a.status != status || status == 400 && !strings.Contains(a.body, "invalid_request") {
				t.Errorf("%s of %s bytes: %d %s", op, bytes, a.status, a.body)
			}
		}
		if a := w.post(op, `{`+strings.TrimSuffix(with, ",")+`}`); a.status != 200 {
			t.Errorf("%s: %d %s", op, a.status, a.body)
		}
	}
}
