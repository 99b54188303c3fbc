package access

import (
	"slices"
	"strings"
)

// Key is a condition key, as an index into the table of those there are. The zero Key is none.
type Key uint8

// valueKind says how a key's values compare, and so which operators fit.
type valueKind uint8

const (
	textKind valueKind = 1 + iota
	arnKind
	boolKind
	numberKind
	dateKind
	addressKind
)

// keyRow is a condition key. suffixed keys have a name behind a separator: aws:PrincipalTag/TEAM,
// kms:EncryptionContext:NAME. multi keys may have several values at once: they need ForAllValues or
// ForAnyValue. absent keys are never there, since what they tell of does not exist here; a policy
// may name them and means the same as on AWS for a call of a caller's own.
type keyRow struct {
	name      string
	kind      valueKind
	separator byte // of a suffixed key, 0 for others
	multi     bool
	absent    bool
}

// The condition keys that a request may have values of.
const (
	PrincipalARN Key = 1 + iota
	PrincipalAccount
	PrincipalType
	PrincipalTag
	UserID
	UserName
	SourceIP
	UserAgent
	SecureTransport
	CurrentTime
	EpochTime
	TokenIssueTime
	MultiFactor
	RequestedRegion
	ResourceTag
	ResourceAccount
	RequestTag
	TagKeys
	AuthContextClass // haven:Acr, of OIDC
	AuthMethods      // haven:Amr, of OIDC

	CallerAccount
	EncryptionContext
	EncryptionContextKeys
	EncryptionAlgorithm
	SigningAlgorithm
	MACAlgorithm
	KeyAgreementAlgorithm
	MessageType
	KeySpec
	KeyUsage
	KeyOrigin
	DataKeyPairSpec
	RequestAlias
	ResourceAliases
	ReEncryptOnSameKey
	DeletionWindow
	RotationPeriod
	WrappingAlgorithm
	WrappingKeySpec
	ValidTo
	ExpirationModel
	BypassLockoutCheck
	GrantOperations
	GrantConstraintType
	GranteePrincipal
	RetiringPrincipal
	GrantIsForAWSResource
	MultiRegion

	KeyType
	Purpose
	VersionState
	Approvals

	SecretID
	SecretName
	VersionStage

	PolicyARN
)

