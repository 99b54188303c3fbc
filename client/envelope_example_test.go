package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/server"
)

// docs/envelope.md shows the two functions between the marks; TestEnvelopePage compares them.

// envelope.md: begin
// pack encrypts a record of any length for one patient.
func pack(ctx context.Context, e *client.Envelope, to io.Writer, record io.Reader, patient string) error {
	w, err := e.EncryptWriter(ctx, to, map[string]string{"patient": patient})
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, record); err != nil {
		return err // not closed: what did not come whole must not open
	}
	return w.Close()
}

// unpack decrypts it. What was written to the target counts only if it returns nil.
func unpack(ctx context.Context, e *client.Envelope, to io.Writer, from io.Reader, patient string) error {
	r, err := e.DecryptReader(ctx, from, map[string]string{"patient": patient})
	if err != nil {
		return err
	}
	_, err = io.Copy(to, r)
	return err
}

// envelope.md: end

func ExampleEnvelope() {
	ctx := context.Background()
	c, stop, err := exampleServer(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	key, err := c.CreateKey(ctx, client.CreateKeyRequest{Purpose: "Patient data encryption", Type: client.Data})
	if err != nil {
		fmt.Println(err)
		return
	}

	e, err := client.NewEnvelope(c, client.EnvelopeConfig{Key: key.KeyID})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	var envelope, record, another bytes.Buffer
	if err := pack(ctx, e, &envelope, strings.NewReader("penicillin: anaphylaxis"), "7c1e"); err != nil {
		fmt.Println(err)
	}
	sealed := envelope.Bytes()
	if err := unpack(ctx, e, &record, bytes.NewReader(sealed), "7c1e"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(record.String())
	err = unpack(ctx, e, &another, bytes.NewReader(sealed), "8d2f")
	fmt.Println("for another patient:", errors.Is(err, client.InvalidCiphertext), another.Len(), "bytes")
	// Output:
	// penicillin: anaphylaxis
	// for another patient: true 0 bytes
}

func ExampleEnvelope_Encrypt() {
	ctx := context.Background()
	c, stop, err := exampleServer(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	key, err := c.CreateKey(ctx, client.CreateKeyRequest{Purpose: "Patient data encryption", Type: client.Data})
	if err != nil {
		fmt.Println(err)
		return
	}

	e, err := client.NewEnvelope(c, client.EnvelopeConfig{Key: key.KeyID})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	visit := map[string]string{"patient": "7c1e", "visit": "2026-05-01"}
	envelope, err := e.Encrypt(ctx, []byte("temperature 38.2"), visit)
	if err != nil {
		fmt.Println(err)
		return
	}
	plaintext, err := e.Decrypt(ctx, envelope, visit)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer plaintext.Wipe()
	fmt.Println(plaintext)
	fmt.Println(string(plaintext))
	// Output:
	// [redacted]
	// temperature 38.2
}

// exampleServer is a server in a temporary folder, for examples: they have no testing.T for
// haventest.
func exampleServer(ctx context.Context) (c *client.Client, stop func(), err error) {
	dir, err := os.MkdirTemp("", "haven-example-")
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	stop = func() {
		cancel()
		<-ended
		_ = os.RemoveAll(dir)
	}
	s, err := haven.NewServer(ctx, haven.ServeConfig{
		Config: haven.Config{DataDir: dir + "/store"}, Listen: "127.0.0.1:0", Initialize: true,
	})
	if err != nil {
		ended <- err
		stop()
		return nil, nil, err
	}
	go func() { ended <- s.Run(ctx, server.Announcement{}) }()
	system, _ := s.System()
	token, _ := system.FirstToken()
	c, err = client.New(client.Config{Endpoint: s.Endpoint(), CAFile: s.CAFile(), Token: client.Token(secret.Expose(token))})
	if err != nil {
		stop()
		return nil, nil, err
	}
	return c, stop, nil
}

// TestEnvelopePage: the example in docs/envelope.md is the one that is compiled and run.
func TestEnvelopePage(t *testing.T) {
	source, err := os.ReadFile("envelope_example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, began := strings.Cut(string(source), "// envelope.md: begin\n")
	example, _, ended := strings.Cut(rest, "\n// envelope.md: end")
	if !began || !ended {
		t.Fatal("no marked example")
	}
	page, err := os.ReadFile("../docs/envelope.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```go\n"+example+"```\n") {
		t.Error("docs/envelope.md shows another example than envelope_example_test.go")
	}
}
