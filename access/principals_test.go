package access_test

import (
	"strings"
	"testing"

	"github.com/haven-health/haven/access"
)

// TestRenamePrincipals: principals alone are called otherwise; the rest stays to the byte.
func TestRenamePrincipals(t *testing.T) {
	const document = `{ "Statement": [
  {"Sid": "a\\", "Effect":"Allow", "Principal": {"AWS": ["one", "\u006fne", "two"]}, "Action":"one",
   "Condition": {"StringEquals": {"Principal": "one"}}},
  {"NotPrincipal": "one"}
]}`
	got, err := access.RenamePrincipals([]byte(document), func(s string) string {
		return strings.ReplaceAll(s, "one", `"1\`)
	})
	want := strings.NewReplacer(`["one", "\u006fne", "two"]`, `["\"1\\", "\"1\\", "two"]`, `"NotPrincipal": "one"`, `"NotPrincipal": "\"1\\"`).Replace(document)
	if err != nil || string(got) != want {
		t.Errorf("%s\nwant %s\n%v", got, want, err)
	}
	if got, err := access.RenamePrincipals([]byte(document), func(s string) string { return s }); err != nil || string(got) != document {
		t.Errorf("%s: %v", got, err)
	}
	if _, err := access.RenamePrincipals([]byte(`{"Statement":`), strings.ToUpper); err == nil {
		t.Error("half a document")
	}
}
