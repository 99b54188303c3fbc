package sigv4_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/haven-health/haven/internal/sigv4"
)

// published cases are AWS's: awslabs/aws-c-auth, tests/aws-signing-test-suite/v4. They are kept as
// they were published, a folder for each case, and as one JSON document.
type suiteCase struct {
	header, query message // the request, signed in its header and in its query
	normalised    bool    // the signer normalised the path
}

// suites returns the published cases of both sources by name; the test is skipped where they are
// not, except in CI.
func suites(t testing.TB) map[string]suiteCase {
	t.Helper()
	vectors := os.Getenv("HAVEN_VECTORS")
	if vectors == "" {
		vectors = filepath.Join("..", "..", "..", "shared", "vectors")
	}
	cases := map[string]suiteCase{}
	for name, file := range readFolders(t, filepath.Join(vectors, "sigv4", "aws-c-auth", "tests", "aws-signing-test-suite", "v4")) {
		cases["folder/"+name] = readCase(t, file)
	}
	inFolders := len(cases)
	for name, file := range readDocument(t, filepath.Join(vectors, "..", "aws", "sigv4-suite.json")) {
		cases["document/"+name] = readCase(t, file)
	}
	if inDocument := len(cases) - inFolders; os.Getenv("HAVEN_CI") == "1" && (inFolders < 38 || inDocument < 38) {
		t.Fatalf("%d published cases in folders and %d in a document; 38 were published", inFolders, inDocument)
	}
	if len(cases) == 0 {
		t.Skip("no vectors: set HAVEN_VECTORS")
	}
	return cases
}

// readFolders returns the files of each case of a folder of folders.
func readFolders(t testing.TB, dir string) map[string]map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]map[string]string{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(filepath.Dir(path))
		if cases[name] == nil {
			cases[name] = map[string]string{}
		}
		cases[name][filepath.Base(path)] = string(b)
	}
	return cases
}

// readDocument returns the files of each case of one document.
func readDocument(t testing.TB, path string) map[string]map[string]string {
	t.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var document struct {
		Cases map[string]map[string]jsontext.Value `json:"cases"`
	}
	if err == nil {
		err = json.Unmarshal(b, &document)
	}
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]map[string]string{}
	for name, files := range document.Cases {
		cases[name] = map[string]string{}
		for file, value := range files {
			text := string(value)
			if value.Kind() == '"' {
				if err := json.Unmarshal(value, &text); err != nil {
					t.Fatal(err)
				}
			}
			cases[name][file] = text
		}
	}
	return cases
}

func readCase(t testing.TB, files map[string]string) suiteCase {
	t.Helper()
	var context struct {
		Normalize bool `json:"normalize"`
	}
	if err := json.Unmarshal([]byte(files["context.json"]), &context); err != nil {
		t.Fatal(err)
	}
	return suiteCase{
		header: readMessage(t, files["header-signed-request.txt"]), query: readMessage(t, files["query-signed-request.txt"]),
		normalised: context.Normalize,
	}
}

// readMessage reads a request as the suite writes them. Its request lines are not HTTP's, having blanks in
// their paths, so net/http cannot.
func readMessage(t testing.TB, text string) (m message) {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	first, rest, _ := strings.Cut(head, "\n")
	first, ok := strings.CutSuffix(first, " HTTP/1.1")
	m.method, m.target, _ = strings.Cut(first, " ")
	m.body = body
	for line := range strings.SplitSeq(strings.TrimSuffix(rest, "\n"), "\n") {
		if last := len(m.fields) - 1; last >= 0 && strings.HasPrefix(line, " ") {
			m.fields[last].value += " " + strings.TrimSpace(line) // as servers unfold what was folded
			continue
		}
		name, value, found := strings.Cut(line, ":")
		ok = ok && found
		m.fields = append(m.fields, field{name, value})
	}
	if !ok || m.method == "" || m.target == "" {
		t.Fatalf("no request: %q", text)
	}
	return m
}

// apart are the cases that are refused as they were published, by a rule of ours that is stricter than
// the suite's. Each is mended into a request that breaks no rule of ours and is the same to the
// rules of the signature: which is then accepted with the signature that was published.
var apart = map[string]func(t *testing.T, m message) message{
	// A header several times: who reads the first value only reads less than what was signed.
	"get-header-key-duplicate": joined,
	"get-header-value-order":   joined,
	// The session token was put in after signing. In our services it decides who calls.
	"post-sts-header-after": func(t *testing.T, m message) message {
		_, i := m.value(t, "X-Amz-Security-Token")
		return m.with(i)
	},
}

// joined writes the fields named My-Header1 as one.
func joined(t *testing.T, m message) message {
	var values []string
	var others []field
	for _, f := range m.fields {
		if f.name == "My-Header1" {
			values = append(values, f.value)
		} else {
			others = append(others, f)
		}
	}
	m.fields = append(others, field{"My-Header1", strings.Join(values, ",")})
	return m
}

// TestSuite: every published request that is signed in its header is accepted, as it is or mended; none
// that is signed in its query is.
func TestSuite(t *testing.T) {
	accepted, mended := 0, 0
	for name, c := range suites(t) {
		m := c.header
		if mend := apart[filepath.Base(name)]; mend != nil {
			if err := published.verify(t, m); !errors.Is(err, sigv4.ErrRefused) {
				t.Errorf("%s, as published: %v, want %v", name, err, sigv4.ErrRefused)
			}
			m = mend(t, m)
			mended++
		}
		if err := published.verify(t, m); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		accepted++
		if err := published.verify(t, c.query); !errors.Is(err, sigv4.ErrRefused) {
			t.Errorf("%s, signed in the query: %v, want %v", name, err, sigv4.ErrRefused)
		}
	}
	t.Logf("accepted %d, of which mended %d", accepted, mended)
}

// TestSuiteMutations: no published request is accepted after one change to anything that is signed.
func TestSuiteMutations(t *testing.T) {
	total, least := 0, 0
	for name, c := range suites(t) {
		if !strings.HasPrefix(name, "folder/") {
			continue
		}
		m := c.header
		if mend := apart[filepath.Base(name)]; mend != nil {
			m = mend(t, m)
		}
		mutants := mutate(t, m, c.normalised || isNormal(m.target))
		for _, mutant := range mutants {
			if published.verify(t, mutant) == nil {
				t.Errorf("%s: accepted after a change:\n%s", name, mutant)
			}
		}
		if len(mutants) < 200 {
			t.Errorf("%s: %d changes, want at least 200", name, len(mutants))
		}
		total += len(mutants)
		if least == 0 || len(mutants) < least {
			least = len(mutants)
		}
	}
	if total == 0 {
		t.Error("nothing was changed")
	}
	t.Logf("refused %d, at least %d of each case", total, least)
}
