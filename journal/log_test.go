package journal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/journal"
)

// book is a log on a simulated disk, and the frames it must hold.
type book struct {
	t      *testing.T
	sim    *disk.Sim
	log    *journal.Log
	tasks  []func()
	frames [][]byte
}

func newBook(t *testing.T) *book {
	b := &book{t: t, sim: disk.NewSim()}
	b.reopen()
	return b
}

func (b *book) config() journal.LogConfig {
	return journal.LogConfig{
		FS: b.sim, Live: "journal", Archive: "archive", SegmentSize: 2048,
		Spawn: func(task func()) { b.tasks = append(b.tasks, task) },
	}
}

func nothing(uint64) ([]byte, error) { return nil, nil }

func (b *book) open() error {
	log, err := journal.OpenLog(b.config(), &journal.State{Incarnation: 7}, nothing)
	if err == nil {
		b.log = log
	}
	return err
}

func (b *book) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *book) reopen() {
	b.t.Helper()
	if b.log != nil {
		b.must(b.log.Close())
	}
	b.must(b.open())
}

// background does the background work that waits.
func (b *book) background() {
	for len(b.tasks) > 0 {
		task := b.tasks[0]
		b.tasks = b.tasks[1:]
		task()
	}
}

// next returns a frame of some records that continues the log.
func (b *book) next(records int) []byte {
	b.t.Helper()
	state := b.log.State()
	var builder journal.Builder
	for i := range records {
		r := journal.Record{Operation: 1, Outcome: journal.Allowed, Parameters: strings.Repeat("x", 20)}
		binary.BigEndian.PutUint64(r.Request[:], state.Position+uint64(i)+1)
		encoded, err := journal.AppendRecord(nil, &r)
		b.must(err)
		builder.Add(encoded, nil)
	}
	data, err := builder.AppendFrame(nil, &journal.Header{
		Position: state.Position, Before: state.Chain, Incarnation: state.Incarnation, Epoch: state.Epoch,
		Batch: id(byte(len(b.frames) + 1)), Changes: len(b.frames)%3 == 0,
	})
	b.must(err)
	return data
}

// write appends and syncs frames.
func (b *book) write(frames int) {
	b.t.Helper()
	for range frames {
		data := b.next(1 + len(b.frames)%4)
		f, err := journal.DecodeFrame(data)
		b.must(err)
		b.must(b.log.Append(data, &f))
		b.must(b.log.Sync())
		b.frames = append(b.frames, data)
	}
}

// check reads everything back, from every record, and walks it.
func (b *book) check() {
	b.t.Helper()
	end := b.log.State().Position
	for from := range end {
		var want [][]byte
		for _, data := range b.frames {
			f, err := journal.DecodeFrame(data)
			b.must(err)
			if f.Position+uint64(f.Count) > from {
				want = append(want, data)
			}
		}
		n := 0
		for data, err := range b.log.Records(context.Background(), from, end) {
			b.must(err)
			if n == len(want) || !bytes.Equal(data, want[n]) {
				b.t.Fatalf("from record %d: frame %d differs", from, n)
			}
			n++
		}
		if n != len(want) {
			b.t.Fatalf("from record %d: %d frames of %d", from, n, len(want))
		}
	}
	v, err := b.log.Verify(context.Background())
	b.must(err)
	if v.Frames != uint64(len(b.frames)) || v.Records != end || v.End != b.log.State() {
		b.t.Fatalf("verified %+v, wrote %d frames, %d records", v, len(b.frames), end)
	}
}

func (b *book) names(folder string) []string {
	b.t.Helper()
	entries, err := b.sim.ReadDir(folder)
	b.must(err)
	var names []string
	for _, e := range entries {
		names = append(names, folder+"/"+e.Name())
	}
	return names
}

func TestLogKeepsFrames(t *testing.T) {
	b := newBook(t)
	for round := range 6 {
		b.write(12)
		b.check()
		if round%2 == 0 {
			b.background()
		} else {
			b.reopen()
		}
		b.check()
	}
	b.background()
	if n := len(b.names("archive")); n < 5 {
		t.Errorf("%d segments archived", n)
	}
	if n := len(b.names("journal")); n != 2 {
		t.Errorf("%d live segments, want the one in use and a spare", n)
	}
	b.must(b.log.Lag())
}

