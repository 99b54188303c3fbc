package server

import (
	"net/url"
	"strings"
)

// maxPath bounds the path of a request; the longest route of Haven is far shorter.
const maxPath = 1024

// plainPath tells whether a request's path means the same to everyone who looks at it: it is
// absolute, already clean (no ".", ".." or empty segment; one slash may end it), and hides no
// slash, backslash, control character or second layer of percent-encoding. Anything else is
// refused before routing rather than repaired, so that a rule about a path and the handler behind
// it can never see two different paths (as in CVE-2026-3605).
func plainPath(u *url.URL) bool {
	path := u.Path
	if len(path) == 0 || len(path) > maxPath || path[0] != '/' {
		return false
	}
	// RawPath is set only when the path came encoded in another way than the default one.
	escaped := u.EscapedPath()
	for _, hidden := range [...]string{"%2f", "%2F", "%5c", "%5C", "%25"} {
		if strings.Contains(escaped, hidden) {
			return false
		}
	}
	for i := range len(path) {
		if c := path[i]; c < 0x20 || c == 0x7f || c == '\\' {
			return false
		}
	}
	segments := strings.TrimSuffix(path[1:], "/")
	if segments == "" {
		return path == "/"
	}
	for segment := range strings.SplitSeq(segments, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}
