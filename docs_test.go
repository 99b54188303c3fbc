package haven_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/lifecycle"
)

// pages returns the Markdown files of the documentation, by path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	read := func(name string) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.ToSlash(name)] = string(b)
	}
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md"} {
		read(name)
	}
	err := filepath.WalkDir("docs", func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".md") {
			read(name)
		}
		return err
	})
	if err != nil || len(out) < 10 {
		t.Fatalf("%d pages: %v", len(out), err)
	}
	return out
}

// TestReadme: the example in README.md is the one that is compiled and run.
func TestReadme(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, began := strings.Cut(string(source), "// README: begin\n")
	example, _, ended := strings.Cut(rest, "\n// README: end")
	if !began || !ended {
		t.Fatal("example_test.go has no marked example")
	}
	if !strings.Contains(pages(t)["README.md"], "```go\n"+example+"```\n") {
		t.Error("README.md shows another example than example_test.go")
	}
}

// TestLifecyclePage: docs/lifecycle.md prints the table that the code executes.
func TestLifecyclePage(t *testing.T) {
	_, table, ok := strings.Cut(pages(t)["docs/lifecycle.md"], "<!-- table -->\n")
	if !ok || table != lifecycle.Table().Markdown() {
		t.Error("docs/lifecycle.md does not end in lifecycle.Table().Markdown()")
	}
}

// TestKindsPage: docs/algorithms.md prints the table of kinds that the code executes.
func TestKindsPage(t *testing.T) {
	if !strings.Contains(pages(t)["docs/algorithms.md"], "<!-- kinds -->\n"+keys.KindsMarkdown()+"<!-- end of kinds -->\n") {
		t.Errorf("docs/algorithms.md does not print keys.KindsMarkdown():\n%s", keys.KindsMarkdown())
	}
}

var (
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fenced = regexp.MustCompile("(?s)```sh\n(.*?)```")
)

// TestLinks: what the documentation points to is there.
func TestLinks(t *testing.T) {
	all, found := pages(t), 0
	for name, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			found++
			file := name
			if target != "" {
				file = path.Join(path.Dir(name), target)
			}
			if _, err := os.Stat(filepath.FromSlash(file)); err != nil {
				t.Errorf("%s points to %s, which is not there", name, m[1])
			} else if anchor != "" && !slices.Contains(anchors(all[file]), anchor) {
				t.Errorf("%s points to %s, a heading that is not there", name, m[1])
			}
		}
	}
	if found == 0 {
		t.Error("no links: does this test still see them?")
	}
}

// anchors returns the anchors that a page's headings have.
func anchors(page string) (out []string) {
	for line := range strings.Lines(page) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			out = append(out, strings.Map(func(r rune) rune {
				switch {
				case r == ' ':
					return '-'
				case r == '-' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
					return r
				}
				return -1
			}, strings.ToLower(strings.TrimSpace(heading))))
		}
	}
	return out
}

