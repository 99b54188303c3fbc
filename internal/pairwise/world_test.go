package pairwise_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"

	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/keys"
)

// world is a process with keys of every kind and state, and what they made: what calls are about.
type world struct {
	*process
	document *document
	full     bool // the RSA keys that take seconds, too
	// keys are references that calls only use; kinds are those of one good key for each kind.
	keys  []string
	kinds map[string]string
	// made holds base64 values that keys made, by the field that takes them.
	made  map[string][]any
	made1 map[string]any // one of each, by what it is
	// external is a key whose material never comes.
	external string
	names    int // that were made by fresh
}

func kindName(k keys.Kind) string { return fmt.Sprintf("%s/%s/%s", k.Type, k.Spec, k.Usage) }

// Kinds that base requests are about.
var (
	data      = "data/SYMMETRIC_DEFAULT/ENCRYPT_DECRYPT"
	signing   = "signing/ECC_NIST_P256/SIGN_VERIFY"
	macs      = "signing/HMAC_256/GENERATE_VERIFY_MAC"
	agreement = "transport/ECC_NIST_P256/KEY_AGREEMENT"
	kem       = "transport/ML_KEM_768/ENCAPSULATE_DECAPSULATE"
	hpke      = "transport/HPKE_MLKEM768_P256/SEAL_OPEN"
)

const absentKey = "00000000-0000-7000-8000-000000000000"

// done is the answer of a call that must succeed.
func (w *world) done(operation string, request object) object {
	w.t.Helper()
	out, status := w.post(operation, request)
	if status != http.StatusOK {
		w.t.Fatalf("%s %v: %v", operation, request, out)
	}
	return out
}

// create makes a key; "" when FIPS 140-3 does not allow its kind.
func (w *world) create(k keys.Kind) string {
	w.t.Helper()
	out, status := w.post("create-key", object{"purpose": "asked for", "type": k.Type, "spec": k.Spec, "key_usage": k.Usage})
	if out["code"] == "unsupported" {
		return ""
	}
	if status != http.StatusOK {
		w.t.Fatalf("create-key %v: %v", k, out)
	}
	return out["key_id"].(string)
}

func slow(spec keys.Spec) bool { return spec == "RSA_3072" || spec == "RSA_4096" }

// furnish makes the keys.
func (w *world) furnish() {
	w.t.Helper()
	w.kinds, w.made, w.made1 = map[string]string{}, map[string][]any{}, map[string]any{}
	for _, k := range keys.Kinds() {
		if slow(k.Spec) && !w.full {
			continue
		}
		if id := w.create(k); id != "" {
			w.kinds[kindName(k)] = id
			w.keys = append(w.keys, id)
		}
	}
	id := w.kinds[data]
	w.done("create-alias", object{"key": id, "alias": "alias/asked"})
	w.keys = append(w.keys, w.states(keys.Kind{Type: "data"})...)
	w.keys = append(w.keys, w.states(keys.Kind{Type: "signing"})...)
	w.external = w.awaiting()
	w.keys = append(w.keys, w.external, w.external+"@1", id+"@1", id+"@2", id+"@0", id+"@4294967295", id+"@4294967296", "alias/asked", "alias/asked@1",
		"alias/haven-master", "alias/nobody", "arn:aws:kms:us-east-1:000000000000:key/"+id,
		"arn:aws:kms:us-east-1:000000000000:alias/asked", "arn:aws:kms:eu-west-1:000000000000:key/"+id,
		absentKey, strings.ToUpper(id), strings.ReplaceAll(id, "-", ""), "alias/żółć", "@", "alias/", id+"@")
	w.produce()
}

// states makes a key in each state that a call can bring it to, and returns references to them.
func (w *world) states(k keys.Kind) []string {
	w.t.Helper()
	two := func() string {
		id := w.create(k)
		w.done("rotate-key", object{"key": id})
		return id
	}
	rotated, deprecated, compromised, lost := two(), two(), two(), two()
	disabled, suspended, going := two(), two(), two()
	w.done("deprecate-version", object{"key": deprecated + "@1"})
	w.done("mark-compromised", object{"key": compromised + "@1", "reason": "asked for"})
	w.done("mark-compromised", object{"key": lost, "reason": "asked for"})
	w.done("disable-key", object{"key": disabled})
	w.done("disable-key", object{"key": suspended, "for": "30d"})
	w.done("schedule-key-deletion", object{"key": going})
	return []string{rotated, rotated + "@1", deprecated + "@1", compromised, compromised + "@1", lost, lost + "@2", disabled, suspended, going, going + "@1"}
}

