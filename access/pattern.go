package access

import "strings"

// pattern is text with wildcards and variables, as IAM has it in resources and in the values of
// conditions on texts and ARNs. What a variable stands for is literal: a * in a user's name
// matches a *.
type pattern struct {
	parts []part
	// segments, of an ARN, are the patterns of its six parts; each matches within its own part,
	// whatever wildcards it has.
	segments []pattern
	// exact is the whole of an ARN that has no wildcard and no variable: most have none, and what
	// decides compares many.
	exact string
	// all tells that it is "*": it matches everything.
	all bool
}

// part is a run of literal text, a wildcard or a variable.
type part struct {
	kind   partKind
	text   string // of literal; of variable: its default
	key    Key
	suffix string
	// defaulted tells that the variable has a default.
	defaulted bool
}

type partKind uint8

const (
	literal  partKind = iota
	anyChar           // ?
	anyText           // *
	variable          // ${key}
)

// parsePattern reads a pattern. Variables are read where the document's version has them; wild says
// whether * and ? are wildcards. It tells what is wrong, "" if nothing is.
func parsePattern(s string, variables, wild bool) (p pattern, wrong string) {
	if s == "*" && wild {
		return pattern{all: true, parts: []part{{kind: anyText}}}, ""
	}
	var run strings.Builder
	flush := func() {
		if run.Len() > 0 {
			p.parts = append(p.parts, part{kind: literal, text: run.String()})
			run.Reset()
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '*' && wild:
			flush()
			if n := len(p.parts); n == 0 || p.parts[n-1].kind != anyText {
				p.parts = append(p.parts, part{kind: anyText})
			}
		case c == '?' && wild:
			flush()
			p.parts = append(p.parts, part{kind: anyChar})
		case c == '$' && variables && strings.HasPrefix(s[i:], "${"):
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return p, "a variable without its closing brace"
			}
			inside := s[i+2 : i+end]
			i += end
			if inside == "*" || inside == "?" || inside == "$" {
				run.WriteString(inside)
				continue
			}
			flush()
			v, wrong := parseVariable(inside)
			if wrong != "" {
				return p, wrong
			}
			p.parts = append(p.parts, v)
		default:
			run.WriteByte(c)
		}
	}
	flush()
	return p, ""
}

// parseVariable reads what stands between the braces: a key, or key, 'default'.
func parseVariable(s string) (part, string) {
	name, rest, defaulted := strings.Cut(s, ",")
	v := part{kind: variable, defaulted: defaulted}
	if defaulted {
		rest = strings.TrimSpace(rest)
		if len(rest) < 2 || rest[0] != '\'' || rest[len(rest)-1] != '\'' || strings.ContainsRune(rest[1:len(rest)-1], '\'') {
			return v, "a variable's default stands in single quotes"
		}
		v.text = rest[1 : len(rest)-1]
	}
	var ok bool
	if v.key, v.suffix, ok = KeyOf(strings.TrimSpace(name)); !ok {
		return v, "no such variable"
	}
	if row := &keyTable[v.key]; row.multi || row.kind != textKind && row.kind != arnKind {
		return v, "this key cannot be a variable: it is not one text"
	}
	return v, ""
}

// parseARN reads the pattern of an ARN: six parts by colons, the last of which may have more.
func parseARN(s string, variables bool) (p pattern, wrong string) {
	if s == "*" {
		return pattern{all: true, parts: []part{{kind: anyText}}}, ""
	}
	segments := splitARN(s)
	if len(segments) != arnParts || segments[0] != "arn" {
		return p, "not an ARN with its six parts, arn:partition:service:region:account:resource, nor *"
	}
	for _, segment := range segments {
		one, wrong := parsePattern(segment, variables, true)
		if wrong != "" {
			return p, wrong
		}
		p.segments = append(p.segments, one)
	}
	p.exact = p.literal()
	return p, ""
}

// literal returns the text of an ARN's pattern that matches nothing else, "" for others.
func (p *pattern) literal() string {
	texts := make([]string, 0, arnParts)
	for _, segment := range p.segments {
		switch {
		case len(segment.parts) == 0:
			texts = append(texts, "")
		case len(segment.parts) == 1 && segment.parts[0].kind == literal:
			texts = append(texts, segment.parts[0].text)
		default:
			return ""
		}
	}
	return strings.Join(texts, ":")
}

const arnParts = 6

// splitARN cuts at the first five colons that are not within a variable.
func splitARN(s string) []string {
	var out []string
	start, depth := 0, 0
	for i := 0; i < len(s) && len(out) < arnParts-1; i++ {
		switch {
		case strings.HasPrefix(s[i:], "${"):
			depth++
		case s[i] == '}' && depth > 0:
			depth--
		case s[i] == ':' && depth == 0:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

// match tells whether text matches. A variable without value matches nothing.
func (p *pattern) match(text string, fold bool, r *Request) bool {
	if p.all {
		return true
	}
	if p.exact != "" {
		return text == p.exact
	}
	if p.segments == nil {
		return matchParts(p.parts, text, fold, r)
	}
	for i := range p.segments {
		segment := text
		if i < arnParts-1 {
			colon := strings.IndexByte(text, ':')
			if colon < 0 {
				return false
			}
			segment, text = text[:colon], text[colon+1:]
		}
		if !matchParts(p.segments[i].parts, segment, fold, r) {
			return false
		}
	}
	return true
}

// matchParts is the usual matching with one star to come back to, over runs instead of bytes.
func matchParts(parts []part, text string, fold bool, r *Request) bool {
	switch { // what most patterns are
	case len(parts) == 1 && parts[0].kind == anyText:
		return true
	case len(parts) == 1 && parts[0].kind == literal && !fold:
		return text == parts[0].text
	case len(parts) == 2 && parts[0].kind == literal && parts[1].kind == anyText && !fold:
		return strings.HasPrefix(text, parts[0].text)
	}
	star, mark, i, t := -1, 0, 0, 0
	for i < len(parts) || t < len(text) {
		if i < len(parts) {
			n, ok := parts[i].at(text[t:], fold, r)
			switch {
			case parts[i].kind == anyText:
				star, mark = i, t
				i++
				continue
			case ok:
				i, t = i+1, t+n
				continue
			}
		}
		if star < 0 || mark >= len(text) {
			return false
		}
		mark++
		i, t = star+1, mark
	}
	return true
}

// at tells whether a part begins text, and how much of it is its own.
func (p *part) at(text string, fold bool, r *Request) (n int, ok bool) {
	want := p.text
	switch p.kind {
	case anyText:
		return 0, true
	case anyChar:
		for i := range text { // a character, not a byte
			if i > 0 {
				return i, true
			}
		}
		return len(text), text != ""
	case variable:
		if value, found := r.text(p.key, p.suffix); found {
			want = value
		} else if !p.defaulted {
			return 0, false
		}
	}
	if len(text) < len(want) {
		return 0, false
	}
	if fold {
		return len(want), strings.EqualFold(text[:len(want)], want)
	}
	return len(want), text[:len(want)] == want
}
