package native_test

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/api/native"
	"github.com/haven-health/haven/client"
	"github.com/haven-health/haven/gate"
)

type object = map[string]any

// TestSchemaNames: no two types have one name in the description: one would be described as the other.
func TestSchemaNames(t *testing.T) {
	for name, types := range native.NamedTypes() {
		if len(types) != 1 && name != "" {
			t.Errorf("%s names %v", name, types)
		}
	}
}

// openAPI is the description that the API serves.
type openAPI struct{ doc object }

func readOpenAPI(t testing.TB, w *world) *openAPI {
	t.Helper()
	r := w.ask(http.MethodGet, "/v1/openapi.json", nil)
	r.Header.Del("Authorization") // what the API is like is no secret
	a := w.do(r)
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	return &openAPI{must[object](t, a)}
}

// at walks the description; it panics, and fails the test, where there is nothing.
func at(v any, path ...string) any {
	for _, name := range path {
		next, ok := v.(object)[name]
		if !ok {
			panic("openapi: no " + name + " of " + strings.Join(path, " "))
		}
		v = next
	}
	return v
}

func (o *openAPI) operation(method, name string) any {
	return at(o.doc, "paths", "/v1/"+name, strings.ToLower(method))
}

// resolve follows a reference within the description.
func (o *openAPI) resolve(schema any) object {
	s := schema.(object)
	if ref, ok := s["$ref"].(string); ok {
		return at(o.doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...).(object)
	}
	return s
}

// request checks a request's body against its schema.
func (o *openAPI) request(t testing.TB, operation, body string) {
	t.Helper()
	o.valid(t, at(o.operation("post", operation), "requestBody", "content", "application/json", "schema"), body, "the request of "+operation)
}

// answer checks an answer's body against its schema.
func (o *openAPI) answer(t testing.TB, method, operation string, a *answer) {
	t.Helper()
	status, media := "200", "application/json"
	if a.status != http.StatusOK {
		status, media = "default", "application/problem+json"
	}
	schema := at(o.operation(method, operation), "responses", status, "content", media, "schema")
	o.valid(t, schema, a.body, fmt.Sprintf("the answer of %s %s", method, operation))
}

func (o *openAPI) valid(t testing.TB, schema any, body, what string) {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%s: %v in %s", what, err, body)
	}
	if err := o.match(schema, v); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

// match is as much of JSON Schema as the description uses; a word it does not know is an error.
func (o *openAPI) match(schema, v any) error {
	s := o.resolve(schema)
	for word := range s {
		if !slices.Contains([]string{"type", "properties", "additionalProperties", "required", "items", "format", "contentEncoding", "minimum", "maximum", "pattern"}, word) {
			return fmt.Errorf("a word of the schema that nobody checks: %s", word)
		}
	}
	if types, several := s["type"].([]any); several { // of a member that may be null
		if v == nil && slices.Contains(types, any("null")) {
			return nil
		}
		s = maps.Clone(s)
		s["type"] = types[0]
	}
	switch s["type"] {
	case "object":
		m, ok := v.(object)
		if !ok {
			return fmt.Errorf("%T, want an object", v)
		}
		return o.matchObject(s, m)
	case "array":
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%T, want an array", v)
		}
		for i, item := range list {
			if err := o.match(s["items"], item); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
		return nil
	case "string":
		return matchString(s, v)
	case "integer":
		n, ok := v.(float64)
		if most, bounded := s["maximum"].(float64); !ok || n != float64(int64(n)) || n < s["minimum"].(float64) || bounded && n > most {
			return fmt.Errorf("%v, want a whole number of %v", v, s)
		}
		return nil
	case "boolean":
		if _, ok := v.(bool); !ok {
			return fmt.Errorf("%T, want a boolean", v)
		}
		return nil
	case nil: // anything
		if len(s) == 0 && v != nil {
			return nil
		}
	}
	return fmt.Errorf("%v does not match %v", v, s)
}

