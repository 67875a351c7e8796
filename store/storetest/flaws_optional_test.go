package storetest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/nestsession/session/store"
)

var optionalFlaws = []flaw{
	{"LoadSince/SameVersion", "returns the data again", func(b *bent) {
		b.since = func(ctx context.Context, id string, _ store.Version) (store.Record, error) { return b.load(ctx, id) }
	}},
	{"LoadSince/SameVersion", "leaves out the expiry, too", func(b *bent) {
		b.since = func(ctx context.Context, id string, have store.Version) (store.Record, error) {
			r, err := b.load(ctx, id)
			if r.Version == have {
				r.Expires, r.Data = time.Time{}, nil
			}
			return r, err
		}
	}},
	{"LoadSince/OtherVersion", "takes an older version for the present one", func(b *bent) {
		b.since = func(ctx context.Context, id string, have store.Version) (store.Record, error) {
			r, err := b.load(ctx, id)
			if have != 0 {
				r.Data = nil
			}
			return r, err
		}
	}},
	{"LoadSince/OtherVersion", "takes no version for the present one", func(b *bent) {
		b.since = func(ctx context.Context, id string, have store.Version) (store.Record, error) {
			r, err := b.load(ctx, id)
			if have == 0 {
				have = r.Version
			}
			return newer(r, have), err
		}
	}},
	{"LoadSince/AnotherLife", "counts the versions of each life from one", func(b *bent) {
		b.since = func(ctx context.Context, id string, _ store.Version) (store.Record, error) {
			r, err := b.load(ctx, id)
			return newer(r, r.Version), err
		}
	}},
	{"LoadSince/Ended", "does not look at the expiry if the version is the same", func(b *bent) {
		b.since = func(_ context.Context, id string, have store.Version) (store.Record, error) {
			r, _ := b.kept(id)
			return newer(r, have), nil
		}
	}},

	{"List/All", "lists the first page alone", func(b *bent) {
		b.listed(func(_ string, all []store.Record) []store.Record { return all[:min(len(all), 100)] })
	}},
	{"List/All", "yields a record twice", func(b *bent) {
		b.listed(func(_ string, all []store.Record) []store.Record { return append(all, all[:min(1, len(all))]...) })
	}},
	{"List/Owner", "lists everybody's", func(b *bent) {
		b.listed(func(_ string, all []store.Record) []store.Record { return all })
	}},
	{"List/OddOwners", "folds the owner's case", func(b *bent) {
		b.listed(func(owner string, all []store.Record) []store.Record {
			return slices.DeleteFunc(all, func(r store.Record) bool { return !strings.EqualFold(r.Owner, owner) })
		})
	}},
	{"List/ChangedOwner", "lists by the owner of old", func(b *bent) {
		first := map[string]string{}
		b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
			first[r.ID] = r.Owner
			return b.table.Create(ctx, r)
		}
		b.listed(func(owner string, all []store.Record) []store.Record {
			return slices.DeleteFunc(all, func(r store.Record) bool { return owner != "" && first[r.ID] != owner })
		})
	}},
	{"List/Ended", "lists expired records", func(b *bent) {
		b.listed(func(_ string, all []store.Record) []store.Record { return all })
	}},
	{"List/BreakOff", "goes on yielding when the loop has ended", func(b *bent) {
		b.list = func(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				for r, err := range b.table.List(ctx, owner) {
					yield(r, err)
				}
			}
		}
	}},
	{"List/BodyCallsStore", "holds its lock while it yields", func(b *bent) {
		b.list = func(ctx context.Context, _ string) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				b.lock()
				defer b.unlock()
				for _, r := range b.records {
					if !yield(r, ctx.Err()) {
						return
					}
				}
			}
		}
	}},
	{"List/BodyDeletes", "finds the next page by counting", func(b *bent) {
		b.list = func(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				for offset := 0; ; offset += 50 {
					var all []store.Record
					for r := range b.table.List(ctx, owner) {
						all = append(all, r)
					}
					slices.SortFunc(all, func(x, y store.Record) int { return strings.Compare(x.ID, y.ID) })
					if offset >= len(all) {
						return
					}
					for _, r := range all[offset:min(offset+50, len(all))] {
						if !yield(r, nil) {
							return
						}
					}
				}
			}
		}
	}},
	{"List/EndedContext", "stops silently when the context ends", func(b *bent) {
		b.list = func(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				for r, err := range b.table.List(ctx, owner) {
					if err != nil || !yield(r, nil) {
						return
					}
				}
			}
		}
	}},
	{"List/EndedContext", "hides a context that ends on the way", func(b *bent) {
		b.list = func(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
			return func(yield func(store.Record, error) bool) {
				n := 0
				for r, err := range b.table.List(ctx, owner) {
					if n > 0 && err != nil || !yield(r, err) {
						return
					}
					n++
				}
			}
		}
	}},

	{"Watch/Update", "reports deletions alone", func(b *bent) {
		b.watch = heard(b, func(ev *store.Event) bool { return ev.Ended })
	}},
	{"Watch/Update", "takes every change for an end", func(b *bent) {
		b.watch = heard(b, func(ev *store.Event) bool { ev.Ended = true; return true })
	}},
	{"Watch/Update", "says that all is well and nothing else", func(b *bent) {
		b.watch = heard(b, func(ev *store.Event) bool { *ev = store.Event{Whole: time.Now()}; return true })
	}},
	{"Watch/Touch", "does not report Touch", func(b *bent) {
		quietTouch(b, later)
	}},
	{"Watch/TouchNearer", "reports no Touch at all", func(b *bent) { quietTouch(b, func(time.Time, time.Time) bool { return true }) }},
	{"Watch/TouchToThePast", "reports no Touch at all", func(b *bent) { quietTouch(b, func(time.Time, time.Time) bool { return true }) }},
	{"Watch/Delete", "reports the end of nothing but what watchers did", func(b *bent) {
		b.watch = heard(b, func(ev *store.Event) bool { return strings.HasSuffix(ev.ID, "1") })
	}},
	{"Watch/Several", "reports to one watcher alone", func(b *bent) {
		turn := make(chan struct{}, 1)
		b.watch = func(ctx context.Context, fn func(store.Event)) error {
			heardOf := false
			return b.table.Watch(ctx, func(ev store.Event) {
				select {
				case turn <- struct{}{}:
					heardOf = true
				default:
				}
				fn(store.Event{ID: map[bool]string{true: ev.ID, false: "other"}[heardOf]})
			})
		}
	}},
	{"Watch/OneAtATime", "starts a goroutine for each event", func(b *bent) {
		b.watch = func(ctx context.Context, fn func(store.Event)) error {
			return b.table.Watch(ctx, func(ev store.Event) { go fn(ev) })
		}
	}},
	{"Watch/CallsStore", "holds its lock while it reports", func(b *bent) {
		b.watch = func(ctx context.Context, fn func(store.Event)) error {
			return b.table.Watch(ctx, func(ev store.Event) {
				b.lock()
				defer b.unlock()
				fn(ev)
			})
		}
	}},
	{"Watch/SlowWatcher", "waits for its watchers", func(b *bent) {
		b.watch = func(ctx context.Context, fn func(store.Event)) error {
			return b.table.Watch(ctx, func(ev store.Event) {
				b.lock()
				defer b.unlock()
				fn(ev)
			})
		}
	}},
	{"Watch/SlowWatcher", "drops silently what is too much", func(b *bent) {
		b.watch = func(ctx context.Context, fn func(store.Event)) error {
			n := 0
			return b.table.Watch(ctx, func(ev store.Event) {
				if n++; n < 100 {
					fn(ev)
				}
			})
		}
	}},
	{"Watch/EndsWithContext", "returns no error", func(b *bent) {
		b.watch = func(ctx context.Context, fn func(store.Event)) error {
			_ = b.table.Watch(ctx, fn)
			return nil
		}
	}},
	{"Watch/EndsWithContext", "reports on after it has returned", func(b *bent) {
		b.watch = func(ctx context.Context, fn func(store.Event)) error {
			go func() {
				if ctx.Err() == nil {
					_ = b.table.Watch(quitContext(b), fn)
				}
			}()
			<-ctx.Done()
			return ctx.Err()
		}
	}},

	{"Sweep/Removes", "removes one batch alone", func(b *bent) {
		b.sweep = func(ctx context.Context) (int, error) {
			n := 0
			return n, b.expiredOnes(ctx, func(r store.Record) bool {
				if n < 100 {
					_ = b.table.Delete(ctx, r.ID)
					n++
				}
				return true
			})
		}
	}},
	{"Sweep/Removes", "counts without removing", func(b *bent) {
		b.sweep = func(ctx context.Context) (n int, err error) {
			err = b.expiredOnes(ctx, func(store.Record) bool { n++; return true })
			return n, err
		}
	}},
	{"Sweep/LeavesTheLive", "takes the zero time for one long past", func(b *bent) {
		b.sweep = func(ctx context.Context) (n int, err error) {
			for r := range b.table.List(ctx, "") {
				if r.Expires.IsZero() {
					_ = b.table.Delete(ctx, r.ID)
				}
			}
			return b.table.Sweep(ctx)
		}
	}},
	{"Sweep/FollowsTouch", "goes by the expiry at creation", func(b *bent) { sweepByCreation(b) }},
	{"Sweep/LeavesTheExtended", "goes by the expiry at creation", func(b *bent) { sweepByCreation(b) }},
	{"Sweep/SparesTheRecreated", "collects ids, and then deletes them", func(b *bent) {
		b.sweep = func(ctx context.Context) (n int, err error) {
			var ids []string
			err = b.expiredOnes(ctx, func(r store.Record) bool { ids = append(ids, r.ID); return true })
			pause()
			for _, id := range ids {
				_ = b.table.Delete(ctx, id)
			}
			return len(ids), err
		}
	}},
	{"Sweep/EndedContext", "does not look at the context", func(b *bent) {
		b.sweep = func(context.Context) (int, error) { return b.table.Sweep(context.Background()) }
	}},

	{"Ping/Answers", "fails", func(b *bent) {
		b.ping = func(context.Context) error { return errSomething }
	}},
	{"Ping/EndedContext", "does not look at the context", func(b *bent) {
		b.ping = func(context.Context) error { return nil }
	}},

	{"Close/Afterwards", "goes on answering", func(b *bent) {
		b.close = func() error { return nil }
	}},
	{"Close/Twice", "complains of the second time", func(b *bent) {
		times := 0
		b.close = func() error {
			if times++; times > 1 {
				return store.ErrClosed
			}
			return b.table.Close()
		}
	}},
	{"Close/EndsWatch", "lets those wait who watch", func(b *bent) {
		b.watch = func(ctx context.Context, fn func(store.Event)) error {
			err := b.table.Watch(ctx, fn)
			if errors.Is(err, store.ErrClosed) {
				<-ctx.Done()
			}
			return err
		}
	}},
}

