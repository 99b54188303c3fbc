package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/keys"
)

// What is special about three signing algorithms.
const (
	pureEd25519 = "ED25519_SHA_512"    // takes messages whole
	digestOnly  = "ED25519_PH_SHA_512" // takes digests and no messages
	mlDSA       = "ML_DSA_SHAKE_256"   // signs by µ what is long, and verifies by the message alone
)

// messageFlags say what is signed or verified.
type messageFlags struct {
	key, in, algorithm string
	digest, mu         bool
	verifies           bool
}

// messageHelp documents messageFlags.
const messageHelp = `A message over 4,096 bytes, of any length, is hashed here, by the algorithm's hash function, and only
the digest is sent; the signature is the same. ML_DSA_SHAKE_256 signs no digests: what is sent is µ
(FIPS 204), computed here, and the signature is that of the message. Haven does not verify by µ: the
signature of an ML-DSA message over 4,096 bytes is verified by other programs, with the public key.
ED25519_SHA_512 does neither: use ED25519_PH_SHA_512, to sign and to verify.`

func (m *messageFlags) add(c *cobra.Command) {
	keyFlag(c, &m.key)
	inFlag(c, &m.in, "the message")
	algorithmFlag(c, &m.algorithm, "RSASSA_PSS_SHA_256")
	c.Flags().BoolVar(&m.digest, "digest", false, "the input is the message's digest, in binary")
	if !m.verifies {
		c.Flags().BoolVar(&m.mu, "external-mu", false, "the input is ML-DSA's 64-byte representative µ of the message")
		c.MarkFlagsMutuallyExclusive("digest", "external-mu")
	}
}

// message is one of the forms that the server takes; the others are nil.
type message struct {
	whole      client.Sensitive
	digest, mu []byte
}

// read reads the message. What is too long to be sent it hashes.
func (m *messageFlags) read(ctx context.Context, a *app) (form message, err error) {
	if m.digest || m.mu {
		b, err := a.readInput(m.in, maxUse)
		if m.mu {
			return message{mu: b}, err
		}
		return message{digest: b}, err
	}
	in, err := a.open(ctx, m.in)
	if err != nil {
		return form, err
	}
	defer in.Close()
	head, err := io.ReadAll(io.LimitReader(in, keys.MaxMessage+1))
	if err != nil {
		return form, fmt.Errorf("reading the input: %w", err)
	}
	if len(head) <= keys.MaxMessage && m.algorithm != digestOnly {
		return message{whole: head}, nil
	}
	return m.shorten(ctx, a, io.MultiReader(bytes.NewReader(head), in))
}

// shorten makes of a message what is sent instead.
func (m *messageFlags) shorten(ctx context.Context, a *app, in io.Reader) (form message, err error) {
	var public *client.PublicKey
	if m.algorithm == "" || m.algorithm == mlDSA {
		if public, err = a.signer(ctx, m.key); err != nil {
			return form, err
		}
		if m.algorithm == "" {
			m.algorithm = public.Algorithms[0]
		}
	}
	if m.algorithm == mlDSA {
		return m.represent(a, public, in)
	}
	form.digest, err = client.Digest(m.algorithm, in)
	switch {
	case errors.Is(err, client.ErrNoDigest) && m.algorithm == pureEd25519:
		return form, fmt.Errorf("the message is over %d bytes, and %s takes it whole: sign and verify it with --algorithm %s", keys.MaxMessage, pureEd25519, digestOnly)
	case errors.Is(err, client.ErrNoDigest):
		return form, fmt.Errorf("the message is over %d bytes, and %s takes it whole: use its digest as the message, or another algorithm", keys.MaxMessage, m.algorithm)
	case err == nil:
		a.note("hashed here by %s's hash function; the digest was sent, not the message", m.algorithm)
	}
	return form, err
}

// represent computes µ, which is of one version: that is the one to sign with.
func (m *messageFlags) represent(a *app, public *client.PublicKey, in io.Reader) (form message, err error) {
	if m.verifies {
		return form, fmt.Errorf("the message is over %d bytes: Haven verifies such a signature of %s no more than it verifies by µ; verify it with the public key (haven public-key) and another program", keys.MaxMessage, mlDSA)
	}
	if form.mu, err = client.ExternalMu(public, in); err != nil {
		return form, err
	}
	m.key = fmt.Sprintf("%s@%d", public.KeyID, public.Version)
	a.note("µ was computed here and sent, not the message. Haven itself verifies ML-DSA signatures of at most %d bytes: verify this one with the public key", keys.MaxMessage)
	return form, nil
}

// signer returns the public key of a key that signs.
func (a *app) signer(ctx context.Context, key string) (*client.PublicKey, error) {
	public, err := call(ctx, a, func(ctx context.Context, c *client.Client) (*client.PublicKey, error) {
		return c.GetPublicKey(ctx, key)
	})
	if err != nil {
		return nil, fmt.Errorf("how to shorten a message over %d bytes is told by the public key: %w", keys.MaxMessage, err)
	}
	if len(public.Algorithms) == 0 || !strings.Contains(public.KeyUsage, "SIGN") {
		return nil, fmt.Errorf("key %s is for %s: it signs nothing", public.KeyID, public.KeyUsage)
	}
	return public, nil
}
