package haven_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The architecture as a table: which package of ours may import which others of ours. A package
// without a row is refused, and so is a row without a package, so that the table stays the map.
// In test files the package itself and testKit may be imported too.
var mayImport = map[string]string{
	".": "access api/native audit gate identity identity/oidc internal/blob internal/clock internal/crypt internal/disk internal/fault " +
		"internal/secret keys lifecycle rotation seal server store store/embedded vault",

	// What decides, without doing anything.
	"lifecycle": "",
	// When something happens, told by expressions.
	"rotation/schedule": "",
	"access":            "",

	// What is kept, and how.
	"store":           "",
	"journal":         "internal/disk internal/fault",
	"store/memory":    "journal store",
	"store/embedded":  "internal/disk internal/fault journal store",
	"store/storetest": "journal store",

	// The one door. It gets the MAC of items as a function and knows no keys.
	"gate": "access internal/blob internal/clock internal/fault internal/secret internal/sigv4 journal lifecycle store",

	"gate/gatetest": ". gate identity internal/clock internal/secret journal lifecycle seal store store/memory",

	// The domains: never each other.
	"keys":     "access gate internal/blob internal/crypt internal/fault internal/secret journal lifecycle store",
	"identity": "access gate identity/oidc internal/secret internal/sigv4 store",
	"audit":    "gate internal/blob journal store",
	"vault":    "access gate internal/blob internal/crypt internal/secret rotation/schedule store",
	"rotation": "gate rotation/schedule store",

	// Tokens that others issue: it knows nobody, and nothing of ours.
	"identity/oidc":          "",
	"identity/oidc/oidctest": "",

	// The root of trust.
	"seal": "internal/blob internal/crypt internal/secret",

	// The ways in.
	"api/native": "audit gate identity internal/blob internal/secret internal/sigv4 keys lifecycle rotation vault",
	"server":     "internal/clock internal/disk",
	"client":     "internal/blob internal/clock internal/crypt internal/secret internal/sigv4",

	// The bottom.
	"internal/blob":     "",
	"internal/clock":    "",
	"internal/crypt":    "internal/blob internal/secret",
	"internal/disk":     "",
	"internal/fault":    "",
	"internal/fipstest": "",
	"internal/secret":   "",
	"internal/sigv4":    "internal/secret",

	// What drives the whole from outside: kits and tools of ours and of users.
	"haventest":                ". client internal/clock internal/secret seal server store store/memory",
	"internal/benchmark":       ". client gate internal/blob internal/clock internal/crypt internal/secret keys lifecycle rotation server",
	"internal/crashtest":       ". client gate internal/disk journal store store/embedded",
	"internal/crashtest/crash": "internal/crashtest",
	"internal/pairwise":        "gate",

	// The binary. Its demonstration looks at the records of the store it made.
	"cmd/haven":      ". access client cmd/haven/demo gate identity identity/oidc internal/benchmark internal/clock internal/disk internal/fault internal/secret keys lifecycle rotation seal server store store/embedded vault",
	"cmd/haven/demo": ". gate internal/blob internal/crypt internal/disk internal/secret journal server store/embedded",
}

// testKit is what every package's tests may use.
const testKit = ". audit client gate/gatetest haventest identity identity/oidc identity/oidc/oidctest internal/blob internal/clock internal/crypt internal/disk internal/fipstest internal/secret journal keys lifecycle rotation seal server store store/embedded store/memory store/storetest vault"

// ciphers are encryption, key agreement, signatures and derivation. They are imported in
// internal/crypt, so that whoever audits the cryptography has one package to read, and where
// cipherElsewhere gives a reason.
var ciphers = []string{
	"crypto/aes", "crypto/cipher", "crypto/des", "crypto/dsa", "crypto/ecdh", "crypto/ecdsa",
	"crypto/ed25519", "crypto/elliptic", "crypto/hkdf", "crypto/hmac", "crypto/hpke", "crypto/md5",
	"crypto/mlkem", "crypto/pbkdf2", "crypto/rc4", "crypto/rsa", "crypto/sha1", "crypto/sha3",
	"golang.org/x/crypto/", "filippo.io/",
}

// A seam is one place where something is used that is injected everywhere else: where is a package
// or one file; what names packages of the standard library, or single functions, separated by
// spaces.
type seam struct{ where, what, why string }

