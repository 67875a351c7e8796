package cli

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	"github.com/nestsession/session/cmd/nestsession/internal/stores"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/cmd/nestsession/internal/throttle"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/internal/backoff"
)

// openedUsers is the accounts with what belongs to them.
type openedUsers struct {
	*users.Store
	guard  *throttle.Guard
	counts *throttle.Shared
	own    *sql.DB // of the counts, if that is not the accounts'
}

// openUsers opens the database of the users for a server. Servers that share it count wrong
// passwords in it, together.
func openUsers(ctx context.Context, t *storeurl.Target, secrets []string, hasher users.Hasher, o stores.Options) (*openedUsers, error) {
	if t.Kind == storeurl.NATS {
		return openUsersBuckets(ctx, t, secrets, hasher, o)
	}
	create := t.Create == nil || *t.Create
	if t.Kind == storeurl.SQLite {
		if _, err := os.Stat(t.Path); err != nil && !create {
			return nil, stores.Explain(t, err)
		}
		kept, err := users.Open(ctx, t.Path, hasher)
		if err != nil {
			return nil, err
		}
		own, err := users.OpenCounts(t.Path)
		if err != nil {
			return nil, errors.Join(err, kept.Close())
		}
		counts, err := throttle.NewShared(own, t.Kind, secrets)
		return counting(&openedUsers{Store: kept, own: own}, counts, err)
	}
	db, err := stores.OpenUsers(ctx, t)
	if err != nil {
		return nil, err
	}
	kept, err := users.OpenServer(ctx, db, t.Kind, create, hasher)
	if err != nil {
		return nil, notOpened(ctx, t, errors.Join(err, db.Close()))
	}
	counts, err := throttle.NewShared(db, t.Kind, secrets)
	return counting(&openedUsers{Store: kept}, counts, err)
}

// counting adds the counts, or closes what is open if there are none.
func counting(u *openedUsers, counts *throttle.Shared, err error) (*openedUsers, error) {
	if err != nil {
		return nil, errors.Join(err, u.Close())
	}
	u.counts, u.guard = counts, throttle.NewSharedGuard(counts, nil)
	return u, nil
}

func openUsersBuckets(ctx context.Context, t *storeurl.Target, secrets []string, hasher users.Hasher, o stores.Options) (*openedUsers, error) {
	buckets, err := stores.OpenUsersBuckets(ctx, t, o)
	if err != nil {
		return nil, err
	}
	opening, cancel := context.WithTimeout(ctx, cmp.Or(o.Timeout, stores.DefaultTimeout))
	defer cancel()
	var kept *users.Store
	for tries := 0; ; tries++ {
		kept, err = users.OpenBucket(ctx, buckets.Accounts, buckets.Near, hasher, buckets)
		// While the servers elect a leader, they do not answer.
		if !errors.Is(err, context.DeadlineExceeded) || !backoff.Pause(opening, backoff.Backoff(tries)) {
			break
		}
	}
	if err != nil {
		return nil, notOpened(ctx, t, errors.Join(err, buckets.Close()))
	}
	counts, err := throttle.NewSharedBucket(buckets.Counts, secrets)
	return counting(&openedUsers{Store: kept}, counts, err)
}

// Close closes the counts and the accounts.
func (u *openedUsers) Close() error {
	var err error
	if u.counts != nil {
		err = u.counts.Close()
	}
	if u.own != nil {
		err = errors.Join(err, u.own.Close())
	}
	return errors.Join(err, u.Store.Close())
}

// openAccounts does the same for an operator. It makes nothing.
func openAccounts(ctx context.Context, t *storeurl.Target) (*users.Accounts, error) {
	if t.Kind == storeurl.SQLite {
		return users.OpenAccounts(ctx, t.Path)
	}
	if t.Kind == storeurl.NATS {
		buckets, err := stores.OpenUsersBuckets(ctx, t, stores.Options{})
		if err != nil {
			return nil, err
		}
		accounts, err := users.OpenBucketAccounts(ctx, buckets.Accounts, buckets)
		if err != nil {
			return nil, notOpened(ctx, t, errors.Join(err, buckets.Close()))
		}
		return accounts, nil
	}
	db, err := stores.OpenUsers(ctx, t)
	if err != nil {
		return nil, err
	}
	accounts, err := users.OpenServerAccounts(ctx, db, t.Kind)
	if err != nil {
		return nil, notOpened(ctx, t, errors.Join(err, db.Close()))
	}
	return accounts, nil
}

func notOpened(ctx context.Context, t *storeurl.Target, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, users.ErrNoTables):
		return fmt.Errorf("users in %s: there are no tables for accounts in this database: start a server with the same --users, which creates them (unless the URL has create=false)", t)
	}
	return stores.Explain(t, err)
}
