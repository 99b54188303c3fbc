package server

import (
	"bytes"
	"testing"

	"github.com/go-json-experiment/json"
)

// FuzzPassphrase: what is accepted is exactly what an ordinary decoder reads, within the limit.
func FuzzPassphrase(f *testing.F) {
	for _, seed := range []string{`{"passphrase":"x"}`, `{"passphrase":"\u00fc\n"}`, `{"passphrase":""}`, `{"passphrase":1}`,
		`{"passphrase":"x","passphrase":"y"}`, `{}`, ` { "passphrase" : "\ud83d\ude00" } `} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := readPassphrase(bytes.NewReader(body))
		var want struct {
			Passphrase *string `json:"passphrase"`
		}
		decodes := json.Unmarshal(body, &want, json.RejectUnknownMembers(true)) == nil && len(body) <= maxUnsealBody &&
			want.Passphrase != nil && *want.Passphrase != ""
		if decodes != (err == nil) {
			t.Fatalf("accepted: %t, an ordinary decoder: %t", err == nil, decodes)
		}
		if err == nil && string(got) != *want.Passphrase {
			t.Errorf("read %d bytes, want %d others", len(got), len(*want.Passphrase))
		}
	})
}
