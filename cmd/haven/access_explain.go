package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

func (a *app) accessExplain() *cobra.Command {
	var req client.ExplainAccessRequest
	var encryptionContext, tags, conditions []string
	var at string
	c := &cobra.Command{
		Use: "explain [DECISION]", Short: "Tell why a request was refused, or how one would be decided",
		Long: `Tell why a request was refused, by the id of the decision that the refusal told, with the policies that
were in force; or how a request would be decided now, by --principal and --action. Every statement is
shown with what first stands against it, and the one that came nearest; then the statement that would
allow it, and where it belongs. None is proposed against an explicit Deny.

Who may not explain access to the resource (haven:ExplainAccess) learns of its own refusals whether a
Deny stands against it or an Allow is missing.

Fields of --output json: decision, asked, explanation.`,
		Example: `  haven access explain 01981d5c-6d1c-7c3e-9b1f-5f0c8e6a7d10
  haven access explain --principal amina --action decrypt --key alias/patients --context patient=17`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var err error
			if len(args) == 1 {
				req.Decision = args[0]
			}
			if (req.Decision == "") == (req.Principal == "") {
				return usagef("say the id of a decision, or --principal and --action")
			}
			if req.Context, err = pairs("--context", encryptionContext); err != nil {
				return err
			}
			if req.Tags, err = pairs("--tag", tags); err != nil {
				return err
			}
			if req.Conditions, err = manyPairs("--condition", conditions); err != nil {
				return err
			}
			if req.Time, err = moment(at); err != nil {
				return err
			}
			answer, err := call(c.Context(), a, func(ctx context.Context, c *client.Client) (*client.ExplainAccessAnswer, error) {
				return c.ExplainAccess(ctx, req)
			})
			if err != nil {
				return err
			}
			if a.output == "json" {
				return writeJSON(a.stdout, answer)
			}
			return drawExplanation(a.stdout, &answer.Explanation)
		},
	}
	f := c.Flags()
	f.StringVar(&req.Principal, "principal", "", "who would ask: PRINCIPAL")
	f.StringVar(&req.Action, "action", "", "what: a permission, kms:Decrypt, or an operation, decrypt")
	f.StringVar(&req.Key, "key", "", "of which `KEY`")
	f.StringArrayVar(&encryptionContext, "context", nil, "a pair of the encryption context, `NAME=VALUE`; repeat for more")
	f.StringArrayVar(&tags, "tag", nil, "a tag that the request would set, `NAME=VALUE`; repeat for more")
	f.StringArrayVar(&conditions, "condition", nil, "a value of another condition key, `KEY=VALUE`; repeat for more")
	f.StringVar(&req.SourceIP, "source-ip", "", "from which `address`")
	f.StringVar(&at, "time", "", "when, RFC 3339 `time`; now if left out")
	return c
}

// manyPairs reads NAME=VALUE flags whose names may repeat.
func manyPairs(flag string, given []string) (map[string][]string, error) {
	var out map[string][]string
	for _, one := range given {
		name, value, ok := strings.Cut(one, "=")
		if !ok || name == "" {
			return nil, usagef("%s is NAME=VALUE", flag)
		}
		if out == nil {
			out = map[string][]string{}
		}
		out[name] = append(out[name], value)
	}
	return out, nil
}

// drawExplanation draws a decision as a tree: of each policy its statements, each with ✓ if it is about
// the request, or ✗ and why not.
func drawExplanation(w io.Writer, e *client.Explanation) error {
	var b strings.Builder
	verdict := "refused: nothing allows it"
	switch {
	case e.Allowed:
		verdict = "allowed"
	case e.Explicit:
		verdict = "refused: denied explicitly"
	}
	fmt.Fprintf(&b, "%s\n%s  %s  %s\n", verdict, printable(e.Principal), printable(e.Action), printable(e.Resource))
	last := len(e.Policies) + len(e.Grants) - 1
	for i, p := range e.Policies {
		branch, below := limb(i == last)
		fmt.Fprintf(&b, "%s%s\n", branch, printable(strings.TrimSpace(sourceNames[p.Source]+" "+p.Name)))
		for j, s := range p.Statements {
			twig, _ := limb(j == len(p.Statements)-1)
			nearest := ""
			if e.Nearest != nil && e.Nearest.Policy == i && e.Nearest.Statement == j {
				nearest = "   ← came nearest"
			}
			fmt.Fprintf(&b, "%s%s%s%s\n", below, twig, printable(drawStatement(&s)), nearest)
		}
	}
	for i, g := range e.Grants {
		branch, _ := limb(len(e.Policies)+i == last)
		fmt.Fprintf(&b, "%s%s\n", branch, printable(drawGrant(&g)))
	}
	if p := e.Proposal; p != nil {
		for _, at := range p.At {
			statement := p.Statement
			if at == "object" {
				statement = p.ForObject
			}
			fmt.Fprintf(&b, "to allow it, add to the %s:\n  %s\n", sourceNames[at], printable(statement))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// sourceNames are what sources are called to people.
var sourceNames = map[string]string{"identity": "identity policy", "boundary": "boundary", "session": "session policy", "object": "key policy"}

func limb(last bool) (branch, below string) {
	if last {
		return "└─ ", "   "
	}
	return "├─ ", "│  "
}

func drawStatement(s *client.StatementFinding) string {
	mark, effect, name := "✗", "allow", s.Sid
	if s.Matched {
		mark = "✓"
	}
	if s.Deny {
		effect = "deny"
	}
	if name == "" {
		name = fmt.Sprint("statement ", s.Index+1)
	}
	text := mark + " " + effect + " " + name
	switch c := s.Condition; {
	case s.Matched && s.Named == "account":
		return text + ": leaves it to the account"
	case s.Matched:
		return text
	case c == nil:
		return text + ": another " + s.Failed
	case !c.Present:
		return fmt.Sprintf("%s: %s %s wants %s; the request has none", text, c.Operator, c.Key, strings.Join(c.Wanted, ", "))
	default:
		return fmt.Sprintf("%s: %s %s wants %s; the request has %s", text, c.Operator, c.Key, strings.Join(c.Wanted, ", "), strings.Join(c.Got, ", "))
	}
}

func drawGrant(g *client.GrantFinding) string {
	switch {
	case g.Matched:
		return "✓ grant " + g.ID
	case !g.Operation:
		return "✗ grant " + g.ID + ": another operation"
	}
	return "✗ grant " + g.ID + ": another encryption context"
}
