package native

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/haven-health/haven/audit"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/rotation"
	"github.com/haven-health/haven/vault"
)

// route is an operation of the table as this API serves it.
type route struct {
	op *gate.Operation
	// serve decodes the exchange's request, does it, and returns the encoded answer.
	serve func(*exchange) ([]byte, error)
	// request and answer are the types that OpenAPI describes.
	request, answer reflect.Type
}

func (r *route) methods() string {
	if r.op.Reads {
		return "GET, POST"
	}
	return http.MethodPost
}

// routes lists every operation that has a route.
func routes() []*route { return slices.Concat(keyRoutes(), accessRoutes(), storedRoutes()) }

// storedRoutes are those of the Key Vault and the Rotation Scheduler.
func storedRoutes() []*route {
	return []*route{
		when(gate.CheckRotation, (*rotation.Scheduler).CheckRotation),
		when(gate.ExecuteRotations, (*rotation.Scheduler).ExecuteRotations),
		when(gate.ListDue, (*rotation.Scheduler).ListDue),
		when(gate.ScheduleRotationCheck, (*rotation.Scheduler).ScheduleRotationCheck),
		when(gate.DescribeRotationSchedule, (*rotation.Scheduler).DescribeRotationSchedule),
		when(gate.AdvanceClock, (*rotation.Scheduler).AdvanceClock),
		stored(gate.StoreKey, (*vault.Manager).StoreKey),
		stored(gate.RetrieveKey, (*vault.Manager).RetrieveKey),
		stored(gate.ListStoredKeys, (*vault.Manager).ListStoredKeys),
		stored(gate.ListStoredKeyVersions, (*vault.Manager).ListStoredKeyVersions),
		stored(gate.DescribeStoredKey, (*vault.Manager).DescribeStoredKey),
		stored(gate.DeleteStoredKey, (*vault.Manager).DeleteStoredKey),
		stored(gate.RestoreStoredKey, (*vault.Manager).RestoreStoredKey),
		stored(gate.RotateStoredKey, (*vault.Manager).RotateStoredKey),
		stored(gate.TagStoredKey, (*vault.Manager).TagStoredKey),
		stored(gate.UntagStoredKey, (*vault.Manager).UntagStoredKey),
	}
}

// accessRoutes are those of principals and of what they may.
func accessRoutes() []*route {
	return []*route{
		who(gate.CreatePrincipal, (*identity.Manager).CreatePrincipal),
		who(gate.CreatePolicy, (*identity.Manager).CreatePolicy),
		who(gate.DescribePolicy, (*identity.Manager).DescribePolicy),
		who(gate.ListPolicies, (*identity.Manager).ListPolicies),
		who(gate.UpdatePolicy, (*identity.Manager).UpdatePolicy),
		who(gate.DeletePolicy, (*identity.Manager).DeletePolicy),
		who(gate.AttachPolicy, (*identity.Manager).AttachPolicy),
		who(gate.DetachPolicy, (*identity.Manager).DetachPolicy),
		who(gate.AssumeRole, (*identity.Manager).AssumeRole),
		who(gate.DescribePrincipal, (*identity.Manager).DescribePrincipal),
		who(gate.ListPrincipals, (*identity.Manager).ListPrincipals),
		who(gate.UpdatePrincipal, (*identity.Manager).UpdatePrincipal),
		who(gate.DeletePrincipal, (*identity.Manager).DeletePrincipal),
		who(gate.CreateGroup, (*identity.Manager).CreateGroup),
		who(gate.DescribeGroup, (*identity.Manager).DescribeGroup),
		who(gate.ListGroups, (*identity.Manager).ListGroups),
		who(gate.DeleteGroup, (*identity.Manager).DeleteGroup),
		who(gate.AddToGroup, (*identity.Manager).AddToGroup),
		who(gate.RemoveFromGroup, (*identity.Manager).RemoveFromGroup),
		who(gate.CreateCredential, (*identity.Manager).CreateCredential),
		who(gate.ListCredentials, (*identity.Manager).ListCredentials),
		who(gate.UpdateCredential, (*identity.Manager).UpdateCredential),
		who(gate.RotateCredential, (*identity.Manager).RotateCredential),
		who(gate.DeleteCredential, (*identity.Manager).DeleteCredential),
		who(gate.GetCallerIdentity, (*identity.Manager).GetCallerIdentity),
		who(gate.PreviewPolicy, (*identity.Manager).PreviewPolicy),
		who(gate.ListAccess, (*identity.Manager).ListAccess),
		who(gate.LintAccess, (*identity.Manager).LintAccess),
		who(gate.ExplainAccess, (*identity.Manager).ExplainAccess),
		{op: gate.RequestApproval, serve: (*exchange).requestApproval, request: reflect.TypeFor[RequestApprovalBody](), answer: reflect.TypeFor[identity.Approval]()},
		who(gate.Approve, (*identity.Manager).Approve),
		who(gate.ListApprovals, (*identity.Manager).ListApprovals),
		who(gate.DescribeApproval, (*identity.Manager).DescribeApproval),
		who(gate.WithdrawApproval, (*identity.Manager).WithdrawApproval),
	}
}

