package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

// keyFields documents the key document wherever a command prints it.
const keyFields = `Fields of --output json: key_id, arn, alias (the first of aliases), aliases, type, spec, key_usage,
purpose, description, owner, origin, state and version (the primary's), versions, previous_version
(after a rotation), rotation_days, grace_days, lifetime_days, created_at, created_by,
created_by_name, expires_at, next_rotation_at, valid_to (when imported material ends) and
material_expired (it did, or was deleted), key_check_value (of the primary's material),
deletion_date, last_used_at, use_count, wrapped_by, moving (a change of master is unfinished), wraps
and rewrap_left (of a master key: count, more), tags, enabled, disabled_until. What a key does not
have is absent.`

// keyReference documents how keys are named.
const keyReference = `KEY is a key's id, ARN, alias (alias/NAME) or alias ARN; KEY@N names version N.`

func (a *app) key() *cobra.Command {
	c := &cobra.Command{
		Use: "key", Short: "Create, show and manage keys", GroupID: groupKeys,
		Long: "Create, show and manage keys.\n\n" + keyReference,
		Example: `  haven key create --type data --purpose "Patient data encryption" --alias alias/patients
  haven key rotate alias/patients`,
		Args: noneBut("a command"), RunE: help,
	}
	c.AddCommand(
		a.keyCreate(), a.keyShow(), a.keyList(), a.keyVersions(), a.keyUpdate(), a.keyRotate(), a.keyEnable(),
		a.keyDisable(), a.keyDeprecate(), a.keyCompromise(), a.keyScheduleDeletion(), a.keyCancelDeletion(),
		a.keyActive(), a.keyHistory(), a.keyAlias(), a.keyTag(), a.keyUntag(), a.keyRestore(), a.keyRewrap(), a.keyImport(),
		a.keyDeleteMaterial(), a.keyPolicy(),
	)
	return c
}

// oneKey makes a command that names one key and prints its document.
func (a *app) oneKey(use, short, long, example string, do func(context.Context, *client.Client, string) (*client.Key, error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long + "\n\n" + keyReference + "\n\n" + keyFields, Example: example,
		Args: exactly("KEY"),
		RunE: func(c *cobra.Command, args []string) error {
			key, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.Key, error) {
				return do(ctx, c, args[0])
			})
			if err != nil {
				return err
			}
			return a.answer(key, keyRows(key))
		},
	}
}

// exactly asks for the named arguments and no others.
func exactly(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return fmt.Errorf("expected %s", strings.Join(names, " "))
		}
		return nil
	}
}

func keyRows(k *client.Key) *table {
	var t table
	t.add("key", k.KeyID)
	t.add("arn", k.ARN)
	for _, alias := range k.Aliases {
		t.add("alias", alias)
	}
	t.add("purpose", k.Purpose)
	for line := range strings.Lines(k.Description) {
		t.add("description", strings.TrimSuffix(line, "\n"))
	}
	t.add("owner", k.Owner)
	t.add("type", fmt.Sprintf("%s, %s", k.Type, k.Spec))
	t.add("origin", string(k.Origin))
	t.add("state", stateOf(k))
	t.add("version", versionOf(k))
	t.add("rotation", period(k.RotationDays)+", then "+fmt.Sprintf("%d days of grace", k.GraceDays))
	if k.LifetimeDays > 0 {
		t.add("lifetime", period(k.LifetimeDays))
	}
	t.add("next rotation", when(k.NextRotationAt))
	t.add("expires", when(k.ExpiresAt))
	t.add(materialEnd(k), when(k.ValidTo))
	t.add("check value", k.KeyCheckValue)
	t.add("deletion", when(k.DeletionDate))
	t.add("created", when(k.CreatedAt)+" by "+cmp.Or(k.CreatedByName, k.CreatedBy))
	t.add("wrapped by", k.WrappedBy)
	if k.Moving {
		master, _, _ := strings.Cut(k.WrappedBy, "@")
		t.add("moving", fmt.Sprintf("some versions are with another master yet: haven key update %s --master %s takes them along", k.KeyID, cmp.Or(master, "MASTER")))
	}
	t.add("wraps", wraps(k.Wraps))
	if k.RewrapLeft != nil && k.RewrapLeft.Count > 0 {
		t.add("to re-wrap", wraps(k.RewrapLeft))
	}
	if k.UseCount > 0 {
		t.add("used", fmt.Sprintf("%d times, last %s", k.UseCount, when(k.LastUsedAt)))
	}
	for _, name := range sortedNames(k.Tags) {
		t.add("tag", name+"="+k.Tags[name])
	}
	return &t
}

func stateOf(k *client.Key) string {
	switch {
	case !k.DeletionDate.IsZero():
		return "pending deletion"
	case !k.DisabledUntil.IsZero():
		return "disabled until " + when(k.DisabledUntil)
	case !k.Enabled:
		return "disabled"
	case k.Version == 0 && k.Origin == client.ExternalOrigin:
		return "no primary: import new material"
	case k.Version == 0:
		return "no primary: rotate it"
	case k.State == client.Pending && k.Origin == client.ExternalOrigin:
		return "material missing: import it"
	case k.MaterialExpired:
		return "material missing: import the same again"
	}
	return string(k.State)
}

func materialEnd(k *client.Key) string {
	if k.MaterialExpired {
		return "material ended"
	}
	return "material ends"
}

func versionOf(k *client.Key) string {
	text := fmt.Sprintf("%d of %d", k.Version, k.Versions)
	if k.PreviousVersion > 0 {
		text += fmt.Sprintf(" (before: %d)", k.PreviousVersion)
	}
	return text
}

func period(days int) string {
	if days == 0 {
		return "never"
	}
	return fmt.Sprintf("%d days", days)
}

func sortedNames(m map[string]string) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// pairs reads repeated NAME=VALUE flags.
func pairs(flag string, given []string) (map[string]string, error) {
	out := make(map[string]string, len(given))
	for _, text := range given {
		name, value, found := strings.Cut(text, "=")
		if !found {
			return nil, usagef("%s is NAME=VALUE", flag)
		}
		if _, twice := out[name]; twice {
			return nil, usagef("%s names one name twice", flag)
		}
		out[name] = value
	}
	return out, nil
}
