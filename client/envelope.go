package client

import (
	"bytes"
	"cmp"
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/clock"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// EnvelopeMagic is what every envelope begins with, and nothing that the server's encrypt returns.
const EnvelopeMagic = blob.EnvelopeMagic

// Defaults of [EnvelopeConfig].
const (
	DefaultMaxAge      = 5 * time.Minute
	DefaultMaxMessages = 10_000
	DefaultMaxBytes    = 64 << 30
	DefaultMaxDataKeys = 1_000
)

// EnvelopeConfig says which key envelopes are made under and how long data keys are kept.
//
// Keeping them saves a call to the server for each message, and is what revocation does not reach:
// when a key was disabled or compromised, an Envelope that has a data key of it goes on using that
// for MaxAge at most. So does one whose own rights were taken away.
//
// A rotation, and an alias that was given another key, reach an Envelope likewise late: for MaxAge at
// most it encrypts under the version, and the key, that it was given before. Such envelopes open as all
// others do, since they name their key and version; but of what was encrypted since a compromise, count
// what came within MaxAge of the rotation as under the old version.
type EnvelopeConfig struct {
	// Key is the key that data keys are made under: id, ARN, alias or alias ARN, perhaps @N.
	// Required to encrypt; decrypting goes by what the envelope names.
	Key string
	// DecryptKey, if set, refuses envelopes of any other key. Optional.
	DecryptKey string

	// MaxAge is how long after the server was asked a data key begins new messages, to encrypt or
	// to decrypt; a message that was begun may be finished later. Time for which the machine was
	// suspended counts where the system tells it. Zero means [DefaultMaxAge].
	MaxAge time.Duration
	// MaxMessages is how many messages a data key serves before the server is asked again. 1 keeps
	// none. Zero means [DefaultMaxMessages].
	MaxMessages int
	// MaxBytes is after how many bytes of plaintext a data key begins no new message. Zero means
	// [DefaultMaxBytes].
	MaxBytes int64
	// MaxDataKeys is how many data keys are kept at once to encrypt, one for each context in use,
	// and as many again to decrypt. The oldest go first. Zero means [DefaultMaxDataKeys].
	MaxDataKeys int

	// Monotonic is a clock that never goes back, for tests. Optional: nil is the machine's.
	Monotonic func() time.Duration
}

// Envelope encrypts and decrypts locally, under data keys that it has the server make and decrypt:
// messages of any length, many for one call. docs/envelope.md tells the format and what it
// protects.
//
// It guarantees that an envelope opens only whole, unaltered and for the encryption context it was
// made for, and that no plaintext is given out before it was authenticated. It is safe for use by
// several goroutines and meant to be kept: the data keys are its own.
//
// Whatever is wrong with an envelope, errors.Is(err, client.InvalidCiphertext) is true, whether the
// server found it or this package. Errors tell the key that the envelope names, and wrap the server's
// [Error] where it is one of its refusals.
type Envelope struct {
	client     *Client
	key        string
	decryptKey string
	encrypting *dataKeyCache
	decrypting *dataKeyCache
}

// badEnvelope is the one error of what does not open locally. Where the key is known that the envelope
// names it tells it, for whoever has many: nothing vouches for that.
func badEnvelope(key string) error {
	return fmt.Errorf("client: envelope%s: %w: altered, not whole, or made under another key or context", key, InvalidCiphertext)
}

// underKey names a key in an error.
func underKey(id string, version uint32) string {
	return fmt.Sprintf(" under key %s@%d", id, version)
}

// namedIn names the key that a data key says it is encrypted under, where that is one of Haven's.
func namedIn(encryptedKey []byte) string {
	h, _, err := blob.Parse(blob.Message, encryptedKey)
	if err != nil {
		return ""
	}
	id := h.KeyID[:]
	return underKey(fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]), h.Version)
}

// NewEnvelope makes an Envelope that calls the server through c. [Envelope.Close] destroys its data
// keys; it does not close c.
func NewEnvelope(c *Client, cfg EnvelopeConfig) (*Envelope, error) {
	if cfg.MaxAge < 0 || cfg.MaxMessages < 0 || cfg.MaxBytes < 0 || cfg.MaxDataKeys < 0 {
		return nil, errors.New("client: a bound of an envelope's data keys is negative; zero means its default")
	}
	if cfg.Monotonic == nil {
		cfg.Monotonic = clock.System().Monotonic
	}
	cache := func() *dataKeyCache {
		return &dataKeyCache{
			maxAge:      cmp.Or(cfg.MaxAge, DefaultMaxAge),
			maxKeys:     cmp.Or(cfg.MaxDataKeys, DefaultMaxDataKeys),
			maxMessages: cmp.Or(cfg.MaxMessages, DefaultMaxMessages),
			maxBytes:    cmp.Or(cfg.MaxBytes, DefaultMaxBytes),
			monotonic:   cfg.Monotonic,
			entries:     map[keyName]*list.Element{},
			flights:     map[keyName]*flight{},
		}
	}
	return &Envelope{client: c, key: cfg.Key, decryptKey: cfg.DecryptKey, encrypting: cache(), decrypting: cache()}, nil
}

