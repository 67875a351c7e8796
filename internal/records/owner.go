package records

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/store"
)

// Listed is a record that was found by its owner, not by a client's id. Its Doc is nil if
// it cannot be decoded, and its ID is "".
type Listed struct {
	Found
	Owner     string // an index may list a session that has another owner by now
	Live      bool   // the record is a live session
	Successor string // set if the record is what Renew left under the old id
}

// List yields the live sessions of an owner. It yields an error last: [ErrNoOwner]; a
// [Failure]; [errors.ErrUnsupported].
func (r *Records) List(ctx context.Context, owner string) iter.Seq2[Listed, error] {
	if owner == "" {
		return func(yield func(Listed, error) bool) { yield(Listed{}, ErrNoOwner) }
	}
	return r.live(ctx, owner)
}

// ListAll yields the live sessions of all owners, and those without an owner.
func (r *Records) ListAll(ctx context.Context) iter.Seq2[Listed, error] { return r.live(ctx, "") }

func (r *Records) live(ctx context.Context, owner string) iter.Seq2[Listed, error] {
	return func(yield func(Listed, error) bool) {
		for rec, err := range r.list(ctx, owner) {
			if err != nil {
				yield(Listed{}, err)
				return
			}
			if l := r.read(rec); l.Live && (owner == "" || l.Owner == owner) && !yield(l, nil) {
				return
			}
		}
	}
}

// list yields what the store lists, and limits the time that the store takes for each
// record.
func (r *Records) list(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		l, ok := store.As[store.Lister](r.Store)
		if !ok {
			yield(store.Record{}, fmt.Errorf("session: listing: %T does not list: %w", r.Store, errors.ErrUnsupported))
			return
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		timer := time.AfterFunc(r.LoadTimeout, func() { cancel(context.DeadlineExceeded) })
		defer timer.Stop()
		for rec, err := range l.List(ctx, owner) {
			timer.Stop() // the caller may take longer with each record
			if cause := context.Cause(ctx); err != nil && cause != nil {
				err = fmt.Errorf("%w: %w", cause, err)
			}
			if err != nil {
				yield(store.Record{}, Failed("listing", err))
				return
			}
			if !yield(rec, nil) {
				return
			}
			timer.Reset(r.LoadTimeout)
		}
	}
}

// read reads a record. A session that cannot be decoded is of no use to anybody, but it is
// listed with what the record says.
func (r *Records) read(rec store.Record) Listed {
	l := Listed{Found: Found{Rec: rec, Key: rec.ID}}
	doc, err := r.Codec.Read(rec.ID, rec.Data)
	if err != nil {
		l.Owner, l.Live = rec.Owner, true
		return l
	}
	info := doc.Bookkeeping()
	l.Doc, l.Owner = doc, r.OwnerOf(&rec, info)
	switch {
	case info.Ended, info.Login:
	case info.Successor != "":
		l.Successor = info.Successor
	default:
		l.Live = !r.over(info.Created)
	}
	return l
}

// find returns the owner's session with the given digest, nil if there is none.
func (r *Records) find(ctx context.Context, owner, digest string) (*Listed, error) {
	if owner == "" {
		return nil, ErrNoOwner
	}
	for rec, err := range r.list(ctx, owner) {
		if err != nil {
			return nil, err
		}
		if r.IDs.Digest(rec.ID) != digest {
			continue
		}
		l := r.read(rec)
		found := &l
		if l.Owner == owner && l.Successor != "" {
			if found, err = r.follow(ctx, l.Successor); found == nil || err != nil {
				return nil, err
			}
		}
		if found.Owner != owner || !found.Live {
			return nil, nil
		}
		return found, nil
	}
	return nil, nil
}

// follow finds a session from the key at which it was last seen, even if it was renewed
// long ago. It returns nil if the session has ended.
func (r *Records) follow(ctx context.Context, key string) (*Listed, error) {
	for range maxHops {
		l, err := r.at(ctx, key)
		if l.Live || err != nil {
			return &l, err
		}
		if key = l.Successor; key == "" {
			break
		}
	}
	return nil, nil
}

// at reads the record under key. If there is none, the result is neither live nor a
// pointer.
func (r *Records) at(ctx context.Context, key string) (Listed, error) {
	d := deadline.Within(ctx, r.LoadTimeout)
	defer d.End()
	rec, err := r.record(d, key)
	switch {
	case err == nil:
		return r.read(rec), nil
	case errors.Is(err, store.ErrNotFound):
		return Listed{}, nil
	}
	return Listed{}, Failed("loading", err)
}