// TestCommands: every haven command line in the documentation names a command and flags that the
// binary has, and every make target is one.
func TestCommands(t *testing.T) {
	haven := filepath.Join(t.TempDir(), "haven")
	if out, err := exec.Command("go", "build", "-o", haven, "./cmd/haven").CombinedOutput(); err != nil {
		t.Fatalf("building the binary: %v\n%s", err, out)
	}
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for name, text := range pages(t) {
		for _, block := range fenced.FindAllStringSubmatch(text, -1) {
			for line := range strings.Lines(block[1]) {
				for part := range strings.SplitSeq(line, "|") {
					words := strings.Fields(strings.Replace(part, "go run ./cmd/haven", "haven", 1))
					switch {
					case len(words) > 1 && words[0] == "haven":
						found++
						if err := commandExists(haven, words[1:]); err != nil {
							t.Errorf("%s: %s: %v", name, strings.TrimSpace(line), err)
						}
					case len(words) > 1 && words[0] == "make":
						if !bytes.Contains(makefile, []byte("\n"+words[1]+":")) {
							t.Errorf("%s: the Makefile has no target %s", name, words[1])
						}
					}
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("%d commands: does this test still see them?", found)
	}
}

// commandExists asks the binary for the help of a command line and looks its flags up in it.
func commandExists(haven string, words []string) error {
	var names, flags []string
	for _, w := range words {
		switch {
		case strings.HasPrefix(w, "#"):
			words = nil
		case strings.HasPrefix(w, "--"):
			flag, _, _ := strings.Cut(w, "=")
			flags = append(flags, flag)
		case len(flags) == 0 && regexp.MustCompile(`^[a-z-]+$`).MatchString(w):
			names = append(names, w)
		}
		if words == nil {
			break
		}
	}
	help, err := exec.Command(haven, append(names, "--help")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, help)
	}
	// A command says how it is used, itself in lower case and then what it is given; one that has
	// commands is given nothing.
	use := "haven " + strings.Join(names, " ")
	command := regexp.MustCompile(`(?m)^Usage:\n  (haven[a-z -]*[a-z])`).FindSubmatch(help)
	if command == nil || !strings.HasPrefix(use+" ", string(command[1])+" ") ||
		use != string(command[1]) && bytes.Contains(help, []byte("\n  "+string(command[1])+" [command]")) {
		return fmt.Errorf("%s is not a command", use)
	}
	for _, flag := range flags {
		if !bytes.Contains(help, []byte(flag+" ")) {
			return fmt.Errorf("no flag %s", flag)
		}
	}
	return nil
}

// TestConfigPage: docs/config.md names every member of the configuration file.
func TestConfigPage(t *testing.T) {
	page, found := pages(t)["docs/config.md"], 0
	for _, s := range module(t) {
		if s.path != "cmd/haven/config.go" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if f, ok := n.(*ast.Field); ok && f.Tag != nil {
				tag, _ := strconv.Unquote(f.Tag.Value)
				name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
				if found++; !strings.Contains(page, "`"+name+"`") {
					t.Errorf("docs/config.md does not tell of %q", name)
				}
			}
			return true
		})
	}
	if found == 0 {
		t.Error("no members: does this test still see them?")
	}
}

// TestMutants: every defect that is planted in the code stands in a mutants_test.go, which names
// the test that catches it, and no other does.
func TestMutants(t *testing.T) {
	planted, caught := map[string]bool{}, map[string]bool{}
	for _, s := range module(t) {
		table := path.Base(s.path) == "mutants_test.go"
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Mutant" && len(n.Args) == 1 {
					planted[text(n.Args[0])] = true
				}
			case *ast.CompositeLit:
				if table && len(n.Elts) > 1 && text(n.Elts[0]) != "" {
					caught[text(n.Elts[0])] = true
				}
			}
			return true
		})
	}
	for name := range planted {
		if !caught[name] {
			t.Errorf("the defect %q is planted, and no mutants_test.go says which test catches it", name)
		}
	}
	for name := range caught {
		if !planted[name] {
			t.Errorf("a mutants_test.go names the defect %q, which is not planted", name)
		}
	}
	if len(planted) < 10 {
		t.Errorf("%d planted defects, at least 10", len(planted))
	}
}

// text returns the value of a string literal, "" of anything else.
func text(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	value, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return value
}

// TestDependencies: docs/dependencies.md gives a reason for every module that is imported, and for
// no other.
func TestDependencies(t *testing.T) {
	page, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); len(cells) > 2 && strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			listed[strings.Trim(cells[1], " `")] = true
		}
	}
	modules := required(t)
	used := map[string]string{}
	for _, s := range module(t) {
		for _, p := range s.imports {
			if first, _, _ := strings.Cut(p, "/"); !strings.Contains(first, ".") || strings.HasPrefix(p, modulePath) {
				continue
			}
			used[moduleOf(modules, p)] = s.path
		}
	}
	for m, where := range used {
		if !listed[m] {
			t.Errorf("%s uses %q, for which docs/dependencies.md gives no reason", where, m)
		}
	}
	for m := range listed {
		if used[m] == "" {
			t.Errorf("docs/dependencies.md lists %q, which nothing imports", m)
		}
	}
	if len(used) == 0 {
		t.Error("no module is used: does this test still see them?")
	}
}

// required returns the modules that go.mod requires.
func required(t *testing.T) (modules []string) {
	t.Helper()
	b, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require ")); len(f) >= 2 && strings.HasPrefix(f[1], "v") {
			modules = append(modules, f[0])
		}
	}
	return modules
}

// moduleOf returns the module that a package belongs to.
func moduleOf(modules []string, pkg string) string {
	best := ""
	for _, m := range modules {
		if (pkg == m || strings.HasPrefix(pkg, m+"/")) && len(m) > len(best) {
			best = m
		}
	}
	if best == "" {
		return fmt.Sprintf("%s (in no module of go.mod)", pkg)
	}
	return best
}
