package crypt_test

import (
	"bytes"
	"testing"

	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// addSamples seeds a fuzz target with every spec's index and bytes.
func addSamples(f *testing.F, b func(sample) []byte) {
	for i, row := range crypt.Table().Specs {
		f.Add(uint8(i), b(sampleOf(f, row.Spec)))
	}
}

func specOf(i uint8) crypt.Spec {
	specs := crypt.Table().Specs
	return specs[int(i)%len(specs)].Spec
}

// FuzzPublicKey: what parses encodes to the same bytes, and all else is the one error; what parses
// verifies nothing at random and does not panic.
func FuzzPublicKey(f *testing.F) {
	addSamples(f, func(v sample) []byte { return v.PublicKey })
	f.Fuzz(func(t *testing.T, i uint8, b []byte) {
		p, err := crypt.ParsePublicKey(specOf(i), b)
		if err != nil {
			if err != crypt.ErrPublicKey && err != crypt.ErrUnsupported {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(p.Bytes(), b) {
			t.Fatalf("%x encodes as %x", b, p.Bytes())
		}
		if _, err := p.JWK(); err != nil && err != crypt.ErrEncoding {
			t.Fatal(err)
		}
		for _, row := range crypt.Table().Algorithms {
			if err := p.Verify(row.Algorithm, crypt.Raw, b, b); err == nil {
				t.Fatalf("%x verifies itself", b)
			}
		}
	})
}

// FuzzMaterial: what opens as stored is imported as the same bytes, where import takes it, and what
// import takes opens as it is returned; all else is the one error.
func FuzzMaterial(f *testing.F) {
	addSamples(f, func(v sample) []byte { return v.Material })
	for _, b := range crypt.ECEncodings(crypt.P256, sampleOf(f, crypt.P256).Material) {
		f.Add(uint8(8), b)
	}
	f.Fuzz(func(t *testing.T, i uint8, b []byte) {
		s := specOf(i)
		_, err := crypt.CheckValue(s, newSecret(b))
		if err != nil && err != crypt.ErrMaterial && err != crypt.ErrUnsupported {
			t.Fatal(err)
		}
		stored, importErr := crypt.ImportMaterial(s, bytes.Clone(b))
		switch {
		case importErr == nil:
			if _, err := crypt.CheckValue(s, stored); err != nil && err != crypt.ErrUnsupported {
				t.Fatalf("%s: imported and not opened: %v", s, err)
			}
			if err == nil && !bytes.Equal(secret.Expose(stored), b) {
				t.Fatalf("%s: stored otherwise than it was", s)
			}
		case importErr == crypt.ErrMaterial && err == nil:
			t.Fatalf("%s: opened and not imported", s)
		case importErr != crypt.ErrMaterial && importErr != crypt.ErrSpec:
			t.Fatal(importErr)
		}
	})
}

// FuzzSealed: nothing but the message that was sealed opens, and all else is the one error.
func FuzzSealed(f *testing.F) {
	keys := map[crypt.Spec]*crypt.HPKEKey{}
	genuine := map[string][]byte{}
	for _, s := range []crypt.Spec{crypt.XWing, crypt.MLKEM768P256} {
		v := sampleOf(f, s)
		if crypt.Supported(s, crypt.SealOpen) == nil {
			keys[s] = openHPKE(f, v, testID, 3)
		}
		genuine[string(v.Made[0].Output)] = v.Made[0].Message
		f.Add([]byte(v.Made[0].Output))
		f.Add([]byte(v.Made[0].Output[:24]))
	}
	c := contextOf(f, "patient", "p-1")
	f.Fuzz(func(t *testing.T, b []byte) {
		s, id, version, err := crypt.SealedTo(b)
		if err != nil && (err != crypt.ErrDecrypt || s != "" || id != [16]byte{} || version != 0) {
			t.Fatal(err)
		}
		for _, k := range keys {
			got, err := k.Open(c, b)
			if want, ok := genuine[string(b)]; ok && err == nil && bytes.Equal(got, want) {
				continue
			}
			if err != crypt.ErrDecrypt || got != nil {
				t.Fatalf("%x: %x, %v", b, got, err)
			}
		}
	})
}

// FuzzImport: whatever is wrapped, import returns material that opens, or the one error; and RFC
// 5649 unwraps to nothing that does not wrap to the same bytes.
func FuzzImport(f *testing.F) {
	k := wrappingKey(f, crypt.RSA2048)
	kek := sequence(32, 1)
	f.Add(uint8(0), crypt.WrapPadded(kek, sequence(32, 9)))
	f.Add(uint8(8), crypt.WrapPadded(kek, sampleOf(f, crypt.P256).Material))
	f.Add(uint8(0), []byte(sampleOf(f, crypt.RSA2048).Made[6].Output))
	f.Fuzz(func(t *testing.T, i uint8, b []byte) {
		if got, ok := crypt.UnwrapPadded(kek, b); ok && !bytes.Equal(crypt.WrapPadded(kek, got), b) {
			t.Fatalf("%x is not the wrapping of %x", b, got)
		}
		for _, a := range crypt.ImportAlgorithms() {
			m, err := k.UnwrapMaterial(a, specOf(i), b)
			if err == nil {
				_, err = crypt.CheckValue(specOf(i), m)
			}
			if err != nil && err != crypt.ErrMaterial && err != crypt.ErrSpec && err != crypt.ErrUnsupported {
				t.Fatal(err)
			}
		}
	})
}
