package pairwise_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/keys"
)

// absent is a level at which a parameter is left out.
var absent = &struct{ int }{}

// raw is JSON that no encoder would write.
type raw = json.RawMessage

// junk is a level that is refused when the request is read: nothing else of the request is looked at,
// so that no pair with it tells anything of what is behind the reading.
type junk struct{ value any }

func junks(list ...any) (out []any) {
	for _, v := range list {
		out = append(out, junk{v})
	}
	return out
}

// values returns the levels of a parameter: those of its name and type, below, and what a parameter
// of any name must bear. It is empty where the table has none: give a new parameter its own.
func (w *world) values(f field, refs []string) []any {
	own := w.own(f, refs)
	if len(own) == 0 {
		return nil
	}
	return append(append(own, absent), junks(raw("null"), w.odd(f), raw(strings.Repeat("[", 5000)+strings.Repeat("]", 5000)))...)
}

// odd is a value of another type.
func (w *world) odd(f field) any {
	if f.schema["type"] == "string" {
		return 17
	}
	return "text"
}

func texts[T ~string](list []T, more ...string) (out []any) {
	for _, text := range list {
		out = append(out, string(text))
	}
	for _, text := range more {
		out = append(out, text)
	}
	return out
}

// bytesOf are base64 values of the lengths given, and what is none.
func bytesOf(lengths ...int) (out []any) {
	for _, n := range lengths {
		if v := any(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", n)))); n > 8192 {
			out = append(out, junk{v}) // the body is too large with it
		} else {
			out = append(out, v)
		}
	}
	return append(out, junks("!!!!", "aGVsbG8", "aGVsbG8=\n")...)
}

func numbers(list ...any) []any { return append(list, junks(raw("1e400"), raw("-0"), 1.5, -1)...) }

// text are values of a field for people that takes at most so many bytes.
func text(most int) []any {
	return []any{"for people", "", strings.Repeat("x", most), strings.Repeat("x", most+1), "żółć \u202e", "a\x00b", junk{raw(`"\ud800"`)}}
}

var periods = numbers(0, 1, 30, 36500, 36501)

