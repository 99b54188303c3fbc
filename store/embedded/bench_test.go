package embedded_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/embedded"
	"github.com/haven-health/haven/store/storetest"
)

// onDisk opens a store in a real folder, with the defaults of production but for the reserve.
func onDisk(tb testing.TB) (s *embedded.Store, path string) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "data")
	fs, err := disk.Dir(path)
	if err != nil {
		tb.Fatal(err)
	}
	s, err = embedded.Open(context.Background(), embedded.Config{FS: fs, Rand: rand.Reader, LowSpace: -1, Reserve: -1})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s, path
}

// newKey returns the changes of operation op that creates key number n: the key, its first version
// and the answer kept for a repetition, with lengths and indexes like the real ones.
func newKey(op, n int) []store.Change {
	id := make([]byte, 16, 20) // ascending, as a UUIDv7 is
	binary.BigEndian.PutUint64(id, uint64(n)<<16)
	sum := sha256.Sum256(id)
	copy(id[8:], sum[:])
	key := storetest.Item(store.KindKey, string(id), string(bytes.Repeat(sum[:10], 30)))
	key.Index[0] = "Patient data encryption"
	version := storetest.Item(store.KindVersion, string(append(id, 0, 0, 0, 1)), string(bytes.Repeat(sum[:10], 25)))
	version.Index[0] = "0123456789abcdef\x00\x00\x00\x01" // the master version that wraps it
	version.Due = 1_700_000_000_000 + int64(n)
	return []store.Change{storetest.Put(op, 0, key), storetest.Put(op, 0, version)}
}

func answer(op, n int) store.Change {
	id := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))
	it := storetest.Item(store.KindIdempotency, string(id[:]), string(make([]byte, 120)))
	it.Due = 1_700_000_000_000 + int64(n)
	return storetest.Put(op, 0, it)
}

func commit(tb testing.TB, s *embedded.Store, build *storetest.Builder, b *store.Batch) {
	tb.Helper()
	if err := s.Commit(context.Background(), b); err != nil {
		tb.Fatal(err)
	}
	build.Done(b)
}

func builder(tb testing.TB, s *embedded.Store) *storetest.Builder {
	tb.Helper()
	head, err := s.Head(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return storetest.NewBuilder(head)
}

// BenchmarkCreate commits batches of 16 operations that create a key each: three items.
func BenchmarkCreate(b *testing.B) {
	s, _ := onDisk(b)
	build := builder(b, s)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		var changes []store.Change
		for op := range 16 {
			changes = append(append(changes, newKey(op, n)...), answer(op, n))
			n++
		}
		commit(b, s, build, build.Batch(16, changes))
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "keys/s")
}

// BenchmarkUses commits batches of 16 records without changes.
func BenchmarkUses(b *testing.B) {
	s, _ := onDisk(b)
	build := builder(b, s)
	const ahead = 512
	var batches []*store.Batch
	b.ReportAllocs()
	for b.Loop() {
		if len(batches) == 0 {
			b.StopTimer()
			for range ahead {
				batch := build.Batch(16, nil)
				build.Done(batch)
				batches = append(batches, batch)
			}
			b.StartTimer()
		}
		if err := s.Commit(context.Background(), batches[0]); err != nil {
			b.Fatal(err)
		}
		batches = batches[1:]
	}
}

// BenchmarkSync is one write and one sync of a preallocated file, to compare with.
func BenchmarkSync(b *testing.B) {
	fs, err := disk.Dir(filepath.Join(b.TempDir(), "d"))
	if err != nil {
		b.Fatal(err)
	}
	f, err := fs.Create("f")
	if err != nil {
		b.Fatal(err)
	}
	if err := f.Preallocate(16 << 20); err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 1500)
	off := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.WriteAt(data, off); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		off = (off + 1500) % (15 << 20)
	}
}

// BenchmarkBytesPerKey fills a store with 100,000 keys, each a key and a version, every tenth with
// a kept answer, and reports the size of the database for each.
func BenchmarkBytesPerKey(b *testing.B) {
	const keys = 100_000
	for b.Loop() {
		s, path := onDisk(b)
		build := builder(b, s)
		for n := 0; n < keys; {
			var changes []store.Change
			for op := range 500 {
				changes = append(changes, newKey(op, n)...)
				if n%10 == 0 {
					changes = append(changes, answer(op, n))
				}
				n++
			}
			commit(b, s, build, build.Batch(500, changes))
		}
		if err := s.Close(); err != nil { // moves the log into the database
			b.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(path, "store.db"))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/keys, "B/key")
	}
}

// BenchmarkGet reads single items of 10,000 at random.
func BenchmarkGet(b *testing.B) {
	s, _ := onDisk(b)
	build := builder(b, s)
	var refs []store.Ref
	for n := 0; n < 10_000; {
		var changes []store.Change
		for op := range 500 {
			changes = append(changes, newKey(op, n)...)
			n++
		}
		for _, c := range changes {
			refs = append(refs, c.Item.Ref)
		}
		commit(b, s, build, build.Batch(500, changes))
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n = (n + 7919) % len(refs)
		items, _, err := s.Get(context.Background(), refs[n])
		if err != nil || items[0].Revision != 1 {
			b.Fatal(fmt.Sprint(items, err))
		}
	}
}

// BenchmarkOpen makes a new store.
func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		s, _ := onDisk(b)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
