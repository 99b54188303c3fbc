package crypt

import (
	"crypto"
	"crypto/elliptic"
	"crypto/hpke"
	"encoding/asn1"

	"filippo.io/mldsa"
)

// How material is encoded, in the table's words.
const (
	secretBytes = "the key's bytes"
	pkcs8DER    = "PKCS #8, DER"
	mldsaSeed   = "seed ξ, 32 bytes (FIPS 204)"
	mlkemSeed   = "seed d ‖ z, 64 bytes (FIPS 203)"
	hpkeTriple  = "KEM id, 2 bytes ‖ seed, 32 bytes ‖ public key"
)

// matrix is what [Table] returns. Nothing writes it.
var matrix = Matrix{
	Specs: []SpecRow{
		{SymmetricDefault, uses(EncryptDecrypt, FormatV1), secretBytes, true, false, Approved, secretFamily{KeySize}},

		{HMAC224, uses(GenerateVerifyMAC, HMACWithSHA224), secretBytes, true, false, Approved, secretFamily{28}},
		{HMAC256, uses(GenerateVerifyMAC, HMACWithSHA256), secretBytes, true, false, Approved, secretFamily{32}},
		{HMAC384, uses(GenerateVerifyMAC, HMACWithSHA384), secretBytes, true, false, Approved, secretFamily{48}},
		{HMAC512, uses(GenerateVerifyMAC, HMACWithSHA512), secretBytes, true, false, Approved, secretFamily{64}},

		{RSA2048, rsaUses, pkcs8DER, true, true, Approved, rsaFamily{2048}},
		{RSA3072, rsaUses, pkcs8DER, true, true, Approved, rsaFamily{3072}},
		{RSA4096, rsaUses, pkcs8DER, true, true, Approved, rsaFamily{4096}},

		{P256, ecUses(ECDSAWithSHA256), pkcs8DER, true, true, Approved, ecFamily{elliptic.P256(), oidP256}},
		{P384, ecUses(ECDSAWithSHA384), pkcs8DER, true, true, Approved, ecFamily{elliptic.P384(), oidP384}},
		{P521, ecUses(ECDSAWithSHA512), pkcs8DER, true, true, Approved, ecFamily{elliptic.P521(), oidP521}},
		{Ed25519, uses(SignVerify, PureEd25519, Ed25519ph), pkcs8DER, true, true, Approved, ed25519Family{}},

		// The library is by the author of the standard library's and not the validated module's.
		{MLDSA44, uses(SignVerify, MLDSA), mldsaSeed, false, false, NotApproved, mldsaFamily{mldsa.MLDSA44(), oidMLDSA44}},
		{MLDSA65, uses(SignVerify, MLDSA), mldsaSeed, false, false, NotApproved, mldsaFamily{mldsa.MLDSA65(), oidMLDSA65}},
		{MLDSA87, uses(SignVerify, MLDSA), mldsaSeed, false, false, NotApproved, mldsaFamily{mldsa.MLDSA87(), oidMLDSA87}},

		{MLKEM768, uses(EncapsulateDecapsulate, MLKEM), mlkemSeed, false, false, Approved, mlkem768},
		{MLKEM1024, uses(EncapsulateDecapsulate, MLKEM), mlkemSeed, false, false, Approved, mlkem1024},

		// X-Wing has X25519 in it, which FIPS 140-3 does not approve. Before v1.26.0 the module's
		// HPKE used a GCM that it does not approve itself.
		{XWing, uses(SealOpen, HPKE), hpkeTriple, false, false, NotApproved, hpkeFamily{hpke.MLKEM768X25519(), 1, 1216, 1120}},
		{MLKEM768P256, uses(SealOpen, HPKE), hpkeTriple, false, false, ApprovedSince, hpkeFamily{hpke.MLKEM768P256(), 2, 1249, 1153}},
	},
	Algorithms: []AlgorithmRow{
		{PSSWithSHA256, hashed, hashed, Approved, crypto.SHA256},
		{PSSWithSHA384, hashed, hashed, Approved, crypto.SHA384},
		{PSSWithSHA512, hashed, hashed, Approved, crypto.SHA512},
		{PKCS1WithSHA256, hashed, hashed, Approved, crypto.SHA256},
		{PKCS1WithSHA384, hashed, hashed, Approved, crypto.SHA384},
		{PKCS1WithSHA512, hashed, hashed, Approved, crypto.SHA512},
		{ECDSAWithSHA256, hashed, hashed, Approved, crypto.SHA256},
		{ECDSAWithSHA384, hashed, hashed, Approved, crypto.SHA384},
		{ECDSAWithSHA512, hashed, hashed, Approved, crypto.SHA512},
		{PureEd25519, raw, raw, Approved, 0},
		{Ed25519ph, digests, digests, Approved, crypto.SHA512},
		// The library does not verify by µ. The signature is that of the message, and verifies by it.
		{MLDSA, []MessageType{Raw, ExternalMu}, raw, NotApproved, 0},

		{OAEPWithSHA1, nil, nil, NotApproved, crypto.SHA1},
		{OAEPWithSHA256, nil, nil, Approved, crypto.SHA256},
		{HMACWithSHA224, nil, nil, Approved, crypto.SHA224},
		{HMACWithSHA256, nil, nil, Approved, crypto.SHA256},
		{HMACWithSHA384, nil, nil, Approved, crypto.SHA384},
		{HMACWithSHA512, nil, nil, Approved, crypto.SHA512},
		{ECDH, nil, nil, Approved, 0},
		{MLKEM, nil, nil, Approved, 0},
		{HPKE, nil, nil, ApprovedSince, 0},
		{FormatV1, nil, nil, Approved, 0},
		// Its AES key wrap is ours, over the module's AES.
		{RSAAESKeyWrap, nil, nil, NotApproved, crypto.SHA256},
	},
}

var (
	hashed, raw, digests = []MessageType{Raw, Digest}, []MessageType{Raw}, []MessageType{Digest}

	rsaUses = []Use{
		{SignVerify, []Algorithm{PSSWithSHA256, PSSWithSHA384, PSSWithSHA512, PKCS1WithSHA256, PKCS1WithSHA384, PKCS1WithSHA512}},
		{EncryptDecrypt, []Algorithm{OAEPWithSHA256, OAEPWithSHA1}},
	}
)

func uses(u Usage, list ...Algorithm) []Use { return []Use{{u, list}} }

func ecUses(a Algorithm) []Use {
	return []Use{{SignVerify, []Algorithm{a}}, {KeyAgreement, []Algorithm{ECDH}}}
}

// Object identifiers: RFC 5480 for the curves, RFC 9881 for ML-DSA, RFC 9935 for ML-KEM.
var (
	oidP256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
	oidP384 = asn1.ObjectIdentifier{1, 3, 132, 0, 34}
	oidP521 = asn1.ObjectIdentifier{1, 3, 132, 0, 35}

	oidMLDSA44 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 17}
	oidMLDSA65 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 18}
	oidMLDSA87 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 19}

	oidMLKEM768  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 4, 2}
	oidMLKEM1024 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 4, 3}
)
