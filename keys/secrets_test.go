package keys_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/memory"
	"github.com/haven-health/haven/store/storetest"
)

// witness is a source of randomness that remembers what became a secret: what was drawn for key
// material, tokens and data keys, as its caller's name tells.
type witness struct {
	mu      sync.Mutex
	secrets [][]byte
	makers  map[string]bool
}

// makers draw secrets.
var makers = []string{"crypt.GenerateKey", "crypt.readRandom", "secret.Random", "identity.NewToken", "seal.generateRoot"}

func (w *witness) Read(p []byte) (int, error) {
	n, err := rand.Read(p)
	callers := make([]uintptr, 16)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		for _, maker := range makers {
			if strings.HasSuffix(frame.Function, maker) {
				w.mu.Lock()
				w.secrets = append(w.secrets, bytes.Clone(p[:n]))
				w.makers[maker] = true
				w.mu.Unlock()
			}
		}
	}
	return n, err
}

// leaks looks for each secret, by its beginning, as it is and as it is commonly written.
func leaks(secrets map[string][]byte, haystack []byte) (found []string) {
	for name, s := range secrets {
		head := s[:min(len(s), 16)]
		for form, needle := range map[string][]byte{
			"raw":       head,
			"hex":       []byte(hex.EncodeToString(head)),
			"HEX":       []byte(strings.ToUpper(hex.EncodeToString(head))),
			"base64":    []byte(base64.StdEncoding.EncodeToString(head))[:len(head)*4/3-1],
			"base64url": []byte(base64.URLEncoding.EncodeToString(head))[:len(head)*4/3-1],
			"decimal":   []byte(strings.Trim(fmt.Sprint(head), "[]")),
		} {
			if bytes.Contains(haystack, needle) {
				found = append(found, name+" in "+form)
			}
		}
	}
	return found
}

// exercise does every kind of operation with a plaintext, well and badly, and returns all errors as
// text and the data keys that were made.
func exercise(w *gatetest.World, faulty *storetest.Faulty, canary []byte) (texts string, dataKeys [][]byte) {
	var b strings.Builder
	note := func(err error) {
		if err != nil {
			fmt.Fprintf(&b, "%v %+v %#v\n", err, err, err)
		}
	}
	km := w.KeyManager()
	context, err := blob.ContextOf(map[string]string{"patient": "17"})
	note(err)
	k, err := km.CreateKey(background, keys.CreateRequest{Purpose: "canary", Type: keys.Data, RotationDays: 90})
	if err != nil {
		w.Fatal(err)
	}
	for round := range 3 {
		c, err := km.Encrypt(background, keys.EncryptRequest{Key: k.ID, Plaintext: canary, Context: context})
		note(err)
		if err == nil {
			out, err := km.Decrypt(background, keys.DecryptRequest{Ciphertext: c.Ciphertext, Context: context})
			note(err)
			if err == nil && !bytes.Equal(out.Plaintext, canary) {
				w.Fatal("the plaintext does not come back")
			}
			_, err = km.Decrypt(background, keys.DecryptRequest{Ciphertext: c.Ciphertext})
			note(err)
			_, err = km.Decrypt(background, keys.DecryptRequest{Ciphertext: append(c.Ciphertext, 0)})
			note(err)
		}
		d, err := km.GenerateDataKey(background, keys.DataKeyRequest{Key: k.ID})
		note(err)
		if err == nil {
			dataKeys = append(dataKeys, d.Plaintext)
		}
		_, err = km.Batch(background, []keys.BatchItem{{Encrypt: &keys.EncryptRequest{Key: k.ID, Plaintext: canary}}, {Decrypt: &keys.DecryptRequest{Ciphertext: canary}}})
		note(err)
		// A caller's slip: the secret in the place of something else.
		_, err = km.Encrypt(background, keys.EncryptRequest{Key: string(canary), Plaintext: canary})
		note(err)
		_, err = km.DescribeKey(background, string(canary))
		note(err)
		_, err = km.ListKeys(background, keys.ListRequest{Cursor: string(canary)})
		note(err)
		_, err = w.Gate().Begin(background, gate.Encrypt, gate.Proof{Bearer: secret.New(bytes.Clone(canary))})
		note(err)
		dataKeys = append(dataKeys, exerciseOthers(w, note, canary)...)
		_, err = km.RotateKey(background, k.ID)
		note(err)
		if round < 2 {
			faulty.FailCommit(1+round, false, store.ErrUnavailable)
			faulty.FailCommit(4, true, store.ErrUncertain)
			faulty.FailCommit(9, false, fmt.Errorf("%w: disk", store.ErrUnavailable))
		}
	}
	_, err = km.MarkCompromised(background, keys.CompromiseRequest{Key: k.ID, Reason: "a test"})
	note(err)
	_, err = km.Encrypt(background, keys.EncryptRequest{Key: k.ID, Plaintext: canary})
	note(err)
	return b.String(), dataKeys
}