// What an earlier use of a file left behind is never taken for new frames.
func TestLogRecyclesFiles(t *testing.T) {
	b := newBook(t)
	b.write(60)
	b.background()
	names := b.names("journal")
	spare, err := b.sim.ReadFile(names[len(names)-1], 1<<20)
	b.must(err)
	if bytes.Count(spare, []byte("HVFR")) < 3 {
		t.Error("the spare holds no frames of an earlier use: the test shows nothing")
	}
	for range 12 {
		b.write(1)
		b.reopen()
		b.check()
	}
}

func TestLogLongFrame(t *testing.T) {
	b := newBook(t)
	b.write(3)
	data := b.next(100)
	f, err := journal.DecodeFrame(data)
	b.must(err)
	if len(data) < 4096 {
		t.Fatalf("only %d bytes", len(data))
	}
	b.must(b.log.Append(data, &f))
	b.must(b.log.Sync())
	b.frames = append(b.frames, data)
	b.write(10)
	b.background()
	b.check()
	b.reopen()
	b.check()
}

func TestLogRefusesWhatDoesNotContinue(t *testing.T) {
	b := newBook(t)
	b.write(2)
	f, err := journal.DecodeFrame(b.frames[0])
	b.must(err)
	if err := b.log.Append(b.frames[0], &f); !errors.Is(err, journal.ErrMalformed) {
		t.Errorf("an old frame: %v", err)
	}
	b.check()
}

// refused tells whether bytes were not taken for what they are not. A changed version number cannot
// be told from a later release.
func refused(err error) bool {
	return errors.Is(err, journal.ErrMalformed) || errors.Is(err, journal.ErrVersion)
}

// TestVerifyNamesEveryChangedByte flips each byte of header and frames of each file in turn:
// Verify finds it and names the file.
func TestVerifyNamesEveryChangedByte(t *testing.T) {
	b := newBook(t)
	b.write(20)
	b.background()
	b.write(3)
	files := append(b.names("archive"), b.names("journal")[0])
	if len(files) < 3 {
		t.Fatalf("only %d files", len(files))
	}
	for _, name := range files {
		f, err := b.sim.Open(name)
		b.must(err)
		data, err := b.sim.ReadFile(name, 1<<20)
		b.must(err)
		used := bytes.LastIndex(data, []byte("HVFR"))
		n, _ := journal.FrameLength(data[used:])
		for off := range used + n {
			_, err := f.WriteAt([]byte{data[off] ^ 0x10}, int64(off))
			b.must(err)
			if _, err := b.log.Verify(context.Background()); !refused(err) || !strings.Contains(err.Error(), name) {
				t.Fatalf("%s, byte %d: %v", name, off, err)
			}
			_, err = f.WriteAt(data[off:off+1], int64(off))
			b.must(err)
		}
	}
	b.check()
}

// TestOpenRefusesALostRecord damages each frame of the newest segment but the last: cutting there
// would lose the durable ones behind, so the log does not open, and stays as it is.
func TestOpenRefusesALostRecord(t *testing.T) {
	b := newBook(t)
	b.write(4)
	b.must(b.log.Close())
	b.log = nil
	name := b.names("journal")[0]
	data, err := b.sim.ReadFile(name, 1<<20)
	b.must(err)
	f, err := b.sim.Open(name)
	b.must(err)
	last := bytes.LastIndex(data, []byte("HVFR"))
	for off := 512; off < last; off++ {
		_, err := f.WriteAt([]byte{data[off] ^ 0x10}, int64(off))
		b.must(err)
		if err := b.open(); !refused(err) {
			t.Fatalf("byte %d: %v", off, err)
		}
		_, err = f.WriteAt(data[off:off+1], int64(off))
		b.must(err)
	}
	b.reopen()
	b.check()
}

// A torn last frame is cut off, at whatever byte it is torn.
func TestOpenCutsATornTail(t *testing.T) {
	whole := newBook(t)
	whole.write(3)
	end := len(whole.next(2))
	for cut := range end {
		b := newBook(t)
		b.write(3)
		b.must(b.log.Close())
		b.log = nil
		name := b.names("journal")[0]
		data, err := b.sim.ReadFile(name, 1<<20)
		b.must(err)
		used := bytes.LastIndex(data, []byte("HVFR"))
		n, _ := journal.FrameLength(data[used:])
		f, err := b.sim.Open(name)
		b.must(err)
		torn := whole.next(2)
		_, err = f.WriteAt(torn[:cut], int64(used+n))
		b.must(err)
		if len(bytes.TrimRight(torn, "\x00")) <= cut { // what is missing is zeros, and there already
			b.frames = append(b.frames, torn)
		}
		b.reopen()
		b.check()
		b.write(2)
		b.reopen()
		b.check()
		b.must(b.log.Close())
	}
}

