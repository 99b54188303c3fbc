package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/keys"
)

func (a *app) keyCreate() *cobra.Command {
	var req client.CreateKeyRequest
	var kind, policy, dataType string
	var tags []string
	var days periods
	c := &cobra.Command{
		Use: "create", Short: "Create a key",
		Long: `Create a key with its first version, for one purpose: different data, different keys. Its type says
what it is for, its usage what it does, its spec of what material it is; the first is the default:

` + kindsHelp() + `
docs/algorithms.md says which to choose.

` + keyFields,
		Example: `  haven key create --type data --purpose "Patient data encryption" --alias alias/patients
  haven key create --type data --purpose "Camp clinic exchange" --rotation-days 30 --tag site=camp-3
  haven key create --type data --purpose "Lab results" --data-type lab-results --alias alias/lab
  haven key create --type signing --purpose "Discharge letters" --alias alias/discharge
  haven key create --type signing --key-usage GENERATE_VERIFY_MAC --purpose "Requests between clinics"
  haven key create --type data --purpose "Shared with the ministry" --origin EXTERNAL --alias alias/shared
  haven key create --type transport --purpose "Records sent to camp 3" --alias alias/camp-3-inbox`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if req.Tags, err = pairs("--tag", tags); err != nil {
				return err
			}
			req.Type = client.KeyType(kind)
			if policy != "" {
				document, err := a.readInput(policy, maxPolicyFile)
				if err != nil {
					return err
				}
				req.Policy = string(document)
			}
			days.into(c, &req.RotationDays, &req.GraceDays, &req.LifetimeDays)
			key, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Key, error) {
				if dataType != "" {
					if err := separate(ctx, c, &req, dataType); err != nil {
						return nil, err
					}
				}
				return c.CreateKey(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.answer(key, keyRows(key))
		},
	}
	flags := c.Flags()
	flags.StringVar(&req.Purpose, "purpose", "", "what the key is for (required)")
	flags.StringVar(&kind, "type", "", "master, which wraps other keys, data, signing or transport (required)")
	flags.StringVar(&req.Spec, "spec", "", "its material, such as ECC_NIST_P256; empty: the default of its type and usage")
	flags.StringVar(&req.KeyUsage, "key-usage", "", "what it does, such as SIGN_VERIFY; empty: the default of its type and spec")
	flags.StringVar(&req.Alias, "alias", "", "a name for it, alias/`NAME`")
	flags.StringVar(&req.Master, "master", "", "the master `KEY` that wraps it; empty: alias/haven-master")
	flags.StringArrayVar(&tags, "tag", nil, "a tag, `NAME=VALUE`; repeat for more")
	days.flags(c)
	flags.StringVar(&req.Description, "description", "", "what else there is to say of it, at most 8,192 characters")
	flags.StringVar((*string)(&req.Origin), "origin", "", "where its material is made: HAVEN, or EXTERNAL, which is imported; empty: HAVEN")
	flags.StringVar(&policy, "policy", "", "a `file` with a policy of its own, as haven key policy set takes; empty: none")
	flags.StringVar(&dataType, "data-type", "", "the `kind` of data it is for, such as lab-results: a tag, and a policy that demands the same in the encryption context")
	flags.BoolVar(&req.BypassLockoutCheck, "bypass-lockout-check", false, "take a policy under which you could not set another")
	flags.StringVar(&req.Owner, "owner", "", "who answers for it")
	required(c, "purpose", "type")
	return c
}

// kindsHelp lists the types with their usages and specs.
func kindsHelp() string {
	var b strings.Builder
	var last keys.Kind
	column := 0
	for _, k := range keys.Kinds() {
		word := ", " + string(k.Spec)
		switch {
		case k.Type != last.Type:
			word = fmt.Sprintf("\n  %-9s  %-23s  %s", k.Type, k.Usage, k.Spec)
		case k.Usage != last.Usage:
			word = fmt.Sprintf("\n  %-9s  %-23s  %s", "", k.Usage, k.Spec)
		case column+len(word) > 100:
			word = fmt.Sprintf(",\n%38s%s", "", k.Spec)
		}
		if strings.Contains(word, "\n") {
			column = 0
		}
		b.WriteString(word)
		column += len(word)
		last = k
	}
	return strings.TrimPrefix(b.String(), "\n") + "\n"
}

func required(c *cobra.Command, names ...string) {
	for _, name := range names {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err) // a flag that this file has not defined
		}
	}
}

// periods are a key's periods as flags; one that is not given keeps what is.
type periods struct{ rotation, grace, lifetime int }

func (p *periods) flags(c *cobra.Command) {
	flags := c.Flags()
	flags.IntVar(&p.rotation, "rotation-days", 0, "replace the primary after `N` days; 0: never")
	flags.IntVar(&p.grace, "grace-days", 0, "how many `N` days old and new are both valid")
	flags.IntVar(&p.lifetime, "lifetime-days", 0, "a version decrypts for `N` days from its creation; 0: always")
}

func (p *periods) into(c *cobra.Command, rotation, grace, lifetime **int) {
	for name, set := range map[string]func(){
		"rotation-days": func() { *rotation = &p.rotation },
		"grace-days":    func() { *grace = &p.grace },
		"lifetime-days": func() { *lifetime = &p.lifetime },
	} {
		if c.Flags().Changed(name) {
			set()
		}
	}
}
