package identity

import (
	"encoding/hex"
	"strings"
	"testing"
)

// FuzzReferences: what names a principal or a group names the same by the ARN that permission is asked
// for, and that ARN spells nothing but one name of this account.
func FuzzReferences(f *testing.F) {
	for _, text := range []string{"", "amina", "user/amina", "role/auditor", "group/nurses", "user/user/x", "arn:aws:iam::000000000000:user/amina",
		"arn:aws:iam::000000000000:role/auditor", "arn:aws:iam::111122223333:user/amina", "arn:aws:iam::000000000000:amina", "a*", "ä", "user/"} {
		f.Add(text)
	}
	d := &Directory{account: "000000000000"}
	f.Fuzz(func(t *testing.T, text string) {
		for _, read := range []func(string) (reference, error){d.principalReference, d.groupReference} {
			r, err := read(text)
			if err != nil {
				continue
			}
			again, err := read(r.arn(d))
			if err != nil || again != r || strings.ContainsAny(r.name, "*?:/$") {
				t.Errorf("%q is %+v, whose ARN is %+v: %v", text, r, again, err)
			}
		}
	})
}

// FuzzCredentialID: one credential has one id.
func FuzzCredentialID(f *testing.F) {
	for _, text := range []string{"", "AKIAQWERTYUIOPASDFGH", strings.Repeat("ab", 32), strings.Repeat("AB", 32), "AKIA", strings.Repeat("0", 63)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hash, err := credentialHash(text)
		if err == nil && !strings.HasPrefix(text, accessKeyPrefix) && hex.EncodeToString(hash[:]) != text {
			t.Errorf("%q is another's id as well", text)
		}
	})
}

// FuzzCursors: a cursor begins within what is listed, or is refused.
func FuzzCursors(f *testing.F) {
	for _, text := range []string{"", "?", "dXNlci9hbWluYQ", "cm9sZS8", "Z3JvdXAvbnVyc2Vz", "bWVtYmVyLw"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		after, err := nameCursor(text, []space{userNames, roleNames})
		if err == nil && after != "" && !strings.HasPrefix(after, "user/") && !strings.HasPrefix(after, "role/") {
			t.Errorf("%q begins behind %q", text, after)
		}
	})
}
