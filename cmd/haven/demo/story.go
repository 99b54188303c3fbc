package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// step is one part of the story.
type step struct {
	title string
	play  func(*play, context.Context) error
}

// Names used all through the story.
const (
	patients = "alias/patients"
	clinic   = "alias/camp-3-clinic"
	inbox    = "alias/camp-4-inbox"
	forWhom  = "patient=7c1e91d2"
	field    = "penicillin: anaphylaxis"
)

func story() []step {
	return []step{
		{"A store and a server", (*play).begin},
		{"Keys: different data, different keys", (*play).create},
		{"The record, under a data key", (*play).sealRecord},
		{"Small fields, directly", (*play).fields},
		{"An application may do its work, and nothing else", (*play).policies},
		{"A doctor of another camp, for one patient, for a time", (*play).grant},
		{"Rotation: old and new both open", (*play).rotate},
		{"Signed: whose it is, and unaltered", (*play).sign},
		{"Sealed for the next camp's clinic, which alone opens it", (*play).send},
		{"Secrets of the clinic's own: stored, retrieved, generated", (*play).keep},
		{"What comes due, and who sees to it", (*play).due},
		{"A restart, and the record is still there", (*play).restart},
		{"An old version is put out of use", (*play).deprecate},
		{"A version is compromised", (*play).compromise},
		{"A key is to be destroyed, and is kept", (*play).deletion},
		{"Every operation left its record", (*play).records},
		{"The store is whole", (*play).check},
	}
}

func (p *play) begin(ctx context.Context) error {
	if err := p.start(ctx); err != nil {
		return err
	}
	fmt.Fprintln(p.Out, "   $ haven dev --data store &\n   $ export HAVEN_DATA=store")
	p.say("The first start made a root key, sealed by a key file, a master key wrapped by it, and an administrator.")
	_, err := p.haven(ctx, "status")
	return err
}

func (p *play) create(ctx context.Context) error {
	for _, args := range [][]string{
		{"--type", "master", "--purpose", "Wraps the keys of camp 3", "--alias", "alias/camp-3"},
		{"--type", "data", "--purpose", "Patient data encryption", "--alias", patients, "--master", "alias/camp-3", "--rotation-days", "90"},
		{"--type", "data", "--purpose", "Appointments of camp 3", "--alias", "alias/appointments"},
		{"--type", "signing", "--purpose", "Signatures of the clinic of camp 3", "--alias", clinic},
		{"--type", "transport", "--purpose", "Records sent to camp 4", "--alias", inbox},
	} {
		if _, err := p.haven(ctx, append([]string{"key", "create"}, args...)...); err != nil {
			return err
		}
	}
	return nil
}

func (p *play) sealRecord(ctx context.Context) error {
	out, err := p.haven(ctx, "data-key", "--key", patients, "--context", forWhom, "--out", p.file("record.key"), "--output", "json")
	if err != nil {
		return err
	}
	var key struct {
		Plaintext []byte `json:"plaintext"`
	}
	if err := json.Unmarshal(out, &key); err != nil {
		return err
	}
	sealed, err := lock(key.Plaintext, record)
	if err != nil {
		return err
	}
	p.say("An International Patient Summary of %d bytes was encrypted here under the plain data key, which is forgotten now; record.key, beside it, opens nothing without Haven.", len(record))
	return os.WriteFile(p.file("record.enc"), sealed, 0o600)
}

// openRecord reads the record again: the data key through Haven, the rest here.
func (p *play) openRecord(ctx context.Context, key string) error {
	dataKey, err := p.haven(ctx, "decrypt", "--context", forWhom, "--in", p.file(key))
	if err != nil {
		return err
	}
	sealed, err := os.ReadFile(p.file("record.enc"))
	if err != nil {
		return err
	}
	plain, err := unlock(dataKey, sealed)
	if err != nil {
		return err
	}
	if !bytes.Equal(plain, record) {
		return errors.New("the record is not what it was")
	}
	p.say("The record opens, byte for byte.")
	return nil
}

