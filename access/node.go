package access

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of a document.
const (
	MaxDocument   = 32 << 10 // bytes, as AWS's for a key policy
	MaxStatements = 256
	maxDepth      = 6
	maxNodes      = 8192
)

// SyntaxError says what in a policy document is wrong and where. Its texts name the document's own
// words, which are no secret of anybody but who wrote them.
type SyntaxError struct {
	// Pointer is the place as a JSON pointer (RFC 6901): /Statement/0/Action. Line and Column begin
	// at 1.
	Pointer      string
	Line, Column int
	What         string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	if e.Pointer == "" {
		return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.What)
	}
	return fmt.Sprintf("line %d, column %d, %s: %s", e.Line, e.Column, e.Pointer, e.What)
}

// node is a JSON value with its place.
type node struct {
	kind    jsontext.Kind
	text    string // of a string, number or boolean
	members []member
	items   []node
	pointer string
	offset  int64
}

type member struct {
	name  string
	value node
}

// reader reads a document into nodes.
type reader struct {
	text  []byte
	d     *jsontext.Decoder
	nodes int
}

// read reads the one value of a document, strictly: no name twice, no invalid UTF-8, nothing after.
func read(document []byte) (node, error) {
	r := &reader{text: document}
	if len(document) > MaxDocument {
		return node{}, r.wrong("", 0, fmt.Sprintf("a policy document has at most %d bytes", MaxDocument))
	}
	r.d = jsontext.NewDecoder(bytes.NewReader(document), jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false))
	n, err := r.value(0)
	if err != nil {
		return node{}, err
	}
	if _, err := r.d.ReadToken(); err != io.EOF {
		return node{}, r.wrong("", r.d.InputOffset(), "something stands after the document")
	}
	return n, nil
}

func (r *reader) value(depth int) (node, error) {
	if r.nodes++; depth > maxDepth || r.nodes > maxNodes {
		return node{}, r.wrong(string(r.d.StackPointer()), r.d.InputOffset(), "nested too deeply, or too much of it")
	}
	token, err := r.d.ReadToken()
	if err != nil {
		return node{}, r.unreadable(err)
	}
	n := node{kind: token.Kind(), pointer: string(r.d.StackPointer())}
	n.offset = r.d.InputOffset()
	switch n.kind {
	case '"', '0', 't', 'f':
		n.text = token.String()
	case '{':
		for r.d.PeekKind() != '}' {
			name, err := r.d.ReadToken()
			if err != nil {
				return node{}, r.unreadable(err)
			}
			m := member{name: name.String()}
			if m.value, err = r.value(depth + 1); err != nil {
				return node{}, err
			}
			n.members = append(n.members, m)
		}
		_, err = r.d.ReadToken()
	case '[':
		for r.d.PeekKind() != ']' {
			item, err := r.value(depth + 1)
			if err != nil {
				return node{}, err
			}
			n.items = append(n.items, item)
		}
		_, err = r.d.ReadToken()
	}
	if err != nil {
		return node{}, r.unreadable(err)
	}
	return n, nil
}

func (r *reader) unreadable(err error) error {
	what := "it is not JSON"
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			what = "a name stands twice"
		}
		return r.wrong(string(syntax.JSONPointer), syntax.ByteOffset, what)
	}
	return r.wrong(string(r.d.StackPointer()), r.d.InputOffset(), what)
}

func (r *reader) wrong(pointer string, offset int64, what string) error {
	return r.place(pointer, offset, what)
}

func (r *reader) place(pointer string, offset int64, what string) *SyntaxError {
	before := r.text[:min(max(offset, 0), int64(len(r.text)))]
	line := bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return &SyntaxError{Pointer: pointer, Line: line + 1, Column: column, What: what}
}

// object returns the members of an object, each of one of the names allowed.
func (p *parser) object(n *node, what string, allowed ...string) ([]member, error) {
	if n.kind != '{' {
		return nil, p.wrong(n, what+" is an object")
	}
	for i := range n.members {
		known := false
		for _, name := range allowed {
			known = known || name == n.members[i].name
		}
		if !known && len(allowed) > 0 {
			return nil, p.wrong(&n.members[i].value, fmt.Sprintf("%s has no element of that name; it has %s (their case counts)", what, strings.Join(allowed, ", ")))
		}
	}
	return n.members, nil
}

// list returns the texts of a value that may be one or a list of them; scalars of other kinds are
// taken as IAM does, by their text, where plain is false.
func (p *parser) list(n *node, what string, plain bool) ([]*node, error) {
	nodes := []*node{n}
	if n.kind == '[' {
		nodes = nodes[:0]
		for i := range n.items {
			nodes = append(nodes, &n.items[i])
		}
	}
	if len(nodes) == 0 {
		return nil, p.wrong(n, what+" is empty")
	}
	for _, one := range nodes {
		if one.kind != '"' && (plain || one.kind != '0' && one.kind != 't' && one.kind != 'f') {
			return nil, p.wrong(one, what+" is a text or a list of texts")
		}
	}
	return nodes, nil
}