// keyRoutes are those of the Key Manager and of the server.
func keyRoutes() []*route {
	return []*route{
		of(gate.CreateKey, (*keys.Manager).CreateKey),
		of(gate.DescribeKey, (*keys.Manager).DescribeKey),
		of(gate.ListKeys, (*keys.Manager).ListKeys),
		of(gate.ListKeyVersions, (*keys.Manager).ListKeyVersions),
		of(gate.UpdateKey, (*keys.Manager).UpdateKey),
		of(gate.RotateKey, (*keys.Manager).RotateKey),
		of(gate.EnableKey, (*keys.Manager).EnableKey),
		of(gate.DisableKey, (*keys.Manager).DisableKey),
		of(gate.DeprecateVersion, (*keys.Manager).DeprecateVersion),
		of(gate.MarkCompromised, (*keys.Manager).MarkCompromised),
		of(gate.ScheduleKeyDeletion, (*keys.Manager).ScheduleKeyDeletion),
		of(gate.CancelKeyDeletion, (*keys.Manager).CancelKeyDeletion),
		of(gate.CreateAlias, (*keys.Manager).CreateAlias),
		of(gate.UpdateAlias, (*keys.Manager).UpdateAlias),
		of(gate.DeleteAlias, (*keys.Manager).DeleteAlias),
		of(gate.ListAliases, (*keys.Manager).ListAliases),
		of(gate.TagKey, (*keys.Manager).TagKey),
		of(gate.UntagKey, (*keys.Manager).UntagKey),
		of(gate.GetActiveKey, (*keys.Manager).GetActiveKey),
		of(gate.RestoreVersion, (*keys.Manager).RestoreVersion),
		of(gate.PutKeyPolicy, (*keys.Manager).PutKeyPolicy),
		of(gate.GetKeyPolicy, (*keys.Manager).GetKeyPolicy),
		of(gate.CreateGrant, (*keys.Manager).CreateGrant),
		of(gate.LintKey, (*keys.Manager).LintKey),
		of(gate.ListGrants, (*keys.Manager).ListGrants),
		of(gate.RevokeGrant, (*keys.Manager).RevokeGrant),
		of(gate.RetireGrant, (*keys.Manager).RetireGrant),
		by(gate.ListRecords, func(c *Config) *audit.Reader { return c.Audit }, (*audit.Reader).ListRecords),
		of(gate.GenerateRandom, (*keys.Manager).GenerateRandom),
		hot[EncryptBody, EncryptedBody](gate.Encrypt, (*exchange).encrypt),
		hot[DecryptBody, DecryptedBody](gate.Decrypt, (*exchange).decrypt),
		hot[DataKeyBody, DataKeyAnswerBody](gate.GenerateDataKey, (*exchange).dataKey),
		hot[SignBody, SignedBody](gate.Sign, (*exchange).sign),
		hot[VerifyBody, VerifiedBody](gate.Verify, (*exchange).verify),
		hot[MACBody, MACAnswerBody](gate.GenerateMAC, (*exchange).generateMAC),
		hot[VerifyMACBody, VerifiedBody](gate.VerifyMAC, (*exchange).verifyMAC),
		of(gate.GetPublicKey, (*keys.Manager).GetPublicKey),
		of(gate.DeriveSharedSecret, (*keys.Manager).DeriveSharedSecret),
		of(gate.Encapsulate, (*keys.Manager).Encapsulate),
		of(gate.Decapsulate, (*keys.Manager).Decapsulate),
		of(gate.HPKESeal, (*keys.Manager).HPKESeal),
		of(gate.HPKEOpen, (*keys.Manager).HPKEOpen),
		of(gate.ReEncrypt, (*keys.Manager).ReEncrypt),
		of(gate.GenerateDataKeyPair, (*keys.Manager).GenerateDataKeyPair),
		of(gate.GetParametersForImport, (*keys.Manager).GetParametersForImport),
		of(gate.ImportKeyMaterial, (*keys.Manager).ImportKeyMaterial),
		of(gate.DeleteImportedKeyMaterial, (*keys.Manager).DeleteImportedKeyMaterial),
		hot[BatchBody, BatchAnswerBody](gate.Batch, (*exchange).batch),
		{op: gate.AcceptClock, serve: (*exchange).acceptClock, request: reflect.TypeFor[AcceptClockBody](), answer: reflect.TypeFor[Empty]()},
	}
}