// victims makes keys that calls may do anything to, and returns references to them.
func (w *world) victims() []string {
	w.t.Helper()
	rotated := w.create(keys.Kind{Type: "data"})
	w.done("rotate-key", object{"key": rotated})
	master := w.create(keys.Kind{Type: "master"})
	out := []string{w.create(keys.Kind{Type: "data"}), rotated, rotated + "@1", rotated + "@2", rotated + "@3", master, master + "@1",
		w.create(keys.Kind{Type: "signing"}), w.create(keys.Kind{Type: "signing", Usage: "GENERATE_VERIFY_MAC"}),
		w.create(keys.Kind{Type: "transport", Usage: "KEY_AGREEMENT", Spec: "ECC_NIST_P256"})}
	return append(append(out, w.states(keys.Kind{Type: "data"})...), "alias/nobody", absentKey, "alias/żółć", "@", rotated+"@0")
}

// produce lets keys make what others are to be given.
func (w *world) produce() {
	w.t.Helper()
	keep := func(name, field string, out object, member string) {
		w.made[field] = append(w.made[field], out[member])
		w.made1[name] = out[member]
	}
	keep("ciphertext", "ciphertext", w.done("encrypt", object{"key": w.kinds[data], "plaintext": hello}), "ciphertext")
	keep("contextual", "ciphertext", w.done("encrypt", object{"key": w.kinds[data], "plaintext": hello, "context": object{"patient": "17"}}), "ciphertext")
	keep("encapsulated", "ciphertext", w.done("encapsulate", object{"key": w.kinds[kem]}), "ciphertext")
	if w.kinds[hpke] != "" {
		keep("sealed", "ciphertext", w.done("hpke-seal", object{"key": w.kinds[hpke], "plaintext": hello}), "ciphertext")
	}
	if id := w.kinds["transport/RSA_2048/ENCRYPT_DECRYPT"]; id != "" {
		keep("oaep", "ciphertext", w.done("encrypt", object{"key": id, "plaintext": hello}), "ciphertext")
	}
	keep("signature", "signature", w.done("sign", object{"key": w.kinds[signing], "message": hello}), "signature")
	keep("mac", "mac", w.done("generate-mac", object{"key": w.kinds[macs], "message": hello}), "mac")
	request := w.wrapped()
	keep("token", "import_token", request, "import_token")
	keep("material", "encrypted_material", request, "encrypted_material")
	keep("approval", "approval", w.done("request-approval", object{"operation": "disable-key", "request": object{"key": w.kinds[data]}}), "approval_id")
	keep("asked", "approval", object{"approval_id": w.askedByAnother(w.kinds[data])}, "approval_id")
	keep("public", "public_key", w.done("get-public-key", object{"key": w.kinds[agreement]}), "public_key")
	keep("another", "public_key", w.done("get-public-key", object{"key": w.kinds["signing/ECC_NIST_P384/SIGN_VERIFY"]}), "public_key")
}

var hello = base64.StdEncoding.EncodeToString([]byte("hello"))

