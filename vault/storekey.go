package vault

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/secret"
	"github.com/haven-health/haven/rotation/schedule"
)

// StoreRequest asks to store a value under a name: one of Value, bytes, Text, and Generate, which says
// what to generate (see [Generators]). A name that exists gets a new version; what else the request leaves
// out stays as it was then.
type StoreRequest struct {
	Name     string            `json:"name"`
	Value    []byte            `json:"value,omitzero"`
	Text     *string           `json:"text,omitzero"`
	Generate string            `json:"generate,omitzero"`
	Metadata map[string]string `json:"metadata,omitzero"`
	// KMSKeyID is the master key that protects it; "" is alias/haven-master for a new name.
	KMSKeyID    string            `json:"kms_key_id,omitzero"`
	Description string            `json:"description,omitzero"`
	Tags        map[string]string `json:"tags,omitzero"` // of a new name
	// Stage is current if empty, or pending: then the current version stays so.
	Stage Stage `json:"stage,omitzero"`
	// Rotation is a rate or cron expression by which what was generated is generated anew; "never" ends
	// that.
	Rotation string `json:"rotation,omitzero"`
}

// StoreAnswer names what was stored.
type StoreAnswer struct {
	ARN       string `json:"arn"`
	VersionID string `json:"version_id"`
}

// never ends the rotation of a stored key.
const never = "never"

// value is what a request stores.
type value struct {
	bytes secret.Bytes
	text  bool
}