// Empty is an answer with nothing in it.
type Empty struct{}

// AcceptClockBody is the request to take the wall clock as it is. Back must be said of one that is
// behind the time that deadlines are compared with.
type AcceptClockBody struct {
	Back bool `json:"back,omitzero"`
}

// strict refuses what two readers could read as two requests: names twice (the library's rule),
// names in another case, unknown names, invalid UTF-8, null.
var strict = json.JoinOptions(json.RejectUnknownMembers(true), json.MatchCaseInsensitiveNames(false),
	jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false), json.WithUnmarshalers(json.JoinUnmarshalers(
		json.UnmarshalFromFunc(refuseNull), json.UnmarshalFromFunc(readContext))))

// refuseNull is asked before every value.
func refuseNull(d *jsontext.Decoder, _ any) error {
	if d.PeekKind() == jsontext.KindNull {
		return gate.Errorf(gate.InvalidRequest, "the body has a null; leave out what is not meant")
	}
	return errors.ErrUnsupported
}

// readContext reads an encryption context: an object of strings.
func readContext(d *jsontext.Decoder, c *keys.Context) error {
	var pairs map[string]string
	if err := json.UnmarshalDecode(d, &pairs); err != nil {
		return err
	}
	var err error
	*c, err = keys.ContextOf(pairs)
	return err
}

// of makes the route of an operation whose request and answer are the domain's own types.
func of[Req, Answer any](op *gate.Operation, do func(*keys.Manager, context.Context, *gate.Call, Req) (*Answer, error)) *route {
	return by(op, func(c *Config) *keys.Manager { return c.Keys }, do)
}

// who makes the route of an operation on principals and what they may.
func who[Req, Answer any](op *gate.Operation, do func(*identity.Manager, context.Context, *gate.Call, Req) (*Answer, error)) *route {
	return by(op, func(c *Config) *identity.Manager { return c.Identity }, do)
}

// when makes the route of an operation of the Rotation Scheduler.
func when[Req, Answer any](op *gate.Operation, do func(*rotation.Scheduler, context.Context, *gate.Call, Req) (*Answer, error)) *route {
	return by(op, func(c *Config) *rotation.Scheduler { return c.Rotation }, do)
}

// stored makes the route of an operation of the Key Vault.
func stored[Req, Answer any](op *gate.Operation, do func(*vault.Manager, context.Context, *gate.Call, Req) (*Answer, error)) *route {
	return by(op, func(c *Config) *vault.Manager { return c.Vault }, do)
}

// by makes the route of an operation of any domain.
func by[Domain, Req, Answer any](op *gate.Operation, domain func(*Config) Domain, do func(Domain, context.Context, *gate.Call, Req) (*Answer, error)) *route {
	return &route{
		op: op, request: reflect.TypeFor[Req](), answer: reflect.TypeFor[Answer](),
		serve: func(x *exchange) ([]byte, error) {
			var req Req
			if err := x.decode(&req); err != nil {
				return nil, x.refuse(err)
			}
			answer, err := do(domain(&x.h.cfg), x.r.Context(), x.call, req)
			if err != nil {
				return nil, err
			}
			return json.Marshal(answer, json.Deterministic(true))
		},
	}
}

// hot makes the route of an operation that has a codec of its own; the types are what it reads and
// writes, for OpenAPI and for the tests that compare the two.
func hot[Req, Answer any](op *gate.Operation, serve func(*exchange) ([]byte, error)) *route {
	return &route{op: op, serve: serve, request: reflect.TypeFor[Req](), answer: reflect.TypeFor[Answer]()}
}

// decode reads the request: a JSON object, or a GET's query.
func (x *exchange) decode(req any) error {
	body := x.body
	if x.r.Method == http.MethodGet {
		var err error
		if body, err = fromQuery(x.r.URL.RawQuery, reflect.TypeOf(req).Elem()); err != nil {
			return err
		}
	}
	return decode(body, req)
}

func decode(body []byte, req any) error {
	if jsontext.Value(body).Kind() != '{' {
		return gate.Errorf(gate.InvalidRequest, "the body must be a JSON object")
	}
	if err := json.Unmarshal(body, req, strict); err != nil {
		return malformed(err)
	}
	return nil
}

func (x *exchange) acceptClock() ([]byte, error) {
	var body AcceptClockBody
	if err := x.decode(&body); err != nil {
		return nil, x.refuse(err)
	}
	return []byte("{}"), x.h.cfg.Gate.Accept(x.r.Context(), x.call, body.Back)
}
