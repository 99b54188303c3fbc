package store

import "fmt"

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// Check tells whether the reference can name an item; otherwise it returns [ErrInvalid].
func (r Ref) Check() error {
	if r.Kind == 0 || len(r.ID) == 0 || len(r.ID) > MaxID {
		return invalid("kind %d with an id of %d bytes", r.Kind, len(r.ID))
	}
	return nil
}

// Check tells whether the batch keeps the rules that can be seen from the batch alone, for a
// store with these limits; otherwise it returns [ErrInvalid]. Every store calls it first.
func (b *Batch) Check(l Limits) error {
	if len(b.Frame) == 0 || len(b.Frame) > MaxFrame {
		return invalid("frame of %d bytes", len(b.Frame))
	}
	if b.Next.Position <= b.Seen.Position {
		return invalid("no records between %d and %d", b.Seen.Position, b.Next.Position)
	}
	epoch := b.Seen.Epoch
	if len(b.Touched) > 0 {
		epoch.N++
	}
	if b.Next.Epoch != epoch {
		return invalid("epoch %v after %v, %d items touched", b.Next.Epoch, b.Seen.Epoch, len(b.Touched))
	}
	for _, ref := range b.Touched {
		if err := ref.Check(); err != nil {
			return err
		}
	}
	changing := make(map[int]struct{}, min(len(b.Changes), l.MaxChanging))
	for i := range b.Changes {
		c := &b.Changes[i]
		if err := c.check(b.Next.Epoch); err != nil {
			return err
		}
		changing[c.Op] = struct{}{}
	}
	if len(changing) > l.MaxChanging {
		return invalid("%d changing operations, at most %d", len(changing), l.MaxChanging)
	}
	return nil
}

func (c *Change) check(epoch Epoch) error {
	if err := c.Item.Ref.Check(); err != nil {
		return err
	}
	switch {
	case c.Op < 0:
		return invalid("operation %d", c.Op)
	case c.Item.Revision != c.Expected+1:
		return invalid("%s: revision %d after %d", c.Item.Ref, c.Item.Revision, c.Expected)
	case c.Delete && c.Expected == 0:
		return invalid("%s: deletion of what must not exist", c.Item.Ref)
	case c.Delete:
		return nil
	case len(c.Item.Body) > MaxBody:
		return invalid("%s: body of %d bytes", c.Item.Ref, len(c.Item.Body))
	case c.Item.Epoch != epoch:
		return invalid("%s: epoch %v in a commit of %v", c.Item.Ref, c.Item.Epoch, epoch)
	}
	for i, value := range c.Item.Index {
		if len(value) > MaxIndex {
			return invalid("%s: index %d of %d bytes", c.Item.Ref, i, len(value))
		}
	}
	return nil
}

// Check tells whether the query keeps its rules; otherwise it returns [ErrInvalid]. Every store
// calls it first.
func (q *Query) Check() error {
	switch {
	case q.Kind == 0:
		return invalid("query without a kind")
	case q.Limit < 1 || q.Limit > MaxPage:
		return invalid("page of %d items", q.Limit)
	case q.Value != "" && (q.Index < 0 || q.Index >= MaxIndexes):
		return invalid("index %d", q.Index)
	case len(q.Value) > MaxIndex || len(q.Prefix) > MaxID || len(q.After) > MaxID:
		return invalid("query over its limits")
	}
	return nil
}

// Check tells whether the query may be asked; otherwise it returns [ErrInvalid]. Every store calls
// it first.
func (q *DueQuery) Check() error {
	switch {
	case q.Limit < 1 || q.Limit > MaxPage:
		return invalid("page of %d items", q.Limit)
	case len(q.After.ID) > MaxID:
		return invalid("query over its limits")
	}
	return nil
}

// CheckGet tells whether these references may be asked for at once; otherwise it returns
// [ErrInvalid]. Every store calls it first.
func CheckGet(refs []Ref) error {
	if len(refs) > MaxGet {
		return invalid("%d items at once, at most %d", len(refs), MaxGet)
	}
	for _, ref := range refs {
		if err := ref.Check(); err != nil {
			return err
		}
	}
	return nil
}
