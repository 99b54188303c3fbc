package crypt

// Spec says what kind of material a key has, in AWS KMS's words where AWS has it.
type Spec string

// The specs.
const (
	SymmetricDefault Spec = "SYMMETRIC_DEFAULT" // AES-256 in encryption format v1: see [Key]

	HMAC224 Spec = "HMAC_224"
	HMAC256 Spec = "HMAC_256"
	HMAC384 Spec = "HMAC_384"
	HMAC512 Spec = "HMAC_512"

	RSA2048 Spec = "RSA_2048"
	RSA3072 Spec = "RSA_3072"
	RSA4096 Spec = "RSA_4096"

	P256    Spec = "ECC_NIST_P256"
	P384    Spec = "ECC_NIST_P384"
	P521    Spec = "ECC_NIST_P521"
	Ed25519 Spec = "ECC_NIST_EDWARDS25519"

	MLDSA44 Spec = "ML_DSA_44"
	MLDSA65 Spec = "ML_DSA_65"
	MLDSA87 Spec = "ML_DSA_87"

	MLKEM768  Spec = "ML_KEM_768"
	MLKEM1024 Spec = "ML_KEM_1024"

	XWing        Spec = "HPKE_XWING"         // not in AWS KMS
	MLKEM768P256 Spec = "HPKE_MLKEM768_P256" // not in AWS KMS
)

// Usage says what a key is for. A key has one, chosen when it is created, even if its spec may have
// several: the same material never signs and decrypts.
type Usage string

// The usages.
const (
	EncryptDecrypt         Usage = "ENCRYPT_DECRYPT"
	SignVerify             Usage = "SIGN_VERIFY"
	GenerateVerifyMAC      Usage = "GENERATE_VERIFY_MAC"
	KeyAgreement           Usage = "KEY_AGREEMENT"
	EncapsulateDecapsulate Usage = "ENCAPSULATE_DECAPSULATE"
	SealOpen               Usage = "SEAL_OPEN" // HPKE; not in AWS KMS
)

// Algorithm says what is computed with a key.
type Algorithm string

// The algorithms. Those of one hash each fix everything else too: mask generation and salt length
// of PSS and OAEP follow the hash, and a curve has one hash.
const (
	PSSWithSHA256 Algorithm = "RSASSA_PSS_SHA_256"
	PSSWithSHA384 Algorithm = "RSASSA_PSS_SHA_384"
	PSSWithSHA512 Algorithm = "RSASSA_PSS_SHA_512"

	PKCS1WithSHA256 Algorithm = "RSASSA_PKCS1_V1_5_SHA_256"
	PKCS1WithSHA384 Algorithm = "RSASSA_PKCS1_V1_5_SHA_384"
	PKCS1WithSHA512 Algorithm = "RSASSA_PKCS1_V1_5_SHA_512"

	ECDSAWithSHA256 Algorithm = "ECDSA_SHA_256"
	ECDSAWithSHA384 Algorithm = "ECDSA_SHA_384"
	ECDSAWithSHA512 Algorithm = "ECDSA_SHA_512"

	PureEd25519 Algorithm = "ED25519_SHA_512"
	Ed25519ph   Algorithm = "ED25519_PH_SHA_512"
	MLDSA       Algorithm = "ML_DSA_SHAKE_256"

	OAEPWithSHA1   Algorithm = "RSAES_OAEP_SHA_1"
	OAEPWithSHA256 Algorithm = "RSAES_OAEP_SHA_256"

	HMACWithSHA224 Algorithm = "HMAC_SHA_224"
	HMACWithSHA256 Algorithm = "HMAC_SHA_256"
	HMACWithSHA384 Algorithm = "HMAC_SHA_384"
	HMACWithSHA512 Algorithm = "HMAC_SHA_512"

	ECDH  Algorithm = "ECDH"
	MLKEM Algorithm = "ML_KEM"

	HPKE     Algorithm = "HPKE_HKDF_SHA_256_AES_256_GCM" // not in AWS KMS
	FormatV1 Algorithm = "SYMMETRIC_DEFAULT"

	// RSAAESKeyWrap is RSAES-OAEP of an AES-256 key, then RFC 5649 of the material under it. It wraps
	// material for import, as [OAEPWithSHA256] does where the material is short enough.
	RSAAESKeyWrap Algorithm = "RSA_AES_KEY_WRAP_SHA_256"
)

// MessageType says what is given to be signed.
type MessageType string

// The message types.
const (
	// Raw is the message itself, at most [MaxSigned] bytes.
	Raw MessageType = "RAW"
	// Digest is the message's hash, by the hash function that the algorithm names. Only [Ed25519ph]
	// hashes it once more, as AWS KMS does: what it signs is the digest as a message.
	Digest MessageType = "DIGEST"
	// ExternalMu is the 64-byte message representative µ of FIPS 204, algorithm 7, line 6.
	ExternalMu MessageType = "EXTERNAL_MU"
)

// MaxSigned is the longest message of type [Raw], and the longest to compute a MAC of, in bytes.
const MaxSigned = 4096
