package native_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/haven-health/haven/api/native"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/keys"
)

// The hot operations have a reader of their own; package json, strict, into the documented types
// is what it must agree with: both take a body and read the same from it, or both refuse it.
//
// Reference is stricter than the package by itself in three places, on purpose. Null is refused,
// as in every operation. Base64 is refused unless it is the one encoding of its bytes: the package
// passes over bits left over in the last digit. A whole number has no sign and is below 2^31.
var reference = json.JoinOptions(json.RejectUnknownMembers(true), json.WithUnmarshalers(json.JoinUnmarshalers(
	json.UnmarshalFromFunc(func(d *jsontext.Decoder, _ any) error {
		if d.PeekKind() == 'n' {
			return errors.New("null")
		}
		return errors.ErrUnsupported
	}),
	json.UnmarshalFunc(func(raw []byte, v *[]byte) error {
		text, err := jsontext.AppendUnquote(nil, raw)
		if err != nil {
			return err
		}
		b, err := base64.StdEncoding.DecodeString(string(text))
		if err != nil {
			return err
		}
		if base64.StdEncoding.EncodeToString(b) != string(text) {
			return errors.New("not its one encoding")
		}
		*v = b
		return nil
	}),
	json.UnmarshalFunc(func(raw []byte, v *int) error {
		n, err := strconv.ParseUint(string(raw), 10, 31)
		*v = int(n)
		return err
	}),
)))

// same checks that both readers took or both refused a body; it tells whether they took it.
func same(t *testing.T, body []byte, own, reference error) bool {
	t.Helper()
	if (own == nil) != (reference == nil) {
		t.Fatalf("%q:\nown %v\nreference %v", body, own, reference)
	}
	if own != nil && !errors.Is(own, gate.InvalidRequest) {
		t.Fatalf("%q: refused as %v", body, own)
	}
	return own == nil
}

// contextOf is a context as the reference reads it; one over the limit is refused.
func contextOf(m map[string]string, err error) (blob.Context, error) {
	if err != nil {
		return blob.Context{}, err
	}
	return blob.ContextOf(m)
}

func sameContext(t *testing.T, own, reference blob.Context) {
	t.Helper()
	if !bytes.Equal(own.Encoded(), reference.Encoded()) {
		t.Fatalf("contexts differ: %x and %x", own.Encoded(), reference.Encoded())
	}
}

// TestReadersAgree holds the readers against the reference on every seed and on the documents made
// by others, as bodies, members and items.
func TestReadersAgree(t *testing.T) {
	corpus := bodies()
	for _, text := range jsonFiles(t) {
		for _, around := range []string{"", `{"key":`, `{"bytes":`, `{"context":`, `{"context":{"a":`} {
			corpus = append(corpus, around+text+strings.Repeat("}", strings.Count(around, "{")))
		}
		corpus = append(corpus, `{"items":[`+text+`]}`, `{"items":[{"op":"encrypt","context":`+text+`}]}`)
	}
	for _, body := range corpus {
		for _, agree := range []func(*testing.T, []byte){agreeEncrypt, agreeDecrypt, agreeDataKey, agreeBatch, agreeSign, agreeVerify, agreeMAC, agreeVerifyMAC} {
			agree(t, []byte(body))
		}
	}
}

func FuzzEncrypt(f *testing.F) { seed(f); f.Fuzz(agreeEncrypt) }
func FuzzDecrypt(f *testing.F) { seed(f); f.Fuzz(agreeDecrypt) }
func FuzzDataKey(f *testing.F) { seed(f); f.Fuzz(agreeDataKey) }
func FuzzBatch(f *testing.F)   { seed(f); f.Fuzz(agreeBatch) }

func FuzzSign(f *testing.F)      { seed(f); f.Fuzz(agreeSign) }
func FuzzVerify(f *testing.F)    { seed(f); f.Fuzz(agreeVerify) }
func FuzzMAC(f *testing.F)       { seed(f); f.Fuzz(agreeMAC) }
func FuzzVerifyMAC(f *testing.F) { seed(f); f.Fuzz(agreeVerifyMAC) }

