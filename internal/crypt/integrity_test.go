package crypt_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"math/big"
	"testing"

	"github.com/haven-health/haven/internal/blob"
	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// TestEveryBitAndEveryTruncation alters each bit of 2,000 messages (200 where that takes long, in
// FIPS 140-3 mode and under the race detector), cuts each at every length and lengthens it: all
// give the one error.
func TestEveryBitAndEveryTruncation(t *testing.T) {
	const workers = 4
	each := 2000 / workers
	if fips140.Enforced() || raceDetector {
		each /= 10
	}
	for w := range workers {
		t.Run(fmt.Sprint(w), func(t *testing.T) {
			t.Parallel()
			c := contextOf(t, "patient", fmt.Sprint(w))
			k := newKey(t, testID, 3)
			for i := range each {
				n := i % 18
				if i == 0 {
					n = 1024
				}
				alterEverywhere(t, k, c, encrypt(t, k, c, make([]byte, n)))
			}
		})
	}
}

func alterEverywhere(t *testing.T, k *crypt.Key, c blob.Context, message []byte) {
	for i := range message {
		for bit := range 8 {
			message[i] ^= 1 << bit
			mustRefuse(t, k, c, message, fmt.Sprintf("byte %d, bit %d", i, bit))
			message[i] ^= 1 << bit
		}
		mustRefuse(t, k, c, message[:i], fmt.Sprintf("cut to %d bytes", i))
	}
	mustRefuse(t, k, c, append(bytes.Clone(message), 0), "one byte more")
	if _, err := k.Decrypt(c, message); err != nil {
		t.Fatalf("unaltered: %v", err)
	}
}

func TestOtherKeyOrContext(t *testing.T) {
	material := bytes.Repeat([]byte{5}, 32)
	same := func(id [16]byte, version uint32) *crypt.Key {
		return keyOver(t, id, version, secret.New(bytes.Clone(material)))
	}
	k := same(testID, 1)
	c := contextOf(t, "a", "b")
	message := encrypt(t, k, c, []byte("x"))
	mustRefuse(t, newKey(t, testID, 1), c, message, "another key")
	mustRefuse(t, same(testID, 2), c, message, "another version with the same material")
	mustRefuse(t, same([16]byte{9}, 1), c, message, "another id with the same material")
	for _, kv := range [][]string{
		{}, {"a", "c"}, {"b", "b"}, {"A", "b"}, {"a", "b "}, {"a", ""}, {"a", "b", "c", ""}, {"ab", ""}, {"", "ab"},
	} {
		mustRefuse(t, k, contextOf(t, kv...), message, fmt.Sprintf("context %q", kv))
	}
	nfc, nfd := contextOf(t, "name", "Zo\u00eb"), contextOf(t, "name", "Zoe\u0308")
	mustRefuse(t, k, nfd, encrypt(t, k, nfc, []byte("x")), "a context normalised otherwise")
}

// TestBothDerivationsAgree encrypts as in FIPS 140-3 mode and decrypts as outside, and back.
func TestBothDerivationsAgree(t *testing.T) {
	for i := range 50 {
		material := make([]byte, 32)
		rand.Read(material)
		a := keyOver(t, testID, 1, secret.New(bytes.Clone(material)))
		b := keyOver(t, testID, 1, secret.New(bytes.Clone(material)))
		a.SetApproved(true)
		b.SetApproved(false)
		for _, pair := range [][2]*crypt.Key{{a, b}, {b, a}} {
			if _, err := pair[1].Decrypt(blob.Context{}, encrypt(t, pair[0], blob.Context{}, material[:i%32])); err != nil {
				t.Fatal(err)
			}
		}
		info := make([]byte, i)
		rand.Read(info)
		want, err := hkdf.Expand(sha256.New, material, string(info), 64)
		if got := crypt.Expand(secret.New(material), info); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%x, want %x, %v", got, want, err)
		}
	}
}

func TestNewAEADRefusesOtherKeys(t *testing.T) {
	if _, err := crypt.NewAEAD(make([]byte, 5)); err == nil {
		t.Error("a cipher under 5 bytes")
	}
}

