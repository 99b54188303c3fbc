package native

import (
	"errors"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/haven-health/haven/gate"
)

// maxQuery is the longest query, in bytes.
const maxQuery = 4096

// fromQuery turns a GET's query into the JSON object that a POST would have sent: each parameter
// once, scalars only, by the types of the request's fields.
func fromQuery(query string, request reflect.Type) ([]byte, error) {
	if len(query) > maxQuery {
		return nil, gate.Errorf(gate.InvalidRequest, "a query is at most %d bytes", maxQuery)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, gate.Errorf(gate.InvalidRequest, "the query cannot be read")
	}
	object := map[string]any{}
	for name, list := range values {
		if len(list) != 1 {
			return nil, gate.Errorf(gate.InvalidRequest, "a query parameter stands twice")
		}
		field, ok := fieldOf(request, name)
		if !ok {
			return nil, gate.Errorf(gate.InvalidRequest, "the query has a parameter that the operation does not know")
		}
		// From here on name is one of ours, and may be told.
		switch {
		case field.Kind() == reflect.String || field == reflect.TypeFor[time.Time]() || field == reflect.TypeFor[gate.ID]():
			if !utf8.ValidString(list[0]) {
				return nil, gate.Errorf(gate.InvalidRequest, "query parameter %s is not valid UTF-8", name)
			}
			object[name] = list[0]
		case field.Kind() == reflect.Int:
			n, err := strconv.ParseInt(list[0], 10, 32)
			if err != nil || strconv.FormatInt(n, 10) != list[0] {
				return nil, gate.Errorf(gate.InvalidRequest, "query parameter %s is a whole number", name)
			}
			object[name] = n
		case field.Kind() == reflect.Bool:
			if list[0] != "true" && list[0] != "false" {
				return nil, gate.Errorf(gate.InvalidRequest, "query parameter %s is true or false", name)
			}
			object[name] = list[0] == "true"
		default:
			return nil, gate.Errorf(gate.InvalidRequest, "a query takes scalars only; use POST")
		}
	}
	return json.Marshal(object)
}

func fieldOf(t reflect.Type, name string) (reflect.Type, bool) {
	for i := range t.NumField() {
		if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); tag == name && tag != "" {
			return t.Field(i).Type, true
		}
	}
	return nil, false
}

// malformed tells what is wrong with a body: where, and the name of the field if it is one of
// ours, never a value.
func malformed(err error) error {
	var known *gate.Error
	if errors.As(err, &known) {
		return known
	}
	var semantic *json.SemanticError
	if errors.As(err, &semantic) {
		return gate.Errorf(gate.InvalidRequest, "the body has a member that the operation does not know, or of a wrong type, at byte %d", semantic.ByteOffset)
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return gate.Errorf(gate.InvalidRequest, "the body is not the JSON it should be, at byte %d", syntax.ByteOffset)
	}
	return gate.Errorf(gate.InvalidRequest, "the body is not the JSON it should be")
}
