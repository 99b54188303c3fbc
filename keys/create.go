package keys

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/lifecycle"
)

// CreateRequest asks for a new key. Purpose and Type are required; zero periods take the defaults.
type CreateRequest struct {
	Purpose      string            `json:"purpose"`
	Type         Type              `json:"type"`
	Spec         Spec              `json:"spec,omitzero"`
	Usage        Usage             `json:"key_usage,omitzero"`
	RotationDays Days              `json:"rotation_days,omitzero"`
	GraceDays    Days              `json:"grace_days,omitzero"`
	LifetimeDays Days              `json:"lifetime_days,omitzero"`
	Alias        string            `json:"alias,omitzero"`
	Tags         map[string]string `json:"tags,omitzero"`
	Description  string            `json:"description,omitzero"`
	Owner        string            `json:"owner,omitzero"`
	// Master is a reference to the master key that wraps this one; "" is alias/haven-master. A
	// master key has none: the root key wraps it.
	Master string `json:"master,omitzero"`
	// Origin is Haven if empty. A key of origin External has its first version pending, until its
	// material is imported.
	Origin Origin `json:"origin,omitzero"`
	// Policy is a policy document of the key's own; without one the account's policies decide. Bypass
	// takes one under which the caller could not put another.
	Policy string `json:"policy,omitzero"`
	Bypass bool   `json:"bypass_policy_lockout_safety_check,omitzero"`
}

