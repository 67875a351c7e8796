package stores

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/redisstore"
)

// topologyInterval is how often the sentinels are polled for the master. They publish changes
// too, but a client may miss those during a failover.
const topologyInterval = 5 * time.Second

func openRedis(ctx context.Context, t *storeurl.Target, o Options) (*Opened, error) {
	client, err := newClient(ctx, t, o)
	if err != nil {
		return nil, err
	}
	watched := o.Watch && t.Notify
	err = checkCluster(t, ctx, client)
	if err != nil || watched {
		client.Close() // a watched store makes its own connections
	}
	if err != nil {
		return nil, err
	}
	cfg := redisstore.Config{Prefix: t.Prefix, Express: t.Layout == storeurl.ConnectRedis, TTL: t.TTL, Logger: o.Logger}
	if t.Prefix == storeurl.NoPrefix {
		cfg.Prefix = redisstore.NoPrefix
	}
	if cfg.Express {
		cfg.OwnerOf = session.OwnerOf
	}
	if !o.Sweep {
		cfg.TrimInterval = never
	}
	if watched {
		return openWatched(ctx, t, o, cfg)
	}
	cfg.Client = client
	kept, err := redisstore.New(ctx, cfg)
	if err != nil {
		client.Close()
		return nil, err
	}
	count := func(ctx context.Context) (int64, error) { return keys(ctx, client) }
	end := func() error { client.Close(); return nil }
	return &Opened{Store: kept, Target: t, count: count, close: closers{kept.Close, end}}, nil
}

// openWatched opens a store that makes its own connections, over which the servers
// publish changes.
func openWatched(ctx context.Context, t *storeurl.Target, o Options, cfg redisstore.Config) (*Opened, error) {
	option := redisOption(t, o)
	option.DisableCache = false
	kept, err := redisstore.Open(ctx, option, cfg)
	if err != nil {
		return nil, err
	}
	count := func(ctx context.Context) (int64, error) {
		client, err := newClient(ctx, t, o)
		if err != nil {
			return 0, err
		}
		defer client.Close()
		return keys(ctx, client)
	}
	return &Opened{Store: kept, Target: t, count: count, close: closers{kept.Close}}, nil
}

// newClient connects, and returns when ctx ends, which rueidis does not.
func newClient(ctx context.Context, t *storeurl.Target, o Options) (rueidis.Client, error) {
	option := redisOption(t, o)
	type result struct {
		client rueidis.Client
		err    error
	}
	made := make(chan result, 1)
	go func() {
		client, err := rueidis.NewClient(option)
		made <- result{client, err}
	}()
	select {
	case r := <-made:
		return r.client, r.err
	case <-ctx.Done():
		go func() {
			if r := <-made; r.err == nil {
				r.client.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

func redisOption(t *storeurl.Target, o Options) rueidis.ClientOption {
	number, _ := strconv.Atoi(t.Database) // Parse checked that it is one
	option := rueidis.ClientOption{
		InitAddress:       t.Hosts,
		Username:          t.User,
		Password:          t.Password(),
		SelectDB:          number,
		ClientName:        "nestsession",
		DisableCache:      true,
		ForceSingleClient: !t.Cluster && t.Master == "",
		Dialer:            net.Dialer{Timeout: o.Timeout, KeepAlive: time.Second},
	}
	if t.TLS {
		option.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if len(t.Hosts) == 1 {
			option.TLSConfig.ServerName, _, _ = net.SplitHostPort(t.Hosts[0])
		}
	}
	if t.Master != "" {
		option.Sentinel = rueidis.SentinelOption{MasterSet: t.Master, TLSConfig: option.TLSConfig, TopologyRefreshInterval: topologyInterval}
		if t.SentinelAuth {
			option.Sentinel.Username, option.Sentinel.Password = t.User, t.Password()
		}
	}
	return option
}

// checkCluster returns an error if a node of a cluster is used as a single server, or the other way
// round: both would answer some commands and not others.
func checkCluster(t *storeurl.Target, ctx context.Context, client rueidis.Client) error {
	info, err := client.Do(ctx, client.B().Info().Section("cluster").Build()).ToString()
	if _, answered := rueidis.IsRedisErr(err); answered {
		return nil // the user may have no right to INFO; New reports other errors
	}
	if err != nil {
		return err
	}
	is := strings.Contains(info, "cluster_enabled:1")
	switch {
	case is && !t.Cluster:
		return errors.New("this server is a node of a Redis Cluster: write redis+cluster:// in front of the host")
	case !is && t.Cluster:
		return errors.New("this server is not a node of a Redis Cluster: write redis:// in front of the host")
	}
	return nil
}

// keys returns the number of keys in the database, on all nodes: sessions and others.
func keys(ctx context.Context, client rueidis.Client) (sum int64, err error) {
	if client.Mode() != rueidis.ClientModeCluster {
		return client.Do(ctx, client.B().Dbsize().Build()).AsInt64()
	}
	for _, node := range client.Nodes() {
		role, err := node.Do(ctx, node.B().Role().Build()).ToArray()
		if err != nil {
			return 0, err
		}
		if name, _ := role[0].ToString(); name != "master" {
			continue
		}
		n, err := node.Do(ctx, node.B().Dbsize().Build()).AsInt64()
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
