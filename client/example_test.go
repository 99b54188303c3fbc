package client_test

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"strings"

	"github.com/haven-health/haven/client"
)

// example runs against a server of its own and prints what failed.
func example(do func(ctx context.Context, c *client.Client) error) {
	ctx := context.Background()
	c, stop, err := exampleServer(ctx)
	if err == nil {
		defer stop()
		err = do(ctx, c)
	}
	if err != nil {
		fmt.Println(err)
	}
}

// A discharge letter is signed here, and verified by who has only the public key.
func ExampleClient_Sign() {
	example(func(ctx context.Context, c *client.Client) error {
		key, err := c.CreateKey(ctx, client.CreateKeyRequest{Purpose: "Discharge letters", Type: client.Signing})
		if err != nil {
			return err
		}
		letter := []byte("Fit to travel from 1 May.")
		signed, err := c.Sign(ctx, client.SignRequest{Key: key.KeyID, Message: letter})
		if err != nil {
			return err
		}
		fmt.Println(signed.Algorithm, "by version", signed.Version)

		public, err := c.GetPublicKey(ctx, fmt.Sprintf("%s@%d", signed.KeyID, signed.Version))
		if err != nil {
			return err
		}
		parsed, err := x509.ParsePKIXPublicKey(public.PublicKey)
		if err != nil {
			return err
		}
		elsewhere := x509.Certificate{PublicKey: parsed}
		fmt.Println("verified elsewhere:", elsewhere.CheckSignature(x509.ECDSAWithSHA256, letter, signed.Signature) == nil)

		verified, err := c.Verify(ctx, client.VerifyRequest{Key: key.KeyID, Message: []byte("Fit to travel today."), Signature: signed.Signature})
		if err != nil {
			return err
		}
		fmt.Println("another letter:", verified.Valid)
		return nil
	})
	// Output:
	// ECDSA_SHA_256 by version 1
	// verified elsewhere: true
	// another letter: false
}

// What is over 4 KiB is signed by its digest; the signature is that of the whole.
func ExampleDigest() {
	example(func(ctx context.Context, c *client.Client) error {
		key, err := c.CreateKey(ctx, client.CreateKeyRequest{Purpose: "Scans", Type: client.Signing})
		if err != nil {
			return err
		}
		digest, err := client.Digest("ECDSA_SHA_256", strings.NewReader(strings.Repeat("a long scan ", 100_000)))
		if err != nil {
			return err
		}
		signed, err := c.Sign(ctx, client.SignRequest{Key: key.KeyID, Digest: digest, Algorithm: "ECDSA_SHA_256"})
		if err != nil {
			return err
		}
		verified, err := c.Verify(ctx, client.VerifyRequest{Key: key.KeyID, Digest: digest, Signature: signed.Signature})
		if err != nil {
			return err
		}
		fmt.Println(verified.Valid)
		return nil
	})
	// Output: true
}

// A record goes to a camp's clinic: whoever has the right to seal to its key need not be able to
// open, and after a rotation what was sealed before still opens.
func ExampleClient_HPKESeal() {
	example(func(ctx context.Context, c *client.Client) error {
		inbox, err := c.CreateKey(ctx, client.CreateKeyRequest{Purpose: "Records sent to camp 3", Type: client.Transport})
		if err != nil {
			return err
		}
		patient := map[string]string{"patient": "7c1e"}
		sealed, err := c.HPKESeal(ctx, client.HPKESealRequest{Key: inbox.KeyID, Plaintext: []byte("penicillin: anaphylaxis"), Context: patient})
		if err != nil {
			return err
		}
		if _, err := c.RotateKey(ctx, inbox.KeyID); err != nil {
			return err
		}
		opened, err := c.HPKEOpen(ctx, client.HPKEOpenRequest{Ciphertext: sealed.Ciphertext, Context: patient})
		if err != nil {
			return err
		}
		defer opened.Plaintext.Wipe()
		fmt.Printf("version %d: %s\n", opened.Version, string(opened.Plaintext))
		return nil
	})
	// Output: version 1: penicillin: anaphylaxis
}

// Two services that both may call Haven show each other that a message is unaltered.
func ExampleClient_GenerateMAC() {
	example(func(ctx context.Context, c *client.Client) error {
		key, err := c.CreateKey(ctx, client.CreateKeyRequest{
			Purpose: "Requests between clinics", Type: client.Signing, KeyUsage: "GENERATE_VERIFY_MAC",
		})
		if err != nil {
			return err
		}
		request := []byte(`{"order":"amoxicillin","patient":"7c1e"}`)
		made, err := c.GenerateMAC(ctx, client.GenerateMACRequest{Key: key.KeyID, Message: request})
		if err != nil {
			return err
		}
		for _, received := range [][]byte{request, []byte(`{"order":"penicillin","patient":"7c1e"}`)} {
			verified, err := c.VerifyMAC(ctx, client.VerifyMACRequest{Key: key.KeyID, Message: received, MAC: made.MAC})
			if err != nil {
				return err
			}
			fmt.Println(verified.Valid)
		}
		return nil
	})
	// Output:
	// true
	// false
}

// A tablet gets a key pair of its own; the copy that is kept opens through Haven alone.
func ExampleClient_GenerateDataKeyPair() {
	example(func(ctx context.Context, c *client.Client) error {
		key, err := c.CreateKey(ctx, client.CreateKeyRequest{Purpose: "Keys of devices", Type: client.Data})
		if err != nil {
			return err
		}
		device := map[string]string{"device": "tablet 3"}
		pair, err := c.GenerateDataKeyPair(ctx, client.GenerateDataKeyPairRequest{Key: key.KeyID, KeyPairSpec: "ECC_NIST_P256", Context: device})
		if err != nil {
			return err
		}
		pair.PrivateKeyPlaintext.Wipe() // once the tablet has it

		kept, err := c.Decrypt(ctx, client.DecryptRequest{Ciphertext: pair.PrivateKeyCiphertext, Context: device})
		if err != nil {
			return err
		}
		defer kept.Plaintext.Wipe()
		private, err := x509.ParsePKCS8PrivateKey(kept.Plaintext)
		if err != nil {
			return err
		}
		public, err := x509.MarshalPKIXPublicKey(private.(crypto.Signer).Public())
		if err != nil {
			return err
		}
		fmt.Println("the same pair:", string(public) == string(pair.PublicKey))
		return nil
	})
	// Output: the same pair: true
}
