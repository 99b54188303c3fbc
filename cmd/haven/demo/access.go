package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// application is the policy of a clinic's application: it encrypts and decrypts what is of a patient, under
// the patients' key, and nothing else.
const application = `{
  "Version": "2012-10-17",
  "Statement": [{
    "Effect": "Allow",
    "Action": ["kms:Encrypt", "kms:Decrypt"],
    "Resource": "*",
    "Condition": {
      "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/patients"},
      "Null": {"kms:EncryptionContext:patient": "false"}
    }
  }]
}
`

// as plays a part with somebody's own token.
func (p *play) as(token string, f func() error) error {
	mine := p.token
	p.token = token
	defer func() { p.token = mine }()
	return f()
}

// person makes a principal, and returns the token it proves itself with.
func (p *play) person(ctx context.Context, kind, name string) (token string, err error) {
	if _, err := p.haven(ctx, "principal", "create", "--kind", kind, name); err != nil {
		return "", err
	}
	out, err := p.haven(ctx, "credential", "create", "--principal", name, "--type", "bearer", "--output", "json")
	if err != nil {
		return "", err
	}
	var made struct {
		Token string `json:"token"`
	}
	err = json.Unmarshal(out, &made)
	return made.Token, err
}

// policies give an application what it needs, and tell why it gets nothing else.
func (p *play) policies(ctx context.Context) error {
	if err := os.WriteFile(p.file("clinic-app.json"), []byte(application), 0o600); err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "   $ cat clinic-app.json\n%s", indent([]byte(application)))
	token, err := p.person(ctx, "service", "clinic-app")
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"policy", "create", "clinic-app", "--document", p.file("clinic-app.json")}, {"policy", "attach", "clinic-app", "--principal", "clinic-app"},
	} {
		if _, err := p.haven(ctx, args...); err != nil {
			return err
		}
	}
	p.say("The application, with its own token:")
	err = p.as(token, func() error {
		if err := p.openField(ctx, "allergy-1.enc"); err != nil {
			return err
		}
		p.say("Not without the patient in the context, and it manages nothing:")
		if err := p.refused(ctx, "access_denied", "encrypt", "--key", patients, "--in", p.file("allergy.txt"), "--out", p.file("careless.enc")); err != nil {
			return err
		}
		return p.refused(ctx, "access_denied", "key", "rotate", patients)
	})
	if err != nil {
		return err
	}
	p.say("Why is it refused? The administrator asks:")
	why, err := p.haven(ctx, "access", "explain", "--principal", "clinic-app", "--action", "encrypt", "--key", patients)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "%s", indent(why))
	if !strings.Contains(string(why), "kms:EncryptionContext:patient") {
		return fmt.Errorf("the explanation does not name the condition that failed: %s", why)
	}
	return nil
}

// grant lets a doctor of another camp read one patient's fields, for as long as it lasts.
func (p *play) grant(ctx context.Context) error {
	token, err := p.person(ctx, "user", "amina")
	if err != nil {
		return err
	}
	out, err := p.haven(ctx, "grant", "create", patients, "--to", "arn:aws:iam::000000000000:user/amina", "--operation", "Decrypt", "--context-subset", forWhom, "--output", "json")
	if err != nil {
		return err
	}
	var made struct {
		GrantID string `json:"grant_id"`
	}
	if err := json.Unmarshal(out, &made); err != nil {
		return err
	}
	if _, err := p.haven(ctx, "encrypt", "--key", patients, "--context", "patient=another", "--in", p.file("allergy.txt"), "--out", p.file("another.enc")); err != nil {
		return err
	}
	p.say("Amina, a doctor of camp 4, reads this patient and no other:")
	err = p.as(token, func() error {
		if err := p.openField(ctx, "allergy-1.enc"); err != nil {
			return err
		}
		return p.refused(ctx, "access_denied", "decrypt", "--context", "patient=another", "--in", p.file("another.enc"))
	})
	if err != nil {
		return err
	}
	who, err := p.haven(ctx, "access", "list", "--key", patients, "--action", "decrypt")
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Out, "%s", indent(who))
	if _, err := p.haven(ctx, "grant", "revoke", patients, made.GrantID); err != nil {
		return err
	}
	p.say("When that has returned, it is over:")
	return p.as(token, func() error {
		return p.refused(ctx, "access_denied", "decrypt", "--context", forWhom, "--in", p.file("allergy-1.enc"))
	})
}
