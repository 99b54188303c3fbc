package access

import (
	"slices"
	"strings"
)

// Action is one permission, as an index into the vocabulary. The zero Action is none.
type Action uint16

// Level says what an action can do, as in AWS's service authorization reference.
type Level uint8

// The levels.
const (
	Use         Level = 1 + iota // uses key material or reads a protected value
	Read                         // reads metadata
	Write                        // changes a key, a stored key or the system
	Permissions                  // changes who may do what
)

// actionRow is an action of the vocabulary. Wildcard tells that it is done to no single resource:
// statements grant it on "*" alone.
type actionRow struct {
	name     string
	level    Level
	wildcard bool
}

// vocabulary is every action that a policy may name: those that Haven asks for, and those of AWS's
// two services that it does not have, so that a policy written for AWS says the same here.
var vocabulary = slices.Concat(
	rows("kms:", Use, false,
		"Encrypt Decrypt ReEncryptFrom ReEncryptTo GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateDataKeyPair "+
			"GenerateDataKeyPairWithoutPlaintext Sign Verify GenerateMac VerifyMac DeriveSharedSecret Encapsulate Decapsulate"),
	rows("kms:", Use, true, "GenerateRandom"),
	rows("kms:", Read, false,
		"DescribeKey GetKeyPolicy GetKeyRotationStatus GetKeyLastUsage GetParametersForImport GetPublicKey ListGrants "+
			"ListKeyPolicies ListKeyRotations ListResourceTags"),
	rows("kms:", Read, true, "ListKeys ListAliases ListRetirableGrants DescribeCustomKeyStores"),
	rows("kms:", Write, true, "CreateKey CreateCustomKeyStore ConnectCustomKeyStore DeleteCustomKeyStore DisconnectCustomKeyStore UpdateCustomKeyStore"),
	rows("kms:", Write, false,
		"CancelKeyDeletion CreateAlias DeleteAlias UpdateAlias DeleteImportedKeyMaterial DisableKey DisableKeyRotation EnableKey "+
			"EnableKeyRotation ImportKeyMaterial ReplicateKey RotateKeyOnDemand ScheduleKeyDeletion SynchronizeMultiRegionKey "+
			"TagResource UntagResource UpdateKeyDescription UpdatePrimaryRegion"),
	rows("kms:", Permissions, false, "CreateGrant RetireGrant RevokeGrant PutKeyPolicy"),

	rows("haven:", Use, false, "HPKESeal HPKEOpen Recover"),
	rows("haven:", Read, false, "DescribeCampaign ExplainAccess LintAccess ListAccess PreviewPolicy ListAlerts ListApprovals DescribeApproval GetProof VerifyLog VerifyBackup ListDue"),
	rows("haven:", Write, false, "UpdateKey WrapKey DeprecateVersion MarkCompromised RestoreVersion OpenRecovery StartCampaign RotateStoredKey ExecuteRotations RequestApproval Approve WithdrawApproval"),
	rows("haven:", Write, true,
		"Initialize Start Shutdown Pin RotateBeforeUse AcceptClock RotateSeal MigrateSeal CheckRotation ScheduleRotationCheck "+
			"CreateBackup CreateReport AdvanceClock"),

	rows("secretsmanager:", Use, false, "GetSecretValue"),
	rows("secretsmanager:", Use, true, "GetRandomPassword BatchGetSecretValue"),
	rows("secretsmanager:", Read, false, "DescribeSecret GetResourcePolicy ListSecretVersionIds ValidateResourcePolicy"),
	rows("secretsmanager:", Read, true, "ListSecrets"),
	rows("secretsmanager:", Write, false,
		"CancelRotateSecret CreateSecret DeleteSecret PutSecretValue RemoveRegionsFromReplication ReplicateSecretToRegions RestoreSecret "+
			"RotateSecret StopReplicationToReplica TagResource UntagResource UpdateSecret UpdateSecretVersionStage"),
	rows("secretsmanager:", Permissions, false, "DeleteResourcePolicy PutResourcePolicy"),

	rows("iam:", Read, false, "GetUser ListUsers GetRole ListRoles GetGroup ListGroups GetPolicy ListPolicies ListAccessKeys GetUserPolicy GetRolePolicy GetGroupPolicy "+
		"ListAttachedUserPolicies ListAttachedRolePolicies ListAttachedGroupPolicies"),
	rows("iam:", Permissions, false,
		"CreateUser UpdateUser DeleteUser CreateRole UpdateRole DeleteRole CreateGroup DeleteGroup AddUserToGroup RemoveUserFromGroup "+
			"CreatePolicy DeletePolicy CreatePolicyVersion AttachUserPolicy DetachUserPolicy AttachRolePolicy DetachRolePolicy AttachGroupPolicy "+
			"DetachGroupPolicy PutUserPolicy DeleteUserPolicy PutRolePolicy DeleteRolePolicy PutGroupPolicy DeleteGroupPolicy "+
			"PutUserPermissionsBoundary DeleteUserPermissionsBoundary PutRolePermissionsBoundary DeleteRolePermissionsBoundary "+
			"UpdateAssumeRolePolicy CreateAccessKey UpdateAccessKey DeleteAccessKey TagUser UntagUser TagRole UntagRole"),
	rows("sts:", Read, true, "GetCallerIdentity"),
	rows("sts:", Permissions, false, "AssumeRole TagSession SetSourceIdentity"),
	rows("cloudtrail:", Read, true, "LookupEvents"),
)

