package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/vault"
)

func (a *app) vault() *cobra.Command {
	c := &cobra.Command{
		Use: "vault", Short: "Keep named secrets: API keys, passwords, certificates", GroupID: groupKeys,
		Long: `Keep named secrets, stored keys, in versions, protected by a master key. Values are read from a file or
stdin and written to a file or stdout: they never stand among a command's arguments.`,
		Example: `  haven vault put api-signing-key --in key.pem --metadata algorithm=RSA-2048
  haven vault get api-signing-key --out key.pem
  haven vault put db-password --generate password --rotation 'rate(30 days)'`,
		Args: noneBut("a command"), RunE: help,
	}
	c.AddCommand(a.vaultPut(), a.vaultGet(), a.vaultList(), a.vaultVersions(), a.vaultDelete(), a.vaultTag(), a.vaultUntag(), a.vaultRotate(),
		a.oneStored("show NAME", "Show a stored key, without its value", "show", (*client.Client).DescribeStoredKey),
		a.oneStored("restore NAME", "Keep a stored key that was to be deleted", "restore", (*client.Client).RestoreStoredKey))
	return c
}

const storedFields = `Fields of --output json: name, arn, description, kms_key_id, metadata, tags, created_at, created_by,
changed_at, stages (stage: version), versions, generate, rotation, next_rotation_at, last_rotated_at,
deletion_date.`

func (a *app) oneStored(use, short, verb string, do func(*client.Client, context.Context, string) (*client.StoredKey, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: short + ".\n\n" + storedFields,
		Example: "  haven vault " + verb + " api-signing-key",
		Args:    exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			out, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.StoredKey, error) {
				return do(c, ctx, args[0])
			})
			if err != nil {
				return err
			}
			return a.answer(out, storedRows(out))
		},
	}
}

func storedRows(k *client.StoredKey) *table {
	var t table
	t.add("name", k.Name)
	t.add("arn", k.ARN)
	t.add("description", k.Description)
	t.add("master key", k.KMSKeyID)
	t.add("metadata", joined(k.Metadata))
	t.add("tags", joined(k.Tags))
	for _, stage := range []client.Stage{client.StageCurrent, client.StagePending, client.StagePrevious} {
		t.add(string(stage), k.Stages[stage])
	}
	t.add("versions", strconv.Itoa(k.Versions))
	t.add("generated", k.Generate)
	t.add("rotation", k.Rotation)
	t.add("next rotation", when(k.NextRotationAt))
	t.add("changed", when(k.ChangedAt))
	t.add("deletion", when(k.DeletionDate))
	return &t
}

// joined is pairs in one line, by name.
func joined(pairs map[string]string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		out = append(out, name+"="+pairs[name])
	}
	return strings.Join(out, " ")
}

func (a *app) vaultPut() *cobra.Command {
	var req client.StoreKeyRequest
	var in string
	var metadata, tags []string
	var binary, pending bool
	c := &cobra.Command{
		Use: "put NAME", Short: "Store a value under a name, or a new version of it",
		Long: `Store a value, at most 64 KiB, under a name; a name that exists gets a new version, which is current then,
and the one before it previous. A value is kept as text if it is UTF-8, else as bytes, byte for byte.
With --generate it is made by the server: password, AES_256, HMAC_256, RSA_2048, ECC_NIST_P256, …

Fields of --output json: arn, version_id.`,
		Example: `  haven vault put api-signing-key --in key.pem --metadata algorithm=RSA-2048 --metadata created_by=system
  haven vault put db-password --generate password --rotation 'rate(30 days)'`,
		Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			req.Name = args[0]
			var err error
			if req.Metadata, err = pairs("--metadata", metadata); err != nil {
				return err
			}
			if req.Tags, err = pairs("--tag", tags); err != nil {
				return err
			}
			if pending {
				req.Stage = client.StagePending
			}
			if req.Generate == "" {
				if err := a.readValue(c.Context(), in, binary, &req); err != nil {
					return err
				}
			}
			defer req.Value.Wipe()
			out, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.StoreKeyAnswer, error) {
				return c.StoreKey(ctx, req)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("arn", out.ARN)
			t.add("version", out.VersionID)
			return a.answer(out, &t)
		},
	}
	flags := c.Flags()
	inFlag(c, &in, "the value")
	flags.BoolVar(&binary, "binary", false, "keep it as bytes, also if it is text")
	flags.StringVar(&req.Generate, "generate", "", "let the server make it: `password`, AES_256, RSA_2048, …")
	flags.StringVar(&req.Rotation, "rotation", "", "make it anew by this `expression`: rate(30 days), cron(…), never")
	flags.StringArrayVar(&metadata, "metadata", nil, "what is said of it, `NAME=VALUE`; repeat for more")
	flags.StringArrayVar(&tags, "tag", nil, "a tag of a new name, `NAME=VALUE`; repeat for more")
	flags.StringVar(&req.KMSKeyID, "master", "", "the master `KEY` that protects it (default alias/haven-master)")
	flags.StringVar(&req.Description, "description", "", "what it is")
	flags.BoolVar(&pending, "pending", false, "the current version stays so")
	c.MarkFlagsMutuallyExclusive("generate", "in")
	c.MarkFlagsMutuallyExclusive("generate", "binary")
	return c
}

