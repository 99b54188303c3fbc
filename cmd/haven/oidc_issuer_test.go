package main

import (
	"reflect"
	"testing"
)

// TestIssuerFlag: what --oidc-issuer says is what the file would, and what would believe too much
// is refused at once.
func TestIssuerFlag(t *testing.T) {
	var c config
	err := c.addIssuers([]string{
		"https://login.example/realm,audience=haven,claim=email,prefix=a-,acr=gold,acr=platinum,ca=ca.pem",
		"https://ci.example,audience=haven,prefix=ci-",
	})
	want, wrong := parseConfig([]byte(`{"oidc": [
		{"issuer": "https://login.example/realm", "audience": "haven", "claim": "email", "prefix": "a-", "acr": ["gold", "platinum"], "ca_file": "ca.pem"},
		{"issuer": "https://ci.example", "audience": "haven", "prefix": "ci-"}]}`))
	if err != nil || wrong != nil || !reflect.DeepEqual(c.OIDC, want.OIDC) {
		t.Errorf("%+v, %v; the file: %+v, %v", c.OIDC, err, want.OIDC, wrong)
	}
	for _, given := range [][]string{
		{"https://login.example"}, {"http://login.example,audience=haven"}, {"https://login.example,audience="}, {"https://login.example,audience=a,audience=b"},
		{"https://login.example,audience=a,verify=no"}, {"https://a.example,audience=a", "https://b.example,audience=b"},
	} {
		if err := new(config).addIssuers(given); exitCode(err, true) != exitUsage {
			t.Errorf("%q: %v", given, err)
		}
	}
	if _, err := parseConfig([]byte(`{"oidc": [{"issuer": "https://login.example"}]}`)); err == nil {
		t.Error("an issuer without an audience, in a file")
	}
}