// quietTouch does not report a Touch that moves the expiry in this way.
func quietTouch(b *bent, so func(was, is time.Time) bool) {
	b.touch = func(ctx context.Context, id string, expires time.Time) error {
		r, err := b.table.Load(ctx, id)
		if err != nil || !so(r.Expires, expires) {
			return b.table.Touch(ctx, id, expires)
		}
		b.edit(id, func(r *store.Record) { r.Expires = expires })
		return nil
	}
}

func later(was, is time.Time) bool { return is.After(was) }

// heard filters the events after the first one.
func heard(b *bent, pass func(*store.Event) bool) func(context.Context, func(store.Event)) error {
	return func(ctx context.Context, fn func(store.Event)) error {
		ready := false
		return b.table.Watch(ctx, func(ev store.Event) {
			if !ready || pass(&ev) {
				fn(ev)
			}
			ready = true
		})
	}
}

// sweepByCreation sweeps by the expiry that a record had when it was created.
func sweepByCreation(b *bent) {
	at := map[string]time.Time{}
	b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
		at[r.ID] = r.Expires
		return b.table.Create(ctx, r)
	}
	b.sweep = func(ctx context.Context) (n int, err error) {
		for id, expires := range at {
			if _, ok := b.kept(id); ok && expires.Before(time.Now()) {
				_ = b.table.Delete(ctx, id)
				n++
			}
		}
		return n, ctx.Err()
	}
}

// quitContext ends when the test ends.
func quitContext(b *bent) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-b.quit
		cancel()
	}()
	return ctx
}

// expiredOnes calls f for the expired records. The caller holds the lock.
func (b *bent) expiredOnes(ctx context.Context, f func(store.Record) bool) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	var all []store.Record
	for _, r := range b.records {
		if b.over(r) {
			all = append(all, r)
		}
	}
	b.unlock()
	for _, r := range all {
		if !f(r) {
			break
		}
	}
	return nil
}