// exerciseOthers does with keys of the other kinds what they do to a canary, well and badly, and
// returns the secrets that were answered. What fails it notes.
func exerciseOthers(w *gatetest.World, note func(error), canary []byte) (secrets [][]byte) {
	km := w.KeyManager()
	made := map[keys.Kind]string{}
	for _, kind := range []keys.Kind{dataKey, signer, macKey, party, kem, receiver} {
		k, err := km.CreateKey(background, keys.CreateRequest{Purpose: "canary", Type: kind.Type, Spec: kind.Spec, Usage: kind.Usage})
		note(err)
		if err == nil {
			made[kind] = k.ID
		}
	}
	_, err := km.Sign(background, keys.SignRequest{Key: made[signer], Message: canary})
	note(err)
	_, err = km.Sign(background, keys.SignRequest{Key: made[signer], Digest: canary})
	note(err)
	_, err = km.Verify(background, keys.VerifyRequest{Key: made[signer], Message: canary, Signature: canary})
	note(err)
	_, err = km.GenerateMAC(background, keys.MACRequest{Key: made[macKey], Message: canary})
	note(err)
	_, err = km.VerifyMAC(background, keys.VerifyMACRequest{Key: made[macKey], Message: canary, MAC: canary})
	note(err)
	_, err = km.Sign(background, keys.SignRequest{Key: made[macKey], Message: canary, Algorithm: keys.Algorithm(canary)})
	note(err)
	if sealed, err := km.HPKESeal(background, keys.SealRequest{Key: made[receiver], Plaintext: canary}); err == nil {
		_, err = km.HPKEOpen(background, keys.OpenRequest{Ciphertext: sealed.Ciphertext})
		note(err)
		_, err = km.HPKEOpen(background, keys.OpenRequest{Ciphertext: append(sealed.Ciphertext, canary...)})
		note(err)
	}
	if public, err := km.GetPublicKey(background, made[party]); err == nil {
		agreed, err := km.DeriveSharedSecret(background, keys.AgreeRequest{Key: made[party], PublicKey: public.PublicKey})
		note(err)
		if err == nil {
			secrets = append(secrets, agreed.SharedSecret)
		}
		_, err = km.DeriveSharedSecret(background, keys.AgreeRequest{Key: made[party], PublicKey: canary})
		note(err)
	}
	if shared, err := km.Encapsulate(background, keys.EncapsulateRequest{Key: made[kem]}); err == nil {
		secrets = append(secrets, shared.SharedSecret)
		_, err = km.Decapsulate(background, keys.DecapsulateRequest{Key: made[kem], Ciphertext: canary})
		note(err)
	}
	pair, err := km.GenerateDataKeyPair(background, keys.DataKeyPairRequest{Key: made[dataKey], Spec: crypt.Ed25519})
	note(err)
	if err == nil {
		seed := pair.PrivateKeyPlaintext[len(pair.PrivateKeyPlaintext)-32:] // what is before it is the same in all
		secrets = append(secrets, seed)
		_, err = km.ReEncrypt(background, keys.ReEncryptRequest{Ciphertext: pair.PrivateKeyCiphertext, Key: made[dataKey]})
		note(err)
		_, err = km.ReEncrypt(background, keys.ReEncryptRequest{Ciphertext: pair.PrivateKeyCiphertext, Key: string(canary)})
		note(err)
	}
	return secrets
}

// TestSecretsStayIn: no plaintext, token, data key or key material is in a record, an item, an error
// or the log, after operations that succeed and operations that fail in every way.
func TestSecretsStayIn(t *testing.T) {
	log := new(gatetest.Log)
	source := &witness{makers: map[string]bool{}}
	faulty := storetest.NewFaulty(memory.New(1))
	w := gatetest.New(t, func(cfg *haven.Config) {
		cfg.Store, cfg.Random = faulty, source
		cfg.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	canary := make([]byte, 48)
	if _, err := io.ReadFull(rand.Reader, canary); err != nil {
		t.Fatal(err)
	}
	texts, dataKeys := exercise(w, faulty, canary)
	w.Reopen()

	secrets := map[string][]byte{"the plaintext": canary, "the token": secret.Expose(w.Token)[len("haven_"):]}
	for i, d := range dataKeys {
		secrets[fmt.Sprintf("data key %d", i)] = d
	}
	for i, s := range source.secrets {
		secrets[fmt.Sprintf("secret draw %d", i)] = s
	}
	look := func(place string, haystack []byte) {
		t.Helper()
		for _, found := range leaks(secrets, haystack) {
			t.Errorf("%s holds %s", place, found)
		}
	}
	if len(leaks(secrets, []byte("x"+hex.EncodeToString(canary)))) != 1 || len(leaks(secrets, canary)) != 1 {
		t.Error("the search does not find what is there")
	}
	for _, maker := range makers {
		if !source.makers[maker] {
			t.Errorf("%s drew nothing: it is not watched", maker)
		}
	}
	if len(dataKeys) < 6 {
		t.Errorf("%d secrets were answered", len(dataKeys))
	}
	if len(texts) == 0 || log.String() == "" {
		t.Error("nothing failed, nothing was logged: nothing was tested")
	}
	look("an error", []byte(texts))
	look("the log", []byte(log.String()))
	for _, kind := range store.Kinds() {
		for _, item := range w.Items(kind) {
			look(item.Ref.String(), fmt.Appendf(nil, "%s %q %s", item.ID, item.Index, item.Body))
		}
	}
	for raw, err := range w.Store.Records(background, 0) {
		if err != nil {
			t.Fatal(err)
		}
		look(fmt.Sprintf("the frame at %d", raw.Position), raw.Data)
	}
}
