package demo

import (
	"bytes"
	"context"
	"errors"
	"os"
)

// sign signs the record as it is, and shows that neither a change of it nor a rotation of the key
// goes unseen.
func (p *play) sign(ctx context.Context) error {
	if err := os.WriteFile(p.file("record.json"), record, 0o600); err != nil {
		return err
	}
	p.say("The clinic signs the record, record.json. It is over 4 KiB, so that its digest is what is sent.")
	const algorithm = "ECDSA_SHA_256"
	if _, err := p.haven(ctx, "sign", "--key", clinic, "--algorithm", algorithm, "--in", p.file("record.json"), "--out", p.file("record.sig")); err != nil {
		return err
	}
	if _, err := p.haven(ctx, "key", "rotate", clinic); err != nil {
		return err
	}
	p.say("The key was rotated; what its first version signed stays valid:")
	verify := []string{"verify", "--key", clinic, "--algorithm", algorithm, "--signature", p.file("record.sig"), "--in"}
	out, err := p.haven(ctx, append(verify, p.file("record.json"))...)
	if err != nil {
		return err
	}
	p.say("%s", out)
	forged := bytes.Replace(record, []byte("active"), []byte("absent"), 1)
	if bytes.Equal(forged, record) {
		return errors.New("the forged record is the record")
	}
	if err := os.WriteFile(p.file("forged.json"), forged, 0o600); err != nil {
		return err
	}
	p.say("In forged.json one word is another:")
	return p.invalid(ctx, append(verify, p.file("forged.json"))...)
}

// send seals the record to the key of another clinic and opens it there.
func (p *play) send(ctx context.Context) error {
	if _, err := p.haven(ctx, "hpke-seal", "--key", inbox, "--context", forWhom, "--in", p.file("record.json"), "--out", p.file("record.sealed")); err != nil {
		return err
	}
	p.say("For another patient it does not open:")
	if err := p.refused(ctx, "invalid_ciphertext", "hpke-open", "--context", "patient=another", "--in", p.file("record.sealed")); err != nil {
		return err
	}
	opened, err := p.haven(ctx, "hpke-open", "--context", forWhom, "--in", p.file("record.sealed"))
	if err != nil {
		return err
	}
	if !bytes.Equal(opened, record) {
		return errors.New("the record that was sealed is not what it was")
	}
	p.say("Camp 4's clinic has the record, byte for byte.")
	return nil
}