var cipherElsewhere = []seam{
	{"server", "crypto/ecdsa crypto/elliptic", "the keys of the own certificate authority"},
	{"identity/oidc", "crypto/ecdsa crypto/ed25519 crypto/elliptic crypto/rsa", "which of an issuer's public keys is for which algorithm; go-jose verifies with them"},
	{"identity/oidc/oidctest", "crypto/ecdsa crypto/ed25519 crypto/elliptic crypto/rsa", "it makes an issuer's keys, for tests"},
	{"proofs_test.go", "crypto/ecdsa crypto/elliptic", "clients make their certificates themselves"},
	{"internal/sigv4", "crypto/hmac", "the signatures of AWS's protocol are HMACs, and nothing is encrypted"},
	{"internal/benchmark", "crypto/aes crypto/cipher", "the bare handler that Haven is measured against"},
}

// Where the real clock, real randomness and real files come in.
var seams = []seam{
	{"internal/clock", "time", "it is the clock"},
	{"client/client.go", "time.NewTimer", "the pause between two tries, unless Config.Wait replaces it"},
	{"serve_watch.go", "time.NewTicker", "paces another look at alarms and seals; no deadline and no right depends on it"},
	{"pin.go", "time.NewTicker", "paces a safeguard; no deadline and no right depends on it"},
	{"cmd/haven/key_rewrap.go", "time.NewTicker", "paces the questions of a command that waits"},
	{"rewrap.go", "time.NewTicker time.NewTimer", "paces background work; no deadline and no right depends on it"},
	{"scheduler.go", "time.NewTicker", "paces the looking at the clock that is injected; no deadline and no right depends on it"},
	{"usage.go", "time.NewTicker", "paces the counting of uses; a reader counts what is missing"},
	{"scrub.go", "time.NewTicker", "paces background checks; no deadline and no right depends on it"},

	{"haven.go", "crypto/rand", "the default of Config.Random"},
	{"client/client.go", "crypto/rand", "the default of Config.Random"},
	{"server/authority.go", "crypto/rand", "crypto/ecdsa and crypto/x509 take no other source"},

	{"internal/disk/dir_linux.go", "os", "it is the file system"},
	{"internal/disk", "math/rand/v2", "the simulated disk draws what a power cut takes away, from a seed"},
	{"seal/keyfile.go", "os", "a key file need not lie in the data folder: it should not"},
	{"server/announce.go", "os", "the ready file is wherever the operator wants it"},
	{"server/certificate.go", "os", "certificates made elsewhere lie elsewhere"},
	{"server/unseal.go", "os", "a socket is no file that disk.FS could make"},
	{"client/client.go", "os", "the CA file and the ready file of a server, which are not ours"},

	{"cmd/haven", "crypto/rand os", "it wires the real ones, and opens what users name"},
	{"cmd/haven/demo", "crypto/rand os", "it works on files as a user would"},
	{"identity/oidc/oidctest", "crypto/rand", "an issuer's own keys, for tests"},
	{"haventest", "crypto/rand os", "a real server in a temporary folder"},
	{"internal/benchmark", "time crypto/rand math/rand/v2 os", "it measures the real machine"},
	{"internal/pairwise", "math/rand/v2", "it draws rows from a seed"},
	{"internal/crashtest", "time crypto/rand math/rand/v2 os", "it kills real processes on real folders, as a seed says"},
	{"internal/crashtest/crash", "time math/rand/v2 os", "likewise"},
}

// clockFunctions read the real clock or wait by it.
var clockFunctions = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}

// fileFunctions reach the real file system.
var fileFunctions = []string{
	"Chmod", "Chown", "Create", "CreateTemp", "DirFS", "Lchown", "Link", "Lstat", "Mkdir", "MkdirAll",
	"MkdirTemp", "NewFile", "Open", "OpenFile", "OpenInRoot", "OpenRoot", "ReadDir", "ReadFile", "Readlink",
	"Remove", "RemoveAll", "Rename", "Stat", "Symlink", "Truncate", "WriteFile",
}

