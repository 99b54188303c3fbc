package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

// keyFlag is the key that a command uses.
func keyFlag(c *cobra.Command, key *string) {
	c.Flags().StringVar(key, "key", "", "the `KEY`: id, ARN or alias/NAME, perhaps @N (required)")
	required(c, "key")
}

// inFlag and outFlag are files in place of stdin and stdout.
func inFlag(c *cobra.Command, in *string, what string) {
	c.Flags().StringVar(in, "in", "", what+"; `file` instead of stdin")
}

func outFlag(c *cobra.Command, out *string, what string) {
	c.Flags().StringVar(out, "out", "", what+"; a new `file` instead of stdout")
}

func algorithmFlag(c *cobra.Command, algorithm *string, example string) {
	c.Flags().StringVar(algorithm, "algorithm", "", "one of the key's, such as "+example+"; empty: the first of them")
}

// verdict prints the answer of a verification, and ends the command with 1 when it is no.
func (a *app) verdict(what string, v *client.Verified) error {
	if v.Valid {
		var t table
		t.add("valid", fmt.Sprintf("the %s is that of %s@%d", what, v.KeyID, v.Version))
		return a.answer(v, &t)
	}
	if a.output == "json" {
		if err := writeJSON(a.stdout, v); err != nil {
			return err
		}
	}
	switch v.Reason {
	case client.ReasonCompromised:
		return fmt.Errorf("not valid: the %s fits %s@%d, which is compromised: anyone may have made it, and dated it back", what, v.KeyID, v.Version)
	case client.ReasonIncomplete:
		return fmt.Errorf("not valid: the %s fits no version of key %s that could be asked, and some could not: name the one that made it, KEY@N", what, v.KeyID)
	}
	return fmt.Errorf("not valid: key %s did not make this %s of this message, or not by this algorithm", v.KeyID, what)
}
