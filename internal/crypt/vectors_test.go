package crypt_test

import (
	"bytes"
	"crypto/fips140"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/haven-health/haven/internal/crypt"
)

// hexBytes is a string of hexadecimal digits in a vector.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type vectorGroup struct {
	KeySize int `json:"keySize"`
	IVSize  int `json:"ivSize"`
	TagSize int `json:"tagSize"`
	Tests   []struct {
		ID     int      `json:"tcId"`
		Key    hexBytes `json:"key"`
		IV     hexBytes `json:"iv"`
		AAD    hexBytes `json:"aad"`
		Msg    hexBytes `json:"msg"`
		CT     hexBytes `json:"ct"`
		Tag    hexBytes `json:"tag"`
		IKM    hexBytes `json:"ikm"`
		Salt   hexBytes `json:"salt"`
		Info   hexBytes `json:"info"`
		Size   int      `json:"size"`
		OKM    hexBytes `json:"okm"`
		Result string   `json:"result"`
	} `json:"tests"`
}

// vectors reads a file of Wycheproof's, from HAVEN_VECTORS or beside the module. Only where
// HAVEN_CI is not 1 may they be absent.
func vectors(t *testing.T, name string) []vectorGroup {
	t.Helper()
	dir := os.Getenv("HAVEN_VECTORS")
	if dir == "" {
		dir = "../../../shared/vectors"
	}
	b, err := os.ReadFile(filepath.Join(dir, "wycheproof", name))
	if os.IsNotExist(err) && os.Getenv("HAVEN_CI") != "1" {
		t.Skipf("no vectors: set HAVEN_VECTORS")
	}
	var file struct {
		Groups []vectorGroup `json:"testGroups"`
	}
	if err == nil {
		err = json.Unmarshal(b, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file.Groups
}

// mustHaveRun fails when a file had less than the cases it is known to have.
func mustHaveRun(t *testing.T, n, want int) {
	t.Helper()
	if n < want {
		t.Errorf("only %d cases", n)
	}
}

func TestWycheproofAESGCM(t *testing.T) {
	n := 0
	for _, g := range vectors(t, "aes_gcm_test.json") {
		if g.KeySize != 256 || g.IVSize != 96 || g.TagSize != 128 {
			continue
		}
		for _, v := range g.Tests {
			n++
			aead, err := crypt.NewAEAD(v.Key)
			if err != nil {
				t.Fatal(err)
			}
			got, err := aead.Open(nil, nil, bytes.Join([][]byte{v.IV, v.CT, v.Tag}, nil), v.AAD)
			if v.Result == "valid" && (err != nil || !bytes.Equal(got, v.Msg)) || v.Result != "valid" && err == nil {
				t.Errorf("case %d is %s: %v", v.ID, v.Result, err)
			}
		}
	}
	mustHaveRun(t, n, 60)
}

func TestWycheproofHKDF(t *testing.T) {
	n := 0
	for _, g := range vectors(t, "hkdf_sha256_test.json") {
		for _, v := range g.Tests {
			var prk []byte
			var err error
			// Some input keys are shorter than FIPS 140-3 mode allows; what is tested is what follows.
			fips140.WithoutEnforcement(func() { prk, err = hkdf.Extract(sha256.New, v.IKM, v.Salt) })
			if err != nil {
				t.Fatal(err)
			}
			if v.Result != "valid" {
				continue // too much output: here it is always 64 bytes
			}
			n++
			got := crypt.Expand(newSecret(prk), v.Info)
			if size := min(v.Size, len(got)); !bytes.Equal(got[:size], v.OKM[:size]) {
				t.Errorf("case %d", v.ID)
			}
		}
	}
	mustHaveRun(t, n, 75)
}

func TestWycheproofHMAC(t *testing.T) {
	n := 0
	for _, g := range vectors(t, "hmac_sha256_test.json") {
		if g.KeySize != 256 {
			continue
		}
		for _, v := range g.Tests {
			n++
			got := crypt.SumOne(newSecret(v.Key), v.Msg)[:g.TagSize/8]
			if equal := bytes.Equal(got, v.Tag); equal != (v.Result == "valid") {
				t.Errorf("case %d is %s: %v", v.ID, v.Result, equal)
			}
		}
	}
	mustHaveRun(t, n, 50)
}
