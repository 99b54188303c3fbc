package haven

import (
	"context"
	"time"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/keys"
)

// KeyManager is the Key Manager acting for one principal, whom the process vouches for.
type KeyManager struct {
	system    *System
	principal gate.ID
}

// KeyManager acts as the local administrator.
func (s *System) KeyManager() KeyManager { return KeyManager{s, s.admin} }

// Acting is a system as one principal sees it.
type Acting struct {
	system    *System
	principal gate.ID
}

// As acts for the principal: it may what its policies allow, and its records name it.
func (s *System) As(principal gate.ID) Acting { return Acting{s, principal} }

// KeyManager acts for the principal.
func (a Acting) KeyManager() KeyManager { return KeyManager(a) }

// call begins an operation, runs it and returns its answer.
func call[Req, Answer any](ctx context.Context, k KeyManager, op *gate.Operation, req Req, do func(*keys.Manager, context.Context, *gate.Call, Req) (Answer, error)) (Answer, error) {
	c, err := k.system.gate.Begin(ctx, op, gate.Proof{Local: k.principal})
	if err != nil {
		var none Answer
		return none, err
	}
	return do(k.system.manager, ctx, c, req)
}

// CreateKey makes a key with its first version.
func (k KeyManager) CreateKey(ctx context.Context, req keys.CreateRequest) (*keys.Key, error) {
	return call(ctx, k, gate.CreateKey, req, (*keys.Manager).CreateKey)
}

// DescribeKey shows a key.
func (k KeyManager) DescribeKey(ctx context.Context, key string) (*keys.Key, error) {
	return call(ctx, k, gate.DescribeKey, keys.KeyRequest{Key: key}, (*keys.Manager).DescribeKey)
}

// ListKeys returns a page of keys, newest first.
func (k KeyManager) ListKeys(ctx context.Context, req keys.ListRequest) (*keys.KeyPage, error) {
	return call(ctx, k, gate.ListKeys, req, (*keys.Manager).ListKeys)
}

// ListKeyVersions returns a page of a key's versions, newest first.
func (k KeyManager) ListKeyVersions(ctx context.Context, req keys.ListVersionsRequest) (*keys.VersionPage, error) {
	return call(ctx, k, gate.ListKeyVersions, req, (*keys.Manager).ListKeyVersions)
}

// UpdateKey changes a key's purpose or periods.
func (k KeyManager) UpdateKey(ctx context.Context, req keys.UpdateRequest) (*keys.Key, error) {
	return call(ctx, k, gate.UpdateKey, req, (*keys.Manager).UpdateKey)
}

// RotateKey makes a new version the primary; KEY@N rotates only if N is still the primary.
func (k KeyManager) RotateKey(ctx context.Context, key string) (*keys.Key, error) {
	return call(ctx, k, gate.RotateKey, keys.RotateRequest{Key: key}, (*keys.Manager).RotateKey)
}

// EnableKey lets a disabled key be used again.
func (k KeyManager) EnableKey(ctx context.Context, key string) (*keys.Key, error) {
	return call(ctx, k, gate.EnableKey, keys.KeyRequest{Key: key}, (*keys.Manager).EnableKey)
}

// DisableKey suspends a key until it is enabled.
func (k KeyManager) DisableKey(ctx context.Context, key string) (*keys.Key, error) {
	return call(ctx, k, gate.DisableKey, keys.DisableRequest{Key: key}, (*keys.Manager).DisableKey)
}

// DisableKeyFor suspends a key for whole seconds, at most keys.MaxSpan; then it can be used again.
// 0 is until it is enabled.
func (k KeyManager) DisableKeyFor(ctx context.Context, key string, d time.Duration) (*keys.Key, error) {
	return call(ctx, k, gate.DisableKey, keys.DisableRequest{Key: key, For: keys.Span(d)}, (*keys.Manager).DisableKey)
}

// RestoreVersion brings an expired version, named KEY@N, back before its deletion date: it decrypts.
func (k KeyManager) RestoreVersion(ctx context.Context, version string) (*keys.Key, error) {
	return call(ctx, k, gate.RestoreVersion, keys.KeyRequest{Key: version}, (*keys.Manager).RestoreVersion)
}

// DeprecateVersion lets an old version, named KEY@N, decrypt only.
func (k KeyManager) DeprecateVersion(ctx context.Context, key string) (*keys.Key, error) {
	return call(ctx, k, gate.DeprecateVersion, keys.KeyRequest{Key: key}, (*keys.Manager).DeprecateVersion)
}

// MarkCompromised revokes a version, named KEY@N, or every version of a key.
func (k KeyManager) MarkCompromised(ctx context.Context, req keys.CompromiseRequest) (*keys.Key, error) {
	return call(ctx, k, gate.MarkCompromised, req, (*keys.Manager).MarkCompromised)
}

