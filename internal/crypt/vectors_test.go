package crypt_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/haven-health/haven/internal/crypt"
)

// hexBytes is a string of hexadecimal digits in a vector.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// vectorGroup is a group of Wycheproof's: the members of every schema that is read here.
type vectorGroup struct {
	KeySize         int             `json:"keySize"`
	IVSize          int             `json:"ivSize"`
	TagSize         int             `json:"tagSize"`
	Hash            string          `json:"sha"`
	MaskHash        string          `json:"mgfSha"`
	SaltLen         int             `json:"sLen"`
	PublicKey       json.RawMessage `json:"publicKey"`
	PublicKeyDER    hexBytes        `json:"publicKeyDer"`
	PublicKeyJWK    *vectorJWK      `json:"publicKeyJwk"`
	PrivateKeyPKCS8 hexBytes        `json:"privateKeyPkcs8"`
	PrivateSeed     hexBytes        `json:"privateSeed"`
	Tests           []vector        `json:"tests"`
}

type vectorJWK struct{ Kty, Crv, X, Y, N, E string }

// vector is one case.
type vector struct {
	ID      int      `json:"tcId"`
	Flags   []string `json:"flags"`
	Key     hexBytes `json:"key"`
	IV      hexBytes `json:"iv"`
	AAD     hexBytes `json:"aad"`
	Msg     hexBytes `json:"msg"`
	CT      hexBytes `json:"ct"`
	Tag     hexBytes `json:"tag"`
	IKM     hexBytes `json:"ikm"`
	Salt    hexBytes `json:"salt"`
	Info    hexBytes `json:"info"`
	Size    int      `json:"size"`
	OKM     hexBytes `json:"okm"`
	Sig     hexBytes `json:"sig"`
	Ctx     hexBytes `json:"ctx"`
	Label   hexBytes `json:"label"`
	Public  hexBytes `json:"public"`
	Private string   `json:"private"`
	Shared  hexBytes `json:"shared"`
	Result  string   `json:"result"`
}

// outcome is what became of a case. The zero outcome is wrong.
type outcome struct {
	kind   string // "ran", "pinned", "not applicable", "unsupported" or "wrong"
	reason string
}

func pinned(reason string) outcome        { return outcome{"pinned", reason} }
func notApplicable(reason string) outcome { return outcome{"not applicable", reason} }
func wrong(format string, args ...any) outcome {
	return outcome{"wrong", fmt.Sprintf(format, args...)}
}

// verdict compares what was done with a case, nil for accepted, with what it asks for.
func verdict(v vector, err error) outcome {
	switch {
	case err == crypt.ErrUnsupported:
		return outcome{kind: "unsupported"}
	case v.Result == "acceptable":
		return pinned(fmt.Sprintf("merely acceptable (%s), and %s", strings.Join(v.Flags, ", "), map[bool]string{true: "accepted", false: "refused"}[err == nil]))
	case (v.Result == "valid") != (err == nil):
		return wrong("is %s: %v", v.Result, err)
	}
	return outcome{kind: "ran"}
}

// tally counts outcomes, and gathers the reasons of those that did not run.
type tally struct {
	kinds   map[string]int
	reasons map[string]int
}

func (n *tally) add(t *testing.T, file string, id int, o outcome) {
	t.Helper()
	n.kinds[o.kind]++
	if o.kind == "wrong" || o.kind == "" {
		t.Errorf("%s, case %d: %s", file, id, o.reason)
	}
	if o.kind == "pinned" || o.kind == "not applicable" {
		n.reasons[o.kind+": "+o.reason]++
	}
}

// folder returns a folder of published vectors, from HAVEN_VECTORS or beside the module. Only where
// HAVEN_CI is not 1 may they be absent.
func folder(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("HAVEN_VECTORS")
	if dir == "" {
		dir = "../../../shared/vectors"
	}
	dir = filepath.Join(dir, name)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("HAVEN_CI") == "1" {
			t.Fatal(err)
		}
		t.Skip("no vectors: set HAVEN_VECTORS")
	}
	return dir
}

// read decodes a JSON file of vectors.
func read[T any](t *testing.T, path string) (v T) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestWycheproof runs every file of the folder through this package, as wycheproofFiles says, and
// holds each to the number of cases that ran, that are answered in a way that is pinned here, and
// that do not apply. With -v it prints the table.
func TestWycheproof(t *testing.T) {
	dir := folder(t, "wycheproof")
	listed := map[string]bool{}
	for _, f := range wycheproofFiles {
		listed[f.name] = true
		t.Run(strings.TrimSuffix(f.name, "_test.json"), func(t *testing.T) {
			t.Parallel()
			file := read[struct {
				Tests  int           `json:"numberOfTests"`
				Groups []vectorGroup `json:"testGroups"`
			}](t, filepath.Join(dir, f.name))
			n := tally{map[string]int{}, map[string]int{}}
			for _, g := range file.Groups {
				for _, v := range g.Tests {
					n.add(t, f.name, v.ID, f.outcome(t, g, v))
				}
			}
			f.checkTotals(t, n, file.Tests)
		})
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, path := range files {
		if !listed[filepath.Base(path)] {
			t.Errorf("%s is not in the table", path)
		}
	}
}

// wycheproofFile says how a file is run, and what comes of it.
type wycheproofFile struct {
	name                       string
	ran, pinned, notApplicable int
	run                        func(*testing.T, vectorGroup, vector) outcome
	reason                     string // why the whole file does not apply, where run is nil
}

func (f wycheproofFile) outcome(t *testing.T, g vectorGroup, v vector) outcome {
	if f.run == nil {
		return notApplicable(f.reason)
	}
	return f.run(t, g, v)
}

func (f wycheproofFile) checkTotals(t *testing.T, n tally, cases int) {
	t.Helper()
	t.Logf("%s: ran %d, pinned %d, not applicable %d, unsupported here %d", f.name,
		n.kinds["ran"], n.kinds["pinned"], n.kinds["not applicable"], n.kinds["unsupported"])
	for _, r := range slices.Sorted(maps.Keys(n.reasons)) {
		t.Logf("    %d %s", n.reasons[r], r)
	}
	total := 0
	for _, k := range n.kinds {
		total += k
	}
	if total != cases || total == 0 {
		t.Errorf("%d outcomes of %d cases", total, cases)
	}
	// What FIPS 140-3 mode refuses would have run or been pinned.
	missing := f.ran + f.pinned - n.kinds["ran"] - n.kinds["pinned"]
	if missing != n.kinds["unsupported"] || n.kinds["not applicable"] != f.notApplicable ||
		n.kinds["unsupported"] == 0 && n.kinds["ran"] != f.ran {
		t.Errorf("expected: ran %d, pinned %d, not applicable %d", f.ran, f.pinned, f.notApplicable)
	}
}