// readValue reads a value as text or bytes.
func (a *app) readValue(ctx context.Context, name string, binary bool, req *client.StoreKeyRequest) error {
	in, err := a.open(ctx, name)
	if err != nil {
		return err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, vault.MaxValue+1))
	if err != nil {
		return fmt.Errorf("reading the value: %w", err)
	}
	if len(b) > vault.MaxValue {
		clear(b)
		return fmt.Errorf("the value is over %d bytes: keep it encrypted elsewhere, with haven encrypt --envelope", vault.MaxValue)
	}
	if binary || !utf8.Valid(b) {
		req.Value = b
		return nil
	}
	text := string(b)
	clear(b)
	req.Text = &text
	return nil
}

func (a *app) vaultGet() *cobra.Command {
	var req client.RetrieveKeyRequest
	var out string
	c := &cobra.Command{
		Use: "get NAME", Short: "Get a value, byte for byte as it was stored",
		Long: `Get a value, byte for byte as it was stored: of the current version unless --stage or --version says which.

Fields of --output json: name, arn, version_id, stages, value (base64) or text, metadata, created_at.`,
		Example: `  haven vault get api-signing-key --out key.pem
  haven vault get api-signing-key --stage previous`,
		Args: exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			req.Name = args[0]
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.StoredValue, error) {
				return c.RetrieveKey(ctx, req)
			})
			if err != nil {
				return err
			}
			value := answer.Value
			if answer.Text != nil {
				value = client.Sensitive(*answer.Text)
			}
			defer value.Wipe()
			if out == "" && a.output == "text" { // who gets a value on a terminal wants to see it there
				_, err := a.stdout.Write(value)
				return err
			}
			return a.bytesOrJSON(out, value, answer)
		},
	}
	outFlag(c, &out, "the value")
	c.Flags().StringVar((*string)(&req.Stage), "stage", "", "`current`, pending or previous")
	c.Flags().StringVar(&req.VersionID, "version", "", "a version's `id`")
	c.MarkFlagsMutuallyExclusive("stage", "version")
	return c
}

func (a *app) vaultList() *cobra.Command {
	var req client.ListStoredKeysRequest
	c := &cobra.Command{
		Use: "list", Short: "List stored keys by name, without their values",
		Long: "List stored keys by name, without their values, a page at a time.\n\n" +
			"Fields of --output json: stored_keys, each as of haven vault show; next_cursor (absent at the end).",
		Example: `  haven vault list
  haven vault list --prefix camp-3/ --tag team=clinic`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			page, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.StoredKeyPage, error) {
				return c.ListStoredKeys(ctx, req)
			})
			if err != nil {
				return err
			}
			var t table
			t.add("NAME", "VERSIONS", "CHANGED", "NEXT ROTATION", "DELETION")
			for i := range page.StoredKeys {
				k := &page.StoredKeys[i]
				t.add(k.Name, strconv.Itoa(k.Versions), when(k.ChangedAt), when(k.NextRotationAt), when(k.DeletionDate))
			}
			a.more(page.NextCursor)
			return a.answer(page, &t)
		},
	}
	c.Flags().StringVar(&req.Prefix, "prefix", "", "only names that begin with this `text`")
	c.Flags().StringVar(&req.Tag, "tag", "", "only with this tag, `NAME` or NAME=VALUE")
	pageFlags(c, &req.Limit, &req.Cursor)
	return c
}

