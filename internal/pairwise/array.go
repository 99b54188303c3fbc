// Package pairwise asks a whole Haven process for every operation with every pair of values that its
// parameters can take: valid ones, their bounds, absent, of another type, empty, huge, and the names
// of keys of every kind and state.
//
// Most defects of input need no more than two parameters to meet (Kuhn, Wallace, Gallo: Software Fault
// Interactions, IEEE TSE 30(6), 2004), so a covering array of strength two finds them in some hundred
// calls where all combinations would be billions. What is asked comes from the OpenAPI document that
// the process itself serves: an operation or a parameter added later is asked too, and one without
// values fails the test.
package pairwise

import "math/rand/v2"

// Rows returns a covering array of strength two: for any two parameters, each pair of their levels
// stands together in a row. A parameter has levels[i] of them, 0 to levels[i]-1, at least one. The
// rows are random, made greedily: each takes the levels that cover most of what is left.
func Rows(levels []int, rng *rand.Rand) [][]int {
	left := newPairs(levels)
	var rows [][]int
	for left.n > 0 {
		row := left.begin(rng)
		for _, p := range rng.Perm(len(levels)) {
			if row[p] < 0 {
				row[p] = left.best(row, p, rng)
			}
		}
		left.cover(row)
		rows = append(rows, row)
	}
	if len(rows) == 0 && len(levels) == 1 { // one parameter has no pairs
		for v := range levels[0] {
			rows = append(rows, []int{v})
		}
	}
	return rows
}

// pairs are the pairs that no row has yet.
type pairs struct {
	levels []int
	open   map[pair]int // its place in list
	list   []pair
	n      int
}

// pair is level v of parameter p together with level w of parameter q; p < q.
type pair struct{ p, v, q, w int }

func newPairs(levels []int) *pairs {
	left := &pairs{levels: levels, open: map[pair]int{}}
	for q := range levels {
		for p := range q {
			for v := range levels[p] {
				for w := range levels[q] {
					left.open[pair{p, v, q, w}] = len(left.list)
					left.list = append(left.list, pair{p, v, q, w})
				}
			}
		}
	}
	left.n = len(left.list)
	return left
}

// begin returns a row with a random pair of those left; -1 is a level not chosen.
func (l *pairs) begin(rng *rand.Rand) []int {
	row := make([]int, len(l.levels))
	for i := range row {
		row[i] = -1
	}
	first := l.list[rng.IntN(l.n)]
	row[first.p], row[first.q] = first.v, first.w
	return row
}

func (l *pairs) between(p, v, q, w int) pair {
	if p < q {
		return pair{p, v, q, w}
	}
	return pair{q, w, p, v}
}

// best returns the level of parameter p that covers most pairs with what the row has, one of the
// best at random.
func (l *pairs) best(row []int, p int, rng *rand.Rand) int {
	most, at, same := -1, 0, 0
	for v := range l.levels[p] {
		n := 0
		for q, w := range row {
			if w < 0 {
				continue
			}
			if _, open := l.open[l.between(p, v, q, w)]; open {
				n++
			}
		}
		switch {
		case n > most:
			most, at, same = n, v, 1
		case n == most:
			if same++; rng.IntN(same) == 0 {
				at = v
			}
		}
	}
	return at
}

// cover takes the row's pairs out.
func (l *pairs) cover(row []int) {
	for q := range row {
		for p := range q {
			c := pair{p, row[p], q, row[q]}
			i, open := l.open[c]
			if !open {
				continue
			}
			l.n--
			last := l.list[l.n]
			l.list[i], l.open[last] = last, i
			delete(l.open, c)
		}
	}
}

// Random returns n rows of levels, each level by chance.
func Random(levels []int, n int, rng *rand.Rand) [][]int {
	rows := make([][]int, n)
	for i := range rows {
		rows[i] = make([]int, len(levels))
		for p := range levels {
			rows[i][p] = rng.IntN(levels[p])
		}
	}
	return rows
}
