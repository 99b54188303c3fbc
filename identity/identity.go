// Package identity knows who may call: principals, their credentials, and how a proof is checked.
//
// It guarantees that the secret of a credential is nowhere at rest: a bearer token is known by its
// SHA-256 alone, which says nothing about 256 random bits; that proving nobody gives one error
// whatever was wrong; and that every answer rests on items the gate
// re-checks before an operation passes, so that a revoked credential is dead when the revoking call
// has returned. It never decides what a principal may do: that is package access's.
package identity

// TokenPrefix begins every bearer token, so that scanners for leaked secrets find them.
const TokenPrefix = "haven_"

// tokenBytes is the randomness of a token.
const tokenBytes = 32

// MaxToken is the longest token that is looked at, in bytes.
const MaxToken = 256
