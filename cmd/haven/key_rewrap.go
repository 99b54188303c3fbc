package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/haven-health/haven/client"
)

// rewrapPoll is how often a command that waits asks again: each question leaves a record.
const rewrapPoll = time.Second

func (a *app) keyRewrap() *cobra.Command {
	return a.oneKey("rewrap KEY", "Wait until the primary of a master key wraps all that the key wraps",
		`Wait until the primary of a master key wraps all that the key wraps. After a rotation, or the
compromise of a version, the server wraps the keys below it anew by itself; this shows how far it
is and returns when nothing is left. It starts nothing and may be interrupted. It fails at once if
the server waits itself: while the master key is disabled, pending deletion or without a primary.`,
		`  haven key rewrap alias/haven-master`,
		a.awaitRewrap)
}

// awaitRewrap asks until nothing is left.
func (a *app) awaitRewrap(ctx context.Context, c *client.Client, name string) (*client.Key, error) {
	ticker := time.NewTicker(rewrapPoll)
	defer ticker.Stop()
	for {
		k, err := c.DescribeKey(ctx, name)
		switch {
		case err != nil:
			return nil, err
		case k.RewrapLeft == nil:
			return nil, fmt.Errorf("key %s is a %s key: only a master key wraps others", k.KeyID, k.Type)
		case k.RewrapLeft.Count == 0 && !k.RewrapLeft.More:
			return k, nil
		case !k.Enabled:
			return nil, fmt.Errorf("%s key versions wait to be re-wrapped and cannot be while key %s is %s", wraps(k.RewrapLeft), k.KeyID, stateOf(k))
		case k.Version == 0:
			return nil, fmt.Errorf("%s key versions wait to be re-wrapped and cannot be while key %s has %s", wraps(k.RewrapLeft), k.KeyID, stateOf(k))
		}
		a.progress("%s key versions left…", wraps(k.RewrapLeft))
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-ticker.C:
		}
	}
}

// wraps is a count for people; "" where nothing was counted.
func wraps(w *client.Wraps) string {
	switch {
	case w == nil:
		return ""
	case w.More:
		return strconv.Itoa(w.Count) + " or more"
	}
	return strconv.Itoa(w.Count)
}
