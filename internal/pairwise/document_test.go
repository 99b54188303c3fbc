package pairwise_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

type object = map[string]any

// document is the OpenAPI document that the process serves.
type document struct {
	paths   object
	schemas object
}

func (p *process) document() *document {
	p.t.Helper()
	a, err := p.send(http.MethodGet, "/v1/openapi.json", http.Header{}, nil)
	p.must(err)
	var doc struct {
		Paths      object `json:"paths"`
		Components struct {
			Schemas object `json:"schemas"`
		} `json:"components"`
	}
	p.must(json.Unmarshal(a.body, &doc))
	return &document{paths: doc.Paths, schemas: doc.Components.Schemas}
}

// operations returns the names of all operations.
func (d *document) operations() []string {
	var out []string
	for path := range d.paths {
		if name, ok := strings.CutPrefix(path, "/v1/"); ok {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// at follows member names.
func at(v any, names ...string) any {
	for _, name := range names {
		m, _ := v.(object)
		v = m[name]
	}
	return v
}

// field is a parameter of an operation.
type field struct {
	name   string
	schema object
}

// fields returns the parameters of an operation, by name.
func (d *document) fields(operation string) []field {
	schema := d.resolve(at(d.paths["/v1/"+operation], "post", "requestBody", "content", "application/json", "schema"))
	properties, _ := schema["properties"].(object)
	var out []field
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		out = append(out, field{name, d.resolve(properties[name])})
	}
	return out
}

// query returns the parameters of an operation's GET; ok is false when it has none.
func (d *document) query(operation string) (names []string, ok bool) {
	get := at(d.paths["/v1/"+operation], "get")
	list, _ := at(get, "parameters").([]any)
	for _, parameter := range list {
		names = append(names, at(parameter, "name").(string))
	}
	return names, get != nil
}

func (d *document) resolve(schema any) object {
	s, _ := schema.(object)
	if ref, ok := s["$ref"].(string); ok {
		s, _ = d.schemas[ref[strings.LastIndexByte(ref, '/')+1:]].(object)
	}
	return s
}

// allowed tells whether an answer is one that the document allows.
func (d *document) allowed(operation string, a *answer) error {
	media, response := "application/json", "200"
	if a.status != http.StatusOK {
		media, response = "application/problem+json", "default"
	}
	if got := a.header.Get("Content-Type"); got != media {
		return fmt.Errorf("Content-Type %q", got)
	}
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil {
		return err
	}
	schema := at(d.paths["/v1/"+operation], "post", "responses", response, "content", media, "schema")
	if schema == nil {
		return fmt.Errorf("no schema for %s", response)
	}
	return d.match(schema, v)
}

// match is as much of JSON Schema as the document uses of answers.
func (d *document) match(schema, v any) error {
	s := d.resolve(schema)
	if list, several := s["type"].([]any); several {
		return d.matchOne(s, list, v)
	}
	switch s["type"] {
	case "null":
		return must(v == nil, "%v is not null", v)
	case "object":
		return d.matchObject(s, v)
	case "array":
		list, ok := v.([]any)
		for i := range list {
			if err := d.match(s["items"], list[i]); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
		return must(ok, "%v is no array", v)
	case "string":
		text, ok := v.(string)
		return must(ok && stringAllowed(s, text), "%v is not %v", v, s)
	case "integer":
		n, ok := v.(float64)
		return must(ok && n == float64(int64(n)) && n >= 0, "%v is no whole number", v)
	case "boolean":
		_, ok := v.(bool)
		return must(ok, "%v is no boolean", v)
	}
	return must(len(s) == 0, "a schema that nobody checks: %v", s)
}

// matchOne matches one of several types.
func (d *document) matchOne(s object, types []any, v any) error {
	var err error
	for _, t := range types {
		one := maps.Clone(s)
		one["type"] = t
		if err = d.match(one, v); err == nil {
			return nil
		}
	}
	return err
}

func must(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func stringAllowed(s object, text string) bool {
	var err error
	switch {
	case s["format"] == "date-time":
		_, err = time.Parse(time.RFC3339Nano, text)
	case s["format"] == "uuid":
		return len(text) == 36
	case s["contentEncoding"] == "base64":
		_, err = base64.StdEncoding.Strict().DecodeString(text)
	}
	return err == nil
}

func (d *document) matchObject(s object, v any) error {
	m, ok := v.(object)
	if !ok {
		return fmt.Errorf("%v is no object", v)
	}
	required, _ := s["required"].([]any)
	for _, name := range required {
		if _, there := m[name.(string)]; !there {
			return fmt.Errorf("%s is missing", name)
		}
	}
	properties, _ := s["properties"].(object)
	for name, value := range m {
		schema, known := properties[name]
		if !known {
			if schema = s["additionalProperties"]; schema == nil || schema == false {
				return fmt.Errorf("%s is not in the schema", name)
			}
		}
		if err := d.match(schema, value); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
