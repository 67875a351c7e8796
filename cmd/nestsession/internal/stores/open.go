// Package stores opens the store that a URL names.
package stores

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nestsession/session/cmd/nestsession/internal/sqlitefile"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/nearcache"
)

// DefaultTimeout is how long Open waits for a server by default.
const DefaultTimeout = 10 * time.Second

// Options say for what the store is opened.
type Options struct {
	// Make makes an SQLite file and the table in it, if they do not exist. In other databases,
	// tables are made if the URL has create=true.
	Make bool

	// Sweep removes expired sessions in the background, as a server does.
	Sweep bool

	// Watch makes a store publish changes as they happen, if it can: PostgreSQL, by a trigger, and
	// Redis, by CLIENT TRACKING. See [Opened.Watches].
	Watch bool

	// NearCache is how many bytes of sessions are kept in this process, in front of the store. 0:
	// none. [NearDefault]: nearcache.DefaultMaxBytes if the store publishes changes, otherwise
	// none.
	NearCache int64

	// Behind, if set, returns the store that a near cache gets in place of the store itself.
	Behind func(store.Store) store.Store

	// Conns is the number of connections to a database. 0: 16.
	Conns int

	// Conn is the connection to NATS. Nil: Open makes one, and closes it.
	Conn *nats.Conn

	// Ready, if set, returns an error while this process must not be taken for healthy, though the
	// store answers.
	Ready func() error

	// Timeout is how long Open waits for a server. 0: DefaultTimeout.
	Timeout time.Duration

	// Logger logs failed sweeps. Nil: slog.Default().
	Logger *slog.Logger

	users bool // for users, see OpenUsers
}

func (o *Options) setDefaults() {
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.Conns = cmp.Or(o.Conns, defaultConns)
	o.Logger = cmp.Or(o.Logger, slog.Default())
}

const defaultConns = 16

// NearDefault for [Options.NearCache] means that the size depends on the kind of store.
const NearDefault int64 = -1

// Opened is a store with what belongs to it.
type Opened struct {
	store.Store
	Target *storeurl.Target

	// Watches says whether the store publishes changes as they happen. Any other store is
	// polled.
	Watches bool

	// NearCache is how many bytes of sessions are kept in front of the store; 0: none.
	NearCache int64

	count  func(context.Context) (int64, error)
	ready  func() error
	health *sqlitefile.Health // of an SQLite file; nil for other stores
	close  closers
}

// Unwrap shows what else the store can do.
func (o *Opened) Unwrap() store.Store { return o.Store }

// Ping returns nil if the store answers. For a file, it also checks that the file is still the one
// that was opened and can be written.
func (o *Opened) Ping(ctx context.Context) error {
	if o.ready != nil {
		if err := o.ready(); err != nil {
			return err
		}
	}
	if o.health != nil {
		if err := o.health.Check(ctx); err != nil {
			return err
		}
	}
	if p, ok := store.As[store.Pinger](o.Store); ok {
		return p.Ping(ctx)
	}
	return nil // in memory
}

// Estimate returns about how many sessions there are, including expired ones, without reading them.
func (o *Opened) Estimate(ctx context.Context) (int64, error) { return o.count(ctx) }

// Close ends the store and its connections.
func (o *Opened) Close() error { return o.close.Close() }

// Open opens the store. If the store cannot be used, the error says what to do.
func Open(ctx context.Context, t *storeurl.Target, o Options) (*Opened, error) {
	o.setDefaults()
	if t.Kind == storeurl.Memory {
		c := memstore.Config{Logger: o.Logger}
		if t.Path == "" {
			kept := memstore.New(c)
			return &Opened{Store: kept, Target: t, Watches: true, close: closers{kept.Close}}, nil
		}
		kept, err := memstore.Open(t.Path, c)
		if err != nil {
			return nil, explain(t, o, err)
		}
		return &Opened{Store: kept, Target: t, Watches: true, close: closers{kept.Close}}, nil
	}
	opening, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	open := openSQL
	switch {
	case t.Kind == storeurl.Redis:
		open = openRedis
	case t.Kind == storeurl.NATS:
		open = openNATS
	case t.Kind == storeurl.Postgres && t.Notify && o.Watch:
		open = openPostgres
	}
	opened, err := open(opening, t, o)
	if ctx.Err() != nil && err != nil {
		return nil, ctx.Err() // canceled; nothing is wrong with the store
	}
	if err != nil {
		return nil, explain(t, o, err)
	}
	opened.ready = o.Ready
	_, opened.Watches = store.As[store.Watcher](opened.Store)
	if err := opened.keepNear(o.NearCache, o.Behind); err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return opened, nil
}

// keepNear puts a cache in front.
func (o *Opened) keepNear(size int64, behind func(store.Store) store.Store) error {
	if size == NearDefault && o.Watches && slices.Contains([]storeurl.Kind{storeurl.Redis, storeurl.Postgres, storeurl.NATS}, o.Target.Kind) {
		size = nearcache.DefaultMaxBytes
	}
	if size <= 0 {
		return nil
	}
	if behind != nil {
		o.Store = behind(o.Store)
	}
	near, err := nearcache.New(o.Store, nearcache.Config{MaxBytes: size})
	if err != nil {
		return err
	}
	o.Store, o.NearCache = near, size
	o.close = append(closers{near.Close}, o.close...)
	return nil
}

// explain returns an error that says what to do. It has no password in it, whatever a driver may
// write.
func explain(t *storeurl.Target, o Options, err error) error {
	what := "sessions"
	if o.users {
		what = "users"
	}
	return &openError{fmt.Sprintf("%s in %s: %s", what, t, scrub(t, reason(t, o, err))), err}
}

// openError has a text of its own.
type openError struct {
	text string
	err  error
}

func (e *openError) Error() string { return e.text }
func (e *openError) Unwrap() error { return e.err }
