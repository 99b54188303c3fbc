package gate

import "github.com/haven-health/haven/lifecycle"

// Operation is a row of the one table: what can be asked of Haven. Its name is its route; the Go
// method, the CLI verb, the permission and the event's name come from the same row.
type Operation struct {
	// Number stands in records and is never given another meaning.
	Number uint16
	// Name is the route's last part.
	Name string
	// Event is the event's name in the audit trail: AWS's where AWS has the operation.
	Event string
	// Permission is the IAM action that allows it.
	Permission string
	// Use is what it does with key material; 0 when it does not.
	Use lifecycle.Use
	// Mutates tells that it may change items; it takes an Idempotency-Key.
	Mutates bool
	// Restricts tells that it takes rights away: it runs ahead of others, again until its
	// deadline when contended, and from reserved space on a full disk. So does the start of a
	// server: one that a full disk kept from starting could revoke nothing; and what pins the
	// journal's end, which a full disk must not leave open.
	Restricts bool
	// Reads tells that it also answers GET.
	Reads bool
	// Onto is what the operation needs of the second key that its request names, or of the master key
	// that it puts one under, as a row of its own that has no number: nil where it names one.
	Onto *Operation
	// HoldsSecret tells that its request holds a secret: nothing keeps it, so nobody asks for approvals of it.
	HoldsSecret bool
	// Internal operations have no route: Haven itself or an operator at the machine begins them.
	Internal bool
	// BodyLimit is the most bytes of a request body.
	BodyLimit int64
	// Summary says in one line what it does.
	Summary string
}

// ARN service prefixes of permissions are AWS's where AWS has the operation, "haven:" otherwise.
const (
	smallBody = 16 << 10
	// useBody carries 64 KiB... of base64: 4 KiB of plaintext and 8 KiB of context are well within.
	useBody   = 64 << 10
	batchBody = 8 << 20
	// sealBody carries base64 of what hpke-seal takes and hpke-open is given, 64 KiB, and a context.
	sealBody = 128 << 10
	// storeBody carries base64 of a value of 64 KiB, and what is said of it.
	storeBody = 160 << 10
	// policyBody carries a document of access.MaxDocument as a JSON string.
	policyBody = 128 << 10
)

