package keys

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/internal/crypt"
)

// Type is what a key is for.
type Type string

// The types.
const (
	Master    Type = "master"    // wraps other keys and stored keys
	Data      Type = "data"      // encrypts data at rest
	Signing   Type = "signing"   // signatures and MACs
	Transport Type = "transport" // data in transit
)

// Spec is the kind of material, Usage what it may do and Algorithm how, in AWS KMS's words.
type (
	Spec      = crypt.Spec
	Usage     = crypt.Usage
	Algorithm = crypt.Algorithm
)

// SymmetricDefault is AES-256 in Haven's encryption format v1.
const SymmetricDefault = crypt.SymmetricDefault

// EncryptDecrypt is the usage of symmetric keys.
const EncryptDecrypt = crypt.EncryptDecrypt

// Origin says where a key's material is made.
type Origin string

// The origins. That of keys made elsewhere has AWS KMS's name.
const (
	Haven    Origin = "HAVEN"
	External Origin = "EXTERNAL" // imported: see import-key-material
)

// Kind is what a key is: a type with one of the specs and usages that the type may have. It stays
// for the life of the key.
type Kind struct {
	Type  Type
	Spec  Spec
	Usage Usage
}

// kinds are what there may be; the first of a type is its default, the next the default where FIPS
// 140-3 mode forbids the first.
var kinds = slices.Concat(
	each(Master, EncryptDecrypt, SymmetricDefault),
	each(Data, EncryptDecrypt, SymmetricDefault),

	each(Signing, crypt.SignVerify, crypt.P256, crypt.P384, crypt.P521, crypt.Ed25519),
	each(Signing, crypt.SignVerify, crypt.RSA2048, crypt.RSA3072, crypt.RSA4096),
	each(Signing, crypt.SignVerify, crypt.MLDSA44, crypt.MLDSA65, crypt.MLDSA87),
	each(Signing, crypt.GenerateVerifyMAC, crypt.HMAC256, crypt.HMAC224, crypt.HMAC384, crypt.HMAC512),

	each(Transport, crypt.SealOpen, crypt.XWing, crypt.MLKEM768P256),
	each(Transport, crypt.EncapsulateDecapsulate, crypt.MLKEM768, crypt.MLKEM1024),
	each(Transport, crypt.KeyAgreement, crypt.P256, crypt.P384, crypt.P521),
	each(Transport, EncryptDecrypt, crypt.RSA2048, crypt.RSA3072, crypt.RSA4096),
)

func each(t Type, u Usage, specs ...Spec) []Kind {
	list := make([]Kind, len(specs))
	for i, s := range specs {
		list[i] = Kind{t, s, u}
	}
	return list
}

// Kinds returns every kind of key, those of a type together and its default first.
func Kinds() []Kind { return slices.Clone(kinds) }

// What keys of each usage do. Symmetric and RSA keys have a usage in common and do different things.
var (
	symmetricDo = []*gate.Operation{gate.Encrypt, gate.Decrypt, gate.ReEncrypt, gate.ReEncrypt.Onto, gate.GenerateDataKey, gate.GenerateDataKeyPair}
	usageDo     = map[Usage][]*gate.Operation{
		EncryptDecrypt:               {gate.Encrypt, gate.Decrypt, gate.ReEncrypt, gate.ReEncrypt.Onto, gate.GetPublicKey},
		crypt.SignVerify:             {gate.Sign, gate.Verify, gate.GetPublicKey},
		crypt.GenerateVerifyMAC:      {gate.GenerateMAC, gate.VerifyMAC},
		crypt.KeyAgreement:           {gate.DeriveSharedSecret, gate.GetPublicKey},
		crypt.EncapsulateDecapsulate: {gate.Encapsulate, gate.Decapsulate, gate.GetPublicKey},
		crypt.SealOpen:               {gate.HPKESeal, gate.HPKEOpen, gate.GetPublicKey},
	}
)

// Operations returns what keys of the kind do with their material.
func (k Kind) Operations() []*gate.Operation {
	if k.Spec == SymmetricDefault {
		return symmetricDo
	}
	return usageDo[k.Usage]
}