// ScheduleKeyDeletion sets the day a key is destroyed.
func (k KeyManager) ScheduleKeyDeletion(ctx context.Context, req keys.ScheduleDeletionRequest) (*keys.Key, error) {
	return call(ctx, k, gate.ScheduleKeyDeletion, req, (*keys.Manager).ScheduleKeyDeletion)
}

// CancelKeyDeletion keeps a key that was to be destroyed; it is disabled then.
func (k KeyManager) CancelKeyDeletion(ctx context.Context, key string) (*keys.Key, error) {
	return call(ctx, k, gate.CancelKeyDeletion, keys.KeyRequest{Key: key}, (*keys.Manager).CancelKeyDeletion)
}

// CreateAlias gives a key one more name.
func (k KeyManager) CreateAlias(ctx context.Context, req keys.AliasRequest) (*keys.Key, error) {
	return call(ctx, k, gate.CreateAlias, req, (*keys.Manager).CreateAlias)
}

// UpdateAlias makes an alias name another key of the same type and usage.
func (k KeyManager) UpdateAlias(ctx context.Context, req keys.AliasRequest) (*keys.Key, error) {
	return call(ctx, k, gate.UpdateAlias, req, (*keys.Manager).UpdateAlias)
}

// DeleteAlias takes a name from a key, which stays.
func (k KeyManager) DeleteAlias(ctx context.Context, alias string) (*keys.Key, error) {
	return call(ctx, k, gate.DeleteAlias, keys.DeleteAliasRequest{Alias: alias}, (*keys.Manager).DeleteAlias)
}

// ListAliases returns a page of aliases by name: all, or a key's.
func (k KeyManager) ListAliases(ctx context.Context, req keys.ListAliasesRequest) (*keys.AliasPage, error) {
	return call(ctx, k, gate.ListAliases, req, (*keys.Manager).ListAliases)
}

// TagKey adds tags to a key, or gives them other values.
func (k KeyManager) TagKey(ctx context.Context, req keys.TagRequest) (*keys.Key, error) {
	return call(ctx, k, gate.TagKey, req, (*keys.Manager).TagKey)
}

// UntagKey takes tags from a key.
func (k KeyManager) UntagKey(ctx context.Context, req keys.UntagRequest) (*keys.Key, error) {
	return call(ctx, k, gate.UntagKey, req, (*keys.Manager).UntagKey)
}

// GetActiveKey returns the newest key in force of a type and purpose; it makes none.
func (k KeyManager) GetActiveKey(ctx context.Context, req keys.ActiveRequest) (*keys.Key, error) {
	return call(ctx, k, gate.GetActiveKey, req, (*keys.Manager).GetActiveKey)
}

// Encrypt encrypts up to 4 KiB.
func (k KeyManager) Encrypt(ctx context.Context, req keys.EncryptRequest) (*keys.EncryptAnswer, error) {
	return call(ctx, k, gate.Encrypt, req, (*keys.Manager).Encrypt)
}

// Decrypt decrypts what Encrypt or GenerateDataKey made.
func (k KeyManager) Decrypt(ctx context.Context, req keys.DecryptRequest) (*keys.DecryptAnswer, error) {
	return call(ctx, k, gate.Decrypt, req, (*keys.Manager).Decrypt)
}

// GenerateDataKey makes a data key, plain and encrypted.
func (k KeyManager) GenerateDataKey(ctx context.Context, req keys.DataKeyRequest) (*keys.DataKeyAnswer, error) {
	return call(ctx, k, gate.GenerateDataKey, req, (*keys.Manager).GenerateDataKey)
}

// Sign signs a message or its digest.
func (k KeyManager) Sign(ctx context.Context, req keys.SignRequest) (*keys.SignAnswer, error) {
	return call(ctx, k, gate.Sign, req, (*keys.Manager).Sign)
}

// Verify tells whether a signature is valid.
func (k KeyManager) Verify(ctx context.Context, req keys.VerifyRequest) (*keys.VerifyAnswer, error) {
	return call(ctx, k, gate.Verify, req, (*keys.Manager).Verify)
}

// GenerateMAC makes a MAC.
func (k KeyManager) GenerateMAC(ctx context.Context, req keys.MACRequest) (*keys.MACAnswer, error) {
	return call(ctx, k, gate.GenerateMAC, req, (*keys.Manager).GenerateMAC)
}

// VerifyMAC tells whether a MAC is valid.
func (k KeyManager) VerifyMAC(ctx context.Context, req keys.VerifyMACRequest) (*keys.VerifyMACAnswer, error) {
	return call(ctx, k, gate.VerifyMAC, req, (*keys.Manager).VerifyMAC)
}

