package keys

import (
	"context"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
)

// TagRequest gives a key tags: those it has by the same names get the new values.
type TagRequest struct {
	Key  string            `json:"key"`
	Tags map[string]string `json:"tags"`
}

// UntagRequest takes tags from a key, by name; what it does not have is passed over.
type UntagRequest struct {
	Key   string   `json:"key"`
	Names []string `json:"names"`
}

// TagKey gives a key tags.
func (m *Manager) TagKey(ctx context.Context, c *gate.Call, req TagRequest) (*Key, error) {
	err := checkTags(req.Tags)
	if err == nil && len(req.Tags) == 0 {
		err = gate.Errorf(gate.InvalidRequest, "tags says what to add: at least one")
	}
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	return m.tags(ctx, c, req.Key, gate.Asked{Tags: access.TagsOf(req.Tags)}, func(tags map[string]string) { maps.Copy(tags, req.Tags) })
}

// UntagKey takes tags from a key.
func (m *Manager) UntagKey(ctx context.Context, c *gate.Call, req UntagRequest) (*Key, error) {
	if n := len(req.Names); n == 0 || n > MaxTags || slices.ContainsFunc(req.Names, func(name string) bool { return !validTag(name, "") }) {
		return nil, m.gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "names says what to take away: 1 to %d names of tags", MaxTags))
	}
	var names []access.Value
	for _, name := range req.Names {
		names = append(names, access.Value{Key: access.TagKeys, Text: name})
	}
	return m.tags(ctx, c, req.Key, gate.Asked{Values: names}, func(tags map[string]string) {
		for _, name := range req.Names {
			delete(tags, name)
		}
	})
}

// tags runs a change of a key's tags, on a copy: what is loaded is others' too.
func (m *Manager) tags(ctx context.Context, c *gate.Call, key string, asked gate.Asked, f func(map[string]string)) (*Key, error) {
	return m.change(ctx, c, onKey(key, asked), func(e *edit) error {
		if err := e.wholeKey(); err != nil {
			return err
		}
		if err := e.kept(); err != nil {
			return err
		}
		tags := maps.Clone(e.body.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		f(tags)
		e.out.Parameters = tagged(e.body.Tags, tags)
		if e.body.Tags = tags; len(tags) == 0 {
			e.body.Tags = nil
		}
		return checkTags(tags)
	})
}

// checkTags holds AWS's limits: 50 tags, keys of 1 to 128 and values of at most 256 characters.
func checkTags(tags map[string]string) error {
	if len(tags) > MaxTags {
		return gate.Errorf(gate.LimitExceeded, "a key has at most %d tags", MaxTags)
	}
	for name, value := range tags {
		if !validTag(name, value) {
			return gate.Errorf(gate.InvalidRequest, "a tag has a key of 1 to 128 and a value of at most 256 characters, none of them control characters, and no key begins with aws:")
		}
	}
	return nil
}

func validTag(name, value string) bool {
	n := utf8.RuneCountInString(name)
	return n > 0 && n <= 128 && utf8.RuneCountInString(value) <= 256 && !strings.HasPrefix(name, "aws:") && !strings.ContainsFunc(name+value, isControl)
}
