package access

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// RenamePrincipals returns a document with other words for the principals that its statements name,
// and everything else as it was written. f returns the word it is given where there is no other.
func RenamePrincipals(document []byte, f func(string) string) ([]byte, error) {
	root, err := read(document)
	if err != nil {
		return nil, err
	}
	type edit struct {
		from, to int64
		text     string
	}
	var edits []edit
	var visit func(n *node)
	visit = func(n *node) {
		for i := range n.items {
			visit(&n.items[i])
		}
		for i := range n.members {
			visit(&n.members[i].value)
		}
		if n.kind != '"' {
			return
		}
		if text := f(n.text); text != n.text {
			edits = append(edits, edit{opening(document, n.offset), n.offset, text})
		}
	}
	for _, s := range statementsOf(&root) {
		for i := range s.members {
			if name := s.members[i].name; name == "Principal" || name == "NotPrincipal" {
				visit(&s.members[i].value)
			}
		}
	}
	out := slices.Clone(document)
	for _, e := range slices.Backward(edits) { // they ascend, as they stand
		quoted, err := jsontext.AppendQuote(nil, e.text)
		if err != nil {
			return nil, err
		}
		out = slices.Concat(out[:e.from], quoted, out[e.to:])
	}
	return out, nil
}

// statementsOf returns the nodes of a document's statements.
func statementsOf(root *node) (out []*node) {
	for i := range root.members {
		m := &root.members[i]
		switch {
		case m.name != "Statement":
		case m.value.kind == '[':
			for j := range m.value.items {
				out = append(out, &m.value.items[j])
			}
		default:
			out = append(out, &m.value)
		}
	}
	return out
}

// opening returns where the string begins whose closing quote stands before end: at the last quote
// before that one with an even number of backslashes before it.
func opening(document []byte, end int64) int64 {
	for i := end - 2; i > 0; i-- {
		if document[i] != '"' {
			continue
		}
		slashes := 0
		for j := i - 1; j >= 0 && document[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
	}
	return 0
}
