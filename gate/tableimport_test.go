package gate_test

import (
	"crypto/rand"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/keys"
)

// importRows are the operations of imported material. Their key has an imported version 1.
func importRows() map[string]row {
	var ready keys.ImportRequest // what import-key-material is asked
	return map[string]row{
		"get-parameters-for-import": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				_, err := f.Manager().GetParametersForImport(background, c, keys.ImportParametersRequest{Key: pick(fail, absent, f.key), WrappingKeySpec: crypt.RSA2048})
				return err
			},
			fails: gate.NotFound, names: ofKey(2, true),
			prepare: func(f *fixture) { f.useImported() },
		},
		"import-key-material": {
			run: func(f *fixture, c *gate.Call, fail bool) error {
				req := ready
				if fail {
					req.ImportToken = []byte("HI")
				}
				_, err := f.Manager().ImportKeyMaterial(background, c, req)
				return err
			},
			fails: gate.InvalidCiphertext, names: ofKey(2, true),
			prepare: func(f *fixture) { f.useImported(); ready = f.wrapped(2) },
		},
		"delete-imported-key-material": managed(1, false, "", (*keys.Manager).DeleteImportedKeyMaterial).after(func(f *fixture) { f.useImported() }),
	}
}

// useImported makes the fixture's key one of an imported version.
func (f *fixture) useImported() {
	f.Helper()
	k, err := f.KeyManager().CreateKey(background, keys.CreateRequest{Purpose: "made elsewhere", Type: keys.Data, Origin: keys.External})
	f.must(err)
	f.key = k.ID
	f.id, _ = gate.ParseID(k.ID)
	_, err = f.KeyManager().ImportKeyMaterial(background, f.wrapped(1))
	f.must(err)
}

// wrapped is material of so many equal bytes, ready to be imported.
func (f *fixture) wrapped(b byte) keys.ImportRequest {
	f.Helper()
	p, err := f.KeyManager().GetParametersForImport(background, keys.ImportParametersRequest{Key: f.key, WrappingKeySpec: crypt.RSA2048})
	f.must(err)
	public, err := crypt.ParsePublicKey(p.WrappingKeySpec, p.PublicKey)
	f.must(err)
	material := make([]byte, 32)
	material[0] = b
	w, err := public.WrapMaterial(rand.Reader, p.Algorithm, secret.New(material))
	f.must(err)
	return keys.ImportRequest{Key: f.key, ImportToken: p.ImportToken, EncryptedMaterial: w}
}
