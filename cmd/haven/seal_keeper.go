package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"gocloud.dev/secrets"
	"gocloud.dev/secrets/awskms"
	"gocloud.dev/secrets/hashivault"
)

// openKeeper opens a key that another system keeps. The libraries of clouds come in here and
// nowhere else: each costs some tens of seconds of a first build and megabytes of the binary. The
// id is what a slot says of the key: the URL without what follows "?", which may change.
func openKeeper(ctx context.Context, spec string) (keeper *secrets.Keeper, id string, err error) {
	u, err := url.Parse(spec)
	if err != nil {
		return nil, "", usagef("the seal is not a URL") // not quoted: it may hold a credential
	}
	if !slices.Contains([]string{awskms.Scheme, hashivault.Scheme}, u.Scheme) {
		return nil, "", usagef("no seal of kind %s://: awskms:// and hashivault:// are known", u.Scheme)
	}
	id = u.Scheme + "://" + u.Host + u.Path
	if keeper, err = secrets.OpenKeeper(ctx, spec); err != nil {
		return nil, "", fmt.Errorf("opening %s: %w", id, err)
	}
	return keeper, id, nil
}
