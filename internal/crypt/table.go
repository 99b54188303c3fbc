package crypt

import (
	"crypto"
	"crypto/fips140"
	"fmt"
	"slices"
	"strings"
)

// Matrix is what there is: every spec with the usages it may have and their algorithms. It is the
// one table that this package executes; tests walk it and the documentation prints it.
type Matrix struct {
	Specs      []SpecRow
	Algorithms []AlgorithmRow
}

// SpecRow is one spec.
type SpecRow struct {
	Spec Spec
	Uses []Use // the first is the default
	// Material says how its material is encoded, in words.
	Material string
	// Import: material made elsewhere may be imported.
	Import bool
	// DataKeyPair: key pairs may be generated for use outside; their private key is PKCS #8.
	DataKeyPair bool
	// FIPS says whether FIPS 140-3 mode allows it.
	FIPS Approval

	family family
}

// Use is one usage of a spec and the algorithms it then has; the first is the default.
type Use struct {
	Usage      Usage
	Algorithms []Algorithm
}

// AlgorithmRow is one algorithm.
type AlgorithmRow struct {
	Algorithm Algorithm
	// Signs and Verifies are the types of message that it signs, and that it verifies by; none when
	// it is for something else.
	Signs, Verifies []MessageType
	FIPS            Approval

	hash crypto.Hash // of what it signs, or its own; 0 when it takes the message as it is
}

// Digest returns the hash function whose digest the algorithm signs in place of the message: 0 when
// it signs none.
func (r *AlgorithmRow) Digest() crypto.Hash {
	if !slices.Contains(r.Signs, Digest) {
		return 0
	}
	return r.hash
}

// Approval says what FIPS 140-3 mode makes of something.
type Approval uint8

// The approvals.
const (
	NotApproved   Approval = iota
	Approved               // by every version of Go's FIPS 140-3 module
	ApprovedSince          // by module v1.26.0 and later
)

// String returns the approval for people.
func (a Approval) String() string {
	return [...]string{"no", "yes", "module v1.26.0 or later"}[a]
}

// allowed tells whether this process may do what has the approval.
func (a Approval) allowed() bool { return a.allowedIn(fips140.Enabled(), fips140.Version()) }

func (a Approval) allowedIn(approvedOnly bool, module string) bool {
	if !approvedOnly || a == Approved {
		return true
	}
	var minor int
	_, err := fmt.Sscanf(module, "v1.%d.", &minor)
	return a == ApprovedSince && (module == "latest" || err == nil && minor >= 26)
}

// Table returns the matrix. It must not be changed.
func Table() Matrix { return matrix }

// Row returns the row of a spec, or [ErrSpec] when there is none.
func (m Matrix) Row(s Spec) (*SpecRow, error) {
	for i := range m.Specs {
		if m.Specs[i].Spec == s {
			return &m.Specs[i], nil
		}
	}
	return nil, ErrSpec
}

// Algorithm returns the row of an algorithm, or [ErrAlgorithm] when there is none.
func (m Matrix) Algorithm(a Algorithm) (*AlgorithmRow, error) {
	for i := range m.Algorithms {
		if m.Algorithms[i].Algorithm == a {
			return &m.Algorithms[i], nil
		}
	}
	return nil, ErrAlgorithm
}

// Supported tells whether a key may have a spec and a usage here: nil, [ErrSpec], or
// [ErrUnsupported] when FIPS 140-3 mode forbids it.
func Supported(s Spec, u Usage) error {
	_, _, err := matrix.use(s, u)
	return err
}

func (m Matrix) use(s Spec, u Usage) (*SpecRow, *Use, error) {
	row, err := m.approved(s)
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(row.Uses, func(x Use) bool { return x.Usage == u })
	if i < 0 {
		return nil, nil, ErrSpec
	}
	return row, &row.Uses[i], nil
}

// approved returns the row of a spec that this process may use.
func (m Matrix) approved(s Spec) (*SpecRow, error) {
	row, err := m.Row(s)
	if err == nil && !row.FIPS.allowed() {
		return nil, ErrUnsupported
	}
	return row, err
}

// algorithm returns the row of an algorithm of a use that this process may compute.
func (u *Use) algorithm(a Algorithm) (*AlgorithmRow, error) {
	if !slices.Contains(u.Algorithms, a) {
		return nil, ErrAlgorithm
	}
	row, err := matrix.Algorithm(a)
	if err == nil && !row.FIPS.allowed() {
		return nil, ErrUnsupported
	}
	return row, err
}

// Markdown renders the matrix for documentation: first the specs, then the algorithms.
func (m Matrix) Markdown() string {
	var b strings.Builder
	b.WriteString("| spec | usage: algorithms | material | import | data key pairs | FIPS 140-3 |\n|---|---|---|---|---|---|\n")
	for i := range m.Specs {
		row := &m.Specs[i]
		var uses []string
		for _, u := range row.Uses {
			uses = append(uses, fmt.Sprintf("`%s`: %s", u.Usage, quoted(u.Algorithms)))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", row.Spec, strings.Join(uses, "<br>"),
			row.Material, yes(row.Import), yes(row.DataKeyPair), row.FIPS)
	}
	b.WriteString("\n| algorithm | signs | verifies | FIPS 140-3 |\n|---|---|---|---|\n")
	for i := range m.Algorithms {
		row := &m.Algorithms[i]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", row.Algorithm, quoted(row.Signs), quoted(row.Verifies), row.FIPS)
	}
	return b.String()
}

func quoted[T ~string](list []T) string {
	if len(list) == 0 {
		return "–"
	}
	words := make([]string, len(list))
	for i, w := range list {
		words[i] = "`" + string(w) + "`"
	}
	return strings.Join(words, ", ")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
