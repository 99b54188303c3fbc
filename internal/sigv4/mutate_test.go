package sigv4_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// mutate returns requests that differ from m in one thing that its signature covers, each
// once. What the rules call the same request is left out, and why is said where it is. A normal path is
// one that was signed with no "//", "/./" or "/x/.." in it.
func mutate(t testing.TB, m message, normal bool) (mutants []message) {
	seen := map[string]bool{m.String(): true}
	for _, list := range [][]message{
		mutateMethod(m), mutateTarget(m, normal), mutateFields(t, m), mutateAuthorization(t, m), mutateBody(m), extend(m),
	} {
		for _, mutant := range list {
			if text := mutant.String(); !seen[text] {
				seen[text] = true
				mutants = append(mutants, mutant)
			}
		}
	}
	return mutants
}

func mutateMethod(m message) (out []message) {
	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "get", "post", "Get", "GETX", "XPOST", "", "POST\n"} {
		mutant := m
		mutant.method = method
		out = append(out, mutant)
	}
	return out
}

// edits returns s with each byte replaced, removed, and preceded by another, and with one appended.
func edits(s string, others ...string) (out []string) {
	for i := range len(s) + 1 {
		for _, other := range others {
			out = append(out, s[:i]+other+s[i:])
			if i < len(s) && s[i:i+1] != other {
				out = append(out, s[:i]+other+s[i+1:])
			}
		}
		if i < len(s) {
			out = append(out, s[:i]+s[i+1:])
		}
	}
	return out
}

func mutateTarget(m message, normal bool) (out []message) {
	for _, target := range edits(m.target, "x", "y", "0", "/", "&", "%41") {
		if sameTarget(m.target, target, normal) {
			continue
		}
		mutant := m
		mutant.target = target
		out = append(out, mutant)
	}
	return out
}

// sameTarget reports whether two targets are the same to the rules, found in another way than by the
// verifier's: queries have the same set of names and values, and paths are the same bytes, or
// the same once normalised if a normal path was signed.
func sameTarget(a, b string, normal bool) bool {
	pathA, queryA, _ := strings.Cut(a, "?")
	pathB, queryB, _ := strings.Cut(b, "?")
	valuesA, errA := url.ParseQuery(queryA)
	valuesB, errB := url.ParseQuery(queryB)
	if errA != nil || errB != nil || valuesA.Encode() != valuesB.Encode() {
		return false
	}
	return pathA == pathB || normal && slices.Equal(segments(pathA), segments(pathB))
}

// isNormal reports whether nobody can tell if a signer normalised the path: nothing was to be done.
func isNormal(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	return "/"+strings.Join(segments(path), "/") == path
}

// segments returns the segments of a path, normalised, and an empty one if it ends in a slash.
func segments(path string) (out []string) {
	for segment := range strings.SplitSeq(path, "/") {
		switch {
		case segment == "..":
			out = out[:max(0, len(out)-1)]
		case segment != "" && segment != ".":
			out = append(out, segment)
		}
	}
	if strings.HasSuffix(path, "/") && len(out) > 0 {
		out = append(out, "")
	}
	return out
}

// mutateFields changes every signed field. Blanks are left as they are, and none is put in: the rules
// fold them. All that is not blank counts.
func mutateFields(t testing.TB, m message) (out []message) {
	for _, i := range signedFields(t, m) {
		f := m.fields[i]
		for _, value := range edits(f.value, "x", "Y", "7") {
			if withoutBlanks(value) != withoutBlanks(f.value) {
				out = append(out, m.with(i, field{f.name, value}))
			}
		}
		out = append(out,
			m.with(i),
			m.with(i, field{f.name, ""}),
			m.with(i, field{f.name + "x", f.value}),
			m.with(i, field{"X-Amz-Meta-" + f.name, f.value}),
			m.with(i, f, f),
			m.with(i, f, field{f.name, ""}),
			m.with(i, f, field{f.name, "other"}),
			m.with(i, field{f.name, "other"}, f),
			m.with(i, f, field{strings.ToUpper(f.name), f.value}),
			m.with(i, f, field{strings.ToLower(f.name), "other"}),
			m.with(i, field{f.name, f.value + "\n"}),
			m.with(i, field{f.name, f.value + "\nx:y"}),
			m.with(i, field{f.name, f.value + ",other"}),
		)
	}
	return out
}

