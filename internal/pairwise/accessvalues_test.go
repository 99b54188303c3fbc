package pairwise_test

import (
	"fmt"
	"strings"
)

// access are the levels of the parameters of operations on who may do what.
func (w *world) access(f field) []any {
	switch f.name + " " + fmt.Sprint(f.schema["type"]) {
	case "action string":
		return texts([]string{}, "kms:Decrypt", "KMS:decrypt", "decrypt", "create-key", "kms:*", "nothing", "")
	case "decision string":
		return texts([]string{}, absentKey, "?", "")
	case "source_ip string":
		return texts([]string{}, "192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "fe80::1%eth0", "192.0.2.0/24", "")
	case "time string":
		return texts([]string{}, "2090-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "soon", "")
	case "conditions object":
		return []any{object{"kms:KeySpec": []any{"SYMMETRIC_DEFAULT"}}, object{"haven:Approvals": []any{"many", "2"}}, object{"kms:ValidTo": []any{""}},
			object{"kms:EncryptionContext:a": []any{"b"}}, object{"": []any{}}, object{}}
	case "kind string":
		return texts([]string{}, "user", "service", "role", "odd", "")
	case "policy string":
		return texts([]string{}, "HavenAuditor", "arn:aws:iam::aws:policy/HavenOperator", "asked", "policy/asked", "nobody", "a/b", "", strings.Repeat("x", 129))
	case "role string":
		return texts([]string{}, "nobody", "role/nobody", "user/administrator", "a/b", "")
	case "session_name string":
		return texts([]string{}, "night", "x", "", "a/b", strings.Repeat("x", 64), strings.Repeat("x", 65))
	case "duration_seconds integer", "max_session_seconds integer":
		return numbers(0, 899, 900, 3600, 43200, 43201, -1, 1<<62)
	case "grantee_principal string", "retiring_principal string":
		return texts([]string{}, "arn:aws:iam::000000000000:user/administrator", "arn:aws:iam::000000000000:user/nobody", "user/administrator", "", strings.Repeat("x", 600))
	case "operations array":
		return []any{[]any{"Decrypt"}, []any{"Encrypt", "Encrypt"}, []any{}, []any{"Sign"}, []any{"odd"}, make([]string, 51), junk{[]any{17}}, junk{[]any{raw("null")}}}
	case "encryption_context_equals object", "encryption_context_subset object":
		return []any{object{}, object{"patient": "17"}, object{"patient": "żółć"}, object{"long": strings.Repeat("x", 9000)}, junk{object{"patient": 17}}}
	case "grant_id string":
		return texts([]string{}, absentKey, "x", "")
	case "grant_token string":
		return texts([]string{}, "x", "aGF2ZW4vZ3JhbnQvdjEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "")
	case "trust string":
		return texts([]string{}, trust, readDocument, "{}", "")
	case "document string":
		return texts([]string{}, keyDocument, readDocument, strings.Replace(readDocument, "Allow", "Deny", 1), "{}", "", "\x00", strings.Repeat(" ", 33_000), strings.Repeat("[", 9000))
	case "as string":
		return texts([]string{}, "boundary", "trust", "odd", "")
	case "prefix string":
		return texts([]string{}, "fresh", "", "a/b", "żółć", strings.Repeat("x", 129))
	case "group string":
		return texts([]string{}, "fresh-1", "group/fresh-1", "nobodies", "", "arn:aws:iam::000000000000:group/fresh-1", "arn:aws:iam::111122223333:group/x", "a/b")
	case "credential string":
		return texts([]string{}, strings.Repeat("0", 64), strings.Repeat("A", 64), "AKIAQWERTYUIOPASDFGH", "AKIA", "", strings.Repeat("x", 300))
	case "approval string":
		return append(append([]any{}, w.made["approval"]...), texts([]string{}, absentKey, strings.ToUpper(absentKey), "x", "")...)
	case "operation string":
		return texts([]string{}, "disable-key", "put-key-policy", "encrypt", "request-approval", "approve", "list-keys", "migrate-seal", "rotate-seal", "nothing", "")
	case "request object", "request <nil>":
		return []any{object{"key": w.kinds[data]}, object{"key": "alias/nobody"}, object{}, object{"key": 17}, object{"key": w.kinds[data], "for": "1h"},
			object{"no_such_member": "x"}, object{"approval": absentKey}, object{"slot": "recovery", "kind": "key-file"}, junk{object{"purpose": strings.Repeat("x", 70_000)}}}
	case "arn string":
		return append(append([]any{}, w.made["stored"]...), texts([]string{}, "arn:aws:secretsmanager:us-east-1:000000000000:secret:stored-abcdef", "arn:aws:secretsmanager:us-east-1:111122223333:secret:stored-abcdef", "stored", "", strings.Repeat("x", 900))...)
	case "metadata object":
		return []any{object{}, object{"algorithm": "RSA-2048"}, object{"": "x"}, object{"long": strings.Repeat("x", 257)}, junk{object{"n": 17}}}
	case "kms_key_id string":
		return texts([]string{}, "alias/haven-master", w.kinds[data], "alias/nobody", "")
	case "generate string":
		return texts([]string{}, "password", "AES_256", "ECC_NIST_P256", "RSA_512", "")
	case "rotation string":
		return texts([]string{}, "rate(30 days)", "never", "rate(1 week)", "cron(0 8 31 2 ? *)", "", strings.Repeat("x", 300))
	case "stage string":
		return texts([]string{}, "current", "pending", "previous", "last", "")
	case "version_id string":
		return texts([]string{}, absentKey, "x", "")
	case "text string":
		return texts([]string{}, "x", "", "żółć", strings.Repeat("x", 65_537))
	case "value string":
		return texts([]string{}, "AP8B", "", "no base64", strings.Repeat("AAAA", 21_846))
	case "seconds integer":
		return numbers(1, 60, 0, -1, 315619200, 315619201, 1<<62)
	case "dry_run boolean":
		return []any{true, false}
	case "keys array":
		return []any{[]any{w.kinds[data]}, []any{w.kinds[data], w.kinds[data]}, []any{"alias/nobody"}, []any{}, []any{w.kinds[data] + "@1"}, make([]string, 101), junk{[]any{17}}, junk{[]any{raw("null")}}}
	case "expression string":
		return texts([]string{}, "rate(1 day)", "rate(1 days)", "cron(0 8 ? * MON-FRI *)", "cron(0 8 31 2 ? *)", "at(2099-01-01T00:00:00)", "at(2000-01-01T00:00:00)", "rate()", "", strings.Repeat("x", 300))
	case "timezone string":
		return texts([]string{}, "Europe/Berlin", "UTC", "Local", "", "../etc/passwd", "No/Where", strings.Repeat("x", 300))
	case "hours integer":
		return numbers(1, 0, 168, 169)
	case "certificate string":
		return texts([]string{}, "", "x", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", strings.Repeat("x", 20_000))
	case "overlap_seconds integer":
		return numbers(0, 60, 2592000, 2592001)
	}
	return nil
}