func (a *app) vaultVersions() *cobra.Command {
	return &cobra.Command{
		Use: "versions NAME", Short: "List the versions of a stored key, newest first",
		Long: "List the versions of a stored key, newest first, without their values.\n\n" +
			"Fields of --output json: versions, each with version_id, stages, created_at, created_by, metadata,\nwrapped_by.",
		Example: `  haven vault versions api-signing-key`,
		Args:    exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			type answer struct {
				Versions []client.StoredVersion `json:"versions"`
			}
			out, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (answer, error) {
				versions, err := c.ListStoredKeyVersions(ctx, args[0])
				return answer{versions}, err
			})
			if err != nil {
				return err
			}
			var t table
			t.add("VERSION", "STAGES", "CREATED", "WRAPPED BY", "METADATA")
			for _, v := range out.Versions {
				var stages []string
				for _, stage := range v.Stages {
					stages = append(stages, string(stage))
				}
				t.add(v.VersionID, strings.Join(stages, " "), when(v.CreatedAt), v.WrappedBy, joined(v.Metadata))
			}
			return a.answer(out, &t)
		},
	}
}

func (a *app) vaultDelete() *cobra.Command {
	var days int
	c := a.oneStored("delete NAME", "Delete a stored key in 7 to 30 days, unless it is restored", "delete",
		func(c *client.Client, ctx context.Context, name string) (*client.StoredKey, error) {
			return c.DeleteStoredKey(ctx, name, days)
		})
	c.Flags().IntVar(&days, "days", 30, "after how many `days`, 7 to 30; nobody retrieves it meanwhile")
	return c
}

func (a *app) vaultTag() *cobra.Command {
	c := a.oneStored("tag NAME TAG=VALUE...", "Give a stored key tags", "tag", nil)
	c.Example = `  haven vault tag api-signing-key team=clinic`
	c.Args = cobra.MinimumNArgs(2)
	c.RunE = func(c *cobra.Command, args []string) error {
		tags, err := pairs("a tag", args[1:])
		if err != nil {
			return err
		}
		out, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.StoredKey, error) {
			return c.TagStoredKey(ctx, args[0], tags)
		})
		if err != nil {
			return err
		}
		return a.answer(out, storedRows(out))
	}
	return c
}

func (a *app) vaultUntag() *cobra.Command {
	c := a.oneStored("untag NAME TAG...", "Take tags from a stored key", "untag", nil)
	c.Example = `  haven vault untag api-signing-key team`
	c.Args = cobra.MinimumNArgs(2)
	c.RunE = func(c *cobra.Command, args []string) error {
		out, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.StoredKey, error) {
			return c.UntagStoredKey(ctx, args[0], args[1:]...)
		})
		if err != nil {
			return err
		}
		return a.answer(out, storedRows(out))
	}
	return c
}

func (a *app) vaultRotate() *cobra.Command {
	return &cobra.Command{
		Use: "rotate NAME", Short: "Generate a stored value anew",
		Long:    "Generate a stored value anew, as it was generated first; the value before is previous then.\n\nFields of --output json: arn, version_id.",
		Example: `  haven vault rotate db-password`,
		Args:    exactly("NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			out, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.StoreKeyAnswer, error) {
				return c.RotateStoredKey(ctx, args[0])
			})
			if err != nil {
				return err
			}
			var t table
			t.add("arn", out.ARN)
			t.add("version", out.VersionID)
			return a.answer(out, &t)
		},
	}
}