func withoutBlanks(s string) string { return strings.ReplaceAll(s, " ", "") }

// signedFields returns where the fields are that the signature of m covers.
func signedFields(t testing.TB, m message) (at []int) {
	t.Helper()
	authorization, _ := m.value(t, "Authorization")
	_, list, _ := strings.Cut(authorization, "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	for i, f := range m.fields {
		if slices.Contains(strings.Split(list, ";"), strings.ToLower(f.name)) {
			at = append(at, i)
		}
	}
	if len(at) < 2 {
		t.Fatalf("%d fields are signed in %s", len(at), m)
	}
	return at
}

// mutateAuthorization changes what the request claims. A blank after a comma means nothing there.
func mutateAuthorization(t testing.TB, m message) (out []message) {
	value, i := m.value(t, "Authorization")
	f := m.fields[i]
	claims := edits(value, "x", "0", "A", "/", ";")
	_, list, _ := strings.Cut(value, "SignedHeaders=")
	list, _, _ = strings.Cut(list, ",")
	names := strings.Split(list, ";")
	for j, name := range names {
		fewer := slices.Delete(slices.Clone(names), j, j+1)
		claims = append(claims,
			strings.Replace(value, list, strings.Join(fewer, ";"), 1),
			strings.Replace(value, list, strings.Join(append(fewer, name), ";"), 1),
			strings.Replace(value, list, strings.Replace(list, name, name+";"+name, 1), 1),
			strings.Replace(value, list, strings.Replace(list, name, strings.ToUpper(name), 1), 1),
		)
	}
	claims = append(claims,
		strings.Replace(value, list, list+";x-other", 1),
		strings.Replace(value, list, "accept;"+list, 1),
		strings.ToUpper(value), strings.ToLower(value), value+","+value, value+", Signature="+value[len(value)-64:], "",
		strings.Replace(value, "HMAC", "ECDSA-P256", 1),
	)
	for _, claim := range claims {
		if strings.ReplaceAll(claim, ", ", ",") != strings.ReplaceAll(value, ", ", ",") {
			out = append(out, m.with(i, field{f.name, claim}))
		}
	}
	return append(out, m.with(i), m.with(i, f, f), m.with(i, f, field{"authorization", f.value}), m.with(i, f, field{f.name, "Bearer x"}))
}

func mutateBody(m message) (out []message) {
	for _, body := range append(edits(m.body, "x", "{", " ", "\n", "\x00"), m.body+m.body, m.body+"Param2=value2") {
		if body != m.body {
			mutant := m
			mutant.body = body
			out = append(out, mutant)
		}
	}
	return out
}

// extend adds fields that are not signed and that AWS's services give a meaning to. Other unsigned fields
// are left out: no signature covers them.
func extend(m message) (out []message) {
	for _, f := range []field{
		{"X-Amz-Target", "TrentService.Decrypt"}, {"x-amz-target", "TrentService.Decrypt"},
		{"X-Amz-Security-Token", "AQoDYXdzEPT"}, {"X-Amz-Security-Token", ""},
		{"X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"}, {"X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
		{"X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
		{"X-Amz-Content-Sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"X-Amz-Trailer", "x-amz-checksum-crc32"}, {"X-AMZ-Acl", "public-read"}, {"X-Amz-Algorithm", "AWS4-HMAC-SHA256"},
		{"Content-Type", "application/x-amz-json-1.1"}, {"content-type", ""},
		{"Host", "example.amazonaws.com"}, {"host", "example.com"},
	} {
		out = append(out, m.add(f.name, f.value))
	}
	return out
}