// keyTable is every condition key that a policy may name, by Key.
var keyTable = slices.Concat([]keyRow{
	PrincipalARN:     {name: "aws:PrincipalArn", kind: arnKind},
	PrincipalAccount: {name: "aws:PrincipalAccount", kind: textKind},
	PrincipalType:    {name: "aws:PrincipalType", kind: textKind},
	PrincipalTag:     {name: "aws:PrincipalTag", kind: textKind, separator: '/'},
	UserID:           {name: "aws:userid", kind: textKind},
	UserName:         {name: "aws:username", kind: textKind},
	SourceIP:         {name: "aws:SourceIp", kind: addressKind},
	UserAgent:        {name: "aws:UserAgent", kind: textKind},
	SecureTransport:  {name: "aws:SecureTransport", kind: boolKind},
	CurrentTime:      {name: "aws:CurrentTime", kind: dateKind},
	EpochTime:        {name: "aws:EpochTime", kind: dateKind},
	TokenIssueTime:   {name: "aws:TokenIssueTime", kind: dateKind},
	MultiFactor:      {name: "aws:MultiFactorAuthPresent", kind: boolKind},
	RequestedRegion:  {name: "aws:RequestedRegion", kind: textKind},
	ResourceTag:      {name: "aws:ResourceTag", kind: textKind, separator: '/'},
	ResourceAccount:  {name: "aws:ResourceAccount", kind: textKind},
	RequestTag:       {name: "aws:RequestTag", kind: textKind, separator: '/'},
	TagKeys:          {name: "aws:TagKeys", kind: textKind, multi: true},
	AuthContextClass: {name: "haven:Acr", kind: textKind},
	AuthMethods:      {name: "haven:Amr", kind: textKind, multi: true},

	CallerAccount:         {name: "kms:CallerAccount", kind: textKind},
	EncryptionContext:     {name: "kms:EncryptionContext", kind: textKind, separator: ':'},
	EncryptionContextKeys: {name: "kms:EncryptionContextKeys", kind: textKind, multi: true},
	EncryptionAlgorithm:   {name: "kms:EncryptionAlgorithm", kind: textKind},
	SigningAlgorithm:      {name: "kms:SigningAlgorithm", kind: textKind},
	MACAlgorithm:          {name: "kms:MacAlgorithm", kind: textKind},
	KeyAgreementAlgorithm: {name: "kms:KeyAgreementAlgorithm", kind: textKind},
	MessageType:           {name: "kms:MessageType", kind: textKind},
	KeySpec:               {name: "kms:KeySpec", kind: textKind},
	KeyUsage:              {name: "kms:KeyUsage", kind: textKind},
	KeyOrigin:             {name: "kms:KeyOrigin", kind: textKind},
	DataKeyPairSpec:       {name: "kms:DataKeyPairSpec", kind: textKind},
	RequestAlias:          {name: "kms:RequestAlias", kind: textKind},
	ResourceAliases:       {name: "kms:ResourceAliases", kind: textKind, multi: true},
	ReEncryptOnSameKey:    {name: "kms:ReEncryptOnSameKey", kind: boolKind},
	DeletionWindow:        {name: "kms:ScheduleKeyDeletionPendingWindowInDays", kind: numberKind},
	RotationPeriod:        {name: "kms:RotationPeriodInDays", kind: numberKind},
	WrappingAlgorithm:     {name: "kms:WrappingAlgorithm", kind: textKind},
	WrappingKeySpec:       {name: "kms:WrappingKeySpec", kind: textKind},
	ValidTo:               {name: "kms:ValidTo", kind: dateKind},
	ExpirationModel:       {name: "kms:ExpirationModel", kind: textKind},
	BypassLockoutCheck:    {name: "kms:BypassPolicyLockoutSafetyCheck", kind: boolKind},
	GrantOperations:       {name: "kms:GrantOperations", kind: textKind, multi: true},
	GrantConstraintType:   {name: "kms:GrantConstraintType", kind: textKind},
	GranteePrincipal:      {name: "kms:GranteePrincipal", kind: arnKind},
	RetiringPrincipal:     {name: "kms:RetiringPrincipal", kind: arnKind},
	GrantIsForAWSResource: {name: "kms:GrantIsForAWSResource", kind: boolKind},
	MultiRegion:           {name: "kms:MultiRegion", kind: boolKind},

	KeyType:      {name: "haven:KeyType", kind: textKind},
	Purpose:      {name: "haven:Purpose", kind: textKind},
	VersionState: {name: "haven:VersionState", kind: textKind},
	Approvals:    {name: "haven:Approvals", kind: numberKind},

	SecretID:     {name: "secretsmanager:SecretId", kind: arnKind},
	SecretName:   {name: "secretsmanager:Name", kind: textKind},
	VersionStage: {name: "secretsmanager:VersionStage", kind: textKind},

	PolicyARN: {name: "iam:PolicyARN", kind: arnKind},
}, absentKeys(
	"kms:ViaService kms:PrimaryRegion kms:ReplicaRegion kms:MultiRegionKeyType kms:RecipientAttestation:ImageSha384 "+
		"kms:GranteeServicePrincipal kms:RetiringServicePrincipal aws:SourceVpc aws:SourceVpce aws:VpcSourceIp aws:CalledVia "+
		"aws:SourceAccount aws:SourceOrgID aws:PrincipalOrgID aws:PrincipalServiceName aws:FederatedProvider aws:referer aws:MultiFactorAuthAge",
	"aws:SourceArn kms:GrantConstraintSourceArn", "aws:ViaAWSService aws:PrincipalIsAWSService"))

func absentKeys(texts, arns, bools string) []keyRow {
	var out []keyRow
	for _, list := range []struct {
		names string
		kind  valueKind
	}{{texts, textKind}, {arns, arnKind}, {bools, boolKind}} {
		for _, name := range strings.Fields(list.names) {
			out = append(out, keyRow{name: name, kind: list.kind, absent: true})
		}
	}
	return out
}

// String returns the key's name.
func (k Key) String() string {
	if k == 0 || int(k) >= len(keyTable) {
		return "no key"
	}
	return keyTable[k].name
}

// KeyOf finds a key by its name, in any case, with the suffix that it has in a policy. Suffixes
// are kept as written: of tags their case plays no part, of encryption contexts it does.
func KeyOf(name string) (k Key, suffix string, ok bool) {
	for i := 1; i < len(keyTable); i++ {
		row := &keyTable[i]
		n := len(row.name)
		switch {
		case row.separator == 0 && strings.EqualFold(row.name, name):
			return Key(i), "", true
		case row.separator != 0 && len(name) > n+1 && name[n] == row.separator && strings.EqualFold(name[:n], row.name):
			return Key(i), name[n+1:], true
		}
	}
	return 0, "", false
}

// names is the key as a policy writes it.
func (k Key) named(suffix string) string {
	if row := &keyTable[k]; row.separator != 0 {
		return row.name + string(row.separator) + suffix
	}
	return k.String()
}