// Pair tells whether keys of the kind have a public half.
func (k Kind) Pair() bool { return slices.Contains(k.Operations(), gate.GetPublicKey) }

// algorithms returns what keys of the kind compute, the default first.
func (k Kind) algorithms() []Algorithm {
	row, err := crypt.Table().Row(k.Spec)
	if err != nil {
		return nil
	}
	i := slices.IndexFunc(row.Uses, func(u crypt.Use) bool { return u.Usage == k.Usage })
	if i < 0 {
		return nil
	}
	return row.Uses[i].Algorithms
}

// kindOf returns the kind that a request asks for; spec and usage may be empty. It returns an error
// matching InvalidRequest or Unsupported.
func kindOf(t Type, s Spec, u Usage) (Kind, error) {
	var refused error
	known := false
	for _, k := range kinds {
		if k.Type != t {
			continue
		}
		known = true
		if s != "" && s != k.Spec || u != "" && u != k.Usage {
			continue
		}
		err := crypt.Supported(k.Spec, k.Usage)
		if err == nil {
			return k, nil
		}
		refused = err
	}
	switch {
	case refused != nil:
		return Kind{}, gate.Errorf(gate.Unsupported, "%s keys of that spec are not available in FIPS 140-3 mode", t)
	case known:
		return Kind{}, gate.Errorf(gate.Unsupported, "no %s key has that spec and key_usage; there are: %s", t, choices(t))
	}
	return Kind{}, gate.Errorf(gate.InvalidRequest, "type must be master, data, signing or transport")
}

// choices lists the specs of a type by usage.
func choices(t Type) string {
	var b strings.Builder
	var last Usage
	for _, k := range kinds {
		switch {
		case k.Type != t:
			continue
		case k.Usage != last:
			if b.Len() > 0 {
				b.WriteString("; ")
			}
			fmt.Fprintf(&b, "%s with %s", k.Usage, k.Spec)
		default:
			fmt.Fprintf(&b, ", %s", k.Spec)
		}
		last = k.Usage
	}
	return b.String()
}

// unfit refuses an operation that keys of the kind do not do; nil where they do.
func (k Kind) unfit(id gate.ID, op *gate.Operation) *gate.Error {
	may := k.Operations()
	if slices.Contains(may, op) {
		return nil
	}
	var names []string
	for _, o := range may {
		if !slices.Contains(names, o.Name) {
			names = append(names, o.Name)
		}
	}
	not := "is not for " + op.Name
	if op == gate.GetPublicKey {
		not = "has no public half"
	}
	return &gate.Error{Code: gate.InvalidKeyUsage, Key: id, Detail: fmt.Sprintf("key %s is a %s key, %s for %s: it %s; it is for %s",
		id, k.Type, k.Spec, k.Usage, not, strings.Join(names, ", "))}
}

// algorithm returns the algorithm that a request names, the kind's default for "".
func (k Kind) algorithm(a Algorithm) Algorithm {
	if list := k.algorithms(); a == "" && len(list) > 0 {
		return list[0]
	}
	return a
}

// wrongly makes the answer to what a key does not compute with what it was given; other errors it
// returns as they are.
func (k Kind) wrongly(id gate.ID, err error) error {
	switch {
	case errors.Is(err, crypt.ErrAlgorithm):
		names := make([]string, 0, 8)
		for _, a := range k.algorithms() {
			names = append(names, string(a))
		}
		return &gate.Error{Code: gate.InvalidKeyUsage, Key: id, Detail: fmt.Sprintf("key %s, %s for %s, has no such algorithm; its algorithms are %s",
			id, k.Spec, k.Usage, strings.Join(names, ", "))}
	case errors.Is(err, crypt.ErrUnsupported):
		return &gate.Error{Code: gate.Unsupported, Key: id, Detail: fmt.Sprintf("key %s, %s: that is not available in FIPS 140-3 mode", id, k.Spec)}
	}
	return err
}
