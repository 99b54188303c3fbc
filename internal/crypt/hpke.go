package crypt

import (
	"bytes"
	"crypto/hpke"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/secret"
)

// hpkeFamily is HPKE (RFC 9180) in base mode with a hybrid KEM, HKDF-SHA-256 and AES-256-GCM.
type hpkeFamily struct {
	kem        hpke.KEM
	suite      byte // in sealed messages
	publicSize int
	encSize    int // of an encapsulated key
}

const hpkeSeedSize = 32

func (f hpkeFamily) generate(io.Reader) ([]byte, error) {
	k, err := f.kem.GenerateKey()
	if err != nil {
		return nil, err
	}
	seed, err := k.Bytes()
	if err != nil {
		return nil, err
	}
	material := binary.BigEndian.AppendUint16(nil, f.kem.ID())
	return append(append(material, seed...), k.PublicKey().Bytes()...), nil
}

// parse makes the pair anew from the seed. How, is not in RFC 9180 but in drafts: should a library
// ever do it otherwise, the stored public key tells, instead of messages that do not open.
func (f hpkeFamily) parse(material []byte) (privateKey, []byte, bool) {
	if len(material) != 2+hpkeSeedSize+f.publicSize || binary.BigEndian.Uint16(material) != f.kem.ID() {
		return nil, nil, false
	}
	k, err := f.kem.NewPrivateKey(material[2 : 2+hpkeSeedSize])
	if err != nil || !bytes.Equal(k.PublicKey().Bytes(), material[2+hpkeSeedSize:]) {
		return nil, nil, false
	}
	return &hpkePrivate{k, f}, material, true
}

func (f hpkeFamily) parsePublic(encoded []byte) (publicKey, bool) {
	if len(encoded) != 2+f.publicSize || binary.BigEndian.Uint16(encoded) != f.kem.ID() {
		return nil, false
	}
	k, err := f.kem.NewPublicKey(encoded[2:])
	return &hpkePublic{k, f}, err == nil
}

type hpkePrivate struct {
	key    hpke.PrivateKey
	family hpkeFamily
}

func (k *hpkePrivate) public() publicKey { return &hpkePublic{k.key.PublicKey(), k.family} }

type hpkePublic struct {
	key    hpke.PublicKey
	family hpkeFamily
}

func (k *hpkePublic) encode() []byte {
	return append(binary.BigEndian.AppendUint16(nil, k.family.kem.ID()), k.key.Bytes()...)
}

// jwk: JOSE has no keys of these KEMs.
func (*hpkePublic) jwk() string { return "" }

// A sealed message is, in the fashion of encryption format v1,
//
//	offset  bytes  field
//	     0      2  magic: "HP"
//	     2      1  format: 1
//	     3      1  suite: 1 = X-Wing, 2 = MLKEM768-P256, both with HKDF-SHA-256 and AES-256-GCM
//	     4     16  id of the key
//	    20      4  its version, big-endian, from 1
//	    24      e  encapsulated key: 1,120 bytes in suite 1, 1,153 in suite 2
//	  24+e     32  commitment: Export("haven/hpke/v1 commitment", 32)
//	  56+e      n  ciphertext, as long as the plaintext
//	56+e+n     16  tag
//
// with info = "haven/hpke/v1" ‖ 0 ‖ bytes 0…23 ‖ SHA-256(encoded encryption context) and no
// additional data. Whoever seals knows every key on the way, and AES-GCM does not commit to its
// key: without the commitment a sender could make one message that opens, differently, in two
// contexts. The exporter's secret depends on all of KEM output and info.
const (
	hpkeMagic      = 0x4850 // "HP"
	hpkeFormat     = 1
	hpkeLabel      = "haven/hpke/v1\x00"
	hpkeCommitment = "haven/hpke/v1 commitment"

	commitmentLen = 32
	hpkeTagLen    = 16
)

// sealedHeader returns the first 24 bytes.
func (f hpkeFamily) sealedHeader(id [16]byte, version uint32) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, blob.PrefixLen), hpkeMagic)
	b = append(b, hpkeFormat, f.suite)
	b = append(b, id[:]...)
	return binary.BigEndian.AppendUint32(b, version)
}

func hpkeInfo(header []byte, c blob.Context) []byte {
	context := sha256.Sum256(c.Encoded())
	return append(append([]byte(hpkeLabel), header...), context[:]...)
}