func (p *play) fields(ctx context.Context) error {
	if err := os.WriteFile(p.file("allergy.txt"), []byte(field), 0o600); err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "   $ %s > allergy.txt\n", p.Line("printf", field))
	if err := p.encryptField(ctx, "allergy-1.enc"); err != nil {
		return err
	}
	if err := p.openField(ctx, "allergy-1.enc"); err != nil {
		return err
	}
	p.say("What was encrypted for one patient opens for no other:")
	return p.refused(ctx, "invalid_ciphertext", "decrypt", "--context", "patient=another", "--in", p.file("allergy-1.enc"))
}

func (p *play) encryptField(ctx context.Context, name string) error {
	_, err := p.haven(ctx, "encrypt", "--key", patients, "--context", forWhom, "--in", p.file("allergy.txt"), "--out", p.file(name))
	return err
}

func (p *play) openField(ctx context.Context, name string) error {
	plain, err := p.haven(ctx, "decrypt", "--context", forWhom, "--in", p.file(name))
	if err != nil {
		return err
	}
	if string(plain) != field {
		return errors.New("the field is not what it was")
	}
	p.say("%s", plain)
	return nil
}

func (p *play) rotate(ctx context.Context) error {
	if _, err := p.haven(ctx, "key", "rotate", patients); err != nil {
		return err
	}
	if err := p.encryptField(ctx, "allergy-2.enc"); err != nil {
		return err
	}
	for _, name := range []string{"allergy-1.enc", "allergy-2.enc"} {
		if err := p.openField(ctx, name); err != nil {
			return err
		}
	}
	versions, err := p.haven(ctx, "key", "versions", patients)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "%s", indent(versions))
	return p.openRecord(ctx, "record.key")
}

func (p *play) restart(ctx context.Context) error {
	if err := p.stop(); err != nil {
		return err
	}
	fmt.Fprintln(p.Out, "   $ haven dev --data store &")
	if err := p.start(ctx); err != nil {
		return err
	}
	return p.openRecord(ctx, "record.key")
}

func (p *play) deprecate(ctx context.Context) error {
	p.say("The record moves to the new version: only its data key, 32 bytes, is encrypted again.")
	err := p.pipe(ctx,
		[]string{"decrypt", "--context", forWhom, "--in", p.file("record.key")},
		[]string{"encrypt", "--key", patients, "--context", forWhom, "--out", p.file("record.key.2")})
	if err != nil {
		return err
	}
	if _, err := p.haven(ctx, "key", "deprecate", patients+"@1"); err != nil {
		return err
	}
	if err := p.refused(ctx, "invalid_state", "data-key", "--key", patients+"@1"); err != nil {
		return err
	}
	p.say("It still decrypts:")
	return p.openField(ctx, "allergy-1.enc")
}

func (p *play) compromise(ctx context.Context) error {
	if _, err := p.haven(ctx, "key", "compromise", patients+"@1", "--reason", "a laptop was stolen at the border"); err != nil {
		return err
	}
	for _, name := range []string{"allergy-1.enc", "record.key"} {
		if err := p.refused(ctx, "invalid_state", "decrypt", "--context", forWhom, "--in", p.file(name)); err != nil {
			return err
		}
	}
	p.say("What is under the new version is untouched:")
	if err := p.openField(ctx, "allergy-2.enc"); err != nil {
		return err
	}
	return p.openRecord(ctx, "record.key.2")
}

func (p *play) deletion(ctx context.Context) error {
	const key = "alias/appointments"
	if _, err := p.haven(ctx, "key", "schedule-deletion", key, "--days", "7"); err != nil {
		return err
	}
	if err := p.refused(ctx, "invalid_state", "data-key", "--key", key); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"key", "cancel-deletion", key}, {"key", "enable", key}, {"data-key", "--key", key, "--no-plaintext"},
	} {
		if _, err := p.haven(ctx, args...); err != nil {
			return err
		}
	}
	p.say("Until the day came, it could be kept; it works again.")
	return nil
}

func (p *play) check(ctx context.Context) error {
	out, err := p.haven(ctx, "fsck")
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "%s", indent(out))
	return nil
}

func indent(text []byte) []byte {
	return append([]byte("   "), bytes.TrimRight(bytes.ReplaceAll(text, []byte("\n"), []byte("\n   ")), " ")...)
}