// Tests neither sleep nor skip, except these.
var sleepsAndSkips = []seam{
	{"access/oracle_test.go", "t.Skip", "the simulator of IAM may be absent; make oracle, a step of make test, brings it"},
	{"bundle_test.go", "t.Skip", "the published patient summary may be absent, unless HAVEN_CI=1"},
	{"rotation/schedule/schedule_test.go", "t.Skip", "observations of AWS may be absent, unless HAVEN_CI=1"},
	{"api/native/vectors_test.go", "t.Skip", "published vectors may be absent, unless HAVEN_CI=1"},
	{"cmd/haven/cloud_test.go", "t.Skip", "the emulator of AWS may be absent, unless HAVEN_CI=1"},
	{"internal/crypt/interop_test.go", "t.Skip", "other implementations may be absent, unless HAVEN_CI=1"},
	{"internal/sigv4/suite_test.go", "t.Skip", "published vectors may be absent, unless HAVEN_CI=1"},
	{"internal/crypt/vectors_test.go", "t.Skip", "published vectors may be absent, unless HAVEN_CI=1"},
}

const modulePath = "github.com/haven-health/haven"

// source is one parsed file of the module.
type source struct {
	path    string // slash-separated, below the root
	pkg     string // its folder
	test    bool
	set     *token.FileSet
	file    *ast.File
	imports []string
	names   map[string]string // import path by local name
}

// module parses every Go file below the root, testdata and hidden folders left out.
func module(t *testing.T) []*source {
	t.Helper()
	var out []*source
	set := token.NewFileSet()
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() && name != "." && (base == "testdata" || base == "haven-dev" || strings.HasPrefix(base, ".")) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(base, ".go") {
			return nil
		}
		f, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		out = append(out, newSource(filepath.ToSlash(name), set, f))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 100 {
		t.Fatalf("found %d files: is this the root of the module?", len(out))
	}
	return out
}

func newSource(name string, set *token.FileSet, f *ast.File) *source {
	s := &source{path: name, pkg: path.Dir(name), test: strings.HasSuffix(name, "_test.go"), set: set, file: f, names: map[string]string{}}
	for _, i := range f.Imports {
		p := strings.Trim(i.Path.Value, `"`)
		s.imports = append(s.imports, p)
		local := path.Base(p)
		if major := path.Base(p); len(major) == 2 && major[0] == 'v' {
			local = path.Base(path.Dir(p))
		}
		if i.Name != nil {
			local = i.Name.Name
		}
		s.names[local] = p
	}
	return s
}

func (s *source) at(n ast.Node) string { return s.set.Position(n.Pos()).String() }

// uses calls f with every selector on an imported package: the package's path and the name.
func (s *source) uses(f func(n ast.Node, pkg, name string)) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Obj == nil && s.names[x.Name] != "" {
			f(n, s.names[x.Name], sel.Sel.Name)
		}
		return true
	})
}

// exceptions are a table of seams, and which of its words were needed.
type exceptions struct {
	list   []seam
	needed map[string]bool // where ‖ " " ‖ word of what
}

func newExceptions(list []seam) *exceptions { return &exceptions{list, map[string]bool{}} }

// allow tells whether a seam covers the use of a package, or of a function "package.Name" of it.
func (e *exceptions) allow(s *source, pkg, function string) bool {
	for _, x := range e.list {
		if x.where != s.path && x.where != s.pkg {
			continue
		}
		for word := range strings.FieldsSeq(x.what) {
			if word == pkg || word == pkg+"."+function {
				e.needed[x.where+" "+word] = true
				return true
			}
		}
	}
	return false
}

// reportUnneeded reports exceptions that nothing uses any more.
func (e *exceptions) reportUnneeded(t *testing.T) {
	t.Helper()
	for _, x := range e.list {
		for word := range strings.FieldsSeq(x.what) {
			if !e.needed[x.where+" "+word] {
				t.Errorf("%s no longer needs its exception for %s: remove it from the table", x.where, word)
			}
		}
	}
}

