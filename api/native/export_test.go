package native

import (
	"reflect"
	"slices"
)

// What the tests look at from inside: the codecs by themselves, so that they can be held against
// an ordinary decoder without a system behind them, and the one map of codes.
var (
	Statuses  = statuses
	Decode    = decode
	FromQuery = fromQuery
	ReadBatch = readBatch
)

// MaxMembers and MaxDepth bound what is looked at.
const (
	MaxMembers = maxMembers
	MaxDepth   = maxDepth
)

// The readers of the hot operations' bodies, as their routes read.
var (
	ReadEncrypt   = reader((*scanner).encryptRequest)
	ReadDecrypt   = reader((*scanner).decryptRequest)
	ReadDataKey   = reader((*scanner).dataKeyRequest)
	ReadSign      = reader((*scanner).signRequest)
	ReadVerify    = reader((*scanner).verifyRequest)
	ReadMAC       = reader((*scanner).macRequest)
	ReadVerifyMAC = reader((*scanner).verifyMACRequest)
)

func reader[Req any](member func(*scanner, *Req, string)) func([]byte) (Req, error) {
	return func(body []byte) (req Req, err error) {
		err = request(body, func(s *scanner, name string) { member(s, &req, name) })
		return req, err
	}
}

// Requests returns what each route decodes, by operation.
func Requests() map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for _, r := range routes() {
		types[r.op.Name] = r.request
	}
	return types
}

// NamedTypes returns the struct types that the description names, by the name.
func NamedTypes() map[string][]reflect.Type {
	out := map[string][]reflect.Type{}
	var walk func(reflect.Type)
	walk = func(t reflect.Type) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(t.Elem())
		case reflect.Struct:
			if slices.Contains(out[t.Name()], t) {
				return
			}
			out[t.Name()] = append(out[t.Name()], t)
			for i := range t.NumField() {
				if _, _, ok := member(t.Field(i)); ok {
					walk(t.Field(i).Type)
				}
			}
		}
	}
	for _, r := range routes() {
		walk(r.request)
		walk(r.answer)
	}
	return out
}