// The operations. Rows are added at the end of their group with a new number.
var (
	CreateKey           = &Operation{Number: 1, Name: "create-key", Event: "CreateKey", Permission: "kms:CreateKey", Mutates: true, Onto: wrapKey, BodyLimit: policyBody, Summary: "create a key with a purpose, a type and a rotation schedule"}
	DescribeKey         = &Operation{Number: 2, Name: "describe-key", Event: "DescribeKey", Permission: "kms:DescribeKey", Reads: true, BodyLimit: smallBody, Summary: "show a key"}
	ListKeys            = &Operation{Number: 3, Name: "list-keys", Event: "ListKeys", Permission: "kms:ListKeys", Reads: true, BodyLimit: smallBody, Summary: "list keys, newest first"}
	ListKeyVersions     = &Operation{Number: 4, Name: "list-key-versions", Event: "ListKeyRotations", Permission: "kms:ListKeyRotations", Reads: true, BodyLimit: smallBody, Summary: "list a key's versions, newest first"}
	UpdateKey           = &Operation{Number: 5, Name: "update-key", Event: "UpdateKey", Permission: "haven:UpdateKey", Mutates: true, Onto: wrapKey, BodyLimit: useBody, Summary: "change a key's purpose, description, owner or schedule"}
	RotateKey           = &Operation{Number: 6, Name: "rotate-key", Event: "RotateKeyOnDemand", Permission: "kms:RotateKeyOnDemand", Mutates: true, BodyLimit: smallBody, Summary: "make a new version the primary"}
	EnableKey           = &Operation{Number: 7, Name: "enable-key", Event: "EnableKey", Permission: "kms:EnableKey", Mutates: true, BodyLimit: smallBody, Summary: "let a disabled key be used again"}
	DisableKey          = &Operation{Number: 8, Name: "disable-key", Event: "DisableKey", Permission: "kms:DisableKey", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "suspend a key, reversibly"}
	DeprecateVersion    = &Operation{Number: 9, Name: "deprecate-version", Event: "DeprecateVersion", Permission: "haven:DeprecateVersion", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "let an old version decrypt only"}
	MarkCompromised     = &Operation{Number: 10, Name: "mark-compromised", Event: "MarkCompromised", Permission: "haven:MarkCompromised", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "revoke a version or a whole key at once, for good"}
	ScheduleKeyDeletion = &Operation{Number: 11, Name: "schedule-key-deletion", Event: "ScheduleKeyDeletion", Permission: "kms:ScheduleKeyDeletion", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "destroy a key in 7 to 30 days unless cancelled"}
	CancelKeyDeletion   = &Operation{Number: 12, Name: "cancel-key-deletion", Event: "CancelKeyDeletion", Permission: "kms:CancelKeyDeletion", Mutates: true, BodyLimit: smallBody, Summary: "keep a key that was to be destroyed; it stays disabled"}
	CreateAlias         = &Operation{Number: 13, Name: "create-alias", Event: "CreateAlias", Permission: "kms:CreateAlias", Mutates: true, BodyLimit: smallBody, Summary: "give a key one more name"}
	UpdateAlias         = &Operation{Number: 14, Name: "update-alias", Event: "UpdateAlias", Permission: "kms:UpdateAlias", Mutates: true, BodyLimit: smallBody, Summary: "make an alias name another key of the same type and usage"}
	DeleteAlias         = &Operation{Number: 15, Name: "delete-alias", Event: "DeleteAlias", Permission: "kms:DeleteAlias", Mutates: true, BodyLimit: smallBody, Summary: "take a name from a key; the key stays"}
	ListAliases         = &Operation{Number: 16, Name: "list-aliases", Event: "ListAliases", Permission: "kms:ListAliases", Reads: true, BodyLimit: smallBody, Summary: "list aliases by name, all or a key's"}
	TagKey              = &Operation{Number: 17, Name: "tag-key", Event: "TagResource", Permission: "kms:TagResource", Mutates: true, BodyLimit: useBody, Summary: "add tags to a key, or give them other values"}
	UntagKey            = &Operation{Number: 18, Name: "untag-key", Event: "UntagResource", Permission: "kms:UntagResource", Mutates: true, BodyLimit: useBody, Summary: "take tags from a key"}
	GetActiveKey        = &Operation{Number: 19, Name: "get-active-key", Event: "DescribeKey", Permission: "kms:DescribeKey", Reads: true, BodyLimit: smallBody, Summary: "show the newest key in force of a type and purpose"}

	RestoreVersion = &Operation{Number: 40, Name: "restore-version", Event: "RestoreVersion", Permission: "haven:RestoreVersion", Mutates: true, BodyLimit: smallBody, Summary: "bring an expired version back, before its deletion date: it decrypts again"}

	Encrypt         = &Operation{Number: 20, Name: "encrypt", Event: "Encrypt", Permission: "kms:Encrypt", Use: lifecycle.Protect, BodyLimit: useBody, Summary: "encrypt up to 4 KiB"}
	Decrypt         = &Operation{Number: 21, Name: "decrypt", Event: "Decrypt", Permission: "kms:Decrypt", Use: lifecycle.Process, BodyLimit: useBody, Summary: "decrypt what encrypt or generate-data-key made"}
	GenerateDataKey = &Operation{Number: 22, Name: "generate-data-key", Event: "GenerateDataKey", Permission: "kms:GenerateDataKey", Use: lifecycle.Protect, BodyLimit: useBody, Summary: "make a data key, plain and encrypted"}
	GenerateRandom  = &Operation{Number: 23, Name: "generate-random", Event: "GenerateRandom", Permission: "kms:GenerateRandom", BodyLimit: smallBody, Summary: "random bytes"}
	Batch           = &Operation{Number: 24, Name: "batch", Event: "Batch", Permission: "", BodyLimit: batchBody, Summary: "up to 1,000 encrypt, decrypt and generate-data-key items in one call"}

	Sign                = &Operation{Number: 25, Name: "sign", Event: "Sign", Permission: "kms:Sign", Use: lifecycle.Protect, BodyLimit: useBody, Summary: "sign a message of up to 4 KiB, or the digest of a longer one"}
	Verify              = &Operation{Number: 26, Name: "verify", Event: "Verify", Permission: "kms:Verify", Use: lifecycle.VerifySignature, BodyLimit: useBody, Summary: "tell whether a signature is the key's"}
	GenerateMAC         = &Operation{Number: 27, Name: "generate-mac", Event: "GenerateMac", Permission: "kms:GenerateMac", Use: lifecycle.Protect, BodyLimit: useBody, Summary: "make the MAC of up to 4 KiB"}
	VerifyMAC           = &Operation{Number: 28, Name: "verify-mac", Event: "VerifyMac", Permission: "kms:VerifyMac", Use: lifecycle.Process, BodyLimit: useBody, Summary: "tell whether a MAC is the key's"}
	GetPublicKey        = &Operation{Number: 29, Name: "get-public-key", Event: "GetPublicKey", Permission: "kms:GetPublicKey", Use: lifecycle.VerifySignature, Reads: true, BodyLimit: smallBody, Summary: "show the public half of a key pair"}
	DeriveSharedSecret  = &Operation{Number: 30, Name: "derive-shared-secret", Event: "DeriveSharedSecret", Permission: "kms:DeriveSharedSecret", Use: lifecycle.Process, BodyLimit: useBody, Summary: "agree on a secret with the holder of another key (ECDH)"}
	Encapsulate         = &Operation{Number: 31, Name: "encapsulate", Event: "Encapsulate", Permission: "kms:Encapsulate", Use: lifecycle.Protect, BodyLimit: smallBody, Summary: "make a secret, and the ciphertext that gives it to the key's holder (ML-KEM)"}
	Decapsulate         = &Operation{Number: 32, Name: "decapsulate", Event: "Decapsulate", Permission: "kms:Decapsulate", Use: lifecycle.Process, BodyLimit: useBody, Summary: "get the secret that was encapsulated to the key"}
	HPKESeal            = &Operation{Number: 33, Name: "hpke-seal", Event: "HPKESeal", Permission: "haven:HPKESeal", Use: lifecycle.Protect, BodyLimit: sealBody, Summary: "seal a message of up to 64 KiB to a transport key"}
	HPKEOpen            = &Operation{Number: 34, Name: "hpke-open", Event: "HPKEOpen", Permission: "haven:HPKEOpen", Use: lifecycle.Process, BodyLimit: sealBody, Summary: "open a message that was sealed to a transport key"}
	ReEncrypt           = &Operation{Number: 35, Name: "re-encrypt", Event: "ReEncrypt", Permission: "kms:ReEncryptFrom", Use: lifecycle.Process, Onto: reEncryptTo, BodyLimit: useBody, Summary: "decrypt and encrypt anew under another key or version, without showing the plaintext"}
	GenerateDataKeyPair = &Operation{Number: 36, Name: "generate-data-key-pair", Event: "GenerateDataKeyPair", Permission: "kms:GenerateDataKeyPair", Use: lifecycle.Protect, BodyLimit: useBody, Summary: "make a key pair for use outside, its private key plain and encrypted"}

	GetParametersForImport    = &Operation{Number: 41, Name: "get-parameters-for-import", Event: "GetParametersForImport", Permission: "kms:GetParametersForImport", BodyLimit: smallBody, Summary: "get a one-time public key to wrap material for import with"}
	ImportKeyMaterial         = &Operation{Number: 42, Name: "import-key-material", Event: "ImportKeyMaterial", Permission: "kms:ImportKeyMaterial", Mutates: true, BodyLimit: useBody, Summary: "import wrapped material as a key's next version, or again as what it was"}
	DeleteImportedKeyMaterial = &Operation{Number: 43, Name: "delete-imported-key-material", Event: "DeleteImportedKeyMaterial", Permission: "kms:DeleteImportedKeyMaterial", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "delete imported material at once; the same can be imported again"}

	// wrapKey is putting a key under a master that the caller names.
	wrapKey = &Operation{Name: "wrap-key", Permission: "haven:WrapKey"}
	// What AWS KMS asks for when the answer leaves the plaintext out.
	GenerateDataKeyWithoutPlaintext     = &Operation{Name: "generate-data-key", Permission: "kms:GenerateDataKeyWithoutPlaintext"}
	GenerateDataKeyPairWithoutPlaintext = &Operation{Name: "generate-data-key-pair", Permission: "kms:GenerateDataKeyPairWithoutPlaintext"}

	reEncryptTo = &Operation{Name: "re-encrypt", Permission: "kms:ReEncryptTo", Use: lifecycle.Protect}

	PutKeyPolicy = &Operation{Number: 103, Name: "put-key-policy", Event: "PutKeyPolicy", Permission: "kms:PutKeyPolicy", Mutates: true, Restricts: true, BodyLimit: policyBody, Summary: "give a key a policy of its own: who may do what with it"}
	GetKeyPolicy = &Operation{Number: 104, Name: "get-key-policy", Event: "GetKeyPolicy", Permission: "kms:GetKeyPolicy", Reads: true, BodyLimit: smallBody, Summary: "show a key's policy"}
	CreateGrant  = &Operation{Number: 108, Name: "create-grant", Event: "CreateGrant", Permission: "kms:CreateGrant", Mutates: true, BodyLimit: useBody, Summary: "let a principal do some operations with a key"}
	ListGrants   = &Operation{Number: 109, Name: "list-grants", Event: "ListGrants", Permission: "kms:ListGrants", Reads: true, BodyLimit: smallBody, Summary: "list a key's grants, oldest first"}
	RevokeGrant  = &Operation{Number: 110, Name: "revoke-grant", Event: "RevokeGrant", Permission: "kms:RevokeGrant", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "end a grant, by who manages the key"}
	RetireGrant  = &Operation{Number: 111, Name: "retire-grant", Event: "RetireGrant", Permission: "kms:RetireGrant", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "end a grant, by whom it names for that"}

	ListRecords = &Operation{Number: 50, Name: "list-records", Event: "LookupEvents", Permission: "cloudtrail:LookupEvents", Reads: true, BodyLimit: smallBody, Summary: "list what was done, newest first, as CloudTrail events"}

	CreatePrincipal   = &Operation{Number: 80, Name: "create-principal", Event: "CreateUser", Permission: "iam:CreateUser", Mutates: true, BodyLimit: useBody, Summary: "create a user, a service or a role"}
	DescribePrincipal = &Operation{Number: 81, Name: "describe-principal", Event: "GetUser", Permission: "iam:GetUser", Reads: true, BodyLimit: smallBody, Summary: "show a principal"}
	ListPrincipals    = &Operation{Number: 82, Name: "list-principals", Event: "ListUsers", Permission: "iam:ListUsers", Reads: true, BodyLimit: smallBody, Summary: "list principals by name"}
	UpdatePrincipal   = &Operation{Number: 83, Name: "update-principal", Event: "UpdateUser", Permission: "iam:UpdateUser", Mutates: true, Restricts: true, BodyLimit: useBody, Summary: "change a principal's tags, disable it, or enable it again"}
	DeletePrincipal   = &Operation{Number: 84, Name: "delete-principal", Event: "DeleteUser", Permission: "iam:DeleteUser", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "delete a principal with its credentials, memberships and inline policies"}
	CreateGroup       = &Operation{Number: 85, Name: "create-group", Event: "CreateGroup", Permission: "iam:CreateGroup", Mutates: true, BodyLimit: smallBody, Summary: "create a group, whose members will have its policies"}
	DescribeGroup     = &Operation{Number: 86, Name: "describe-group", Event: "GetGroup", Permission: "iam:GetGroup", Reads: true, BodyLimit: smallBody, Summary: "show a group and its members"}
	ListGroups        = &Operation{Number: 87, Name: "list-groups", Event: "ListGroups", Permission: "iam:ListGroups", Reads: true, BodyLimit: smallBody, Summary: "list groups by name"}
	DeleteGroup       = &Operation{Number: 88, Name: "delete-group", Event: "DeleteGroup", Permission: "iam:DeleteGroup", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "delete a group without members"}
	// To add restricts as well, since a group may have a policy that denies.
	AddToGroup       = &Operation{Number: 89, Name: "add-to-group", Event: "AddUserToGroup", Permission: "iam:AddUserToGroup", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "give a principal the policies of a group"}
	RemoveFromGroup  = &Operation{Number: 90, Name: "remove-from-group", Event: "RemoveUserFromGroup", Permission: "iam:RemoveUserFromGroup", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "take the policies of a group from a principal"}
	CreateCredential = &Operation{Number: 91, Name: "create-credential", Event: "CreateAccessKey", Permission: "iam:CreateAccessKey", Mutates: true, BodyLimit: useBody, Summary: "give a principal a token, an access key or a client certificate"}
	ListCredentials  = &Operation{Number: 92, Name: "list-credentials", Event: "ListAccessKeys", Permission: "iam:ListAccessKeys", Reads: true, BodyLimit: smallBody, Summary: "list a principal's credentials, without their secrets"}
	UpdateCredential = &Operation{Number: 93, Name: "update-credential", Event: "UpdateAccessKey", Permission: "iam:UpdateAccessKey", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "make a credential inactive, or active again"}
	// To rotate gives a new secret, which is what the permission to create one is about.
	RotateCredential = &Operation{Number: 94, Name: "rotate-credential", Event: "RotateCredential", Permission: "iam:CreateAccessKey", Mutates: true, Restricts: true, BodyLimit: useBody, Summary: "replace a credential by another of its type"}
	DeleteCredential = &Operation{Number: 95, Name: "delete-credential", Event: "DeleteAccessKey", Permission: "iam:DeleteAccessKey", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "end a credential at once"}

	// GetCallerIdentity needs no permission, as in STS: whoever proved who they are may be told.
	GetCallerIdentity = &Operation{Number: 113, Name: "get-caller-identity", Event: "GetCallerIdentity", Permission: "", Reads: true, BodyLimit: smallBody, Summary: "tell the caller who it is"}

	CreatePolicy   = &Operation{Number: 96, Name: "create-policy", Event: "CreatePolicy", Permission: "iam:CreatePolicy", Mutates: true, BodyLimit: policyBody, Summary: "write a policy, to attach it, or for one principal or group alone"}
	DescribePolicy = &Operation{Number: 97, Name: "describe-policy", Event: "GetPolicy", Permission: "iam:GetPolicy", Reads: true, BodyLimit: smallBody, Summary: "show a policy as it was written, and who has it"}
	ListPolicies   = &Operation{Number: 98, Name: "list-policies", Event: "ListPolicies", Permission: "iam:ListPolicies", Reads: true, BodyLimit: smallBody, Summary: "list the policies that can be attached, or those of a principal or group"}
	UpdatePolicy   = &Operation{Number: 99, Name: "update-policy", Event: "CreatePolicyVersion", Permission: "iam:CreatePolicyVersion", Mutates: true, Restricts: true, BodyLimit: policyBody, Summary: "replace a policy's document, or say who may assume a role"}
	DeletePolicy   = &Operation{Number: 100, Name: "delete-policy", Event: "DeletePolicy", Permission: "iam:DeletePolicy", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "delete a policy that nobody has"}
	// Attaching restricts as well: a boundary, or a policy that denies.
	AttachPolicy = &Operation{Number: 101, Name: "attach-policy", Event: "AttachPolicy", Permission: "iam:AttachUserPolicy", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "give a principal or group a policy, or a principal its boundary"}
	DetachPolicy = &Operation{Number: 102, Name: "detach-policy", Event: "DetachPolicy", Permission: "iam:DetachUserPolicy", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "take a policy, or the boundary, from who has it"}

	AssumeRole       = &Operation{Number: 112, Name: "assume-role", Event: "AssumeRole", Permission: "sts:AssumeRole", Mutates: true, BodyLimit: useBody, Summary: "get a token that ends by itself, with the rights of a role"}
	PreviewPolicy    = &Operation{Number: 105, Name: "preview-policy", Event: "PreviewPolicy", Permission: "haven:PreviewPolicy", BodyLimit: policyBody, Summary: "tell who would gain and who would lose what by another document of a policy"}
	LintAccess       = &Operation{Number: 106, Name: "lint-access", Event: "LintAccess", Permission: "haven:LintAccess", BodyLimit: policyBody, Summary: "look at a policy document before it is saved"}
	ListAccess       = &Operation{Number: 107, Name: "list-access", Event: "ListAccess", Permission: "haven:ListAccess", Reads: true, BodyLimit: smallBody, Summary: "tell who can do something to a key, and why"}
	LintKey          = &Operation{Number: 122, Name: "lint-key", Event: "LintKey", Permission: "haven:LintAccess", Reads: true, BodyLimit: smallBody, Summary: "look at who may use a key: its policy, unused grants, no owner"}
	ExplainAccess    = &Operation{Number: 114, Name: "explain-access", Event: "ExplainAccess", Permission: "haven:ExplainAccess", Reads: true, BodyLimit: useBody, Summary: "tell why a request was refused, or how one would be decided"}
	RequestApproval  = &Operation{Number: 117, Name: "request-approval", Event: "RequestApproval", Permission: "haven:RequestApproval", Mutates: true, BodyLimit: useBody, Summary: "ask that others approve an operation before you do it"}
	Approve          = &Operation{Number: 118, Name: "approve", Event: "Approve", Permission: "haven:Approve", Mutates: true, BodyLimit: smallBody, Summary: "approve what somebody else asked for"}
	ListApprovals    = &Operation{Number: 119, Name: "list-approvals", Event: "ListApprovals", Permission: "haven:ListApprovals", Reads: true, BodyLimit: smallBody, Summary: "list what waits for approvals, newest first"}
	DescribeApproval = &Operation{Number: 120, Name: "describe-approval", Event: "DescribeApproval", Permission: "haven:DescribeApproval", Reads: true, BodyLimit: smallBody, Summary: "show what is asked for, and who approved it"}
	WithdrawApproval = &Operation{Number: 121, Name: "withdraw-approval", Event: "WithdrawApproval", Permission: "haven:WithdrawApproval", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "end a request for approvals; nothing is done by it any more"}

	CheckRotation            = &Operation{Number: 123, Name: "check-rotation", Event: "CheckRotation", Permission: "haven:CheckRotation", BodyLimit: smallBody, Summary: "do what is due: rotate, end grace periods and lifetimes, destroy"}
	ExecuteRotations         = &Operation{Number: 124, Name: "execute-rotations", Event: "ExecuteRotations", Permission: "haven:ExecuteRotations", BodyLimit: useBody, Summary: "rotate those of some keys that are due"}
	ListDue                  = &Operation{Number: 125, Name: "list-due", Event: "ListDue", Permission: "haven:ListDue", Reads: true, BodyLimit: smallBody, Summary: "list what is due, and what comes due within some days"}
	ScheduleRotationCheck    = &Operation{Number: 126, Name: "schedule-rotation-check", Event: "ScheduleRotationCheck", Permission: "haven:ScheduleRotationCheck", Mutates: true, BodyLimit: smallBody, Summary: "say when what is due is looked for: rate, cron or at"}
	DescribeRotationSchedule = &Operation{Number: 127, Name: "describe-rotation-schedule", Event: "DescribeRotationSchedule", Permission: "haven:ListDue", Reads: true, BodyLimit: smallBody, Summary: "tell when what is due is looked for, and what the last check found"}
	AdvanceClock             = &Operation{Number: 128, Name: "advance-clock", Event: "AdvanceClock", Permission: "haven:AdvanceClock", BodyLimit: smallBody, Summary: "let time pass for a development server, with the checks on the way"}

	StoreKey              = &Operation{Number: 130, Name: "store-key", Event: "PutSecretValue", Permission: "secretsmanager:PutSecretValue", Mutates: true, HoldsSecret: true, Onto: wrapKey, BodyLimit: storeBody, Summary: "store a value under a name, or a new version of it"}
	RetrieveKey           = &Operation{Number: 131, Name: "retrieve-key", Event: "GetSecretValue", Permission: "secretsmanager:GetSecretValue", BodyLimit: smallBody, Summary: "get a stored value, as it was stored"}
	ListStoredKeys        = &Operation{Number: 132, Name: "list-stored-keys", Event: "ListSecrets", Permission: "secretsmanager:ListSecrets", Reads: true, BodyLimit: smallBody, Summary: "list stored keys by name, without their values"}
	ListStoredKeyVersions = &Operation{Number: 133, Name: "list-stored-key-versions", Event: "ListSecretVersionIds", Permission: "secretsmanager:ListSecretVersionIds", Reads: true, BodyLimit: smallBody, Summary: "list a stored key's versions, newest first, without their values"}
	DescribeStoredKey     = &Operation{Number: 134, Name: "describe-stored-key", Event: "DescribeSecret", Permission: "secretsmanager:DescribeSecret", Reads: true, BodyLimit: smallBody, Summary: "show a stored key, without its value"}
	DeleteStoredKey       = &Operation{Number: 135, Name: "delete-stored-key", Event: "DeleteSecret", Permission: "secretsmanager:DeleteSecret", Mutates: true, Restricts: true, BodyLimit: smallBody, Summary: "delete a stored key in 7 to 30 days unless restored"}
	RestoreStoredKey      = &Operation{Number: 136, Name: "restore-stored-key", Event: "RestoreSecret", Permission: "secretsmanager:RestoreSecret", Mutates: true, BodyLimit: smallBody, Summary: "keep a stored key that was to be deleted"}
	RotateStoredKey       = &Operation{Number: 137, Name: "rotate-stored-key", Event: "RotateSecret", Permission: "haven:RotateStoredKey", Mutates: true, BodyLimit: smallBody, Summary: "generate a stored value anew"}
	TagStoredKey          = &Operation{Number: 138, Name: "tag-stored-key", Event: "TagResource", Permission: "secretsmanager:TagResource", Mutates: true, BodyLimit: useBody, Summary: "add tags to a stored key, or give them other values"}
	UntagStoredKey        = &Operation{Number: 139, Name: "untag-stored-key", Event: "UntagResource", Permission: "secretsmanager:UntagResource", Mutates: true, BodyLimit: useBody, Summary: "take tags from a stored key"}

	Initialize      = &Operation{Number: 60, Name: "initialize", Event: "Initialize", Permission: "haven:Initialize", Mutates: true, Internal: true, Summary: "make a new store with its first administrator and master key"}
	Start           = &Operation{Number: 61, Name: "start", Event: "Start", Permission: "haven:Start", Restricts: true, Internal: true, Summary: "begin serving from a store"}
	RotateSeal      = &Operation{Number: 63, Name: "rotate-seal", Event: "RotateSeal", Permission: "haven:RotateSeal", Mutates: true, Internal: true, Summary: "replace the root key and wrap anew what it wraps"}
	MigrateSeal     = &Operation{Number: 64, Name: "migrate-seal", Event: "MigrateSeal", Permission: "haven:MigrateSeal", Mutates: true, Internal: true, Summary: "attach a seal in place of another"}
	AcceptClock     = &Operation{Number: 65, Name: "accept-clock", Event: "AcceptClock", Permission: "haven:AcceptClock", Mutates: false, BodyLimit: smallBody, Summary: "take the wall clock as it is after it jumped"}
	RotateBeforeUse = &Operation{Number: 66, Name: "rotate-before-use", Event: "RotateKey", Permission: "haven:RotateBeforeUse", Mutates: true, Internal: true, Summary: "rotate a key whose cryptoperiod is over, before the use that met it"}
	Shutdown        = &Operation{Number: 68, Name: "shutdown", Event: "Shutdown", Permission: "haven:Shutdown", Mutates: true, Restricts: true, Internal: true, Summary: "end serving, and pin the journal's end in the store"}
	Pin             = &Operation{Number: 69, Name: "pin", Event: "Pin", Permission: "haven:Pin", Mutates: true, Restricts: true, Internal: true, Summary: "pin the journal's end in the store, so that records cut off it are missed"}
	Unanswered      = &Operation{Number: 70, Name: "unanswered", Event: "Unanswered", Internal: true, Summary: "the count of operations that the store did not take, recorded first when it takes one again"}
	Rewrap          = &Operation{Number: 71, Name: "rewrap", Event: "Rewrap", Permission: "haven:Rewrap", Mutates: true, Internal: true, Summary: "wrap under another master version what an old one still wraps, a page at a time"}
	Usage           = &Operation{Number: 72, Name: "usage", Event: "Usage", Permission: "haven:Usage", Mutates: true, Internal: true, Summary: "keep what the journal tells of how often keys were used"}
	Resume          = &Operation{Number: 73, Name: "resume", Event: "ResumeKey", Permission: "haven:Resume", Mutates: true, Internal: true, Summary: "let a key that was disabled for a time be used again, before the use that met it"}
	// What the Rotation Scheduler does when its time has come.
	RotateDue         = &Operation{Number: 74, Name: "rotate-due", Event: "RotateKey", Permission: "haven:RotateDue", Mutates: true, Internal: true, Summary: "rotate a key when its rotation is due"}
	AdvanceVersion    = &Operation{Number: 75, Name: "advance-version", Event: "AdvanceVersion", Permission: "haven:AdvanceVersion", Mutates: true, Internal: true, Summary: "record the state that a deadline brought a version to"}
	DestroyDue        = &Operation{Number: 76, Name: "destroy-due", Event: "DeleteKey", Permission: "haven:DestroyDue", Mutates: true, Internal: true, Summary: "destroy a key or a version at its deletion date"}
	Forget            = &Operation{Number: 78, Name: "forget", Event: "Forget", Permission: "haven:Forget", Mutates: true, Internal: true, Summary: "delete the stored answers of idempotency keys that are remembered no more"}
	ExpireCredentials = &Operation{Number: 79, Name: "expire-credentials", Event: "ExpireCredentials", Permission: "haven:ExpireCredentials", Mutates: true, Internal: true, Summary: "delete credentials that came to their end"}
	RotateStoredDue   = &Operation{Number: 140, Name: "rotate-stored-due", Event: "RotateSecret", Permission: "haven:RotateStoredDue", Mutates: true, Internal: true, Summary: "generate a stored value anew when its schedule says so"}
	DestroyStored     = &Operation{Number: 141, Name: "destroy-stored", Event: "EndSecretVersionDelete", Permission: "haven:DestroyStored", Mutates: true, Internal: true, Summary: "delete a stored key at its deletion date"}
	EraseDue          = &Operation{Number: 77, Name: "erase-due", Event: "DeleteExpiredKeyMaterial", Permission: "haven:EraseDue", Mutates: true, Internal: true, Summary: "delete imported material at its end"}
	Unrecognized      = &Operation{Number: 67, Name: "unauthenticated", Event: "Unauthenticated", Internal: true, Summary: "a sample of calls that proved nobody, or that were over their rate, with their exact count"}
)