// own are the levels of a parameter's name, and where one name has two types, of its type.
func (w *world) own(f field, refs []string) []any {
	table := crypt.Table()
	var specs, algorithms []any
	for _, row := range table.Specs {
		if w.full || !slow(row.Spec) {
			specs = append(specs, string(row.Spec))
		}
	}
	for _, row := range table.Algorithms {
		algorithms = append(algorithms, string(row.Algorithm))
	}
	usages := []keys.Usage{"ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE", "SEAL_OPEN"}
	contexts := []any{object{}, object{"patient": "17"}, object{"": ""}, object{"patient": "żółć"}, object{"long": strings.Repeat("x", 9000)},
		junk{object{"patient": 17}}, junk{raw(`{"a":"1","a":"2"}`)}, junk{object{"long": strings.Repeat("x", 70000)}}}
	tags := []any{object{"team": "clinic"}, object{}, object{"": "x"}, object{"aws:x": "y"}, object{strings.Repeat("k", 129): "x"}, junk{object{"n": 1}}, many(51)}
	aliases := []any{"alias/asked", "alias/fresh", "alias/haven-master", "alias/aws/x", "asked", "", "alias/", "alias/asked@1", "alias/żółć", "alias/" + strings.Repeat("x", 250), "alias/" + strings.Repeat("x", 251)}
	switch f.name + " " + fmt.Sprint(f.schema["type"]) {
	case "key string", "source_key string":
		return texts(refs, "", strings.Repeat("x", 600))
	case "master string":
		return texts([]string{}, "alias/haven-master", w.kinds[data], absentKey, "alias/nobody", "", "alias/haven-master@1", "root")
	case "alias string":
		return aliases
	case "alias_prefix string":
		return append(aliases, "a", "x")
	case "type string":
		return texts([]keys.Type{"data", "master", "signing", "transport"}, "bearer", "access-key", "client-certificate", "odd", "", "DATA")
	case "spec string", "key_pair_spec string":
		return append(specs, "odd", "")
	case "key_usage string":
		return texts(usages, "odd", "")
	case "algorithm string", "source_algorithm string":
		return append(algorithms, "odd", "")
	case "origin string":
		return texts([]keys.Origin{"HAVEN", "EXTERNAL"}, "odd", "")
	case "wrapping_algorithm string":
		return texts([]keys.Algorithm{crypt.OAEPWithSHA256, crypt.RSAAESKeyWrap, crypt.OAEPWithSHA1}, "odd", "")
	case "wrapping_key_spec string":
		return texts([]keys.Spec{"RSA_2048", "RSA_1024", "ECC_NIST_P256"}, "")
	case "import_token string", "encrypted_material string":
		return append(append([]any{}, w.made[f.name]...), bytesOf(0, 1, 256, 512, 4096, 8192)...)
	case "event string":
		return texts([]string{}, "Encrypt", "encrypt", "Nothing", "")
	case "outcome string":
		return texts([]string{}, "allowed", "denied", "failed", "odd", "")
	case "principal string":
		return texts([]string{}, absentKey, "administrator", "arn:aws:iam::000000000000:user/administrator", "")
	case "valid_to string", "expires_at string", "due_before string", "since string", "until string":
		return texts([]string{}, "2090-01-01T00:00:00Z", "2090-01-01T00:00:00+02:00", "9999-12-31T23:59:59Z", "2001-01-01T00:00:00Z", "soon", "")
	case "rotation_days integer", "grace_days integer", "lifetime_days integer":
		return periods
	case "days integer":
		return numbers(7, 6, 30, 31, 0)
	case "bytes integer":
		return numbers(32, 0, 1, 1024, 1025, 1<<31)
	case "limit integer":
		return numbers(1, 0, 100, 101)
	case "for string":
		return texts([]string{}, "1s", "1h", "30d", "31d", "PT1H", "", "-1h", "key", "trust", "9999999999d")
	case "cursor string":
		return texts([]string{}, base64.RawURLEncoding.EncodeToString(make([]byte, 16)), base64.RawURLEncoding.EncodeToString(make([]byte, 20)), "?", "")
	case "state string":
		return texts([]string{}, "active", "compromised", "disabled", "odd", "")
	case "context object", "source_context object":
		return contexts
	case "tags object":
		return tags
	case "tag string":
		return texts([]string{}, "team=clinic", "team", "=", "")
	case "name string":
		return texts([]string{}, "fresh", "a/b", "żółć", "", strings.Repeat("x", 64), strings.Repeat("x", 65))
	case "names array", "remove_tags array":
		return []any{[]any{"team"}, []any{}, []any{""}, []any{"team", "team"}, junk{[]any{17}}, junk{[]any{raw("null")}}, make([]string, 51)}
	case "purpose string", "description string", "owner string", "reason string":
		return append(text(256), strings.Repeat("x", 9000))
	case "plaintext string":
		return bytesOf(5, 0, 1, 4096, 4097, 65536, 65537, 200_000)
	case "message string":
		return bytesOf(5, 0, 4096, 4097, 70_000)
	case "digest string":
		return bytesOf(32, 0, 20, 28, 48, 64, 65)
	case "external_mu string":
		return bytesOf(64, 63, 0)
	case "ciphertext string":
		return append(append(w.made["ciphertext"], w.broken()...), bytesOf(0, 1, 116, 117, 1088, 8192, 70_000)...)
	case "signature string":
		return append(append([]any{}, w.made["signature"]...), bytesOf(0, 64, 256, 4627, 8192)...)
	case "mac string":
		return append(append([]any{}, w.made["mac"]...), bytesOf(0, 1, 32, 64, 8192)...)
	case "public_key string":
		return append(append([]any{}, w.made["public_key"]...), bytesOf(0, 65, 91, 8192)...)
	case "bypass_policy_lockout_safety_check boolean", "plaintext boolean", "active boolean", "disabled boolean", "new_primary boolean", "back boolean", "changes boolean", "all boolean":
		return []any{true, false}
	case "items array":
		return w.items()
	}
	return w.access(f)
}

// plain is a level as it is sent.
func plain(v any) any {
	if j, ok := v.(junk); ok {
		return j.value
	}
	return v
}

func many(n int) object {
	out := object{}
	for i := range n {
		out[fmt.Sprintf("k%d", i)] = "v"
	}
	return out
}

// broken are ciphertexts that were good: cut, longer, altered in the header and behind it.
func (w *world) broken() (out []any) {
	for _, good := range w.made["ciphertext"] {
		b, err := base64.StdEncoding.DecodeString(good.(string))
		w.must(err)
		for _, i := range []int{0, 3, len(b) - 1} {
			altered := append([]byte(nil), b...)
			altered[i] ^= 1
			out = append(out, base64.StdEncoding.EncodeToString(altered))
		}
		out = append(out, base64.StdEncoding.EncodeToString(b[:len(b)-1]), base64.StdEncoding.EncodeToString(append(b, 0)))
	}
	return out
}

// items are the items of a batch: each operation that it takes, with each level of each of its
// parameters, and some lists that are none.
func (w *world) items() []any {
	var all []any
	for _, op := range []string{"encrypt", "decrypt", "generate-data-key"} {
		base := w.base(op, w.kinds[data])
		for _, f := range w.document.fields(op) {
			for _, v := range w.values(f, w.keys) {
				item := object{"op": op}
				for name, value := range base {
					item[name] = value
				}
				if item[f.name] = plain(v); v == absent {
					delete(item, f.name)
				}
				all = append(all, item)
			}
		}
	}
	lists := []any{[]any{object{"op": "encrypt", "key": w.kinds[data], "plaintext": hello}}, []any{}, []any{object{}}, []any{object{"op": "sign"}},
		[]any{17}, make([]object, 1001)}
	// What cannot be read at all spoils the batch; each stands alone.
	for _, item := range all {
		lists = append(lists, []any{item, object{"op": "decrypt", "ciphertext": w.made1["ciphertext"]}})
	}
	return lists
}