// What agrees of the operations without a context: own reader and reference, told as one type. An
// empty message and none are not the same.
var (
	agreeSign = agreement(native.ReadSign, func(r keys.SignRequest) native.SignBody {
		return native.SignBody{Key: r.Key, Message: r.Message, Digest: r.Digest, ExternalMu: r.ExternalMu, Algorithm: string(r.Algorithm)}
	})
	agreeVerify = agreement(native.ReadVerify, func(r keys.VerifyRequest) native.VerifyBody {
		return native.VerifyBody{Key: r.Key, Message: r.Message, Digest: r.Digest, ExternalMu: r.ExternalMu, Signature: r.Signature, Algorithm: string(r.Algorithm)}
	})
	agreeMAC = agreement(native.ReadMAC, func(r keys.MACRequest) native.MACBody {
		return native.MACBody{Key: r.Key, Message: r.Message, Algorithm: string(r.Algorithm)}
	})
	agreeVerifyMAC = agreement(native.ReadVerifyMAC, func(r keys.VerifyMACRequest) native.VerifyMACBody {
		return native.VerifyMACBody{Key: r.Key, Message: r.Message, MAC: r.MAC, Algorithm: string(r.Algorithm)}
	})
)

func agreement[Own, Body any](read func([]byte) (Own, error), told func(Own) Body) func(*testing.T, []byte) {
	return func(t *testing.T, body []byte) {
		own, ownErr := read(body)
		var ref Body
		err := json.Unmarshal(body, &ref, reference)
		if same(t, body, ownErr, err) && !reflect.DeepEqual(told(own), ref) {
			t.Fatalf("%q: %+v and %+v", body, own, ref)
		}
	}
}

func agreeEncrypt(t *testing.T, body []byte) {
	own, ownErr := native.ReadEncrypt(body)
	var ref native.EncryptBody
	err := json.Unmarshal(body, &ref, reference)
	context, err := contextOf(ref.Context, err)
	if same(t, body, ownErr, err) {
		sameEncrypt(t, own, ref, context)
	}
}

func sameEncrypt(t *testing.T, own keys.EncryptRequest, ref native.EncryptBody, context blob.Context) {
	t.Helper()
	if own.Key != ref.Key || !bytes.Equal(own.Plaintext, ref.Plaintext) || string(own.Algorithm) != ref.Algorithm {
		t.Fatalf("%+v and %+v", own, ref)
	}
	sameContext(t, own.Context, context)
}

func agreeDecrypt(t *testing.T, body []byte) {
	own, ownErr := native.ReadDecrypt(body)
	var ref native.DecryptBody
	err := json.Unmarshal(body, &ref, reference)
	context, err := contextOf(ref.Context, err)
	if same(t, body, ownErr, err) {
		sameDecrypt(t, own, ref, context)
	}
}

func sameDecrypt(t *testing.T, own keys.DecryptRequest, ref native.DecryptBody, context blob.Context) {
	t.Helper()
	if own.Key != ref.Key || !bytes.Equal(own.Ciphertext, ref.Ciphertext) || string(own.Algorithm) != ref.Algorithm {
		t.Fatalf("%+v and %+v", own, ref)
	}
	sameContext(t, own.Context, context)
}

func agreeDataKey(t *testing.T, body []byte) {
	own, ownErr := native.ReadDataKey(body)
	var ref native.DataKeyBody
	err := json.Unmarshal(body, &ref, reference)
	context, err := contextOf(ref.Context, err)
	if same(t, body, ownErr, err) {
		sameDataKey(t, own, ref, context)
	}
}

func sameDataKey(t *testing.T, own keys.DataKeyRequest, ref native.DataKeyBody, context blob.Context) {
	t.Helper()
	if own.Key != ref.Key || own.Bytes != ref.Bytes || own.WithoutPlaintext != (ref.Plaintext != nil && !*ref.Plaintext) {
		t.Fatalf("%+v and %+v", own, ref)
	}
	sameContext(t, own.Context, context)
}

func agreeBatch(t *testing.T, body []byte) {
	own, ownErr := native.ReadBatch(body)
	raw, err := referenceBatch(body)
	if !same(t, body, ownErr, err) {
		return
	}
	if len(own) != len(raw) {
		t.Fatalf("%q: %d items and %d", body, len(own), len(raw))
	}
	for i := range raw {
		sameItem(t, own[i], raw[i])
	}
}

