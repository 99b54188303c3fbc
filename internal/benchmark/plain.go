package benchmark

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
)

// plainKey is the one key of an opponent, as its requests name it.
const plainKey = "01890a5d-ac96-774b-bcce-b302099a8057"

// Requests and answers of the opponents: those of Haven's encrypt.
type (
	plainRequest struct {
		Key       string            `json:"key"`
		Plaintext []byte            `json:"plaintext"`
		Context   map[string]string `json:"context"`
	}
	plainAnswer struct {
		Ciphertext []byte `json:"ciphertext"`
		KeyID      string `json:"key_id"`
		Version    uint32 `json:"version"`
	}
)

// plain is an opponent: AES-256-GCM and JSON by the standard library, no authentication.
type plain struct {
	aead cipher.AEAD
	log  *groupLog // nil: nothing is recorded
}

// servePlain serves an opponent with the certificate in Haven's data folder.
func servePlain(ctx context.Context, data string, log *groupLog) (greeting, func() error, error) {
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return greeting{}, nil, err
	}
	p := &plain{log: log}
	if p.aead, err = cipher.NewGCMWithRandomNonce(block); err != nil {
		return greeting{}, nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/encrypt", p.encrypt)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return greeting{}, nil, err
	}
	ca, err := os.ReadFile(caFile(data))
	if err != nil {
		return greeting{}, nil, errors.Join(err, listener.Close())
	}
	s := &http.Server{Handler: mux, TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13}}
	run := func() error {
		go func() {
			<-ctx.Done()
			s.Close()
		}()
		err := s.ServeTLS(listener, certFile(data), certKeyOf(data))
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		return errors.Join(err, log.close())
	}
	return greeting{Endpoint: "https://" + listener.Addr().String(), CA: string(ca), Key: plainKey}, run, nil
}

func (p *plain) encrypt(w http.ResponseWriter, r *http.Request) {
	var req plainRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&req); err != nil || req.Key != plainKey {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	answer, err := json.Marshal(plainAnswer{Ciphertext: p.aead.Seal(nil, nil, req.Plaintext, nil), KeyID: plainKey, Version: 1})
	if err == nil && p.log != nil {
		var record [recordSize]byte
		copy(record[:], "encrypt "+plainKey)
		err = p.log.commit(record[:])
	}
	if err != nil {
		http.Error(w, fmt.Sprint("failed: ", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.Write(answer)
}
