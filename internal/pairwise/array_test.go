package pairwise_test

import (
	"math/rand/v2"
	"testing"

	"github.com/haven-health/haven/internal/pairwise"
)

// TestRows: every pair stands together in a row, and there are few more rows than the two longest
// parameters make necessary.
func TestRows(t *testing.T) {
	for seed, levels := range [][]int{{1}, {3}, {2, 2}, {4, 3, 2}, {2, 2, 2, 2, 2, 2, 2, 2}, {30, 20, 5, 5, 3, 2, 2}, {7, 7, 7, 7, 7, 7}} {
		rows := pairwise.Rows(levels, rand.New(rand.NewPCG(uint64(seed), 1)))
		seen := map[[4]int]bool{}
		for _, row := range rows {
			for q := range row {
				if row[q] < 0 || row[q] >= levels[q] {
					t.Fatalf("%v: row %v", levels, row)
				}
				for p := range q {
					seen[[4]int{p, row[p], q, row[q]}] = true
				}
			}
		}
		want, least, second := 0, 0, 1
		for q := range levels {
			for p := range q {
				want += levels[p] * levels[q]
			}
			if levels[q] > least {
				least, second = levels[q], max(second, least)
			} else {
				second = max(second, levels[q])
			}
		}
		if len(seen) != want || len(rows) > 2*least*second+10 {
			t.Errorf("%v: %d of %d pairs in %d rows", levels, len(seen), want, len(rows))
		}
	}
}