func rows(service string, level Level, wildcard bool, names string) []actionRow {
	list := strings.Fields(names)
	out := make([]actionRow, len(list))
	for i, name := range list {
		out[i] = actionRow{service + name, level, wildcard}
	}
	return out
}

// Actions returns the name of every action, each at its index less one.
func Actions() []string {
	names := make([]string, len(vocabulary))
	for i, row := range vocabulary {
		names[i] = row.name
	}
	return names
}

// ActionOf returns the action of a name, in any case, as IAM compares them.
func ActionOf(name string) (Action, bool) {
	i := slices.IndexFunc(vocabulary, func(r actionRow) bool { return strings.EqualFold(r.name, name) })
	return Action(i + 1), i >= 0
}

// String returns the action's name.
func (a Action) String() string {
	if a == 0 || int(a) > len(vocabulary) {
		return "no action"
	}
	return vocabulary[a-1].name
}

// Level returns what the action can do.
func (a Action) Level() Level {
	if a == 0 || int(a) > len(vocabulary) {
		return 0
	}
	return vocabulary[a-1].level
}

// OfKeys tells that the action is done to a key.
func (a Action) OfKeys() bool {
	if a == 0 || int(a) > len(vocabulary) {
		return false
	}
	row := &vocabulary[a-1]
	return !row.wildcard && (strings.HasPrefix(row.name, "kms:") || strings.HasPrefix(row.name, "haven:"))
}

// actionSet is a set of actions, so that asking for one costs the same whatever patterns made it.
type actionSet [4]uint64

func (s *actionSet) add(a Action)      { s[a>>6] |= 1 << (a & 63) }
func (s *actionSet) has(a Action) bool { return s[a>>6]&(1<<(a&63)) != 0 }

// addPattern adds every action that a pattern matches: "*", or "service:name" whose name may have
// * and ?. It tells why the pattern means nothing, "" if it does.
func (s *actionSet) addPattern(pattern string) (wrong string) {
	if pattern == "*" {
		for i := range vocabulary {
			s.add(Action(i + 1))
		}
		return ""
	}
	service, name, found := strings.Cut(pattern, ":")
	switch {
	case !found || name == "":
		return "an action is service:Name, or *"
	case strings.ContainsAny(service, "*?"):
		return "the service of an action has no wildcards"
	}
	known, any := false, false
	for i, row := range vocabulary {
		of, is, _ := strings.Cut(row.name, ":")
		if !strings.EqualFold(of, service) {
			continue
		}
		known = true
		if matchText(strings.ToLower(name), strings.ToLower(is)) {
			s.add(Action(i + 1))
			any = true
		}
	}
	switch {
	case !known:
		return "there is no such service; there are kms, haven, secretsmanager, iam, sts and cloudtrail"
	case !any:
		return "it matches no action"
	}
	return ""
}

// matchText tells whether text matches a pattern with * and ?, where * also spans nothing.
func matchText(pattern, text string) bool {
	star, mark, p, t := -1, 0, 0, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p, t = p+1, t+1
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
