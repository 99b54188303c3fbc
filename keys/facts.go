package keys

import (
	"cmp"
	"strconv"
	"time"

	"github.com/haven-health/haven/access"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/lifecycle"
)

// object is a key as decisions see it.
func (r *Ring) object(id gate.ID, b *keyBody) *access.Object {
	origin := ownOrigin
	if b.Life.External {
		origin = string(External)
	}
	o := &access.Object{ARN: r.cfg.Place.ARN(id), Account: r.cfg.Place.Account, Tags: b.Tags, Values: b.kind().values(origin, b.Purpose)}
	for _, name := range b.aliases() {
		o.Values = append(o.Values, access.Value{Key: access.ResourceAliases, Text: "alias/" + name})
	}
	return o
}

// ownOrigin is kms:KeyOrigin of material that Haven made: AWS's word, so that a policy that was
// written for AWS KMS says the same here.
const ownOrigin = "AWS_KMS"

// values are what conditions may ask of a key of the kind.
func (k Kind) values(origin, purpose string) []access.Value {
	return []access.Value{
		{Key: access.KeySpec, Text: string(k.Spec)}, {Key: access.KeyUsage, Text: string(k.Usage)}, {Key: access.KeyOrigin, Text: origin},
		{Key: access.KeyType, Text: string(k.Type)}, {Key: access.Purpose, Text: purpose},
	}
}

// algorithmKeys tell by which condition key policies ask for the algorithm of a usage.
var algorithmKeys = map[Usage]access.Key{
	EncryptDecrypt: access.EncryptionAlgorithm, crypt.SignVerify: access.SigningAlgorithm, crypt.GenerateVerifyMAC: access.MACAlgorithm,
	crypt.KeyAgreement: access.KeyAgreementAlgorithm,
}

// defaults are the algorithms of the kind's keys where a request names none.
func (k Kind) defaults() []access.Value {
	out := []access.Value{{Key: access.WrappingAlgorithm, Text: string(k.wrappingAlgorithm(""))}}
	if key := algorithmKeys[k.Usage]; key != 0 {
		out = append(out, access.Value{Key: key, Text: string(k.algorithm(""))})
	}
	return out
}

// by is the value that tells the algorithm of a request.
func by(key access.Key, a Algorithm) access.Value { return access.Value{Key: key, Text: string(a)} }

// encrypting is what conditions may ask of a request that encrypts or decrypts for a context.
func encrypting(a Algorithm, c Context) gate.Asked {
	return gate.Asked{Context: recorded(c), Algorithm: by(access.EncryptionAlgorithm, a)}
}

// messageTypes are the values of kms:MessageType.
var messageTypes = map[crypt.MessageType][]access.Value{
	crypt.Raw:        {{Key: access.MessageType, Text: string(crypt.Raw)}},
	crypt.Digest:     {{Key: access.MessageType, Text: string(crypt.Digest)}},
	crypt.ExternalMu: {{Key: access.MessageType, Text: string(crypt.ExternalMu)}},
}

// signing is what conditions may ask of a request that signs or verifies.
func signing(a Algorithm, kind crypt.MessageType) gate.Asked {
	return gate.Asked{Algorithm: by(access.SigningAlgorithm, a), Values: messageTypes[kind]}
}

// value makes the values of a request that tells one thing.
func value(key access.Key, text string) []access.Value { return []access.Value{{Key: key, Text: text}} }

// asked is what conditions may ask of a request for a key of the kind: what the key will be.
func (req *CreateRequest) asked(kind Kind) gate.Asked {
	origin := ownOrigin
	if req.Origin == External {
		origin = string(External)
	}
	asked := gate.Asked{Values: kind.values(origin, req.Purpose), Tags: access.TagsOf(req.Tags)}
	asked.Values = append(asked.Values, periodOf(req.RotationDays)...)
	asked.Values = append(asked.Values, bypassing(req.Bypass).Values...)
	return asked
}

// asked is what conditions may ask of an update: a new rotation period.
func (req *UpdateRequest) asked() gate.Asked { return gate.Asked{Values: periodOf(req.RotationDays)} }

// periodOf is the value of a rotation period that a request gives. Never is longer than any period, so
// that a policy which bounds periods bounds it too.
func periodOf(d Days) []access.Value {
	if d == 0 {
		return nil
	}
	days := int(d)
	if d == Never {
		days = lifecycle.MaxDays + 1
	}
	return value(access.RotationPeriod, strconv.Itoa(days))
}

// asked is what conditions may ask of an import: when the material ends.
func (req *ImportRequest) asked() gate.Asked {
	if req.ValidTo.IsZero() {
		return gate.Asked{Values: value(access.ExpirationModel, "KEY_MATERIAL_DOES_NOT_EXPIRE")}
	}
	return gate.Asked{Values: []access.Value{
		{Key: access.ExpirationModel, Text: "KEY_MATERIAL_EXPIRES"}, {Key: access.ValidTo, Text: req.ValidTo.UTC().Format(time.RFC3339)},
	}}
}

// asked is what conditions may ask of a deletion: how many days it waits.
func (req *ScheduleDeletionRequest) asked() gate.Asked {
	return gate.Asked{Values: value(access.DeletionWindow, strconv.Itoa(cmp.Or(req.Days, lifecycle.MaxDeletionDays)))}
}

// masterReference is the master key that a request names, for the gate; none for "".
func masterReference(text string) gate.Reference {
	if text == "" {
		return gate.Reference{}
	}
	return gate.Reference{Text: text}
}

// onKey makes the gate's request of an operation on one key.
func onKey(key string, asked gate.Asked) gate.Request {
	return gate.Request{References: []gate.Reference{{Text: key}}, Asked: asked}
}
