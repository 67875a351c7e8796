package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/nestsession/session/store"
)

var timeFlaws = []flaw{
	{"Touch/MovesTheExpiryAlone", "forgets the owner", func(b *bent) {
		b.touch = func(ctx context.Context, id string, expires time.Time) error {
			b.edit(id, func(r *store.Record) { r.Owner = "" })
			return b.table.Touch(ctx, id, expires)
		}
	}},
	{"Touch/StaysSwappable", "refuses updates of what was touched", func(b *bent) {
		touched := map[string]bool{}
		b.touch = func(ctx context.Context, id string, expires time.Time) error {
			touched[id] = true
			return b.table.Touch(ctx, id, expires)
		}
		b.update = func(ctx context.Context, r store.Record) (store.Version, error) {
			if touched[r.ID] {
				return 0, store.ErrConflict
			}
			return b.table.Update(ctx, r)
		}
	}},
	{"Touch/Extends", "never extends", func(b *bent) {
		b.touch = touchIf(b, func(was, is time.Time) bool { return is.Before(was) })
	}},
	{"Touch/Shortens", "only extends", func(b *bent) {
		b.touch = touchIf(b, func(was, is time.Time) bool { return is.After(was) })
	}},
	{"Touch/ToThePast", "ignores a time in the past", func(b *bent) {
		b.touch = touchIf(b, func(_, is time.Time) bool { return is.After(time.Now()) })
	}},
	{"Touch/ToNever", "ignores the zero time", func(b *bent) {
		b.touch = touchIf(b, func(_, is time.Time) bool { return !is.IsZero() })
	}},
	{"Touch/FromNever", "leaves what never expires", func(b *bent) {
		b.touch = touchIf(b, func(was, _ time.Time) bool { return !was.IsZero() })
	}},
	{"Touch/Unknown", "hides that there is none", func(b *bent) {
		b.touch = func(ctx context.Context, id string, expires time.Time) error {
			_ = b.table.Touch(ctx, id, expires)
			return ctx.Err()
		}
	}},
	{"Touch/NeverCreates", "creates where there is none to touch", func(b *bent) {
		b.touch = func(ctx context.Context, id string, expires time.Time) error {
			err := b.table.Touch(ctx, id, expires)
			if errors.Is(err, store.ErrNotFound) {
				b.force(store.Record{ID: id, Expires: expires})
			}
			return err
		}
	}},
	{"Touch/NeverRevivesDeleted", "marks as deleted, and forgets the mark in Touch", func(b *bent) {
		bin := map[string]store.Record{}
		b.delete = func(ctx context.Context, id string) error {
			if r, ok := b.kept(id); ok {
				bin[id] = r
			}
			return b.table.Delete(ctx, id)
		}
		b.touch = func(ctx context.Context, id string, expires time.Time) error {
			if r, ok := bin[id]; ok {
				b.force(r)
			}
			return b.table.Touch(ctx, id, expires)
		}
	}},

	{"Expiry/Ends", "answers until it is swept", func(b *bent) {
		b.load = func(ctx context.Context, id string) (store.Record, error) {
			if r, ok := b.kept(id); ok {
				return r, ctx.Err()
			}
			return store.Record{}, store.ErrNotFound
		}
	}},
	{"Expiry/NotEarly", "ends a record before its time", func(b *bent) {
		b.load = func(ctx context.Context, id string) (store.Record, error) {
			r, err := b.table.Load(ctx, id)
			if err == nil && !r.Expires.After(time.Now().Add(60*time.Millisecond)) {
				return store.Record{}, store.ErrExpired
			}
			return r, err
		}
	}},
	{"Expiry/Never", "lets everything expire at some time", func(b *bent) {
		b.load = func(ctx context.Context, id string) (store.Record, error) {
			r, err := b.table.Load(ctx, id)
			if r.Expires.IsZero() {
				r.Expires = time.Now().Add(time.Hour)
			}
			return r, err
		}
	}},
	{"Expiry/Millisecond", "keeps whole seconds", func(b *bent) {
		b.mapped(func(r *store.Record) { r.Expires = r.Expires.Truncate(time.Second) })
	}},
	{"Expiry/TimeZone", "drops the time zone", func(b *bent) {
		b.mapped(func(r *store.Record) {
			y, m, d := r.Expires.Date()
			h, mi, s := r.Expires.Clock()
			r.Expires = time.Date(y, m, d, h, mi, s, r.Expires.Nanosecond(), time.UTC)
		})
	}},
	{"Expiry/FarAhead", "counts seconds in 32 bits", func(b *bent) {
		b.mapped(func(r *store.Record) {
			r.Expires = time.Unix(int64(int32(r.Expires.Unix())), int64(r.Expires.Nanosecond()))
		})
	}},
	{"Expiry/UpdateExtends", "keeps the first expiry in Update", func(b *bent) {
		b.update = updateIf(b, func(was, is time.Time) bool { return is.Before(was) })
	}},
	{"Expiry/UpdateShortens", "only extends in Update", func(b *bent) {
		b.update = updateIf(b, func(was, is time.Time) bool { return is.After(was) })
	}},
	{"Expiry/UpdateNeverRevives", "does not look at the expiry in Update", func(b *bent) {
		b.update = func(ctx context.Context, r store.Record) (store.Version, error) {
			if old, ok := b.kept(r.ID); ok && old.Version == r.Version {
				return b.force(r), ctx.Err()
			}
			return b.table.Update(ctx, r)
		}
	}},
	{"Expiry/TouchNeverRevives", "does not look at the expiry in Touch", func(b *bent) {
		b.touch = func(ctx context.Context, id string, expires time.Time) error {
			b.edit(id, func(r *store.Record) { r.Expires = expires })
			return b.table.Touch(ctx, id, expires)
		}
	}},

	{"Context/Ended", "does not look at the context", func(b *bent) {
		b.load = func(_ context.Context, id string) (store.Record, error) {
			return b.table.Load(context.Background(), id)
		}
	}},
	{"Context/Ended", "gives another error for an ended context", func(b *bent) {
		b.delete = func(ctx context.Context, id string) error {
			if ctx.Err() != nil {
				return errSomething
			}
			return b.table.Delete(ctx, id)
		}
	}},
	{"Context/WritesNothing", "looks at the context when it has written", func(b *bent) {
		b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
			v, err := b.table.Create(context.WithoutCancel(ctx), r)
			return v, errors.Join(err, ctx.Err())
		}
	}},
	{"Context/WritesNothing", "deletes whatever the context", func(b *bent) {
		b.delete = func(ctx context.Context, id string) error {
			_ = b.table.Delete(context.WithoutCancel(ctx), id)
			return ctx.Err()
		}
	}},
}

// touchIf calls Touch only if the expiry may move in this way.
func touchIf(b *bent, may func(was, is time.Time) bool) func(context.Context, string, time.Time) error {
	return func(ctx context.Context, id string, expires time.Time) error {
		r, err := b.table.Load(ctx, id)
		if err != nil || !may(r.Expires, expires) {
			return err
		}
		return b.table.Touch(ctx, id, expires)
	}
}

// updateIf keeps the old expiry unless it may move in this way.
func updateIf(b *bent, may func(was, is time.Time) bool) func(context.Context, store.Record) (store.Version, error) {
	return func(ctx context.Context, r store.Record) (store.Version, error) {
		if old, ok := b.kept(r.ID); ok && !may(old.Expires, r.Expires) {
			r.Expires = old.Expires
		}
		return b.table.Update(ctx, r)
	}
}
