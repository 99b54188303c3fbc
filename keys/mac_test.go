package keys_test

import (
	"testing"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/lifecycle"
)

func (f *finder) verifiesMAC(key string, mac []byte, valid bool, version uint32, reason string) {
	f.t.Helper()
	a, err := f.km.VerifyMAC(background, keys.VerifyMACRequest{Key: key, Message: message, MAC: mac})
	f.ok(err)
	if a.Valid != valid || a.Version != version || a.Reason != reason {
		f.t.Errorf("verify-mac with %s answers %+v, want %v, version %d, %q", key, *a, valid, version, reason)
	}
}

func (f *finder) mac(key string) []byte {
	f.t.Helper()
	a, err := f.km.GenerateMAC(background, keys.MACRequest{Key: key, Message: message})
	f.ok(err)
	return a.MAC
}

// TestMACsOfOldVersions: a deprecated version verifies and makes none. One that is out of use
// verifies no more, and the answer says that not all were asked: another MAC could be its.
func TestMACsOfOldVersions(t *testing.T) {
	f := newFinder(t)
	key := f.of(macKey)
	old := f.mac(key)
	f.rotate(key)
	f.verifiesMAC(key, old, true, 1, "")
	_, err := f.km.DeprecateVersion(background, key+"@1")
	f.ok(err)
	f.verifiesMAC(key, old, true, 1, "")
	_, err = f.km.GenerateMAC(background, keys.MACRequest{Key: key + "@1", Message: message})
	f.because(err, lifecycle.ReasonDeprecated)

	f.pass(41)
	f.verifiesMAC(key, old, false, 2, "incomplete")
	f.verifiesMAC(key, f.mac(key), true, 2, "")
	_, err = f.km.VerifyMAC(background, keys.VerifyMACRequest{Key: key + "@1", Message: message, MAC: old})
	f.because(err, lifecycle.ReasonExpired)

	// A MAC is no signature: of a compromised version nobody can tell who made it, and a whole key
	// that is compromised answers nothing.
	third := f.mac(key)
	f.compromise(key + "@2")
	f.verifiesMAC(key, third, false, 3, "incomplete")
	f.compromise(key)
	_, err = f.km.VerifyMAC(background, keys.VerifyMACRequest{Key: key, Message: message, MAC: third})
	f.because(err, lifecycle.ReasonCompromised)
}

// TestMalformedMACs: one that is cut, altered or of another message is not valid, and a key that
// makes MACs refuses what it is not asked for.
func TestMalformedMACs(t *testing.T) {
	f := newFinder(t)
	key := f.of(macKey)
	good := f.mac(key)
	for _, bad := range [][]byte{good[:16], append(good[:32:32], 0), f.mac(f.of(macKey))} {
		f.verifiesMAC(key, bad, false, 1, "")
	}
	for _, none := range [][]byte{nil, {}} {
		_, err := f.km.VerifyMAC(background, keys.VerifyMACRequest{Key: key, Message: message, MAC: none})
		f.refused(err, gate.InvalidRequest)
	}
	for name, req := range map[string]keys.MACRequest{
		"nothing": {}, "too much": {Message: make([]byte, keys.MaxMessage+1)},
	} {
		req.Key = key
		if _, err := f.km.GenerateMAC(background, req); answer(err) != gate.InvalidRequest.String() {
			t.Errorf("a MAC of %s: %v", name, err)
		}
	}
	_, err := f.km.GenerateMAC(background, keys.MACRequest{Key: key, Message: message, Algorithm: "HMAC_SHA_512"})
	f.refused(err, gate.InvalidKeyUsage)
	_, err = f.km.VerifyMAC(background, keys.VerifyMACRequest{Key: key, Message: message, MAC: good, Algorithm: "HMAC_SHA_512"})
	f.refused(err, gate.InvalidKeyUsage)
}