// base is a request of each operation that succeeds: what others are varied from. key is one that
// may be changed.
func (w *world) base(operation, key string) object {
	if prepared := w.prepared(operation, key); prepared != nil {
		return prepared
	}
	m := w.made1
	return map[string]object{
		"accept-clock":               {},
		"batch":                      {"items": []any{object{"op": "encrypt", "key": w.kinds[data], "plaintext": hello}}},
		"create-alias":               {"key": key, "alias": "alias/created"},
		"create-key":                 {"purpose": "asked for", "type": "data"},
		"create-policy":              {"name": "asked", "document": readDocument},
		"describe-policy":            {"policy": "HavenAuditor"},
		"list-policies":              {},
		"create-group":               {"name": w.fresh()},
		"create-principal":           {"kind": "user", "name": w.fresh()},
		"list-access":                {"key": key, "action": "decrypt"},
		"lint-access":                {"document": readDocument},
		"lint-key":                   {"key": key},
		"decapsulate":                {"key": w.kinds[kem], "ciphertext": m["encapsulated"]},
		"decrypt":                    {"ciphertext": m["ciphertext"]},
		"derive-shared-secret":       {"key": w.kinds[agreement], "public_key": m["public"]},
		"describe-key":               {"key": w.kinds[data]},
		"disable-key":                {"key": key},
		"enable-key":                 {"key": key},
		"encapsulate":                {"key": w.kinds[kem]},
		"encrypt":                    {"key": w.kinds[data], "plaintext": hello},
		"get-caller-identity":        {},
		"get-parameters-for-import":  {"key": w.external, "wrapping_key_spec": "RSA_2048"},
		"generate-data-key":          {"key": w.kinds[data]},
		"generate-data-key-pair":     {"key": w.kinds[data], "key_pair_spec": "ECC_NIST_P256"},
		"generate-mac":               {"key": w.kinds[macs], "message": hello},
		"generate-random":            {},
		"get-active-key":             {"type": "data"},
		"get-key-policy":             {"key": w.kinds[data]},
		"list-grants":                {"key": w.kinds[data]},
		"put-key-policy":             {"key": key, "document": keyDocument},
		"get-public-key":             {"key": w.kinds[signing]},
		"hpke-open":                  {"ciphertext": m["sealed"]},
		"hpke-seal":                  {"key": w.kinds[hpke], "plaintext": hello},
		"check-rotation":             {},
		"execute-rotations":          {"keys": []any{key}},
		"list-due":                   {},
		"schedule-rotation-check":    {"expression": "rate(1 day)"},
		"describe-rotation-schedule": {},
		"advance-clock":              {"seconds": 1},
		"store-key":                  {"name": "stored", "text": "x"},
		"list-stored-keys":           {},
		"list-aliases":               {},
		"list-approvals":             {},
		"request-approval":           {"operation": "disable-key", "request": object{"key": key}},
		"list-credentials":           {},
		"list-groups":                {},
		"list-principals":            {},
		"list-key-versions":          {"key": w.kinds[data]},
		"list-keys":                  {},
		"list-records":               {},
		"mark-compromised":           {"key": key, "reason": "asked for"},
		"re-encrypt":                 {"ciphertext": m["ciphertext"], "key": w.kinds[data]},
		"rotate-key":                 {"key": key},
		"schedule-key-deletion":      {"key": key},
		"sign":                       {"key": w.kinds[signing], "message": hello},
		"tag-key":                    {"key": key, "tags": object{"team": "clinic"}},
		"untag-key":                  {"key": key, "names": []any{"team"}},
		"update-key":                 {"key": key, "purpose": "another"},
		"verify":                     {"key": w.kinds[signing], "message": hello, "signature": m["signature"]},
		"verify-mac":                 {"key": w.kinds[macs], "message": hello, "mac": m["mac"]},
	}[operation]
}

// prepared is the base of an operation that needs something to be there first.
func (w *world) prepared(operation, key string) object {
	w.t.Helper()
	if request := w.preparedPeople(operation); request != nil {
		return request
	}
	switch operation {
	case "describe-approval", "withdraw-approval":
		return object{"approval": w.done("request-approval", object{"operation": "disable-key", "request": object{"key": key}})["approval_id"]}
	case "approve":
		return object{"approval": w.askedByAnother(key)}
	case "retrieve-key", "describe-stored-key", "list-stored-key-versions", "delete-stored-key", "rotate-stored-key", "tag-stored-key", "untag-stored-key", "restore-stored-key":
		request := object{"name": w.fresh()}
		w.done("store-key", object{"name": request["name"], "generate": "password"})
		switch operation {
		case "restore-stored-key":
			w.done("delete-stored-key", request)
		case "tag-stored-key":
			request["tags"] = object{"team": "clinic"}
		case "untag-stored-key":
			request["names"] = []any{"team"}
		}
		return request
	case "cancel-key-deletion":
		id := w.create(keys.Kind{Type: "data"})
		w.done("schedule-key-deletion", object{"key": id})
		return object{"key": id}
	case "delete-alias":
		w.done("create-alias", object{"key": key, "alias": "alias/deleted"})
		return object{"alias": "alias/deleted"}
	case "update-alias":
		w.done("create-alias", object{"key": key, "alias": "alias/updated"})
		return object{"key": key, "alias": "alias/updated"}
	case "deprecate-version", "restore-version":
		w.done("rotate-key", object{"key": key})
		return object{"key": key + "@1"}
	case "import-key-material":
		return w.wrapped()
	case "assume-role":
		return object{"role": w.role(), "session_name": "night"}
	case "attach-policy":
		return object{"policy": "HavenAuditor", "principal": w.clerk()}
	case "detach-policy":
		request := object{"policy": "HavenAuditor", "principal": w.clerk()}
		w.done("attach-policy", request)
		return request
	case "explain-access":
		return object{"principal": w.clerk(), "action": "decrypt", "key": key}
	case "preview-policy":
		return object{"policy": w.policy(), "document": readDocument, "key": key}
	case "update-policy":
		return object{"policy": w.policy(), "document": readDocument}
	case "delete-policy":
		return object{"policy": w.policy()}
	case "create-grant":
		return w.granting(key)
	case "revoke-grant", "retire-grant":
		return object{"key": key, "grant_id": w.done("create-grant", w.granting(key))["grant_id"]}
	case "delete-imported-key-material":
		request := w.wrapped()
		w.done("import-key-material", request)
		return object{"key": fmt.Sprint(request["key"], "@1")}
	}
	return nil
}

