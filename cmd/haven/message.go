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

// digestOnly signs digests and no messages.
const digestOnly = "ED25519_PH_SHA_512"

// messageFlags say what is signed or verified.
type messageFlags struct {
	key, in, algorithm string
	digest, mu         bool
}

// messageHelp documents messageFlags.
const messageHelp = `A message over 4,096 bytes is hashed here, by the algorithm's hash function, and only the digest
is sent; the signature is the same. ED25519_SHA_512 and ML_DSA_SHAKE_256 sign no digests: under
them sign a digest of your own as the message, or choose another algorithm.`

func (m *messageFlags) add(c *cobra.Command) {
	keyFlag(c, &m.key)
	inFlag(c, &m.in, "the message")
	algorithmFlag(c, &m.algorithm, "RSASSA_PSS_SHA_256")
	c.Flags().BoolVar(&m.digest, "digest", false, "the input is the message's digest, in binary")
	c.Flags().BoolVar(&m.mu, "external-mu", false, "the input is ML-DSA's 64-byte representative µ of the message")
	c.MarkFlagsMutuallyExclusive("digest", "external-mu")
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
	if m.algorithm == "" {
		if m.algorithm, err = a.firstAlgorithm(ctx, m.key); err != nil {
			return form, err
		}
	}
	form.digest, err = client.Digest(m.algorithm, io.MultiReader(bytes.NewReader(head), in))
	if errors.Is(err, client.ErrNoDigest) {
		return form, fmt.Errorf("the message is over %d bytes, and %s takes it whole: use its digest as the message, or another algorithm", keys.MaxMessage, m.algorithm)
	}
	if err == nil {
		a.note("hashed here by %s's hash function; the digest was sent, not the message", m.algorithm)
	}
	return form, err
}

// firstAlgorithm returns the algorithm that a key takes when none is named.
func (a *app) firstAlgorithm(ctx context.Context, key string) (string, error) {
	public, err := call(ctx, a, func(ctx context.Context, c *client.Client) (*client.PublicKey, error) {
		return c.GetPublicKey(ctx, key)
	})
	if err != nil {
		return "", fmt.Errorf("which algorithm to hash for is the key's to tell, unless --algorithm does: %w", err)
	}
	if len(public.Algorithms) == 0 || !strings.Contains(public.KeyUsage, "SIGN") {
		return "", fmt.Errorf("key %s is for %s: it signs nothing", public.KeyID, public.KeyUsage)
	}
	return public.Algorithms[0], nil
}