// StoreKey stores a value. When it returns, it is what RetrieveKey answers, unless it is pending.
func (m *Manager) StoreKey(ctx context.Context, c *gate.Call, req StoreRequest) (*StoreAnswer, error) {
	v, err := m.valueOf(&req)
	if err == nil {
		err = req.check(m.cfg.View.Now())
	}
	defer v.bytes.Destroy()
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out StoreAnswer
	asked := gate.Request{Replay: replay(&out), Asked: gate.Asked{Tags: access.TagsOf(req.Tags)}}
	if req.KMSKeyID != "" {
		asked.Master = gate.Reference{Text: req.KMSKeyID}
	}
	err = m.on(ctx, c, Reference{Name: req.Name}, asked, func(a gate.Approved, f *found) (gate.Outcome, error) {
		o, err := m.put(ctx, a, f, &req, &v)
		if err != nil {
			return o, err
		}
		out = StoreAnswer{ARN: m.arn(f.body.Name, f.body.Suffix), VersionID: f.body.Versions[len(f.body.Versions)-1].String()}
		o.Answer, err = json.Marshal(&out)
		return o, err
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// check holds a request against its limits.
func (req *StoreRequest) check(now time.Time) error {
	switch {
	case req.Stage != "" && req.Stage != Current && req.Stage != Pending:
		return gate.Errorf(gate.InvalidRequest, "stage is current or pending")
	case utf8.RuneCountInString(req.Description) > MaxDescription:
		return gate.Errorf(gate.InvalidRequest, "a description is at most %d characters", MaxDescription)
	case req.Rotation != "" && req.Rotation != never && req.Generate == "":
		return gate.Errorf(gate.InvalidRequest, "rotation goes with generate: it says what a rotation makes")
	}
	if req.Rotation != "" && req.Rotation != never {
		e, err := schedule.Parse(req.Rotation, schedule.Rules)
		if err != nil {
			return gate.Errorf(gate.InvalidRequest, "%v", err)
		}
		if _, ok := e.Next(now, schedule.Plan{}); !ok {
			return gate.Errorf(gate.InvalidRequest, "%s never comes: nothing would be rotated", req.Rotation)
		}
	}
	if err := checkMap("metadata", req.Metadata, MaxMetadata); err != nil {
		return err
	}
	return checkMap("tags", req.Tags, MaxTags)
}

// checkMap holds metadata or tags against AWS's limits.
func checkMap(what string, members map[string]string, most int) error {
	if len(members) > most {
		return gate.Errorf(gate.InvalidRequest, "%s have at most %d members", what, most)
	}
	for name, value := range members {
		if n := utf8.RuneCountInString(name); n == 0 || n > 128 || utf8.RuneCountInString(value) > 256 {
			return gate.Errorf(gate.InvalidRequest, "of %s, a name is 1 to 128 characters and a value at most 256", what)
		}
	}
	return nil
}

// valueOf takes the value from the request, or generates it.
func (m *Manager) valueOf(req *StoreRequest) (value, error) {
	given := 0
	for _, there := range []bool{req.Value != nil, req.Text != nil, req.Generate != ""} {
		if there {
			given++
		}
	}
	if given != 1 {
		return value{}, gate.Errorf(gate.InvalidRequest, "give one of value, text and generate")
	}
	var v value
	var err error
	switch {
	case req.Generate != "":
		v, err = m.generate(req.Generate)
	case req.Text != nil:
		v = value{secret.New([]byte(*req.Text)), true}
	default:
		v = value{secret.New(req.Value), false}
	}
	if n := v.bytes.Len(); err == nil && (n == 0 || n > MaxValue) {
		err = gate.Errorf(gate.InvalidRequest, "a value is 1 to %d bytes", MaxValue)
	}
	return v, err
}

// put stages a new version of a stored key, and the stored key itself where it is new.
func (m *Manager) put(ctx context.Context, a gate.Approved, f *found, req *StoreRequest, v *value) (gate.Outcome, error) {
	var o gate.Outcome
	fresh := f.body == nil
	if fresh {
		if req.Stage == Pending {
			return o, gate.Errorf(gate.InvalidRequest, "the first version of a stored key is its current one")
		}
		made, err := m.begin(a, f, req)
		if err != nil {
			return o, err
		}
		o.Changes = append(o.Changes, made)
	} else if err := f.available(); err != nil {
		return o, err
	}
	b := f.body
	if fresh || req.KMSKeyID != "" {
		var err error
		if b.Master, err = m.cfg.Keys.Master(ctx, a, req.KMSKeyID); err != nil {
			return o, err
		}
	}
	if req.Description != "" {
		b.Description = req.Description
	}
	b.describe(req, a.Time())
	stage := req.Stage
	if stage == "" {
		stage = Current
	}
	metadata := b.Metadata
	if req.Metadata != nil {
		metadata = req.Metadata
	}
	return o, m.add(ctx, a, f, &o, v, stage, metadata)
}

// describe takes over what a request says of how the stored key is rotated.
func (b *storedBody) describe(req *StoreRequest, now time.Time) {
	if req.Generate != "" {
		b.Generate = req.Generate
		b.Rotated = now
	}
	switch req.Rotation {
	case "":
	case never:
		b.Rotation, b.Since = "", time.Time{}
	default:
		b.Rotation, b.Since = req.Rotation, now.Truncate(time.Second)
	}
}

// begin makes a stored key of a name that nothing has, and stages the name.
func (m *Manager) begin(a gate.Approved, f *found, req *StoreRequest) (gate.Change, error) {
	id, err := gate.NewID(a.Time(), m.cfg.Random)
	if err != nil {
		return gate.Change{}, err
	}
	suffix, err := m.characters(suffixLen, letters+digits)
	if err != nil {
		return gate.Change{}, err
	}
	f.id = id
	f.body = &storedBody{
		Name: f.asked, Suffix: suffix, Tags: req.Tags, Created: a.Time(), CreatedBy: a.Principal().ID, Stages: map[Stage]gate.ID{},
	}
	body, err := encode("name", nameBody{Format: bodyFormat, ID: id})
	return gate.Change{Ref: nameRef(f.asked), Body: body}, err
}

// add stages a version with a stage, and the stored key with it.
func (m *Manager) add(ctx context.Context, a gate.Approved, f *found, o *gate.Outcome, v *value, stage Stage, metadata map[string]string) error {
	b := f.body
	version, err := gate.NewID(a.Time(), m.cfg.Random)
	if err != nil {
		return err
	}
	body := &versionBody{Created: a.Time(), CreatedBy: a.Principal().ID, Text: v.text, Metadata: metadata}
	w, index, err := m.cfg.Keys.WrapValue(ctx, a, b.Master, m.binding(f.id, version), v.bytes)
	if err != nil {
		return err
	}
	body.wrapped = w
	change, err := versionChange(f.id, version, body, index, nil)
	if err != nil {
		return err
	}
	o.Changes = append(o.Changes, change)
	b.Versions = append(b.Versions, version)
	b.give(stage, version)
	if stage == Current {
		b.Metadata = metadata
	}
	if err := m.forget(ctx, a, f, o); err != nil {
		return err
	}
	b.Changed = a.Time()
	if change, err = storedChange(f.id, b, f.item); err != nil {
		return err
	}
	o.Changes = append(o.Changes, change)
	o.Parameters = fmt.Sprintf("version=%s;stage=%s;text=%t;generate=%s;master=%s", version, stage, v.text, b.Generate, b.Master)
	return nil
}

// give gives a version a stage. What was current is previous then.
func (b *storedBody) give(stage Stage, version gate.ID) {
	if old, ok := b.Stages[Current]; ok && stage == Current && old != version {
		b.Stages[Previous] = old
	}
	if stage == Current && b.Stages[Pending] == version {
		delete(b.Stages, Pending)
	}
	b.Stages[stage] = version
}

// forget stages the deletion of the oldest version without a stage where there are too many.
func (m *Manager) forget(ctx context.Context, a gate.Approved, f *found, o *gate.Outcome) error {
	b := f.body
	if len(b.Versions) <= MaxVersions {
		return nil
	}
	for i, version := range b.Versions {
		staged := false
		for _, other := range b.Stages {
			staged = staged || other == version
		}
		if staged {
			continue
		}
		item, err := m.versionItem(ctx, a, f.id, version)
		if err != nil {
			return err
		}
		o.Changes = append(o.Changes, gate.Change{Ref: item.Ref, Before: item, Delete: true})
		b.Versions = slices.Delete(b.Versions, i, i+1)
		return nil
	}
	return nil
}