// DeriveSharedSecret agrees on a secret with the holder of another key.
func (k KeyManager) DeriveSharedSecret(ctx context.Context, req keys.AgreeRequest) (*keys.AgreeAnswer, error) {
	return call(ctx, k, gate.DeriveSharedSecret, req, (*keys.Manager).DeriveSharedSecret)
}

// Encapsulate makes a secret and the ciphertext that gives it to the key's holder.
func (k KeyManager) Encapsulate(ctx context.Context, req keys.EncapsulateRequest) (*keys.EncapsulateAnswer, error) {
	return call(ctx, k, gate.Encapsulate, req, (*keys.Manager).Encapsulate)
}

// Decapsulate returns the secret that was encapsulated to a key.
func (k KeyManager) Decapsulate(ctx context.Context, req keys.DecapsulateRequest) (*keys.DecapsulateAnswer, error) {
	return call(ctx, k, gate.Decapsulate, req, (*keys.Manager).Decapsulate)
}

// HPKESeal seals a message to a transport key.
func (k KeyManager) HPKESeal(ctx context.Context, req keys.SealRequest) (*keys.SealAnswer, error) {
	return call(ctx, k, gate.HPKESeal, req, (*keys.Manager).HPKESeal)
}

// HPKEOpen opens a message that was sealed to a transport key.
func (k KeyManager) HPKEOpen(ctx context.Context, req keys.OpenRequest) (*keys.OpenAnswer, error) {
	return call(ctx, k, gate.HPKEOpen, req, (*keys.Manager).HPKEOpen)
}

// ReEncrypt decrypts and encrypts anew, without showing the plaintext.
func (k KeyManager) ReEncrypt(ctx context.Context, req keys.ReEncryptRequest) (*keys.ReEncryptAnswer, error) {
	return call(ctx, k, gate.ReEncrypt, req, (*keys.Manager).ReEncrypt)
}

// GenerateDataKeyPair makes a key pair for use outside.
func (k KeyManager) GenerateDataKeyPair(ctx context.Context, req keys.DataKeyPairRequest) (*keys.DataKeyPairAnswer, error) {
	return call(ctx, k, gate.GenerateDataKeyPair, req, (*keys.Manager).GenerateDataKeyPair)
}

// GetPublicKey shows the public half of a key pair: the primary's, or that of KEY@N.
func (k KeyManager) GetPublicKey(ctx context.Context, key string) (*keys.PublicKey, error) {
	return call(ctx, k, gate.GetPublicKey, keys.KeyRequest{Key: key}, (*keys.Manager).GetPublicKey)
}

// GetParametersForImport makes a one-time key to wrap material for import with.
func (k KeyManager) GetParametersForImport(ctx context.Context, req keys.ImportParametersRequest) (*keys.ImportParameters, error) {
	return call(ctx, k, gate.GetParametersForImport, req, (*keys.Manager).GetParametersForImport)
}

// ImportKeyMaterial makes wrapped material the primary, or brings the same material back.
func (k KeyManager) ImportKeyMaterial(ctx context.Context, req keys.ImportRequest) (*keys.Key, error) {
	return call(ctx, k, gate.ImportKeyMaterial, req, (*keys.Manager).ImportKeyMaterial)
}

// DeleteImportedKeyMaterial deletes imported material of KEY@N, or of the primary.
func (k KeyManager) DeleteImportedKeyMaterial(ctx context.Context, key string) (*keys.Key, error) {
	return call(ctx, k, gate.DeleteImportedKeyMaterial, keys.KeyRequest{Key: key}, (*keys.Manager).DeleteImportedKeyMaterial)
}

// GenerateRandom returns random bytes.
func (k KeyManager) GenerateRandom(ctx context.Context, req keys.RandomRequest) (*keys.RandomAnswer, error) {
	return call(ctx, k, gate.GenerateRandom, req, (*keys.Manager).GenerateRandom)
}

// Batch does many encrypt, decrypt and data key requests at once.
func (k KeyManager) Batch(ctx context.Context, items []keys.BatchItem) ([]keys.BatchResult, error) {
	return call(ctx, k, gate.Batch, items, (*keys.Manager).Batch)
}

// AcceptClock takes the machine's wall clock as it is, after it jumped and an alarm stands. Back must
// be said of one that is behind the time Haven believes: see [gate.Gate.Accept].
func (k KeyManager) AcceptClock(ctx context.Context, back bool) error {
	c, err := k.system.gate.Begin(ctx, gate.AcceptClock, gate.Proof{Local: k.principal})
	if err != nil {
		return err
	}
	return k.system.gate.Accept(ctx, c, back)
}
