package stores

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
)

// defaultUsersBucket is the bucket of the accounts. That of their counts has countsSuffix in addition.
const (
	defaultUsersBucket = "nest_users"
	countsSuffix       = "_throttle"
)

// usersCache is how much of the accounts is cached in this process.
const usersCache = 16 << 20

// connectNATS returns the connection to the servers, and what closes it.
func connectNATS(t *storeurl.Target, o Options) (*nats.Conn, func() error, error) {
	if o.Conn != nil {
		return o.Conn, func() error { return nil }, nil
	}
	options := append(natsstore.Options(), nats.Name("nestsession"), nats.Timeout(o.Timeout))
	if t.User != "" || t.Password() != "" {
		options = append(options, nats.UserInfo(t.User, t.Password()))
	}
	if t.TLS {
		options = append(options, nats.Secure(&tls.Config{MinVersion: tls.VersionTLS12}))
	}
	conn, err := nats.Connect(strings.Join(t.Hosts, ","), options...)
	if err != nil {
		return nil, nil, err
	}
	return conn, func() error { conn.Close(); return nil }, nil
}

func openNATS(ctx context.Context, t *storeurl.Target, o Options) (*Opened, error) {
	conn, end, err := connectNATS(t, o)
	if err != nil {
		return nil, err
	}
	bucket := cmp.Or(t.Bucket, natsstore.DefaultBucket)
	kept, err := natsstore.New(ctx, natsstore.Config{Conn: conn, Bucket: bucket, Replicas: t.Replicas, Logger: o.Logger})
	if err != nil {
		return nil, errors.Join(err, end())
	}
	count := func(ctx context.Context) (int64, error) { return countNATS(ctx, conn, bucket) }
	return &Opened{Store: kept, Target: t, count: count, close: closers{kept.Close, end}}, nil
}

// countNATS counts the sessions of a bucket: the server tells how many a consumer of all would get.
func countNATS(ctx context.Context, conn *nats.Conn, bucket string) (int64, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return 0, err
	}
	all, err := js.CreateConsumer(ctx, "KV_"+bucket, jetstream.ConsumerConfig{
		FilterSubject: "$KV." + bucket + ".id.*",
		DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
		AckPolicy:     jetstream.AckNonePolicy,
		HeadersOnly:   true,
		MemoryStorage: true,
		Replicas:      1,
	})
	if err != nil {
		return 0, err
	}
	info := all.CachedInfo()
	return int64(info.NumPending), js.DeleteConsumer(ctx, "KV_"+bucket, info.Name) //nolint:gosec // a number of messages
}

// UsersBuckets is the buckets of users in NATS.
type UsersBuckets struct {
	Accounts store.Store
	Near     store.Store // Accounts with a near cache in front of it
	Counts   store.Store // of wrong passwords

	closers
}

// closers are closed in their order.
type closers []func() error

// Close closes the stores, and the connection if it is not the caller's.
func (c closers) Close() error {
	var errs []error
	for _, end := range c {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}

var _ io.Closer = closers(nil)

// OpenUsersBuckets opens the buckets for users, and makes them if they do not exist.
func OpenUsersBuckets(ctx context.Context, t *storeurl.Target, o Options) (_ *UsersBuckets, err error) {
	o.users = true
	o.setDefaults()
	opening, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	u := &UsersBuckets{}
	defer func() {
		if err == nil {
			return
		}
		err = errors.Join(err, u.Close())
		if ctx.Err() != nil {
			err = ctx.Err() // canceled; nothing is wrong with the servers
		} else {
			err = explain(t, o, err)
		}
	}()
	conn, end, err := connectNATS(t, o)
	if err != nil {
		return nil, err
	}
	u.closers = closers{end}
	open := func(bucket string) (*natsstore.Store, error) {
		s, err := natsstore.New(opening, natsstore.Config{Conn: conn, Bucket: bucket, Replicas: t.Replicas, Logger: o.Logger})
		if err == nil {
			u.closers = append(closers{s.Close}, u.closers...)
		}
		return s, err
	}
	name := cmp.Or(t.Bucket, defaultUsersBucket)
	accounts, err := open(name)
	if err != nil {
		return nil, err
	}
	if u.Counts, err = open(name + countsSuffix); err != nil {
		return nil, err
	}
	near, err := nearcache.New(accounts, nearcache.Config{MaxBytes: usersCache})
	if err != nil {
		return nil, err
	}
	u.Accounts, u.Near, u.closers = accounts, near, append(closers{near.Close}, u.closers...)
	return u, nil
}