// Operations returns every row, by number.
func Operations() []*Operation {
	return []*Operation{
		CreateKey, DescribeKey, ListKeys, ListKeyVersions, UpdateKey, RotateKey, EnableKey, DisableKey,
		DeprecateVersion, MarkCompromised, ScheduleKeyDeletion, CancelKeyDeletion,
		CreateAlias, UpdateAlias, DeleteAlias, ListAliases, TagKey, UntagKey, GetActiveKey, RestoreVersion,
		Encrypt, Decrypt, GenerateDataKey, GenerateRandom, Batch, Sign, Verify, GenerateMAC, VerifyMAC, GetPublicKey,
		DeriveSharedSecret, Encapsulate, Decapsulate, HPKESeal, HPKEOpen, ReEncrypt, GenerateDataKeyPair,
		GetParametersForImport, ImportKeyMaterial, DeleteImportedKeyMaterial,
		PutKeyPolicy, GetKeyPolicy, CreateGrant, ListGrants, RevokeGrant, RetireGrant,
		ListRecords,
		CreatePolicy, DescribePolicy, ListPolicies, UpdatePolicy, DeletePolicy, AttachPolicy, DetachPolicy, AssumeRole,
		CreatePrincipal, DescribePrincipal, ListPrincipals, UpdatePrincipal, DeletePrincipal,
		CreateGroup, DescribeGroup, ListGroups, DeleteGroup, AddToGroup, RemoveFromGroup,
		CreateCredential, ListCredentials, UpdateCredential, RotateCredential, DeleteCredential, GetCallerIdentity,
		PreviewPolicy, LintAccess, LintKey, ListAccess, ExplainAccess,
		RequestApproval, Approve, ListApprovals, DescribeApproval, WithdrawApproval,
		CheckRotation, ExecuteRotations, ListDue, ScheduleRotationCheck, DescribeRotationSchedule, AdvanceClock,
		StoreKey, RetrieveKey, ListStoredKeys, ListStoredKeyVersions, DescribeStoredKey, DeleteStoredKey, RestoreStoredKey,
		RotateStoredKey, TagStoredKey, UntagStoredKey,
		Initialize, Start, RotateSeal, MigrateSeal, AcceptClock, RotateBeforeUse, Shutdown, Pin, Unanswered, Rewrap, Usage, Unrecognized, Resume,
		RotateDue, AdvanceVersion, DestroyDue, EraseDue, Forget, ExpireCredentials, RotateStoredDue, DestroyStored,
	}
}

// of returns what the operation needs of the i-th key that a request names.
func (o *Operation) of(i int) *Operation {
	if i > 0 && o.Onto != nil {
		return o.Onto
	}
	return o
}
