package crypt_test

import (
	"bytes"
	"crypto/fips140"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
)

// peer is another implementation of the standards, and what was exchanged with it: a column of the
// table in docs/algorithms.md, which make interop prints.
type peer struct {
	t    *testing.T
	name string
	rows map[crypt.Algorithm]*exchanged
}

// exchanged counts, of one algorithm, what was made here and understood there, what was made there
// and understood here, and what was altered on the way and refused.
type exchanged struct{ there, here, refused int }

func (e *exchanged) String() string {
	if e == nil {
		return "–"
	}
	return fmt.Sprintf("%d, %d, %d", e.there, e.here, e.refused)
}

var (
	errDiffers  = errors.New("another result")
	errAccepted = errors.New("accepted")
)

// same returns nil for equal bytes.
func same(a, b []byte) error {
	if !bytes.Equal(a, b) {
		return errDiffers
	}
	return nil
}

func newPeer(t *testing.T, name string) *peer {
	return &peer{t, name, map[crypt.Algorithm]*exchanged{}}
}

func (p *peer) row(a crypt.Algorithm) *exchanged {
	if p.rows[a] == nil {
		p.rows[a] = &exchanged{}
	}
	return p.rows[a]
}

// there counts something that was made here; err is what the peer says.
func (p *peer) there(s crypt.Spec, a crypt.Algorithm, err error) {
	p.t.Helper()
	p.row(a).there++
	if err != nil {
		p.t.Errorf("%s, to %s: %v", a, s, err)
	}
}

// here counts something that the peer made; err is what this package says.
func (p *peer) here(s crypt.Spec, a crypt.Algorithm, err error) {
	p.t.Helper()
	p.row(a).here++
	if err != nil {
		p.t.Errorf("%s, from %s: %v", a, s, err)
	}
}

// refused counts something altered, which err has to refuse.
func (p *peer) refused(s crypt.Spec, a crypt.Algorithm, err error) {
	p.t.Helper()
	p.row(a).refused++
	if err == nil {
		p.t.Errorf("%s, altered, of %s: %v", a, s, errAccepted)
	}
}

// altered returns a copy with one bit in its middle flipped.
func altered(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

// report prints the counts and holds the documentation's column to them. Under FIPS 140-3 mode there
// is less to exchange.
func (p *peer) report() {
	for _, a := range slices.Sorted(maps.Keys(p.rows)) {
		p.t.Logf("%-20s %-30s %6d %6d %8d", p.name, a, p.rows[a].there, p.rows[a].here, p.rows[a].refused)
	}
	if fips140.Enabled() {
		return
	}
	listed := map[crypt.Algorithm]bool{}
	table := interopTable(p.t)
	column := slices.Index(table[0], p.name)
	if column < 0 {
		p.t.Fatalf("docs/algorithms.md has no column %q", p.name)
	}
	for _, cells := range table[2:] {
		a := crypt.Algorithm(strings.Trim(cells[1], "`"))
		listed[a] = true
		if cells[column] != p.rows[a].String() {
			p.t.Errorf("docs/algorithms.md says %q of %s, which is %s", cells[column], a, p.rows[a])
		}
	}
	for a, n := range p.rows {
		if !listed[a] {
			p.t.Errorf("docs/algorithms.md has no row %s: %s", a, n)
		}
	}
}

// interopTable returns the cells of the documentation's table, by line.
func interopTable(t *testing.T) (cells [][]string) {
	t.Helper()
	b := must(os.ReadFile("../../docs/algorithms.md"))(t)
	_, section, _ := strings.Cut(string(b), "\n## Interoperability\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "|") {
			row := strings.Split(line, "|")
			for i := range row {
				row[i] = strings.TrimSpace(row[i])
			}
			cells = append(cells, row)
		}
	}
	if len(cells) < 3 {
		t.Fatal("docs/algorithms.md has no table of what was exchanged with whom")
	}
	return cells
}

// pinnedVersion returns the first group of a pattern in a file that pins versions.
func pinnedVersion(t *testing.T, file, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindSubmatch(must(os.ReadFile(file))(t))
	if m == nil {
		t.Fatalf("%s does not pin %s", file, pattern)
	}
	return string(m[1])
}

// absent ends a test whose peer, a program, is not there. In CI it has to be.
func absent(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("HAVEN_CI") == "1" {
		t.Fatal(err)
	}
	t.Skipf("%v: make interop installs it", err)
}

// sealedParts cuts a sealed message into what RFC 9180 knows and what is Haven's.
func sealedParts(s crypt.Spec, message []byte) (header, enc, commitment, ciphertext []byte) {
	n := 24 + map[crypt.Spec]int{crypt.XWing: 1120, crypt.MLKEM768P256: 1153}[s]
	return message[:24], message[24:n], message[n : n+32], message[n+32:]
}

// sealedInfo is the info that a message with a header is sealed with for a context.
func sealedInfo(header []byte, c blob.Context) []byte {
	context := sha256.Sum256(c.Encoded())
	return bytes.Join([][]byte{[]byte("haven/hpke/v1\x00"), header, context[:]}, nil)
}
