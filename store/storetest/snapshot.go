package storetest

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/haven-health/haven/journal"
	"github.com/haven-health/haven/store"
)

// snapshotCommits is how many commits the readers race with.
const snapshotCommits = 100

// testSnapshots changes two items together again and again, each time with the epoch, while
// readers look: they see both of one commit, never a mixture, and never go back.
func testSnapshots(s *suite) {
	pair := []store.Ref{key("left"), key("right")}
	write := func(n int) {
		body := fmt.Sprint(n)
		s.commit(s.build.Batch(1, []store.Change{
			Put(0, uint64(n), Item(store.KindKey, "left", body)), Put(0, uint64(n), Item(store.KindKey, "right", body)),
		}, pair...))
	}
	write(0)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for _, look := range []func(last *store.Head) error{
		func(last *store.Head) error { return s.lookAtItems(last, pair) },
		func(last *store.Head) error { return s.lookAtPage(last) },
		func(last *store.Head) error { return s.lookAtRecords(last) },
	} {
		readers.Go(func() {
			var last store.Head
			for {
				if err := look(&last); err != nil {
					s.Error(err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for n := range snapshotCommits {
		write(n + 1)
	}
	close(done)
	readers.Wait()
}

func (s *suite) lookAtItems(last *store.Head, pair []store.Ref) error {
	items, epoch, err := s.store.Get(context.Background(), pair...)
	if err != nil {
		return err
	}
	return whole("Get", last, items, epoch)
}

func (s *suite) lookAtPage(last *store.Head) error {
	page, err := s.store.List(context.Background(), store.Query{Kind: store.KindKey, Limit: 10})
	if err != nil {
		return err
	}
	return whole("List", last, page.Items, page.Epoch)
}

func whole(method string, last *store.Head, items []store.Item, epoch store.Epoch) error {
	if len(items) != 2 || !bytes.Equal(items[0].Body, items[1].Body) || items[0].Revision != items[1].Revision ||
		items[0].Epoch != epoch || items[1].Epoch != epoch {
		return fmt.Errorf("%s at epoch %v: no snapshot: %v", method, epoch, items)
	}
	if epoch.N < last.Epoch.N {
		return fmt.Errorf("%s: epoch %v after %v", method, epoch, last.Epoch)
	}
	last.Epoch = epoch
	return nil
}

// lookAtRecords reads on from where it was; Head, read before, is what must be there at least.
func (s *suite) lookAtRecords(last *store.Head) error {
	head, err := s.store.Head(context.Background())
	if err != nil {
		return err
	}
	for f, err := range s.store.Records(context.Background(), last.Position) {
		if err != nil {
			return err
		}
		frame, err := journal.DecodeFrame(f.Data)
		if err != nil {
			return err
		}
		if frame.Position != last.Position || frame.Before != last.Chain {
			return fmt.Errorf("Records: frame at %d after %d records", frame.Position, last.Position)
		}
		last.Position += uint64(frame.Count)
		last.Chain = frame.After
	}
	if last.Position < head.Position {
		return fmt.Errorf("Records: %d records, the head before was %d", last.Position, head.Position)
	}
	return nil
}