// referenceBatch reads a batch's frame; its items may be anything, to a depth.
func referenceBatch(body []byte) ([]jsontext.Value, error) {
	var whole struct {
		Items jsontext.Value `json:"items"`
	}
	switch err := json.Unmarshal(body, &whole, json.RejectUnknownMembers(true)); {
	case err != nil:
		return nil, err
	case jsontext.Value(body).Kind() != '{', whole.Items != nil && whole.Items.Kind() != '[':
		return nil, errors.New("not a batch")
	case whole.Items == nil:
		return nil, nil
	}
	var items []jsontext.Value
	if err := json.Unmarshal(whole.Items, &items); err != nil {
		return nil, err
	}
	for _, item := range items {
		if depthOf(item) > native.MaxDepth {
			return nil, errors.New("too deep")
		}
	}
	if len(items) > keys.MaxBatch+1 { // one more is read, for the batch to be refused by its length
		return nil, errors.New("too many")
	}
	return items, nil
}

// depthOf is how deep the deepest value stands: 1 for the item itself.
func depthOf(v jsontext.Value) (deepest int) {
	d := jsontext.NewDecoder(bytes.NewReader(v))
	for {
		at := d.StackDepth()
		token, err := d.ReadToken()
		if err != nil {
			return deepest
		}
		if k := token.Kind(); k != '}' && k != ']' {
			deepest = max(deepest, at+1)
		}
	}
}

func sameItem(t *testing.T, own keys.BatchItem, raw jsontext.Value) {
	t.Helper()
	var named struct {
		Op any `json:"op"`
	}
	_ = json.Unmarshal(raw, &named) // what is no object has no op
	var err error
	var context blob.Context
	switch named.Op {
	case "encrypt":
		var ref struct {
			Op string `json:"op"`
			native.EncryptBody
		}
		err = json.Unmarshal(raw, &ref, reference)
		if context, err = contextOf(ref.Context, err); same(t, raw, own.Err, err) {
			sameEncrypt(t, *own.Encrypt, ref.EncryptBody, context)
		}
	case "decrypt":
		var ref struct {
			Op string `json:"op"`
			native.DecryptBody
		}
		err = json.Unmarshal(raw, &ref, reference)
		if context, err = contextOf(ref.Context, err); same(t, raw, own.Err, err) {
			sameDecrypt(t, *own.Decrypt, ref.DecryptBody, context)
		}
	case "generate-data-key":
		var ref struct {
			Op string `json:"op"`
			native.DataKeyBody
		}
		err = json.Unmarshal(raw, &ref, reference)
		if context, err = contextOf(ref.Context, err); same(t, raw, own.Err, err) {
			sameDataKey(t, *own.DataKey, ref.DataKeyBody, context)
		}
	default:
		if own.Err == nil {
			t.Fatalf("an item of no operation was taken: %q", raw)
		}
	}
}

