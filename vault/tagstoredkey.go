package vault

import (
	"context"
	"maps"
	"slices"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
)

// TagStoredKeyRequest adds tags to a stored key, or gives them other values.
type TagStoredKeyRequest struct {
	Name string            `json:"name,omitzero"`
	ARN  string            `json:"arn,omitzero"`
	Tags map[string]string `json:"tags"`
}

// UntagStoredKeyRequest takes tags from a stored key.
type UntagStoredKeyRequest struct {
	Name  string   `json:"name,omitzero"`
	ARN   string   `json:"arn,omitzero"`
	Names []string `json:"names"`
}

// TagStoredKey adds tags to a stored key.
func (m *Manager) TagStoredKey(ctx context.Context, c *gate.Call, req TagStoredKeyRequest) (*StoredKey, error) {
	if err := checkMap("tags", req.Tags, MaxTags); err != nil || len(req.Tags) == 0 {
		return nil, m.gate.Refuse(ctx, c, orElse(err, "tags are required"))
	}
	return m.change(ctx, c, Reference{req.Name, req.ARN}, gate.Asked{Tags: access.TagsOf(req.Tags)}, func(_ gate.Approved, f *found) (gate.Outcome, error) {
		tags := maps.Clone(f.body.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		maps.Copy(tags, req.Tags)
		if len(tags) > MaxTags {
			return gate.Outcome{}, gate.Errorf(gate.LimitExceeded, "a stored key has at most %d tags", MaxTags)
		}
		f.body.Tags = tags
		var p gate.Parameters
		p.Names("tags", slices.Collect(maps.Keys(req.Tags)))
		return gate.Outcome{Parameters: p.String()}, nil
	})
}

// UntagStoredKey takes tags from a stored key; one that it does not have is no error.
func (m *Manager) UntagStoredKey(ctx context.Context, c *gate.Call, req UntagStoredKeyRequest) (*StoredKey, error) {
	if len(req.Names) == 0 || len(req.Names) > MaxTags {
		return nil, m.gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "names are 1 to %d", MaxTags))
	}
	var asked gate.Asked
	for _, name := range req.Names {
		asked.Values = append(asked.Values, access.Value{Key: access.TagKeys, Text: name})
	}
	return m.change(ctx, c, Reference{req.Name, req.ARN}, asked, func(_ gate.Approved, f *found) (gate.Outcome, error) {
		tags := maps.Clone(f.body.Tags)
		for _, name := range req.Names {
			delete(tags, name)
		}
		if len(tags) == 0 {
			tags = nil
		}
		f.body.Tags = tags
		var p gate.Parameters
		p.Names("tags", req.Names)
		return gate.Outcome{Parameters: p.String()}, nil
	})
}

func orElse(err error, text string) error {
	if err != nil {
		return err
	}
	return gate.Errorf(gate.InvalidRequest, "%s", text)
}
