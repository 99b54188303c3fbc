package crashtest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/haven-health/haven/gate"
)

// suspect notes a key that a violation is about.
func (r *round) suspect(id gate.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.suspects, id) {
		r.suspects = append(r.suspects, id)
	}
}

// postmortem writes what the clients did to the keys that violations are about, beside the store.
func (r *round) postmortem() error {
	if len(r.suspects) == 0 {
		return nil
	}
	calls := slices.Clone(r.history)
	slices.SortFunc(calls, func(a, b call) int { return int(a.invoked - b.invoked) })
	var text strings.Builder
	for _, id := range r.suspects {
		fmt.Fprintf(&text, "key %s\n", id)
		for i := range calls {
			if c := &calls[i]; c.key == id {
				fmt.Fprintf(&text, "  cycle %d %10s to %10s %s @%d %s request %s\n",
					c.cycle, c.invoked, c.answered, c.op.Name, c.version, c.code, c.request)
			}
		}
	}
	return os.WriteFile(filepath.Join(r.servers.folder, "history.txt"), []byte(text.String()), 0o600)
}
