package native

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/haven-health/haven/audit"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
)

// object is a JSON object in the making.
type object = map[string]any

// describe returns the OpenAPI 3.1 description of every route, made from the table and the types
// that the routes read and write: it cannot say anything else than the code does.
func describe(version string) []byte {
	s := schemas{}
	paths := object{}
	for _, r := range routes() {
		path := object{"post": s.operation(r, object{
			"requestBody": object{"required": true, "content": object{"application/json": object{"schema": s.of(r.request)}}},
		}, "")}
		if r.op.Reads {
			path["get"] = s.operation(r, object{"parameters": s.query(r.request)}, "-get")
		}
		paths["/v1/"+r.op.Name] = path
	}
	doc := object{
		"openapi": "3.1.0",
		"info": object{"title": "Haven", "version": version,
			"description": "The key management system of the Haven Health Passport. Every answer carries Haven-Request-Id, the id of its record."},
		"security": []any{object{"bearer": []any{}}},
		"paths":    paths,
		"components": object{
			"schemas":         s,
			"securitySchemes": object{"bearer": object{"type": "http", "scheme": "bearer"}},
		},
	}
	b, err := json.Marshal(doc, json.Deterministic(true), jsontext.WithIndent(" "))
	if err != nil {
		panic("native: openapi: " + err.Error()) // of constants: cannot fail in a build that passed its tests
	}
	return b
}

// schemas collects the named types.
type schemas map[string]any

func (s schemas) operation(r *route, o object, suffix string) object {
	o["operationId"] = r.op.Name + suffix
	o["summary"] = r.op.Summary
	o["x-haven-permission"] = r.op.Permission
	o["x-haven-event"] = r.op.Event
	o["responses"] = object{
		"200":     object{"description": "done, and recorded", "content": object{"application/json": object{"schema": s.of(r.answer)}}},
		"default": object{"description": "refused or failed: RFC 9457 problem details; code is one of " + codes(), "content": object{"application/problem+json": object{"schema": s.of(reflect.TypeFor[Problem]())}}},
	}
	if r.op.Mutates && suffix == "" {
		o["parameters"] = []any{object{"name": idempotencyHeader, "in": "header", "required": false,
			"schema": object{"type": "string", "maxLength": gate.MaxIdempotency}, "description": "makes a repetition safe for 24 hours"}}
	}
	return o
}

func codes() string {
	var names []string
	for _, c := range gate.Codes() {
		names = append(names, c.String())
	}
	return strings.Join(names, ", ")
}

// query describes the scalar fields of a request as parameters.
func (s schemas) query(t reflect.Type) []any {
	list := []any{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, optional, ok := member(f)
		isScalar := slices.Contains([]reflect.Kind{reflect.String, reflect.Int, reflect.Bool}, f.Type.Kind()) || f.Type == reflect.TypeFor[time.Time]()
		if !ok || !isScalar {
			continue
		}
		list = append(list, object{"name": name, "in": "query", "required": !optional, "schema": s.of(f.Type)})
	}
	return list
}

func member(f reflect.StructField) (name string, optional, ok bool) {
	tag, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
	return tag, strings.Contains(rest, "omitzero"), tag != "" && tag != "-"
}

// of returns the schema of a type; a struct's is named and referred to.
func (s schemas) of(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[*audit.Members]():
		return object{"type": []string{"object", "null"}, "additionalProperties": object{}}
	case t == reflect.TypeFor[gate.ID]():
		return object{"type": "string", "format": "uuid"}
	case t == reflect.TypeFor[keys.Context]():
		return s.of(reflect.TypeFor[map[string]string]())
	case t == reflect.TypeFor[jsontext.Value]():
		return object{"type": "object", "additionalProperties": object{}} // a JWK, or an operation's request
	case t == reflect.TypeFor[keys.Span]():
		return object{"type": "string", "pattern": keys.SpanPattern}
	case t == reflect.TypeFor[keys.Length]():
		return object{"type": "integer", "minimum": 1, "maximum": keys.MaxRandom}
	case t == reflect.TypeFor[[]byte]():
		return object{"type": "string", "contentEncoding": "base64"}
	case t.Implements(reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]()):
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Slice:
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.named(t)
	}
	return object{}
}

func (s schemas) named(t reflect.Type) object {
	ref := object{"$ref": "#/components/schemas/" + t.Name()}
	if _, done := s[t.Name()]; done {
		return ref
	}
	s[t.Name()] = object{} // for a type that contains itself
	properties, required := object{}, []string{}
	for i := range t.NumField() {
		name, optional, ok := member(t.Field(i))
		if !ok {
			continue
		}
		properties[name] = s.of(t.Field(i).Type)
		if !optional {
			required = append(required, name)
		}
	}
	schema := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		schema["required"] = required
	}
	s[t.Name()] = schema
	return ref
}
