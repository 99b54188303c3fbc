package haven_test

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// Names that say nothing.
var emptyNames = []string{"util", "utils", "common", "helper", "helpers", "types", "pkg", "misc", "shared", "base", "lib"}

// Limits in lines. What is near them wants to be two things.
const (
	maxFunction = 100
	maxFile     = 700
)

// TestNames: a package is named for what it is; none wires itself.
func TestNames(t *testing.T) {
	for _, s := range module(t) {
		for part := range strings.SplitSeq(s.pkg, "/") {
			if slices.Contains(emptyNames, part) {
				t.Errorf("%s: %q says nothing of what is in it", s.path, part)
			}
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: wire it in haven.go or cmd/haven instead of an init function", s.at(f))
			}
		}
	}
}

// TestSizes: functions and files that need a table of contents are refused.
func TestSizes(t *testing.T) {
	for _, s := range module(t) {
		if n := s.set.File(s.file.Pos()).LineCount(); n > maxFile {
			t.Errorf("%s has %d lines, at most %d", s.path, n, maxFile)
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				if n := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1; n > maxFunction {
					t.Errorf("%s: %s has %d lines, at most %d", s.at(f), f.Name.Name, n, maxFunction)
				}
			}
		}
	}
}

// TestDocumented: every package says what it is, and every exported identifier what it promises.
func TestDocumented(t *testing.T) {
	packages := map[string]bool{}
	for _, s := range module(t) {
		if s.test {
			continue
		}
		packages[s.pkg] = packages[s.pkg] || len(s.file.Doc.Text()) > 40
		for _, d := range s.file.Decls {
			for _, missing := range undocumented(d) {
				t.Errorf("%s: %s has no comment", s.at(d), missing)
			}
		}
	}
	for pkg, ok := range packages {
		if !ok {
			t.Errorf("package %s does not say what it is", pkg)
		}
	}
}

// undocumented names what a declaration exports without a comment. A group's comment counts for
// its members, and a line comment for its line.
func undocumented(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
					names = append(names, spec.Name.Name)
				}
			case *ast.ValueSpec:
				for _, n := range spec.Names {
					if n.IsExported() && d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}

func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	e := f.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}
