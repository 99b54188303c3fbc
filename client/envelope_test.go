package client_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/haventest"
	"github.com/haven-health/haven/internal/clock"
)

// counted is a real server, and a client of it that counts the calls of each operation.
type counted struct {
	*haventest.Server
	client *client.Client
	key    *client.Key

	mu    sync.Mutex
	calls map[string]int
}

func newCounted(t *testing.T) *counted {
	t.Helper()
	s := &counted{Server: haventest.New(t, haventest.InMemory()), calls: map[string]int{}}
	s.key = s.MustCreateKey("Patient data encryption")
	var err error
	s.client, err = client.New(client.Config{Endpoint: s.Endpoint(), CAFile: s.CAFile(), Token: s.Token(),
		Wrap: func(base http.RoundTripper) http.RoundTripper {
			return roundTrip(func(r *http.Request) (*http.Response, error) {
				s.mu.Lock()
				s.calls[strings.TrimPrefix(r.URL.Path, "/v1/")]++
				s.mu.Unlock()
				return base.RoundTrip(r)
			})
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	return s
}

// called takes the calls since it was last asked.
func (s *counted) called(t *testing.T, want map[string]int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !maps.Equal(s.calls, want) {
		t.Errorf("calls %v, want %v", s.calls, want)
	}
	clear(s.calls)
}

func (s *counted) envelope(t *testing.T, cfg client.EnvelopeConfig) *client.Envelope {
	t.Helper()
	if cfg.Key == "" {
		cfg.Key = s.key.KeyID
	}
	e, err := client.NewEnvelope(s.client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func encryptEnvelope(t *testing.T, e *client.Envelope, plaintext []byte, context map[string]string) []byte {
	t.Helper()
	out, err := e.Encrypt(t.Context(), plaintext, context)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func mustOpen(t *testing.T, e *client.Envelope, envelope, plaintext []byte, context map[string]string) {
	t.Helper()
	got, err := e.Decrypt(t.Context(), envelope, context)
	if err != nil || !bytes.Equal(got, plaintext) {
		t.Fatalf("another plaintext, or %v", err)
	}
}

var patient = map[string]string{"patient": "7c1e"}

func TestEnvelopeRoundTrip(t *testing.T) {
	s := newCounted(t)
	e := s.envelope(t, client.EnvelopeConfig{})
	for _, n := range []int{0, 1, 65_536, 200_000} {
		plaintext := bytes.Repeat([]byte{7}, n)
		var streamed bytes.Buffer
		w, err := e.EncryptWriter(t.Context(), &streamed, patient)
		if err != nil {
			t.Fatal(err)
		}
		half, err := w.Write(plaintext[:n/2])
		if err != nil || half != n/2 {
			t.Fatal(half, err)
		}
		if m, err := io.Copy(w, iotest.HalfReader(bytes.NewReader(plaintext[n/2:]))); err != nil || m != int64(n-n/2) {
			t.Fatal(m, err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if id, version := w.Key(); id != s.key.KeyID || version != 1 {
			t.Errorf("key %s@%d", id, version)
		}
		for _, envelope := range [][]byte{streamed.Bytes(), encryptEnvelope(t, e, plaintext, patient)} {
			if !bytes.HasPrefix(envelope, []byte(client.EnvelopeMagic)) {
				t.Errorf("it begins with %q", envelope[:4])
			}
			mustOpen(t, e, envelope, plaintext, patient)
			r, err := e.DecryptReader(t.Context(), bytes.NewReader(envelope), patient)
			if err != nil {
				t.Fatal(err)
			}
			if id, version := r.Key(); id != s.key.KeyID || version != 1 {
				t.Errorf("key %s@%d", id, version)
			}
			if err := iotest.TestReader(r, plaintext); err != nil {
				t.Error(err)
			}
			r, err = e.DecryptReader(t.Context(), bytes.NewReader(envelope), patient)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if _, err := io.Copy(&out, r); err != nil || !bytes.Equal(out.Bytes(), plaintext) {
				t.Errorf("another plaintext, or %v", err)
			}
		}
	}
	s.called(t, map[string]int{"generate-data-key": 1, "decrypt": 1})
}

// TestEnvelopeIsRefused asserts that whatever is wrong with an envelope is one error, and that
// refusals of the server are told as they are.
func TestEnvelopeIsRefused(t *testing.T) {
	s := newCounted(t)
	e := s.envelope(t, client.EnvelopeConfig{})
	good := encryptEnvelope(t, e, []byte("penicillin"), patient)
	mustOpen(t, e, good, []byte("penicillin"), patient)
	s.called(t, map[string]int{"generate-data-key": 1, "decrypt": 1})
	// Whoever asks for another context is refused by the server, which records it, although the
	// data key is at hand.
	if _, err := e.Decrypt(t.Context(), good, nil); !errors.Is(err, client.InvalidCiphertext) {
		t.Errorf("no context: %v", err)
	}
	s.called(t, map[string]int{"decrypt": 1})
	altered := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	cases := map[string]struct {
		envelope []byte
		context  map[string]string
	}{
		"no envelope":     {nil, patient},
		"a message":       {s.MustEncrypt(s.key.KeyID, []byte("x"), patient), patient},
		"another context": {good, map[string]string{"patient": "8d2f"}},
		"no context":      {good, nil},
		"magic":           {altered(0), patient},
		"encrypted key":   {altered(100), patient},
		"salt":            {altered(9 + 148), patient},
		"commitment":      {altered(9 + 148 + 32), patient},
		"chunk":           {altered(len(good) - 1), patient},
		"cut":             {good[:len(good)-1], patient},
		"header alone":    {good[:9+148+64], patient},
		"more":            {append(bytes.Clone(good), 0), patient},
	}
	under := "envelope under key " + s.key.KeyID + "@1: "
	for name, c := range cases {
		plaintext, err := e.Decrypt(t.Context(), c.envelope, c.context)
		if !errors.Is(err, client.InvalidCiphertext) || plaintext != nil {
			t.Errorf("%s: %v", name, err)
		}
		named := !slices.Contains([]string{"no envelope", "a message", "magic"}, name)
		if err != nil && strings.Contains(err.Error(), under) != named {
			t.Errorf("%s: the key that it names: %v", name, err)
		}
		r, err := e.DecryptReader(t.Context(), bytes.NewReader(c.envelope), c.context)
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if !errors.Is(err, client.InvalidCiphertext) || strings.Contains(err.Error(), under) != named {
			t.Errorf("%s, streaming: %v", name, err)
		}
	}

	broken := errors.New("broken")
	for _, n := range []int{0, 5, 100, 225} {
		r, err := e.DecryptReader(t.Context(), io.MultiReader(bytes.NewReader(good[:n]), iotest.ErrReader(broken)), patient)
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if !errors.Is(err, broken) || errors.Is(err, client.InvalidCiphertext) {
			t.Errorf("a source that breaks after %d bytes: %v", n, err)
		}
	}

	other := s.MustCreateKey("Another")
	only := s.envelope(t, client.EnvelopeConfig{DecryptKey: other.KeyID})
	if _, err := only.Decrypt(t.Context(), good, patient); !errors.Is(err, client.IncorrectKey) || !strings.Contains(err.Error(), under) {
		t.Errorf("another key than the one allowed: %v", err)
	}
	mustOpen(t, s.envelope(t, client.EnvelopeConfig{DecryptKey: s.key.KeyID}), good, []byte("penicillin"), patient)
	long := map[string]string{"k": strings.Repeat("v", 8192)}
	if _, err := e.Encrypt(t.Context(), nil, long); !errors.Is(err, client.InvalidRequest) {
		t.Errorf("a context too long: %v", err)
	}
	if _, err := e.Decrypt(t.Context(), good, long); !errors.Is(err, client.InvalidRequest) {
		t.Errorf("a context too long: %v", err)
	}
	if _, err := s.envelope(t, client.EnvelopeConfig{Key: "alias/none"}).EncryptWriter(t.Context(), io.Discard, nil); !errors.Is(err, client.NotFound) {
		t.Errorf("no such key: %v", err)
	}
	keyless, err := client.NewEnvelope(s.client, client.EnvelopeConfig{})
	if err != nil {
		t.Fatal(err)
	}
	mustOpen(t, keyless, good, []byte("penicillin"), patient)
	if _, err := keyless.Encrypt(t.Context(), nil, nil); err == nil {
		t.Error("encrypted under no key")
	}
}

// TestEnvelopeBounds asserts what the caches save and when they end.
func TestEnvelopeBounds(t *testing.T) {
	s := newCounted(t)
	now := clock.NewManual(time.Unix(0, 0))
	e := s.envelope(t, client.EnvelopeConfig{MaxMessages: 3, MaxBytes: 100, Monotonic: now.Monotonic})
	asks := func(what string, n int, f func()) {
		t.Helper()
		f()
		want := map[string]int{}
		if n > 0 {
			want["generate-data-key"] = n
		}
		s.called(t, want)
		if t.Failed() {
			t.Fatal(what)
		}
	}
	encrypt := func(n int) func() {
		return func() { encryptEnvelope(t, e, make([]byte, n), patient) }
	}
	asks("first", 1, encrypt(1))
	asks("second", 0, encrypt(1))
	asks("third", 0, encrypt(1))
	asks("fourth", 1, encrypt(99))
	asks("99 bytes", 0, encrypt(1))
	asks("100 bytes", 1, encrypt(0))
	asks("streamed", 0, func() {
		w, err := e.EncryptWriter(t.Context(), io.Discard, patient)
		if err != nil {
			t.Fatal(err)
		}
		// It counts before it ends: it may take hours.
		if _, err := w.Write(make([]byte, 50)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, iotest.OneByteReader(bytes.NewReader(make([]byte, 50)))); err != nil {
			t.Fatal(err)
		}
	})
	asks("after 100 bytes streamed", 1, encrypt(0))
	now.Advance(client.DefaultMaxAge - 1)
	asks("young enough", 0, encrypt(0))
	now.Advance(1)
	asks("too old", 1, encrypt(0))
	asks("another context", 1, func() { encryptEnvelope(t, e, nil, map[string]string{"patient": "8d2f"}) })

	never := s.envelope(t, client.EnvelopeConfig{MaxMessages: 1})
	asks("never kept", 2, func() { encryptEnvelope(t, never, nil, nil); encryptEnvelope(t, never, nil, nil) })
	for _, cfg := range []client.EnvelopeConfig{{MaxAge: -1}, {MaxMessages: -1}, {MaxBytes: -1}, {MaxDataKeys: -1}} {
		if _, err := client.NewEnvelope(s.client, cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}

// TestEnvelopeBytesRead asserts that decrypting counts too, however it is read.
func TestEnvelopeBytesRead(t *testing.T) {
	s := newCounted(t)
	e := s.envelope(t, client.EnvelopeConfig{MaxBytes: 100})
	good := encryptEnvelope(t, e, make([]byte, 50), patient)
	read := map[string]func(r io.Reader) (int64, error){
		"read":     func(r io.Reader) (int64, error) { return io.Copy(io.Discard, struct{ io.Reader }{r}) },
		"write to": func(r io.Reader) (int64, error) { return io.Copy(io.Discard, r) },
	}
	s.called(t, map[string]int{"generate-data-key": 1})
	for name, read := range read {
		for range 4 {
			r, err := e.DecryptReader(t.Context(), bytes.NewReader(good), patient)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := read(r); n != 50 || err != nil {
				t.Fatal(name, n, err)
			}
		}
		s.called(t, map[string]int{"decrypt": 2})
	}
}

// TestEnvelopeAfterRevocation asserts what is promised of revocation: it reaches what is cached
// within MaxAge, and what is not at once.
func TestEnvelopeAfterRevocation(t *testing.T) {
	s := newCounted(t)
	now := clock.NewManual(time.Unix(0, 0))
	e := s.envelope(t, client.EnvelopeConfig{MaxAge: time.Minute, Monotonic: now.Monotonic})
	plaintext := []byte("penicillin")
	good := encryptEnvelope(t, e, plaintext, patient)
	other := encryptEnvelope(t, e, plaintext, nil)
	mustOpen(t, e, good, plaintext, patient)
	if _, err := s.Client.DisableKey(t.Context(), s.key.KeyID); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, e, good, plaintext, patient)
	if _, err := e.Decrypt(t.Context(), other, nil); !errors.Is(err, client.InvalidState) {
		t.Errorf("a key not at hand, of a disabled key: %v", err)
	}
	now.Advance(time.Minute)
	if _, err := e.Decrypt(t.Context(), good, patient); !errors.Is(err, client.InvalidState) {
		t.Errorf("a minute after: %v", err)
	}
	if _, err := e.Encrypt(t.Context(), plaintext, patient); !errors.Is(err, client.InvalidState) {
		t.Errorf("a minute after: %v", err)
	}
	if _, err := s.Client.EnableKey(t.Context(), s.key.KeyID); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, e, good, plaintext, patient)

	// Rotated: old envelopes open, new ones are made under the new version within MaxAge.
	s.MustRotateKey(s.key.KeyID)
	now.Advance(time.Minute)
	w, err := e.EncryptWriter(t.Context(), io.Discard, patient)
	if err != nil {
		t.Fatal(err)
	}
	if _, version := w.Key(); version != 2 {
		t.Errorf("version %d after a rotation", version)
	}
	mustOpen(t, e, good, plaintext, patient)

	e.Close()
	if _, err := e.Encrypt(t.Context(), plaintext, patient); err == nil {
		t.Error("a closed envelope encrypts")
	}
	if _, err := e.Decrypt(t.Context(), good, patient); err == nil {
		t.Error("a closed envelope decrypts")
	}
	if _, err := w.Write(plaintext); err != nil || w.Close() != nil {
		t.Error("what was begun cannot be finished")
	}
}

// TestEnvelopeTogether lets many encrypt and decrypt for few contexts at once, with bounds that are
// reached all the time.
func TestEnvelopeTogether(t *testing.T) {
	s := newCounted(t)
	e := s.envelope(t, client.EnvelopeConfig{MaxMessages: 7, MaxDataKeys: 2})
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			for j := range 25 {
				context := map[string]string{"patient": string(rune('a' + (i+j)%3))}
				plaintext := bytes.Repeat([]byte{byte(i)}, j*1000)
				envelope, err := e.Encrypt(t.Context(), plaintext, context)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := e.Decrypt(t.Context(), envelope, context)
				if err != nil || !bytes.Equal(got, plaintext) {
					t.Errorf("another plaintext, or %v", err)
				}
			}
		})
	}
	wait.Wait()
}

// TestUnexpectedDataKeys asserts that keys of a wrong length are not used, nor shown.
func TestUnexpectedDataKeys(t *testing.T) {
	const short, right = "Y2FuYXJ5LWNhbmFyeQ==", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	for _, a := range []string{
		`{"plaintext":"` + short + `","ciphertext":"AQI=","key_id":"k","version":1}`,
		`{"plaintext":"` + right + `","ciphertext":"","key_id":"k","version":1}`,
		`{"plaintext":"` + right + `","ciphertext":"` + strings.Repeat("AAAA", 2049) + `","key_id":"k","version":1}`,
	} {
		s := newContract(t, okay(a))
		e, err := client.NewEnvelope(s.client(t), client.EnvelopeConfig{Key: "k"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Encrypt(t.Context(), nil, nil); !errors.Is(err, client.UnexpectedAnswer) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%.60s: %v", a, err)
		}
	}
	s := newContract(t, okay(`{"plaintext":"`+right+`","ciphertext":"AQI=","key_id":"k","version":1}`))
	e, err := client.NewEnvelope(s.client(t), client.EnvelopeConfig{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	good := encryptEnvelope(t, e, []byte("x"), nil)
	s.answerWith(okay(`{"plaintext":"` + short + `","key_id":"k","version":1}`))
	if _, err := e.Decrypt(t.Context(), good, nil); !errors.Is(err, client.InvalidCiphertext) || strings.Contains(err.Error(), "canary") {
		t.Errorf("a decrypted key of another length: %v", err)
	}
}
