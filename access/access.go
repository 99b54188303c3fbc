// Package access decides who may do what, by IAM policy documents in AWS's grammar. It is pure: a
// request and what is known of it go in, a decision comes out; it reads no store, no clock and no
// network.
//
// It guarantees that what is not explicitly allowed is denied; that an explicit Deny wins, wherever
// it stands; that a document which it compiled is honoured in every word, and one that cannot be is
// refused, with the place; that a variable's value is literal, whatever is in it; and that a
// wildcard in an ARN stays within its part. It decides by ids, never by a name where there is an id.
//
// Where AWS documents how policies are evaluated, it does the same (IAM User Guide, "Policy
// evaluation logic"; KMS Developer Guide, "Key policies").
package access