// CreateKey makes a key with its first version, active.
func (m *Manager) CreateKey(ctx context.Context, c *gate.Call, req CreateRequest) (*Key, error) {
	kind, policy, err := req.check(m.policy)
	if err != nil {
		return nil, m.gate.Refuse(ctx, c, err)
	}
	var out Key
	var made fresh
	defer made.destroy()
	r := gate.Request{Replay: replay(&out), Master: masterReference(req.Master), Asked: req.asked(kind)}
	if name := strings.TrimPrefix(req.Alias, "alias/"); name != "" {
		r.Needs = []gate.Need{{For: gate.CreateAlias, ARN: m.ring.cfg.Place.AliasARN(name)}}
	}
	err = m.gate.Do(ctx, c, r, func(a gate.Approved) (gate.Outcome, error) {
		var master gate.ID
		if kind.Type != Master {
			var err error
			if master, err = m.ring.masterOf(ctx, a, req.Master); err != nil {
				return gate.Outcome{}, err
			}
		}
		return m.ring.create(ctx, a, &req, creation{kind, policy, master, &made}, &out)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// check returns the kind and the policy that a request asks for, or an error matching
// InvalidRequest or Unsupported.
func (req *CreateRequest) check(standard lifecycle.Policy) (Kind, lifecycle.Policy, error) {
	none := lifecycle.Policy{}
	kind, err := kindOf(req.Type, req.Spec, req.Usage)
	if err != nil {
		return kind, none, err
	}
	if kind.Type == Master && req.Master != "" {
		return kind, none, gate.Errorf(gate.InvalidRequest, "a master key is wrapped by the root key; leave master out")
	}
	if err := checkPurpose(req.Purpose); err != nil {
		return kind, none, err
	}
	if err := checkDescription(req.Description, req.Owner); err != nil {
		return kind, none, err
	}
	if err := req.Origin.check(kind); err != nil {
		return kind, none, err
	}
	if req.Alias != "" {
		if _, err := ownAlias(req.Alias); err != nil {
			return kind, none, err
		}
	}
	if err := checkTags(req.Tags); err != nil {
		return kind, none, err
	}
	policy, err := periods(standard, req.RotationDays, req.GraceDays, req.LifetimeDays)
	return kind, policy, err
}

// creation is what a new key is made of, beside its names.
type creation struct {
	kind   Kind
	policy lifecycle.Policy
	master gate.ID // zero: the root key wraps it
	made   *fresh
}

func periods(p lifecycle.Policy, rotation, grace, lifetime Days) (lifecycle.Policy, error) {
	var err error
	if p.RotationDays, err = rotation.or(p.RotationDays); err != nil {
		return p, err
	}
	if p.GraceDays, err = grace.or(p.GraceDays); err != nil {
		return p, err
	}
	p.LifetimeDays, err = lifetime.or(p.LifetimeDays)
	return p, err
}

func checkPurpose(purpose string) error {
	if purpose == "" || len(purpose) > MaxPurpose || !utf8.ValidString(purpose) || strings.ContainsFunc(purpose, isControl) {
		return gate.Errorf(gate.InvalidRequest, "purpose must say what the key is for, in 1 to %d bytes without control characters", MaxPurpose)
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }

// checkDescription holds the limits of a description, AWS's, and of an owner.
func checkDescription(description, owner string) error {
	isOdd := func(r rune) bool { return r != '\n' && r != '\t' && isControl(r) }
	if !utf8.ValidString(description) || utf8.RuneCountInString(description) > MaxDescription || strings.ContainsFunc(description, isOdd) {
		return gate.Errorf(gate.InvalidRequest, "a description is at most %d characters, no control characters but line ends and tabs", MaxDescription)
	}
	if !utf8.ValidString(owner) || utf8.RuneCountInString(owner) > MaxOwner || strings.ContainsFunc(owner, isControl) {
		return gate.Errorf(gate.InvalidRequest, "an owner is at most %d characters, none of them control characters", MaxOwner)
	}
	return nil
}

// create stages a new key, its first version and its alias.
func (r *Ring) create(ctx context.Context, a gate.Approved, req *CreateRequest, what creation, out *Key) (gate.Outcome, error) {
	now := a.Time()
	id, err := gate.NewID(now, r.cfg.Random)
	if err != nil {
		return gate.Outcome{}, err
	}
	begin := lifecycle.Create
	if req.Origin == External {
		begin = lifecycle.CreateExternal
	}
	made, err := begin(what.policy, now)
	if err != nil {
		return gate.Outcome{}, gate.Refused(id, err)
	}
	key := &keyBody{
		Format: bodyFormat, Type: what.kind.Type, Spec: what.kind.Spec, Usage: what.kind.Usage, Purpose: req.Purpose,
		Alias: strings.TrimPrefix(req.Alias, "alias/"), Created: now, CreatedBy: a.Principal().ID, Master: what.master,
		Description: req.Description, Owner: req.Owner, Tags: req.Tags, Life: made.Key,
	}
	v := &versionBody{Format: bodyFormat, Spec: key.Spec, Usage: key.Usage} // imported, later
	if req.Origin != External {
		if v, err = r.newMaterial(ctx, a, id, key, made.New.Number, what.made); err != nil {
			return gate.Outcome{}, err
		}
	}
	v.Life = made.New
	v.Life.Wraps = key.Type == Master && v.Life.State == lifecycle.Active
	policy, err := r.firstPolicy(ctx, a, req, id, key)
	if err != nil {
		return gate.Outcome{}, err
	}
	keyPut, err := keyChange(id, key, nil)
	if err != nil {
		return gate.Outcome{}, err
	}
	versionPut, err := versionChange(id, key.Life, v, nil)
	if err != nil {
		return gate.Outcome{}, err
	}
	o := gate.Outcome{
		Changes: append([]gate.Change{keyPut, versionPut}, policy...), Key: id, Version: made.New.Number,
		Wrapping: v.by, WrappingVer: v.byVer, Parameters: created(key, req),
	}
	if key.Alias != "" {
		if err := r.aliasFree(ctx, a, key.Alias); err != nil {
			return gate.Outcome{}, err
		}
		put, err := aliasChange(key.Alias, aliasBody{Key: id, Created: now}, nil)
		if err != nil {
			return gate.Outcome{}, err
		}
		o.Changes = append(o.Changes, put)
	}
	*out = r.document(id, key, v, now)
	o.Answer, err = json.Marshal(out)
	return o, err
}
