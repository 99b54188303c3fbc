package native

import (
	"reflect"

	"github.com/haven-health/haven/keys"
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

// ReadEncrypt decodes a body of encrypt as its route does.
func ReadEncrypt(body []byte) (req keys.EncryptRequest, err error) {
	err = request(body, func(s *scanner, name string) { s.encryptRequest(&req, name) })
	return req, err
}

// ReadDecrypt decodes a body of decrypt as its route does.
func ReadDecrypt(body []byte) (req keys.DecryptRequest, err error) {
	err = request(body, func(s *scanner, name string) { s.decryptRequest(&req, name) })
	return req, err
}

// ReadDataKey decodes a body of generate-data-key as its route does.
func ReadDataKey(body []byte) (req keys.DataKeyRequest, err error) {
	err = request(body, func(s *scanner, name string) { s.dataKeyRequest(&req, name) })
	return req, err
}

// Requests returns what each route decodes, by operation.
func Requests() map[string]reflect.Type {
	types := map[string]reflect.Type{}
	for _, r := range routes() {
		types[r.op.Name] = r.request
	}
	return types
}