func TestOpenMissesASegment(t *testing.T) {
	b := newBook(t)
	b.write(40)
	b.background()
	b.must(b.log.Close())
	b.log = nil
	names := b.names("archive")
	b.must(b.sim.Remove(names[len(names)/2]))
	if err := b.open(); !errors.Is(err, journal.ErrMalformed) {
		t.Errorf("an archived segment is gone: %v", err)
	}
	b = newBook(t)
	b.write(40)
	b.background()
	b.must(b.log.Close())
	b.log = nil
	for _, name := range b.names("journal") {
		b.must(b.sim.Remove(name))
	}
	if err := b.open(); !errors.Is(err, journal.ErrMalformed) {
		t.Errorf("the live segments are gone: %v", err)
	}
}

// A later release's files are not touched.
func TestOpenRefusesALaterVersion(t *testing.T) {
	b := newBook(t)
	b.write(1)
	b.must(b.log.Close())
	name := b.names("journal")[0]
	data, err := b.sim.ReadFile(name, 1<<20)
	b.must(err)
	data[512+4]++ // the version of the frame
	f, err := b.sim.Open(name)
	b.must(err)
	_, err = f.WriteAt(data, 0)
	b.must(err)
	if err := b.open(); !errors.Is(err, journal.ErrVersion) {
		t.Errorf("a frame of a later version: %v", err)
	}
}

// A reader that stands in a segment while it is archived and its file used again reads what stood
// there.
func TestRecordsWhileRecycling(t *testing.T) {
	b := newBook(t)
	b.write(10)
	end := b.log.State().Position
	written := bytes.Join(b.frames, nil)
	var read []byte
	for data, err := range b.log.Records(context.Background(), 0, end) {
		b.must(err)
		read = append(read, data...)
		b.write(15)
		b.background()
	}
	if !bytes.Equal(read, written) {
		t.Error("the reader saw other frames")
	}
	b.check()
}

// With real goroutines nothing waits for a test to happen: the race detector looks on.
func TestLogConcurrently(t *testing.T) {
	b := &book{t: t, sim: disk.NewSim()}
	config := b.config()
	config.Spawn = nil
	log, err := journal.OpenLog(config, &journal.State{Incarnation: 7}, nothing)
	b.must(err)
	b.log = log
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				end := log.State().Position
				for _, err := range log.Records(context.Background(), end/2, end) {
					if err != nil {
						t.Error(err)
						return
					}
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	b.write(300)
	close(done)
	readers.Wait()
	b.check()
	b.must(log.Close())
}

// A failed sync kills the log, for good.
func TestFailedSyncKillsTheLog(t *testing.T) {
	b := newBook(t)
	b.write(2)
	failed := false
	b.sim.SetHook(func(op disk.Op) disk.Fault {
		if op.Kind == disk.OpSync && !failed {
			failed = true
			return disk.Fault{Err: errors.New("EIO")}
		}
		return disk.Fault{}
	})
	data := b.next(1)
	f, err := journal.DecodeFrame(data)
	b.must(err)
	b.must(b.log.Append(data, &f))
	for range 2 {
		if err := b.log.Sync(); !errors.Is(err, disk.ErrFailed) {
			t.Fatalf("sync: %v", err)
		}
	}
	if err := b.log.Reserve(1); !errors.Is(err, disk.ErrFailed) {
		t.Errorf("reserve: %v", err)
	}
	b.sim.PowerCut(rand.New(rand.NewPCG(1, 1)))
	b.must(b.open())
	b.check()
}

// Of the archive's folder only what this log made is its own to remove.
func TestArchiveKeepsWhatIsNotOurs(t *testing.T) {
	b := newBook(t)
	b.write(40)
	b.background()
	ours := "archive/00000000000000ff-00000000000000ff.seg.tmp"
	for _, name := range []string{ours, "archive/notes.tmp", "archive/1-2.seg.tmp"} {
		_, err := b.sim.Create(name)
		b.must(err)
	}
	b.must(b.sim.MkdirAll("archive/copy.tmp"))
	b.must(b.sim.MkdirAll("archive/0000000000000ff0-0000000000000ff0.seg.tmp"))
	b.must(b.sim.MkdirAll("archive/0000000000000ff0-0000000000000ff0.seg"))
	before := b.names("archive")
	b.reopen()
	b.write(3)
	b.check()
	want := slices.DeleteFunc(before, func(name string) bool { return name == ours })
	if got := b.names("archive"); !slices.Equal(got, want) {
		t.Errorf("the archive holds %q, want %q", got, want)
	}
}
