package crypt

import "io"

// secretFamily is keys of so many bytes, any bytes: AES and HMAC.
type secretFamily struct{ size int }

func (f secretFamily) generate(random io.Reader) ([]byte, error) { return readRandom(random, f.size) }

func (f secretFamily) parse(material []byte) (privateKey, []byte, bool) {
	return secretKey(material), material, len(material) == f.size
}

// parsePublic refuses: there is none.
func (secretFamily) parsePublic([]byte) (publicKey, bool) { return nil, false }

// secretKey is the material itself, not a copy.
type secretKey []byte

func (secretKey) public() publicKey { return nil }

// readRandom reads a seed or a secret key.
func readRandom(random io.Reader, n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(random, b)
	return b, err
}
