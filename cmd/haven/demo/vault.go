package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// secretOfClinic stands for a key that was made elsewhere.
const secretOfClinic = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIC1kZW1vbnN0cmF0aW9uLW9ubHktbm8ga2V5LS0t\n-----END PRIVATE KEY-----\n"

// keep stores a secret of the clinic's own and retrieves it.
func (p *play) keep(ctx context.Context) error {
	if err := os.WriteFile(p.file("api.pem"), []byte(secretOfClinic), 0o600); err != nil {
		return err
	}
	if _, err := p.haven(ctx, "vault", "put", "api-signing-key", "--in", p.file("api.pem"), "--master", "alias/camp-3",
		"--metadata", "algorithm=ED25519", "--metadata", "purpose=API request signing", "--metadata", "created_by=system"); err != nil {
		return err
	}
	back, err := p.haven(ctx, "vault", "get", "api-signing-key", "--output", "json")
	if err != nil {
		return err
	}
	if !bytes.Contains(back, []byte("BEGIN PRIVATE KEY")) {
		return errors.New("the stored key is not what it was")
	}
	p.say("What was made elsewhere is kept byte for byte, wrapped by the camp's master key.")
	_, err = p.haven(ctx, "vault", "put", "db-password", "--generate", "password", "--rotation", "rate(30 days)")
	return err
}

// due looks at what comes due, and has it checked.
func (p *play) due(ctx context.Context) error {
	coming, err := p.haven(ctx, "rotation", "due", "--days", "90")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(coming)) {
		fmt.Fprint(p.Out, "   ", line)
	}
	out, err := p.haven(ctx, "rotation", "check")
	if err != nil {
		return err
	}
	if !bytes.Contains(out, []byte("nothing")) {
		return fmt.Errorf("something was due: %s", out)
	}
	p.say("Nothing is due yet. The server looks each day, and rotates each key a week before its 90 days end.")
	_, err = p.haven(ctx, "rotation", "status")
	return err
}