// TestImports holds every package to the table.
func TestImports(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range module(t) {
		seen[s.pkg] = true
		row, ok := mayImport[s.pkg]
		if !ok {
			t.Errorf("%s: package %s has no row in the table of imports", s.path, s.pkg)
			continue
		}
		permitted := strings.Fields(row)
		if s.test {
			permitted = append(append(permitted, s.pkg), strings.Fields(testKit)...)
		}
		for _, p := range s.imports {
			ours, ok := strings.CutPrefix(p+"/", modulePath+"/")
			if !ok {
				continue
			}
			if ours = strings.Trim(ours, "/"); ours == "" {
				ours = "."
			}
			if !slices.Contains(permitted, ours) {
				t.Errorf("%s imports %s, which package %s may not", s.path, ours, s.pkg)
			}
		}
	}
	for pkg := range mayImport {
		if !seen[pkg] {
			t.Errorf("the table of imports has a row for %s, which does not exist", pkg)
		}
	}
}

// TestCiphers: ciphers are imported in one package.
func TestCiphers(t *testing.T) {
	elsewhere := newExceptions(cipherElsewhere)
	for _, s := range module(t) {
		if s.pkg == "internal/crypt" {
			continue
		}
		for _, p := range s.imports {
			isCipher := slices.ContainsFunc(ciphers, func(c string) bool {
				return p == c || strings.HasSuffix(c, "/") && strings.HasPrefix(p, c)
			})
			if isCipher && !elsewhere.allow(s, p, "") {
				t.Errorf("%s imports %s: ciphers belong in internal/crypt", s.path, p)
			}
		}
	}
	elsewhere.reportUnneeded(t)
}

// TestApproved: only the gate makes a gate.Approved. Its zero value panics when used; this keeps
// anybody from having one.
func TestApproved(t *testing.T) {
	found := 0
	for _, s := range module(t) {
		if s.pkg == "gate" {
			continue
		}
		isApproved := func(e ast.Expr) bool {
			sel, ok := e.(*ast.SelectorExpr)
			if !ok || sel.Sel.Name != "Approved" {
				return false
			}
			x, ok := sel.X.(*ast.Ident)
			return ok && s.names[x.Name] == modulePath+"/gate"
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			made := false
			switch n := n.(type) {
			case *ast.CompositeLit:
				made = isApproved(n.Type)
			case *ast.ValueSpec:
				made = n.Type != nil && isApproved(n.Type)
			case *ast.CallExpr:
				f, ok := n.Fun.(*ast.Ident)
				made = ok && f.Name == "new" && len(n.Args) == 1 && isApproved(n.Args[0])
			case *ast.Field:
				if isApproved(n.Type) {
					found++
				}
			}
			if made {
				t.Errorf("%s makes a gate.Approved: only the gate may", s.at(n))
			}
			return true
		})
	}
	if found == 0 {
		t.Error("no function outside the gate takes a gate.Approved: does this test still see them?")
	}
}

// TestSeams: clock, randomness and files are injected; the real ones come in where the table says.
func TestSeams(t *testing.T) {
	real := newExceptions(seams)
	for _, s := range module(t) {
		if s.test {
			continue
		}
		for _, p := range s.imports {
			if (p == "crypto/rand" || strings.HasPrefix(p, "math/rand")) && !real.allow(s, p, "") {
				t.Errorf("%s imports %s: take randomness as an io.Reader", s.path, p)
			}
		}
		s.uses(func(n ast.Node, pkg, name string) {
			isSeam := pkg == "time" && slices.Contains(clockFunctions, name) || pkg == "os" && slices.Contains(fileFunctions, name)
			if isSeam && !real.allow(s, pkg, name) {
				t.Errorf("%s uses %s.%s: take it through internal/clock or internal/disk", s.at(n), pkg, name)
			}
		})
	}
	real.reportUnneeded(t)
}

// TestNoSleepNoSkip: a test that sleeps is slow or wrong, and one that skips is not run.
func TestNoSleepNoSkip(t *testing.T) {
	listed := newExceptions(sleepsAndSkips)
	for _, s := range module(t) {
		if !s.test {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, name := "", sel.Sel.Name
			switch x, _ := sel.X.(*ast.Ident); {
			case x != nil && s.names[x.Name] == "time" && sel.Sel.Name == "Sleep":
				pkg = "time"
			case slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) && x != nil && x.Obj != nil && len(x.Name) == 1:
				pkg, name = "t", "Skip"
			}
			if pkg != "" && !listed.allow(s, pkg, name) {
				t.Errorf("%s: %s.%s in a test", s.at(n), pkg, name)
			}
			return true
		})
	}
	listed.reportUnneeded(t)
}