// bodyTypes are the requests that package json reads, in a fixed order.
func bodyTypes() (types []reflect.Type) {
	requests := native.Requests()
	for _, op := range slices.Sorted(maps.Keys(requests)) {
		if t := requests[op]; !strings.HasSuffix(t.Name(), "Body") && !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	return types
}

// FuzzBody: what an operation decodes, encoded and decoded again, is the same; nothing panics, and
// all that is refused is refused as invalid_request.
func FuzzBody(f *testing.F) {
	types := bodyTypes()
	if len(types) < 8 {
		f.Fatalf("%d types", len(types))
	}
	for op, body := range fair("alias/haven-master@1") {
		if i := slices.Index(types, native.Requests()[op]); i >= 0 {
			f.Add(uint8(i), []byte(body))
		}
	}
	for i := range types {
		f.Add(uint8(i), []byte("{}")) // what is left out everywhere stays left out
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		requestType := types[int(which)%len(types)]
		first, second := reflect.New(requestType), reflect.New(requestType)
		if err := native.Decode(body, first.Interface()); err != nil {
			if !errors.Is(err, gate.InvalidRequest) {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		encoded, err := json.Marshal(first.Interface())
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if err := native.Decode(encoded, second.Interface()); err != nil {
			t.Fatalf("%q became %q: %v", body, encoded, err)
		}
		// An empty list is as good as none, so what is compared is what is said.
		again, err := json.Marshal(second.Interface())
		if err != nil || !bytes.Equal(encoded, again) {
			t.Fatalf("%q: %s became %s, %v", body, encoded, again, err)
		}
	})
}

// FuzzQuery: a query that is taken says, as a body, exactly the parameters it has.
func FuzzQuery(f *testing.F) {
	for _, query := range []string{"", "key=a", "key=a%40b&limit=1", "limit=01", "key=%ff", "cursor=AA&type=data&limit=100", "key=a&key=b", "a;b", "key=%00+%2b", "&&key=\u00e9&"} {
		f.Add(query)
	}
	types := []reflect.Type{reflect.TypeFor[keys.ListRequest](), reflect.TypeFor[keys.ListVersionsRequest](), reflect.TypeFor[keys.KeyRequest]()}
	f.Fuzz(func(t *testing.T, query string) {
		for _, requestType := range types {
			body, err := native.FromQuery(query, requestType)
			if err != nil {
				if !errors.Is(err, gate.InvalidRequest) {
					t.Fatalf("%q: %v", query, err)
				}
				continue
			}
			if err := native.Decode(body, reflect.New(requestType).Interface()); err != nil {
				t.Fatalf("%q became %q: %v", query, body, err)
			}
			saidOnce(t, query, body)
		}
	})
}

func saidOnce(t *testing.T, query string, body []byte) {
	t.Helper()
	said, err := url.ParseQuery(query)
	if err != nil {
		t.Fatalf("%q was taken: %v", query, err)
	}
	var got map[string]jsontext.Value
	if err := json.Unmarshal(body, &got); err != nil || len(got) != len(said) {
		t.Fatalf("%q became %q: %v", query, body, err)
	}
	for name, values := range said {
		text := string(got[name])
		if got[name].Kind() == '"' {
			unquoted, err := jsontext.AppendUnquote(nil, got[name])
			if err != nil {
				t.Fatal(err)
			}
			text = string(unquoted)
		}
		if len(values) != 1 || text != values[0] {
			t.Fatalf("%q: %s is %q, was %q", query, name, text, values)
		}
	}
}

// seed adds bodies of the hot operations.
func seed(f *testing.F) {
	for _, body := range bodies() {
		f.Add([]byte(body))
	}
}

// bodies are those of the hot operations, whole, with more members, and as items of a batch.
func bodies() (out []string) {
	members := []string{
		`"context":{"b":"1","a":"\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\"}`, `"context":{"a":"1","\u0061":"2"}`, `"context":{"a":null}`,
		`"context":{"0":"","1":"","2":"","3":"","4":"","5":"","6":"","7":"","8":"","9":"","10":""}`,
		`"context":{"0":"","1":"","2":"","3":"","4":"","5":"","6":"","7":"","8":"","9":"","\u0039":""}`,
		`"bytes":32`, `"bytes":0`, `"bytes":-0`, `"bytes":2147483647`, `"bytes":2147483648`, `"bytes":1.0`, `"plaintext":false`,
		`"plaintext":""`, `"plaintext":"QR=="`, `"plaintext":"QQ"`, `"plaintext":"Q\nQ=="`, `"plaintext":"QQ==\r\n"`, `"plaintext":"QQ\u003d="`,
		`"ciphertext":"-_8="`, `"key":null`, `"key":"\ud800"`, "\"key\":\"\xff\"", "\"key\":\"\\n\xff\"", `"op":"encrypt"`, `"x":[[[[[[[[[1]]]]]]]]]`,
		`"algorithm":"ECDSA_SHA_256"`, `"algorithm":"\u0045"`, `"message":""`, `"digest":"QR=="`, `"external_mu":"QQ=="`, `"signature":"Q\nQ=="`, `"mac":[81]`,
	}
	for _, member := range members {
		out = append(out, "{"+member+"}")
	}
	fair := fair("0190a5d0-ac96-774b-bcce-b302099a8057@3")
	for _, op := range []string{"encrypt", "decrypt", "generate-data-key"} {
		out = append(out, fair[op], `{"items":[`+with(`"op":"`+op+`"`)(fair[op])+`,1]}`)
		for i := range members {
			if i%3 == len(out)%3 { // some with each
				out = append(out, with(members[i])(fair[op]), `{"items":[{"op":"`+op+`",`+members[i]+`}]}`)
			}
		}
	}
	for _, op := range []string{"sign", "verify", "generate-mac", "verify-mac"} {
		out = append(out, fair[op])
		for _, member := range members {
			out = append(out, with(member)(fair[op]))
		}
	}
	return append(out, fair["batch"], "{}", "null", "")
}
