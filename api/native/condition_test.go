package native_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/keys"
)

// called is how somebody calls.
type called struct {
	operation, body string
	from            string // an address with a port; "" for the usual
	after           time.Duration
}

// TestConditions: each condition key that tells of a call, of who calls and of what it is about lets one
// call pass and refuses another that differs in nothing else, through the whole API.
func TestConditions(t *testing.T) {
	random := called{operation: "generate-random", body: `{"bytes":8}`}
	from := func(address string) called { c := random; c.from = address; return c }
	after := func(d time.Duration) called { c := random; c.after = d; return c }
	create := func(member string) called {
		return called{operation: "create-key", body: `{"purpose":"Lab results","type":"data"` + member + `}`}
	}
	on := func(operation, key, more string) called {
		return called{operation: operation, body: `{"key":"` + key + `"` + more + `}`}
	}
	for what, c := range map[string]struct {
		condition     string
		passes, fails called
	}{
		"aws:SourceIp":       {`"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}`, from("192.0.2.7:4000"), from("198.51.100.7:4000")},
		"aws:SourceIp, IPv6": {`"IpAddress":{"aws:SourceIp":"2001:db8::/32"}`, from("[2001:db8::1]:4000"), from("[2001:db9::1]:4000")},
		"not aws:SourceIp":   {`"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}`, from("198.51.100.7:4000"), from("192.0.2.7:4000")},
		"aws:CurrentTime":    {`"DateLessThan":{"aws:CurrentTime":"` + start.Add(time.Hour).Format(time.RFC3339) + `"}`, after(0), after(2 * time.Hour)},
		"aws:EpochTime":      {fmt.Sprintf(`"NumericLessThan":{"aws:EpochTime":"%d"}`, start.Add(time.Hour).Unix()), after(0), after(2 * time.Hour)},
		"aws:PrincipalTag":   {`"StringEquals":{"aws:PrincipalTag/team":"${aws:ResourceTag/team}"}`, on("describe-key", "$LAB", ""), on("describe-key", "$PLAIN", "")},
		"aws:ResourceTag":    {`"StringEquals":{"aws:ResourceTag/team":"lab"}`, on("describe-key", "$LAB", ""), on("describe-key", "$PLAIN", "")},
		"aws:RequestTag":     {`"StringEquals":{"aws:RequestTag/site":"camp-3"}`, create(`,"tags":{"site":"camp-3"}`), create(`,"tags":{"site":"camp-4"}`)},
		"aws:TagKeys":        {`"ForAllValues:StringEquals":{"aws:TagKeys":["site","team"]}`, on("tag-key", "$LAB", `,"tags":{"site":"camp-3"}`), on("tag-key", "$LAB", `,"tags":{"ward":"3"}`)},
		"haven:KeyType":      {`"StringEquals":{"haven:KeyType":"data"}`, create(""), called{operation: "create-key", body: `{"purpose":"Lab results","type":"master"}`}},
		"haven:Purpose":      {`"StringLike":{"haven:Purpose":"Lab *"}`, create(""), called{operation: "create-key", body: `{"purpose":"Images","type":"data"}`}},
		"haven:VersionState": {`"StringEquals":{"haven:VersionState":"active"}`, on("encrypt", "$LAB", `,"plaintext":"aGVsbG8="`), on("encrypt", "$LAB@1", `,"plaintext":"aGVsbG8="`)},
		"kms:EncryptionContext": {`"StringEquals":{"kms:EncryptionContext:patient":"17"}`,
			on("encrypt", "$LAB", `,"plaintext":"aGVsbG8=","context":{"patient":"17"}`), on("encrypt", "$LAB", `,"plaintext":"aGVsbG8=","context":{"patient":"18"}`)},
		"kms:RequestAlias": {`"StringEquals":{"kms:RequestAlias":"alias/lab"}`, on("describe-key", "alias/lab", ""), on("describe-key", "$LAB", "")},
		"kms:KeySpec":      {`"StringEquals":{"kms:KeySpec":"ECC_NIST_P256"}`, called{operation: "create-key", body: `{"purpose":"Letters","type":"signing"}`}, create("")},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t)
			must[identity.Principal](t, w.post("create-principal", `{"kind":"service","name":"lab","tags":{"team":"lab"}}`))
			token := between(w.post("create-credential", `{"principal":"lab","type":"bearer"}`).body, `"token":"`)
			lab := must[keys.Key](t, w.post("create-key", `{"purpose":"Lab results","type":"data","alias":"alias/lab","tags":{"team":"lab"}}`)).ID
			must[keys.Key](t, w.post("rotate-key", `{"key":"`+lab+`"}`))
			plain := must[keys.Key](t, w.post("create-key", `{"purpose":"Plain","type":"data"}`)).ID
			document := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["kms:*","haven:*"],"Resource":"*","Condition":{%s}}]}`, c.condition)
			must[identity.Policy](t, w.post("create-policy", fmt.Sprintf(`{"name":"own","principal":"lab","document":%q}`, document)))
			do := func(c called) *answer {
				w.clock.Advance(c.after)
				body := strings.NewReplacer("$LAB", lab, "$PLAIN", plain).Replace(c.body)
				r := w.ask(http.MethodPost, "/v1/"+c.operation, strings.NewReader(body), "Authorization", "Bearer "+token)
				if c.from != "" {
					r.RemoteAddr = c.from
				}
				return w.do(r)
			}
			if a := do(c.passes); a.status != http.StatusOK {
				t.Errorf("%v: %d %s", c.passes, a.status, a.body)
			}
			do(c.fails).refused(t, gate.AccessDenied)
		})
	}
}