// SealedTo tells the spec, key and version that a message was sealed to, without looking whether it
// is authentic. It returns [ErrDecrypt] when the message is malformed.
func SealedTo(message []byte) (s Spec, id [16]byte, version uint32, err error) {
	for i := range matrix.Specs {
		f, ok := matrix.Specs[i].family.(hpkeFamily)
		if !ok || len(message) < blob.PrefixLen {
			continue
		}
		version = binary.BigEndian.Uint32(message[20:])
		copy(id[:], message[4:20])
		n := len(message) - f.overhead()
		if n >= 0 && n <= blob.MaxMessage && version != 0 && bytes.HasPrefix(message, f.sealedHeader(id, version)) {
			return matrix.Specs[i].Spec, id, version, nil
		}
	}
	return "", [16]byte{}, 0, ErrDecrypt
}

// overhead is what a sealed message has over its plaintext.
func (f hpkeFamily) overhead() int { return blob.PrefixLen + f.encSize + commitmentLen + hpkeTagLen }

// Seal encrypts a message to the holder of an HPKE key, version version of the key id, for a
// context. It returns [ErrSpec] when the key is no HPKE key, [ErrUnsupported], [ErrKey] for version
// 0, or [ErrSize].
func (p *PublicKey) Seal(id [16]byte, version uint32, c blob.Context, plaintext []byte) ([]byte, error) {
	if err := Supported(p.row.Spec, SealOpen); err != nil {
		return nil, err
	}
	if version == 0 {
		return nil, ErrKey
	}
	if len(plaintext) > blob.MaxMessage {
		return nil, ErrSize
	}
	k := p.key.(*hpkePublic)
	out := k.family.sealedHeader(id, version)
	enc, sender, err := hpke.NewSender(k.key, hpke.HKDFSHA256(), hpke.AES256GCM(), hpkeInfo(out, c))
	var commitment, ciphertext []byte
	if err == nil {
		commitment, err = sender.Export(hpkeCommitment, commitmentLen)
	}
	if err == nil {
		ciphertext, err = sender.Seal(nil, plaintext)
	}
	if err != nil {
		return nil, fmt.Errorf("crypt: sealing: %w", err)
	}
	return bytes.Join([][]byte{out, enc, commitment, ciphertext}, nil), nil
}

// HPKEKey is one version of a key that messages are sealed to. Methods may be called from several
// goroutines, Destroy too.
type HPKEKey struct {
	id      [16]byte
	version uint32
	held    held[*hpkePrivate]
	public  *PublicKey
}

// OpenHPKEKey opens material of an HPKE key; it keeps nothing of the argument. Version begins at 1.
// It returns [ErrSpec], [ErrUnsupported], [ErrKey] for version 0, or [ErrMaterial].
func OpenHPKEKey(s Spec, id [16]byte, version uint32, material secret.Bytes) (*HPKEKey, error) {
	inner, row, _, err := openFor[*hpkePrivate](s, SealOpen, material)
	if err != nil {
		return nil, err
	}
	if version == 0 {
		return nil, ErrKey
	}
	k := &HPKEKey{id: id, version: version, public: &PublicKey{row, inner.public()}}
	k.held.hold(inner)
	return k, nil
}

// Seal is [PublicKey.Seal] to this key and version. It works after Destroy too.
func (k *HPKEKey) Seal(c blob.Context, plaintext []byte) ([]byte, error) {
	return k.public.Seal(k.id, k.version, c, plaintext)
}

// Open decrypts a message sealed to this key and version for the same context. The plaintext is the
// caller's to zero. It returns [ErrDecrypt] whatever is wrong, or [ErrDestroyed].
func (k *HPKEKey) Open(c blob.Context, message []byte) ([]byte, error) {
	s, id, version, err := SealedTo(message)
	if err != nil || s != k.public.Spec() || id != k.id || version != k.version {
		return nil, ErrDecrypt
	}
	inner, err := k.held.get()
	if err != nil {
		return nil, err
	}
	header, rest := message[:blob.PrefixLen], message[blob.PrefixLen:]
	enc, rest := rest[:inner.family.encSize], rest[inner.family.encSize:]
	recipient, err := hpke.NewRecipient(enc, inner.key, hpke.HKDFSHA256(), hpke.AES256GCM(), hpkeInfo(header, c))
	if err != nil {
		return nil, ErrDecrypt
	}
	commitment, err := recipient.Export(hpkeCommitment, commitmentLen)
	if err != nil || subtle.ConstantTimeCompare(commitment, rest[:commitmentLen]) != 1 {
		return nil, ErrDecrypt
	}
	plaintext, err := recipient.Open(nil, rest[commitmentLen:])
	if err != nil {
		return nil, ErrDecrypt
	}
	return plaintext, nil
}

// Public returns the public half.
func (k *HPKEKey) Public() *PublicKey { return k.public }

// Destroy makes later calls of Open return [ErrDestroyed].
func (k *HPKEKey) Destroy() { k.held.destroy() }