// trust is a role's trust policy, readDocument another policy's document.
const trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}}`

const readDocument = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}]}`

// clerk makes somebody who may have policies; policy makes a policy.
func (w *world) clerk() string {
	w.t.Helper()
	return w.done("create-principal", object{"kind": "user", "name": w.fresh()})["arn"].(string)
}

// role makes a role that the administrator may assume.
func (w *world) role() string {
	w.t.Helper()
	return w.done("create-principal", object{"kind": "role", "name": w.fresh(), "trust": trust})["arn"].(string)
}

func (w *world) policy() string {
	w.t.Helper()
	return w.done("create-policy", object{"name": w.fresh(), "document": readDocument})["arn"].(string)
}

// keyDocument is the policy of a key that leaves everything to the account.
const keyDocument = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"*","Resource":"*"}]}`

// granting is a request that lets somebody decrypt.
func (w *world) granting(key string) object {
	return object{"key": key, "grantee_principal": "arn:aws:iam::000000000000:user/administrator", "operations": []any{"Decrypt"}}
}

// askedByAnother returns what somebody else asks approvals of: nobody approves what they ask themselves.
func (w *world) askedByAnother(key string) any {
	w.t.Helper()
	who := w.clerk()
	w.done("attach-policy", object{"policy": "HavenAdministrator", "principal": who})
	mine := w.token
	defer func() { w.token = mine }()
	w.token = w.done("create-credential", object{"principal": who, "type": "bearer"})["token"].(string)
	return w.done("request-approval", object{"operation": "disable-key", "request": object{"key": key}})["approval_id"]
}

// fresh returns a name that nothing has.
func (w *world) fresh() string {
	w.names++
	return fmt.Sprint("fresh", w.names)
}

// awaiting makes a key whose material comes from elsewhere.
func (w *world) awaiting() string {
	w.t.Helper()
	return w.done("create-key", object{"purpose": "asked for", "type": "data", "origin": "EXTERNAL"})["key_id"].(string)
}

// wrapped makes such a key and the request that brings its material.
func (w *world) wrapped() object {
	w.t.Helper()
	id := w.awaiting()
	parameters := w.done("get-parameters-for-import", object{"key": id, "wrapping_key_spec": "RSA_2048"})
	der, err := base64.StdEncoding.DecodeString(parameters["public_key"].(string))
	w.must(err)
	public, err := crypt.ParsePublicKey(crypt.RSA2048, der)
	w.must(err)
	material, err := public.WrapMaterial(rand.Reader, crypt.OAEPWithSHA256, secret.New(make([]byte, 32)))
	w.must(err)
	return object{"key": id, "import_token": parameters["import_token"], "encrypted_material": base64.StdEncoding.EncodeToString(material)}
}

// preparedPeople is the base of an operation on a principal, a group or a credential that there is.
func (w *world) preparedPeople(operation string) object {
	w.t.Helper()
	person := func() string {
		name := w.fresh()
		w.done("create-principal", object{"kind": "user", "name": name})
		return name
	}
	group := func() string {
		name := w.fresh()
		w.done("create-group", object{"name": name})
		return name
	}
	switch operation {
	case "describe-principal", "delete-principal":
		return object{"principal": person()}
	case "update-principal":
		return object{"principal": person(), "disabled": true}
	case "describe-group", "delete-group":
		return object{"group": group()}
	case "add-to-group", "remove-from-group":
		return object{"principal": person(), "group": group()}
	case "create-credential":
		return object{"principal": person(), "type": "bearer"}
	case "update-credential", "rotate-credential", "delete-credential":
		who := person()
		request := object{"principal": who, "credential": w.done("create-credential", object{"principal": who, "type": "bearer"})["id"]}
		if operation == "update-credential" {
			request["active"] = false
		}
		return request
	}
	return nil
}