// Close destroys the data keys. Messages that were begun may be finished; none can be begun.
// Without it the last ones stay in memory for as long as the Envelope does: what is over its age is
// not used again, but destroyed only when the Envelope is next used.
func (e *Envelope) Close() {
	e.encrypting.close()
	e.decrypting.close()
}

// Encrypt makes an envelope of a plaintext that is in memory, for an encryption context, which may
// be nil: see [Envelope.EncryptWriter].
func (e *Envelope) Encrypt(ctx context.Context, plaintext []byte, context map[string]string) ([]byte, error) {
	key, ec, err := e.keyToEncrypt(ctx, context)
	if err != nil {
		return nil, err
	}
	defer key.plain.Destroy()
	key.bytes.Add(int64(len(plaintext)))
	out, err := crypt.SealEnvelope(key.plain, ec, header(key), e.client.random, plaintext)
	if err != nil {
		return nil, fmt.Errorf("client: envelope: %w", err)
	}
	return out, nil
}

// Decrypt opens an envelope that is in memory. It gives no plaintext unless the whole is
// authentic. Errors are those of [Envelope.DecryptReader].
func (e *Envelope) Decrypt(ctx context.Context, envelope []byte, context map[string]string) (Sensitive, error) {
	r := bytes.NewReader(envelope)
	h, key, ec, err := e.keyToDecrypt(ctx, r, context)
	if err != nil {
		return nil, err
	}
	defer key.plain.Destroy()
	plaintext, err := crypt.OpenEnvelope(key.plain, ec, h, envelope[len(envelope)-r.Len():])
	if err != nil {
		return nil, badEnvelope(underKey(key.keyID, key.version))
	}
	key.bytes.Add(int64(len(plaintext)))
	return plaintext, nil
}

// header is what an envelope under a data key begins with.
func header(key dataKey) blob.Envelope {
	return blob.Envelope{ChunkBits: blob.DefaultChunkBits, EncryptedKey: key.encrypted}
}

// keyToEncrypt returns a data key for a context: the caller destroys it.
func (e *Envelope) keyToEncrypt(ctx context.Context, given map[string]string) (dataKey, blob.Context, error) {
	if e.key == "" {
		return dataKey{}, blob.Context{}, errors.New("client: EnvelopeConfig.Key is required to encrypt")
	}
	ec, err := encodeContext(given)
	if err != nil {
		return dataKey{}, ec, err
	}
	key, err := e.encrypting.get(ctx, sha256.Sum256(ec.Encoded()), func(ctx context.Context) (dataKey, error) {
		answer, err := e.client.GenerateDataKey(ctx, GenerateDataKeyRequest{Key: e.key, Bytes: crypt.KeySize, Context: given})
		if err != nil {
			return dataKey{}, err
		}
		key := dataKey{plain: secret.New(answer.Plaintext), encrypted: answer.Ciphertext, keyID: answer.KeyID, version: answer.Version}
		if n := len(key.encrypted); key.plain.Len() != crypt.KeySize || n == 0 || n > blob.MaxEncryptedKey {
			key.plain.Destroy()
			return dataKey{}, &Error{Operation: opGenerateDataKey, Code: UnexpectedAnswer, Detail: "a data key of another length than asked for"}
		}
		return key, nil
	})
	return key, ec, err
}

// keyToDecrypt reads the header of an envelope and returns its data key: the caller destroys it.
func (e *Envelope) keyToDecrypt(ctx context.Context, r io.Reader, given map[string]string) (h blob.Envelope, key dataKey, ec blob.Context, err error) {
	if ec, err = encodeContext(given); err != nil {
		return h, key, ec, err
	}
	if h, err = blob.ReadEnvelope(r); err != nil {
		if errors.Is(err, blob.ErrMalformed) {
			return h, key, ec, badEnvelope("")
		}
		return h, key, ec, fmt.Errorf("client: envelope: %w", err)
	}
	asked := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(h.EncryptedKey)+len(ec.Encoded())), uint16(len(h.EncryptedKey)))
	asked = append(append(asked, h.EncryptedKey...), ec.Encoded()...)
	key, err = e.decrypting.get(ctx, sha256.Sum256(asked), func(ctx context.Context) (dataKey, error) {
		answer, err := e.client.Decrypt(ctx, DecryptRequest{Ciphertext: h.EncryptedKey, Context: given, Key: e.decryptKey})
		if err != nil {
			return dataKey{}, fmt.Errorf("client: envelope%s: %w", namedIn(h.EncryptedKey), err)
		}
		key := dataKey{plain: secret.New(answer.Plaintext), keyID: answer.KeyID, version: answer.Version}
		if key.plain.Len() != crypt.KeySize {
			key.plain.Destroy()
			return dataKey{}, badEnvelope(underKey(answer.KeyID, answer.Version))
		}
		return key, nil
	})
	return h, key, ec, err
}

func encodeContext(given map[string]string) (blob.Context, error) {
	ec, err := blob.ContextOf(given)
	if err != nil {
		return ec, fmt.Errorf("client: %w: an encryption context has at most %d bytes", InvalidRequest, blob.MaxContext)
	}
	return ec, nil
}
