package lifecycle

import (
	"fmt"
	"strings"
)

// Markdown renders the table for documentation: first the states, then the operations.
func (r Rules) Markdown() string {
	var b strings.Builder
	b.WriteString("| state | protect | process | verify a signature | leads to |\n|---|---|---|---|---|\n")
	for s := Pending; s <= Destroyed; s++ {
		row := &r.Rows[s]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", s,
			row.Uses[Protect], row.Uses[Process], row.Uses[VerifySignature], row.leads())
	}
	without := &r.WithoutMaterial
	fmt.Fprintf(&b, "| any, imported material missing | %s | %s | %s | |\n", without[Protect], without[Process], asState(without[VerifySignature]))
	b.WriteString("\n\\* only with the whole key\n\n")
	b.WriteString("| operation | key | version | becomes | |\n|---|---|---|---|---|\n")
	for _, m := range r.Moves[1:] {
		to := "–"
		if m.To != 0 {
			to = "`" + m.To.String() + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", m.Name, m.Key.list(), m.From.list(), to, m.Note)
	}
	return b.String()
}

// String returns the right for people.
func (r Right) String() string {
	switch r {
	case No:
		return "no"
	case Yes:
		return "yes"
	case WhenNamed:
		return "when named"
	case Untrusted:
		return "`valid: false`"
	case YesUnlessCompromised:
		return "yes, unless it was compromised"
	}
	return fmt.Sprintf("right %d", uint8(r))
}

// asState is a right that takes nothing away.
func asState(r Right) string {
	if r == Yes {
		return "as the state says"
	}
	return r.String()
}

func (row *Row) leads() string {
	var list []string
	for s := Pending; s <= Destroyed; s++ {
		if row.Next.Has(s) {
			list = append(list, "`"+s.String()+"`")
		}
		if row.WithKey.Has(s) {
			list = append(list, "`"+s.String()+"`\\*")
		}
	}
	return joined(list)
}

func (s States) list() string {
	var list []string
	for x := Pending; x <= Destroyed; x++ {
		if s.Has(x) {
			list = append(list, "`"+x.String()+"`")
		}
	}
	return joined(list)
}

func (s Statuses) list() string {
	var list []string
	for x := Enabled; x <= Gone; x++ {
		if s.Has(x) {
			list = append(list, x.String())
		}
	}
	return joined(list)
}

func joined(list []string) string {
	if len(list) == 0 {
		return "–"
	}
	return strings.Join(list, ", ")
}