// TestKeyCommitment makes one ciphertext that plain GCM opens under two keys, shows that it does,
// and that it is refused under the second.
func TestKeyCommitment(t *testing.T) {
	c := contextOf(t, "patient", "p-1")
	key1, key2 := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	m := message{ID: testID, Version: 1, Context: c.Encoded()}
	rand.Read(m.Salt[:])
	rand.Read(m.Nonce[:])
	okm1, okm2 := m.okm(t, key1), m.okm(t, key2)

	for _, commitment := range [][]byte{okm1[32:], okm2[32:], make([]byte, 32)} {
		header := m.header(commitment)
		block, tag := collide(okm1[:32], okm2[:32], m.Nonce, header)
		b := bytes.Join([][]byte{header, m.Nonce[:], block, tag}, nil)
		for _, mk := range [][]byte{okm1[:32], okm2[:32]} {
			aead, err := crypt.NewAEAD(mk)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := aead.Open(nil, nil, b[blob.HeaderLen:], header); err != nil {
				t.Fatalf("the attack does not work, so it proves nothing: %v", err)
			}
		}
		opened := 0
		for _, key := range [][]byte{key1, key2} {
			p, err := keyOver(t, testID, 1, secret.New(bytes.Clone(key))).Decrypt(c, b)
			if err == nil {
				opened++
			} else if err != crypt.ErrDecrypt || p != nil {
				t.Errorf("error %v", err)
			}
		}
		if opened > 1 {
			t.Error("one ciphertext opens under two keys")
		}
	}
}

// collide returns a ciphertext of one block and a tag that AES-GCM accepts under both keys. The
// tag is GHASH(additional data ‖ block ‖ lengths) ⊕ E(nonce ‖ 1), linear in the block; setting both
// keys' equal gives block = difference / (H1² ⊕ H2²).
func collide(key1, key2 []byte, nonce [12]byte, header []byte) (block, tag []byte) {
	part := func(key []byte) (h, rest *big.Int) {
		cb, err := aes.NewCipher(key)
		if err != nil {
			panic(err)
		}
		h, e := field(encryptBlock(cb, make([]byte, 16))), field(encryptBlock(cb, append(bytes.Clone(nonce[:]), 0, 0, 0, 1)))
		return h, e.Xor(e, ghash(h, header, make([]byte, 16)))
	}
	h1, r1 := part(key1)
	h2, r2 := part(key2)
	x := new(big.Int).Xor(r1, r2)
	d := new(big.Int).Xor(mul(h1, h1), mul(h2, h2))
	x = mul(x, inverse(d))
	tagInt := new(big.Int).Xor(r1, mul(x, mul(h1, h1)))
	return bits(x), bits(tagInt)
}

func encryptBlock(b cipher.Block, in []byte) []byte {
	out := make([]byte, 16)
	b.Encrypt(out, in)
	return out
}

// field reads 16 bytes as an element of GF(2^128) in GCM's order: the first bit is x^0.
func field(b []byte) *big.Int {
	z := new(big.Int)
	for i := range 128 {
		z.SetBit(z, i, uint(b[i/8]>>(7-i%8)&1))
	}
	return z
}

func bits(z *big.Int) []byte {
	b := make([]byte, 16)
	for i := range 128 {
		b[i/8] |= byte(z.Bit(i)) << (7 - i%8)
	}
	return b
}

// mul multiplies modulo x^128 + x^7 + x^2 + x + 1.
func mul(a, b *big.Int) *big.Int {
	z := new(big.Int)
	for i := range 128 {
		if b.Bit(i) == 1 {
			z.Xor(z, new(big.Int).Lsh(a, uint(i)))
		}
	}
	for i := 255; i >= 128; i-- {
		if z.Bit(i) == 1 {
			z.Xor(z, new(big.Int).Lsh(big.NewInt(0x87), uint(i-128)))
			z.SetBit(z, i, 0)
		}
	}
	return z
}

// inverse is a to the 2^128 - 2.
func inverse(a *big.Int) *big.Int {
	z := big.NewInt(1)
	for range 127 {
		a = mul(a, a)
		z = mul(z, a)
	}
	return z
}

func ghash(h *big.Int, aad, ciphertext []byte) *big.Int {
	pad := func(b []byte) []byte { return append(bytes.Clone(b), make([]byte, -len(b)&15)...) }
	in := append(pad(aad), pad(ciphertext)...)
	lengths := make([]byte, 16)
	new(big.Int).SetUint64(uint64(len(aad)) * 8).FillBytes(lengths[:8])
	new(big.Int).SetUint64(uint64(len(ciphertext)) * 8).FillBytes(lengths[8:])
	in = append(in, lengths...)
	y := new(big.Int)
	for ; len(in) > 0; in = in[16:] {
		y = mul(y.Xor(y, field(in[:16])), h)
	}
	return y
}
