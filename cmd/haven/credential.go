package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

// credentialFields documents the document of a credential wherever a command prints it.
const credentialFields = `Fields of --output json: id, type, principal, active, created_at, expires_at, last_used_on (a day, UTC),
token or secret_access_key (in the answer that made it alone), replayed (that an earlier try had made
it, and its secret is lost: rotate it). What a credential does not have is absent.`

// ownCredentials documents whose credentials a command is about.
const ownCredentials = `They are those of --principal, or your own.`

func (a *app) credential() *cobra.Command {
	c := &cobra.Command{
		Use: "credential", Short: "What principals prove themselves by: tokens, access keys, certificates", GroupID: groupAccess,
		Long: `What principals prove themselves by: bearer tokens, access keys for requests signed as for AWS, and
client certificates. A secret is shown once, when it is made.`,
		Example: `  haven credential create --principal clinic-api --type bearer --expires-at 2027-01-01T00:00:00Z
  haven credential rotate AKIAQWERTYUIOPASDFGH --principal clinic-api`,
		Args: noneBut("a command"), RunE: help,
	}
	c.AddCommand(a.credentialCreate(), a.credentialList(), a.credentialUpdate(), a.credentialRotate(), a.credentialDelete())
	return c
}

func principalFlag(c *cobra.Command, principal *string) {
	c.Flags().StringVar(principal, "principal", "", "whose: an ARN, user/NAME or NAME; empty: your own")
}

func credentialRows(made *client.Credential) *table {
	var t table
	t.add("credential", made.ID)
	t.add("type", string(made.Type))
	t.add("principal", made.Principal)
	t.add("state", credentialState(made))
	t.add("created", when(made.CreatedAt))
	t.add("expires", when(made.ExpiresAt))
	t.add("last used", made.LastUsedOn)
	t.add("token", made.Token)
	if made.SecretAccessKey != "" {
		t.add("access key id", made.ID)
	}
	t.add("secret access key", made.SecretAccessKey)
	if made.Replayed {
		t.add("secret", "lost with the answer of an earlier try: rotate the credential")
	}
	return &t
}

func credentialState(c *client.Credential) string {
	if c.Active {
		return "active"
	}
	return "inactive"
}

func (a *app) credentialList() *cobra.Command {
	var principal string
	c := &cobra.Command{
		Use: "list", Short: "List credentials, without their secrets",
		Long: "List credentials, without their secrets. " + ownCredentials + `

Fields of --output json: credentials (each id, type, principal, active, created_at, expires_at,
last_used_on).`,
		Example: `  haven credential list --principal clinic-api`,
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.CredentialList, error) {
				return c.ListCredentials(ctx, principal)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("CREDENTIAL", "TYPE", "STATE", "CREATED", "EXPIRES", "LAST USED")
			for _, one := range list.Credentials {
				t.add(one.ID, string(one.Type), credentialState(&one), when(one.CreatedAt), when(one.ExpiresAt), one.LastUsedOn)
			}
			return a.answer(list, &t)
		},
	}
	principalFlag(c, &principal)
	return c
}

func (a *app) credentialUpdate() *cobra.Command {
	var req client.UpdateCredentialRequest
	var activate, deactivate bool
	c := &cobra.Command{
		Use: "update CREDENTIAL", Short: "Make a credential inactive, or active again",
		Long: `Make a credential inactive, or active again. When this has returned, an inactive one proves nobody.
` + ownCredentials + "\n\n" + credentialFields,
		Example: `  haven credential update AKIAQWERTYUIOPASDFGH --principal clinic-api --deactivate
  haven credential update AKIAQWERTYUIOPASDFGH --principal clinic-api --activate`,
		Args: exactly("CREDENTIAL"),
		RunE: func(c *cobra.Command, args []string) error {
			req.Credential, req.Active = args[0], activate
			made, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Credential, error) {
				return c.UpdateCredential(ctx, req)
			})
			if err != nil {
				return err
			}
			return a.answer(made, credentialRows(made))
		},
	}
	principalFlag(c, &req.Principal)
	c.Flags().BoolVar(&activate, "activate", false, "let it prove its principal again")
	c.Flags().BoolVar(&deactivate, "deactivate", false, "let it prove nobody")
	c.MarkFlagsMutuallyExclusive("activate", "deactivate")
	c.MarkFlagsOneRequired("activate", "deactivate")
	return c
}

func (a *app) credentialDelete() *cobra.Command {
	var principal string
	c := a.ending("delete CREDENTIAL", "End a credential at once",
		"End a credential. When this has returned, it proves nobody. "+ownCredentials,
		`  haven credential delete AKIAQWERTYUIOPASDFGH --principal clinic-api`, "CREDENTIAL",
		func(c *client.Client, ctx context.Context, id string) error {
			return c.DeleteCredential(ctx, client.DeleteCredentialRequest{Principal: principal, Credential: id})
		})
	principalFlag(c, &principal)
	return c
}
