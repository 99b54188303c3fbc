package keys_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
)

var place = keys.Place{Region: "us-east-1", Account: "000000000000"}

const (
	someID  = "01890a5d-ac96-774b-bcce-b302099a8057"
	someARN = "arn:aws:kms:us-east-1:000000000000:"
)

func TestReference(t *testing.T) {
	for text, want := range map[string]string{
		someID:                           someID,
		someID + "@1":                    someID + "@1",
		someID + "@4294967295":           someID + "@4294967295",
		someARN + "key/" + someID:        someID,
		someARN + "key/" + someID + "@3": someID + "@3",
		"alias/a":                        "alias/a",
		"alias/a/b_c-D9":                 "alias/a/b_c-D9",
		someARN + "alias/a@2":            "alias/a@2",
		"alias/" + strings.Repeat("x", keys.MaxAlias): "alias/" + strings.Repeat("x", keys.MaxAlias),
	} {
		if got, err := keys.ParseReference(place, text); err != nil || got.String() != want {
			t.Errorf("%q: %v, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", " ", someID + " ", " " + someID, strings.ToUpper(someID), someID[:35], someID + "0", strings.ReplaceAll(someID, "-", ""),
		someID + "@", someID + "@0", someID + "@01", someID + "@+1", someID + "@-1", someID + "@4294967296", someID + "@1@1", someID + "@ 1",
		"alias/", "alias/aws/x", "alias/a b", "alias/ä", "alias/" + strings.Repeat("x", keys.MaxAlias+1), "ALIAS/a", "a",
		someARN, someARN + "key/", someARN + "key/alias/a", someARN + "key/" + someARN + "key/" + someID, someARN + "grant/" + someID, someARN + someID, strings.Repeat("x", keys.MaxReference+1),
	} {
		if got, err := keys.ParseReference(place, text); !errors.Is(err, gate.InvalidRequest) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"arn:aws:kms:eu-west-1:000000000000:key/" + someID, "arn:aws:kms:us-east-1:111111111111:key/" + someID,
		"arn:aws:s3:::bucket", "arn:aws-cn:kms:us-east-1:000000000000:key/" + someID,
	} {
		if got, err := keys.ParseReference(place, text); !errors.Is(err, gate.NotFound) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

// FuzzReference: what parses prints back to something that parses to the same, and names one thing.
func FuzzReference(f *testing.F) {
	for _, text := range []string{someID, someID + "@3", someARN + "key/" + someID, "alias/a", someARN + "alias/a/b@2", "alias/aws/x", "@", "arn:"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := keys.ParseReference(place, text)
		if err != nil {
			if got != (keys.Reference{}) {
				t.Errorf("%q is refused and gives %v", text, got)
			}
			return
		}
		if got.ID.IsZero() && got.Alias == "" && !strings.Contains(text, gate.ID{}.String()) || !got.ID.IsZero() && got.Alias != "" {
			t.Errorf("%q names %+v", text, got)
		}
		again, err := keys.ParseReference(place, got.String())
		if err != nil || again != got {
			t.Errorf("%q is %+v, which prints as %s and that is %+v, %v", text, got, got, again, err)
		}
		if strings.Contains(text, "@") != (got.Version != 0) {
			t.Errorf("%q has version %d", text, got.Version)
		}
	})
}
