package disk

import (
	"math/rand/v2"
	"slices"
)

// PowerCut takes away what was not durable and starts the machine again: of the unsynced writes
// any subset of sectors survives, of the unsynced names any prefix or any subset of the changes,
// as rng decides. Files opened before are dead, locks are free, the hook and CutPowerAt are
// forgotten.
func (s *Sim) PowerCut(rng *rand.Rand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	nodes := map[int64]*node{}
	for _, names := range []map[string]*node{s.live, s.durable} {
		for _, n := range names {
			nodes[n.id] = n
		}
	}
	for _, op := range s.pending {
		if op.node != nil {
			nodes[op.node.id] = op.node
		}
	}
	ids := make([]int64, 0, len(nodes))
	for id := range nodes {
		ids = append(ids, id)
	}
	slices.Sort(ids) // the order decides what rng's numbers mean
	for _, id := range ids {
		nodes[id].powerCut(rng)
	}
	survives := nameSurvival(rng, len(s.pending))
	for i, op := range s.pending {
		if survives(i) {
			op.persist(s.durable)
		}
	}
	s.restart(nodes)
}

// Kill ends the process that uses the disk, without a power cut: what was written stays readable,
// synced or not, also what a failed sync lost. Files opened before are dead, locks are free, the
// hook and CutPowerAt are forgotten.
func (s *Sim) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locks, s.off, s.cutAt, s.hook = map[string]bool{}, false, 0, nil
	s.life++
}

// nameSurvival chooses how unsynced names survive: all, none, a prefix, or each by itself.
func nameSurvival(rng *rand.Rand, n int) func(int) bool {
	switch rng.IntN(4) {
	case 0:
		return func(int) bool { return false }
	case 1:
		return func(int) bool { return true }
	case 2:
		end := rng.IntN(n + 1)
		return func(i int) bool { return i < end }
	}
	return func(int) bool { return rng.IntN(2) == 0 }
}

// restart makes what is durable the running system.
func (s *Sim) restart(nodes map[int64]*node) {
	for _, n := range nodes {
		n.links = 0
	}
	s.live, s.used = map[string]*node{}, 0
	for name, n := range s.durable {
		s.live[name] = n
	}
	for name := range s.durable { // nothing is left below a folder that is gone
		for dir := parentOf(name); dir != "."; dir = parentOf(dir) {
			if s.durable[dir] == nil {
				delete(s.live, name)
			}
		}
	}
	s.durable = map[string]*node{}
	for name, n := range s.live {
		s.durable[name] = n
		if n.links++; n.links == 1 && !n.dir {
			s.used += int64(len(n.live))
		}
	}
	s.pending, s.locks = nil, map[string]bool{}
	s.off, s.cutAt, s.hook = false, 0, nil
	s.life++
}
