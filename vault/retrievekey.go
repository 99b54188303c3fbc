package vault

import (
	"context"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/store"
)

// RetrieveRequest asks for a value: of the current version unless Stage or VersionID says which.
type RetrieveRequest struct {
	Name      string `json:"name,omitzero"`
	ARN       string `json:"arn,omitzero"`
	Stage     Stage  `json:"stage,omitzero"`
	VersionID string `json:"version_id,omitzero"`
}

// RetrieveAnswer is a value: Text if it was stored as such, else Value.
type RetrieveAnswer struct {
	Name      string            `json:"name"`
	ARN       string            `json:"arn"`
	VersionID string            `json:"version_id"`
	Stages    []Stage           `json:"stages"`
	Value     []byte            `json:"value,omitzero"`
	Text      *string           `json:"text,omitzero"`
	Metadata  map[string]string `json:"metadata"`
	CreatedAt time.Time         `json:"created_at"`
}

// RetrieveKey returns a value as it was stored.
func (m *Manager) RetrieveKey(ctx context.Context, c *gate.Call, req RetrieveRequest) (*RetrieveAnswer, error) {
	if req.Stage != "" && (!req.Stage.valid() || req.VersionID != "") {
		return nil, m.gate.Refuse(ctx, c, gate.Errorf(gate.InvalidRequest, "stage is current, pending or previous, and goes without version_id"))
	}
	var out RetrieveAnswer
	err := m.on(ctx, c, Reference{req.Name, req.ARN}, gate.Request{}, func(a gate.Approved, f *found) (gate.Outcome, error) {
		if err := f.available(); err != nil {
			return gate.Outcome{}, err
		}
		version, err := f.version(req.Stage, req.VersionID)
		if err != nil {
			return gate.Outcome{}, err
		}
		return m.retrieve(ctx, a, f, version, &out)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// version is the one that a request names.
func (f *found) version(stage Stage, id string) (gate.ID, error) {
	if id == "" {
		if stage == "" {
			stage = Current
		}
		version, ok := f.body.Stages[stage]
		if !ok {
			return version, gate.Errorf(gate.NotFound, "the stored key %s has no %s version", f.body.Name, stage)
		}
		return version, nil
	}
	version, ok := gate.ParseID(id)
	for _, known := range f.body.Versions {
		if ok && known == version {
			return version, nil
		}
	}
	return version, gate.Errorf(gate.NotFound, "the stored key %s has no such version", f.body.Name)
}

func (m *Manager) retrieve(ctx context.Context, a gate.Approved, f *found, version gate.ID, out *RetrieveAnswer) (gate.Outcome, error) {
	item, err := m.versionItem(ctx, a, f.id, version)
	if err != nil {
		return gate.Outcome{}, err
	}
	b, err := decodeVersion(item)
	if err != nil {
		return gate.Outcome{}, err
	}
	value, recovery, err := m.cfg.Keys.UnwrapValue(ctx, a, m.binding(f.id, version), b.wrapped)
	if err != nil {
		return gate.Outcome{}, err
	}
	*out = RetrieveAnswer{
		Name: f.body.Name, ARN: m.arn(f.body.Name, f.body.Suffix), VersionID: version.String(), Stages: f.body.stagesOf(version),
		Metadata: b.Metadata, CreatedAt: b.Created,
	}
	if out.Metadata == nil {
		out.Metadata = map[string]string{}
	}
	if b.Text {
		text := string(secret.Expose(value))
		out.Text = &text
		value.Destroy()
	} else {
		out.Value = secret.Expose(value) // the answer's now
	}
	return gate.Outcome{Parameters: "version=" + version.String(), Recovery: recovery}, nil
}

// stagesOf are a version's, in the order current, pending, previous.
func (b *storedBody) stagesOf(version gate.ID) []Stage {
	out := []Stage{}
	for _, stage := range []Stage{Current, Pending, Previous} {
		if b.Stages[stage] == version {
			out = append(out, stage)
		}
	}
	return out
}

// versionItem reads a version's item.
func (m *Manager) versionItem(ctx context.Context, a gate.Approved, id, version gate.ID) (*store.Item, error) {
	ref := versionRef(id, version)
	items, epoch, err := m.cfg.View.Get(ctx, ref)
	if err != nil {
		return nil, err
	}
	m.cfg.View.Note(a.Reading(), epoch, ref)
	if items[0].Revision == 0 {
		return nil, gate.Errorf(gate.Tampered, "a version of a stored key is missing from the store; run haven fsck")
	}
	return &items[0], nil
}
