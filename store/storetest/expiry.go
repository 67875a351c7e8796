package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/nestsession/session/store"
)

var expiryCases = []testCase{
	rule("Ends", "a Store must not return a record that has expired",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.brief())
			if err != nil {
				return err
			}
			if err := e.pass(ctx, r.Expires); err != nil {
				return err
			}
			return gone(ctx, e.Store, r.ID)
		}),

	rule("NotEarly", "a Store must return a record until it expires",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.brief())
			if err != nil {
				return err
			}
			if e.Advance != nil {
				e.Advance(e.life - e.life/60)
			} else if err := wait(ctx, e.life/2); err != nil {
				return err
			}
			_, err = e.Store.Load(ctx, r.ID)
			return expect("Load before the time", e.late(err, r.Expires), nil)
		}),

	rule("Never", "a Store must keep a record whose Expires is the zero time",
		func(ctx context.Context, e *env) error {
			r := e.record()
			r.Expires = time.Time{}
			r, err := create(ctx, e.Store, r)
			if err != nil {
				return err
			}
			far := e.soon()
			if e.Advance != nil {
				far = e.now().AddDate(20, 0, 0)
			}
			if err := e.pass(ctx, far); err != nil {
				return err
			}
			return e.holds(ctx, e.Store, r)
		}),

	rule("Millisecond", "a Store must keep the expiry to the millisecond",
		func(ctx context.Context, e *env) error {
			base := e.hours().Truncate(time.Second)
			for _, part := range []time.Duration{0, time.Millisecond, 499 * time.Millisecond, 500 * time.Millisecond, 999*time.Millisecond + 999*time.Microsecond} {
				r := e.record()
				r.Expires = base.Add(part)
				r, err := create(ctx, e.Store, r)
				if err != nil {
					return err
				}
				if err := e.holds(ctx, e.Store, r); err != nil {
					return err
				}
			}
			return nil
		}),

	rule("TimeZone", "a Store must treat an expiry as an instant, whatever its time zone",
		func(ctx context.Context, e *env) error {
			for _, hours := range []int{-11, 0, 5, 14} {
				zone := time.FixedZone("", hours*60*60+30*60)
				r := e.record()
				r.Expires = r.Expires.In(zone)
				r, err := create(ctx, e.Store, r)
				if err != nil {
					return err
				}
				if err := e.holds(ctx, e.Store, r); err != nil {
					return err
				}
				r.Expires = e.now().Add(-time.Minute).In(zone)
				if _, err := e.Store.Update(ctx, r); err != nil {
					return fmt.Errorf("Update: %w", err)
				}
				if err := gone(ctx, e.Store, r.ID); err != nil {
					return fmt.Errorf("a minute past its time: %w", err)
				}
			}
			return nil
		}),

	rule("FarAhead", "a Store must keep an expiry that is decades in the future",
		func(ctx context.Context, e *env) error {
			r := e.record()
			r.Expires = e.now().AddDate(50, 0, 0)
			r, err := create(ctx, e.Store, r)
			if err != nil {
				return err
			}
			return e.holds(ctx, e.Store, r)
		}),

	rule("UpdateExtends", "a Store must return a record until its new expiry when Update has moved it to a later time",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.brief())
			if err != nil {
				return err
			}
			was := r.Expires
			r.Expires = e.hours()
			r.Version, err = e.Store.Update(ctx, r)
			if err := e.late(err, was); err != nil {
				return fmt.Errorf("Update: %w", err)
			}
			if err := e.pass(ctx, was); err != nil {
				return err
			}
			return e.holds(ctx, e.Store, r)
		}),

	rule("UpdateShortens", "a Store must end a record at its new expiry when Update has moved it to an earlier time",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			r.Expires = e.soon()
			if _, err := e.Store.Update(ctx, r); err != nil {
				return fmt.Errorf("Update: %w", err)
			}
			if err := e.pass(ctx, r.Expires); err != nil {
				return err
			}
			return gone(ctx, e.Store, r.ID)
		}),

	rule("UpdateNeverRevives", "a Store must return ErrNotFound from Update of an expired record, and not revive it",
		func(ctx context.Context, e *env) error {
			r, err := e.expired(ctx)
			if err != nil {
				return err
			}
			r.Expires = e.hours()
			_, err = e.Store.Update(ctx, r)
			return first(
				expect("Update of an expired record", err, store.ErrNotFound),
				gone(ctx, e.Store, r.ID))
		}),

	rule("TouchNeverRevives", "a Store must return ErrNotFound from Touch of an expired record, and not revive it",
		func(ctx context.Context, e *env) error {
			r, err := e.expired(ctx)
			if err != nil {
				return err
			}
			return first(
				expect("Touch of an expired record", e.Store.Touch(ctx, r.ID, e.hours()), store.ErrNotFound),
				gone(ctx, e.Store, r.ID))
		}),
}

// expired returns a record that has expired.
func (e *env) expired(ctx context.Context) (store.Record, error) {
	r, err := create(ctx, e.Store, e.brief())
	if err != nil {
		return r, err
	}
	return r, e.pass(ctx, r.Expires)
}
