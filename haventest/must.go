package haventest

import "github.com/haven-health/haven/client"

// The Must functions call the server as the administrator and end the test when that fails.

// MustCreateKey creates a data key with the default periods.
func (s *Server) MustCreateKey(purpose string) *client.Key {
	s.t.Helper()
	key, err := s.Client.CreateKey(s.t.Context(), client.CreateKeyRequest{Purpose: purpose, Type: client.Data})
	s.must("create-key", err)
	return key
}

// MustRotateKey makes a new version of a key the primary.
func (s *Server) MustRotateKey(key string) *client.Key {
	s.t.Helper()
	rotated, err := s.Client.RotateKey(s.t.Context(), key)
	s.must("rotate-key", err)
	return rotated
}

// MustEncrypt encrypts for a context, which may be nil, and returns the ciphertext.
func (s *Server) MustEncrypt(key string, plaintext []byte, context map[string]string) []byte {
	s.t.Helper()
	answer, err := s.Client.Encrypt(s.t.Context(), client.EncryptRequest{Key: key, Plaintext: plaintext, Context: context})
	s.must("encrypt", err)
	return answer.Ciphertext
}

// MustDecrypt decrypts what was encrypted for the context and returns the plaintext.
func (s *Server) MustDecrypt(ciphertext []byte, context map[string]string) []byte {
	s.t.Helper()
	answer, err := s.Client.Decrypt(s.t.Context(), client.DecryptRequest{Ciphertext: ciphertext, Context: context})
	s.must("decrypt", err)
	return answer.Plaintext
}