func (o *openAPI) matchObject(s, m object) error {
	properties, _ := s["properties"].(object)
	if required, ok := s["required"].([]any); ok {
		for _, name := range required {
			if _, there := m[name.(string)]; !there {
				return fmt.Errorf("%s is missing", name)
			}
		}
	}
	for name, value := range m {
		schema, known := properties[name]
		if !known {
			if schema = s["additionalProperties"]; schema == false || schema == nil {
				return fmt.Errorf("%s is not in the schema", name)
			}
		}
		if err := o.match(schema, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func matchString(s object, v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("%T, want a string", v)
	}
	var err error
	switch {
	case s["format"] == "date-time":
		_, err = time.Parse(time.RFC3339Nano, text)
		if err == nil && !strings.HasSuffix(text, "Z") {
			err = fmt.Errorf("%s is not UTC", text)
		}
	case s["format"] == "uuid":
		if _, ok := gate.ParseID(text); !ok {
			err = fmt.Errorf("%s is no UUID", text)
		}
	case s["contentEncoding"] == "base64":
		_, err = base64.StdEncoding.Strict().DecodeString(text)
	case s["pattern"] != nil:
		if !regexp.MustCompile(s["pattern"].(string)).MatchString(text) {
			err = fmt.Errorf("%q does not match %s", text, s["pattern"])
		}
	case s["format"] != nil:
		err = fmt.Errorf("a format that nobody checks: %v", s["format"])
	}
	return err
}

// TestOpenAPI: the description is whole. Every reference leads somewhere, every route is there in
// its methods, every operation has its own id, and what it says of each is the table's.
func TestOpenAPI(t *testing.T) {
	w := newWorld(t)
	before := w.position()
	o := readOpenAPI(t, w)
	if w.position() != before {
		t.Error("reading the description left a record")
	}
	if at(o.doc, "openapi") != "3.1.0" || at(o.doc, "info", "version") != "test" || at(o.doc, "components", "securitySchemes", "bearer", "scheme") != "bearer" {
		t.Error("not what an OpenAPI 3.1 document begins with")
	}
	if n := o.checkRefs(t, o.doc); n < 20 {
		t.Errorf("%d references", n)
	}
	o.checkSchemas(t)
	paths := at(o.doc, "paths").(object)
	ids := map[string]bool{}
	for _, op := range gate.Operations() {
		path, there := paths["/v1/"+op.Name].(object)
		if there == op.Internal {
			t.Errorf("%s: internal %v, described %v", op.Name, op.Internal, there)
		}
		if !there {
			continue
		}
		delete(paths, "/v1/"+op.Name)
		want := []string{"post"}
		if op.Reads {
			want = []string{"get", "post"}
		}
		if got := slices.Sorted(maps.Keys(path)); !slices.Equal(got, want) {
			t.Errorf("%s: methods %v", op.Name, got)
		}
		for method, described := range path {
			checkDescribed(t, op, method, described.(object), ids)
		}
	}
	if len(paths) > 0 {
		t.Errorf("described and not in the table: %v", paths)
	}
}

// checkSchemas: every named type says all of its members, and requires none that it has not.
func (o *openAPI) checkSchemas(t *testing.T) {
	t.Helper()
	for name, schema := range at(o.doc, "components", "schemas").(object) {
		s := schema.(object)
		if s["type"] != "object" || s["additionalProperties"] != false {
			t.Errorf("%s: %v", name, s)
		}
		required, _ := s["required"].([]any)
		for _, member := range required {
			at(s, "properties", member.(string))
		}
	}
}

func checkDescribed(t *testing.T, op *gate.Operation, method string, d object, ids map[string]bool) {
	t.Helper()
	id := d["operationId"].(string)
	if ids[id] || id == "" {
		t.Errorf("operationId %q twice", id)
	}
	ids[id] = true
	if d["summary"] != op.Summary || d["x-haven-permission"] != op.Permission || d["x-haven-event"] != op.Event {
		t.Errorf("%s %s: %v", method, op.Name, d)
	}
	text := at(d, "responses", "default", "description").(string)
	for _, c := range gate.Codes() {
		if !strings.Contains(text, c.String()) {
			t.Errorf("%s: %s is not named", op.Name, c)
		}
	}
	var header []string
	parameters, _ := d["parameters"].([]any)
	for _, p := range parameters {
		if at(p, "in") == "header" {
			header = append(header, at(p, "name").(string))
		}
	}
	if op.Mutates != slices.Equal(header, []string{"Idempotency-Key"}) {
		t.Errorf("%s: headers %v", op.Name, header)
	}
	if _, body := d["requestBody"]; body != (method == "post") {
		t.Errorf("%s %s: request body %v", method, op.Name, body)
	}
}

// checkRefs resolves every reference and returns how many there are.
func (o *openAPI) checkRefs(t *testing.T, v any) (n int) {
	switch v := v.(type) {
	case object:
		if _, is := v["$ref"]; is {
			o.resolve(v)
			n++
		}
		for _, child := range v {
			n += o.checkRefs(t, child)
		}
	case []any:
		for _, child := range v {
			n += o.checkRefs(t, child)
		}
	}
	return n
}

// ahead are members of the client's types that servers to come will know: the contract names them.
var ahead = []string{"CreateKeyRequest.custody"}

// TestClientSpeaksTheAPI: the Go client's types have the members of the description, none other,
// and have them all.
func TestClientSpeaksTheAPI(t *testing.T) {
	o := readOpenAPI(t, newWorld(t))
	met := map[string]bool{}
	for _, c := range []struct {
		operation       string
		request, answer reflect.Type
	}{
		{"create-key", reflect.TypeFor[client.CreateKeyRequest](), reflect.TypeFor[client.Key]()},
		{"describe-key", nil, reflect.TypeFor[client.Key]()},
		{"list-keys", reflect.TypeFor[client.ListKeysRequest](), reflect.TypeFor[client.KeyPage]()},
		{"list-key-versions", reflect.TypeFor[client.ListKeyVersionsRequest](), reflect.TypeFor[client.VersionPage]()},
		{"update-key", reflect.TypeFor[client.UpdateKeyRequest](), nil},
		{"create-alias", reflect.TypeFor[client.AliasRequest](), reflect.TypeFor[client.Key]()},
		{"update-alias", reflect.TypeFor[client.AliasRequest](), nil},
		{"list-aliases", reflect.TypeFor[client.ListAliasesRequest](), reflect.TypeFor[client.AliasPage]()},
		{"tag-key", reflect.TypeFor[client.TagKeyRequest](), nil},
		{"untag-key", reflect.TypeFor[client.UntagKeyRequest](), nil},
		{"get-active-key", reflect.TypeFor[client.GetActiveKeyRequest](), nil},
		{"list-records", reflect.TypeFor[client.ListRecordsRequest](), reflect.TypeFor[client.RecordPage]()},
		{"mark-compromised", reflect.TypeFor[client.MarkCompromisedRequest](), nil},
		{"schedule-key-deletion", reflect.TypeFor[client.ScheduleKeyDeletionRequest](), nil},
		{"encrypt", reflect.TypeFor[client.EncryptRequest](), reflect.TypeFor[client.EncryptResponse]()},
		{"decrypt", reflect.TypeFor[client.DecryptRequest](), reflect.TypeFor[client.DecryptResponse]()},
		{"generate-data-key", reflect.TypeFor[client.GenerateDataKeyRequest](), reflect.TypeFor[client.GenerateDataKeyResponse]()},
		{"sign", reflect.TypeFor[client.SignRequest](), reflect.TypeFor[client.SignResponse]()},
		{"verify", reflect.TypeFor[client.VerifyRequest](), reflect.TypeFor[client.Verified]()},
		{"generate-mac", reflect.TypeFor[client.GenerateMACRequest](), reflect.TypeFor[client.GenerateMACResponse]()},
		{"verify-mac", reflect.TypeFor[client.VerifyMACRequest](), reflect.TypeFor[client.Verified]()},
		{"get-public-key", nil, reflect.TypeFor[client.PublicKey]()},
		{"derive-shared-secret", reflect.TypeFor[client.DeriveSharedSecretRequest](), reflect.TypeFor[client.DeriveSharedSecretResponse]()},
		{"encapsulate", reflect.TypeFor[client.EncapsulateRequest](), reflect.TypeFor[client.EncapsulateResponse]()},
		{"decapsulate", reflect.TypeFor[client.DecapsulateRequest](), reflect.TypeFor[client.DecapsulateResponse]()},
		{"hpke-seal", reflect.TypeFor[client.HPKESealRequest](), reflect.TypeFor[client.HPKESealResponse]()},
		{"hpke-open", reflect.TypeFor[client.HPKEOpenRequest](), reflect.TypeFor[client.HPKEOpenResponse]()},
		{"re-encrypt", reflect.TypeFor[client.ReEncryptRequest](), reflect.TypeFor[client.ReEncryptResponse]()},
		{"generate-data-key-pair", reflect.TypeFor[client.GenerateDataKeyPairRequest](), reflect.TypeFor[client.GenerateDataKeyPairResponse]()},
		{"get-parameters-for-import", reflect.TypeFor[client.GetParametersForImportRequest](), reflect.TypeFor[client.ImportParameters]()},
		{"assume-role", reflect.TypeFor[client.AssumeRoleRequest](), reflect.TypeFor[client.Session]()},
		{"create-policy", reflect.TypeFor[client.CreatePolicyRequest](), reflect.TypeFor[client.Policy]()},
		{"describe-policy", reflect.TypeFor[client.PolicyRequest](), reflect.TypeFor[client.Policy]()},
		{"list-policies", reflect.TypeFor[client.ListPoliciesRequest](), reflect.TypeFor[client.PolicyPage]()},
		{"update-policy", reflect.TypeFor[client.UpdatePolicyRequest](), reflect.TypeFor[client.Policy]()},
		{"delete-policy", reflect.TypeFor[client.PolicyRequest](), reflect.TypeFor[client.Policy]()},
		{"attach-policy", reflect.TypeFor[client.AttachPolicyRequest](), reflect.TypeFor[client.Policy]()},
		{"detach-policy", reflect.TypeFor[client.AttachPolicyRequest](), reflect.TypeFor[client.Policy]()},
		{"describe-principal", nil, reflect.TypeFor[client.Principal]()},
		{"list-principals", reflect.TypeFor[client.ListPrincipalsRequest](), reflect.TypeFor[client.PrincipalPage]()},
		{"update-principal", reflect.TypeFor[client.UpdatePrincipalRequest](), reflect.TypeFor[client.Principal]()},
		{"create-group", nil, reflect.TypeFor[client.Group]()},
		{"describe-group", reflect.TypeFor[client.DescribeGroupRequest](), reflect.TypeFor[client.GroupMembers]()},
		{"list-groups", reflect.TypeFor[client.ListGroupsRequest](), reflect.TypeFor[client.GroupPage]()},
		{"add-to-group", reflect.TypeFor[client.MembershipRequest](), reflect.TypeFor[client.Principal]()},
		{"create-credential", reflect.TypeFor[client.CreateCredentialRequest](), reflect.TypeFor[client.Credential]()},
		{"list-credentials", nil, reflect.TypeFor[client.CredentialList]()},
		{"update-credential", reflect.TypeFor[client.UpdateCredentialRequest](), reflect.TypeFor[client.Credential]()},
		{"rotate-credential", reflect.TypeFor[client.RotateCredentialRequest](), reflect.TypeFor[client.Credential]()},
		{"delete-credential", reflect.TypeFor[client.DeleteCredentialRequest](), nil},
		{"get-caller-identity", nil, reflect.TypeFor[client.Caller]()},
		{"list-access", reflect.TypeFor[client.ListAccessRequest](), reflect.TypeFor[client.AccessPage]()},
		{"preview-policy", reflect.TypeFor[client.PreviewPolicyRequest](), reflect.TypeFor[client.PolicyPreview]()},
		{"lint-access", reflect.TypeFor[client.LintAccessRequest](), reflect.TypeFor[client.LintAccessAnswer]()},
		{"lint-key", nil, reflect.TypeFor[client.LintKeyAnswer]()},
		{"list-approvals", reflect.TypeFor[client.ListApprovalsRequest](), reflect.TypeFor[client.ApprovalPage]()},
		{"check-rotation", reflect.TypeFor[client.CheckRotationRequest](), reflect.TypeFor[client.RotationCheck]()},
		{"list-due", reflect.TypeFor[client.ListDueRequest](), reflect.TypeFor[client.DuePage]()},
		{"schedule-rotation-check", reflect.TypeFor[client.ScheduleRequest](), reflect.TypeFor[client.RotationSchedule]()},
		{"store-key", reflect.TypeFor[client.StoreKeyRequest](), reflect.TypeFor[client.StoreKeyAnswer]()},
		{"retrieve-key", reflect.TypeFor[client.RetrieveKeyRequest](), reflect.TypeFor[client.StoredValue]()},
		{"list-stored-keys", reflect.TypeFor[client.ListStoredKeysRequest](), reflect.TypeFor[client.StoredKeyPage]()},
		{"describe-stored-key", nil, reflect.TypeFor[client.StoredKey]()},
		{"advance-clock", nil, reflect.TypeFor[client.ClockAdvance]()},
		{"describe-rotation-schedule", nil, reflect.TypeFor[client.RotationSchedule]()},
		{"describe-approval", nil, reflect.TypeFor[client.Approval]()},
		{"list-grants", reflect.TypeFor[client.ListGrantsRequest](), reflect.TypeFor[client.GrantPage]()},
		{"explain-access", reflect.TypeFor[client.ExplainAccessRequest](), reflect.TypeFor[client.ExplainAccessAnswer]()},
		{"create-principal", reflect.TypeFor[client.CreatePrincipalRequest](), reflect.TypeFor[client.Principal]()},
		{"import-key-material", reflect.TypeFor[client.ImportKeyMaterialRequest](), reflect.TypeFor[client.Key]()},
	} {
		described := o.operation("post", c.operation)
		if c.request != nil {
			o.sameMembers(t, c.request, at(described, "requestBody", "content", "application/json", "schema"), met)
		}
		if c.answer != nil {
			o.sameMembers(t, c.answer, at(described, "responses", "200", "content", "application/json", "schema"), met)
		}
	}
	for _, name := range ahead {
		if !met[name] {
			t.Errorf("%s is known by now, or gone: take it out of the list", name)
		}
	}
}

func (o *openAPI) sameMembers(t *testing.T, goType reflect.Type, schema any, met map[string]bool) {
	t.Helper()
	s := o.resolve(schema)
	properties := maps.Clone(s["properties"].(object))
	for i := range goType.NumField() {
		f := goType.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		property, there := properties[name]
		delete(properties, name)
		switch full := goType.Name() + "." + name; {
		case !there && slices.Contains(ahead, full):
			met[full] = true
		case !there:
			t.Errorf("%s is not in the description", full)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			o.sameMembers(t, f.Type.Elem(), at(property, "items"), met)
		}
	}
	if len(properties) > 0 {
		t.Errorf("%s lacks %v", goType.Name(), slices.Sorted(maps.Keys(properties)))
	}
}
