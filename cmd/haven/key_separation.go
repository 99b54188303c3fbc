package main

import (
	"context"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/haven-health/haven/client"
)

// dataTypeName is how a kind of data is called in tags and encryption contexts, as in the ready policy
// HavenKeySeparation.
const dataTypeName = "data_type"

// usesWithContext are the uses of a key that have an encryption context.
var usesWithContext = []string{
	"kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo",
	"kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:GenerateDataKeyPair", "kms:GenerateDataKeyPairWithoutPlaintext",
	"haven:HPKESeal", "haven:HPKEOpen",
}

// separate makes a new key one of a kind of data: a tag says so, and a policy of its own refuses every
// use that does not say the same in its encryption context.
func separate(ctx context.Context, c *client.Client, req *client.CreateKeyRequest, dataType string) error {
	if req.Policy != "" {
		return usagef("--data-type writes the key's policy: leave --policy out, or write the statement into it")
	}
	if req.Tags == nil {
		req.Tags = map[string]string{}
	}
	if other, given := req.Tags[dataTypeName]; given && other != dataType {
		return usagef("--tag %s=%s is another kind of data than --data-type", dataTypeName, other)
	}
	req.Tags[dataTypeName] = dataType
	caller, err := c.GetCallerIdentity(ctx)
	if err != nil {
		return err
	}
	type object = map[string]any
	document, err := json.Marshal(object{
		"Version": "2012-10-17",
		"Statement": []object{{
			"Sid": "LeftToTheAccount", "Effect": "Allow", "Principal": object{"AWS": caller.Account}, "Action": []string{"kms:*", "haven:*"}, "Resource": "*",
		}, {
			"Sid": "OneKindOfData", "Effect": "Deny", "Principal": "*", "Action": usesWithContext, "Resource": "*",
			"Condition": object{"StringNotEquals": object{"kms:EncryptionContext:" + dataTypeName: dataType}},
		}},
	}, json.Deterministic(true), jsontext.WithIndent("  "))
	req.Policy = string(document)
	return err
}
