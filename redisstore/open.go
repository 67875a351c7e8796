package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

// What [Open] sets in rueidis.ClientOption where the field is zero.
const (
	DefaultConnWriteTimeout        = 3 * time.Second
	DefaultKeepAlive               = 1 * time.Second
	DefaultTopologyRefreshInterval = 2 * time.Second
)

// Open makes a client and a store that uses it, as [New] does with c.Client, which
// must be nil here. This store can be watched: [store.As] finds a [store.Watcher] in it,
// and a nearcache.Cache over it is notified of changes. See "Watching" in the package.
// Close closes the client too.
//
// There is one connection to each server, for reads, for writes, and for the changes that
// the server reports (CLIENT TRACKING). A connection that fails silently is closed after
// ConnWriteTimeout and twice Dialer.KeepAlive. Where these are zero, Open sets the former to
// [DefaultConnWriteTimeout], and the latter, also for the Sentinels, to [DefaultKeepAlive].
// It sets a zero Sentinel.TopologyRefreshInterval to [DefaultTopologyRefreshInterval].
//
// Errors: those of [New]; of an option that the store sets itself or that would keep it from
// getting changes; of a server or a proxy that cannot report them; ctx's.
func Open(ctx context.Context, o rueidis.ClientOption, c Config) (*Store, error) {
	if c.Client != nil {
		return nil, errors.New("redisstore: Config.Client is set: Open makes the client itself; leave it out, or call New")
	}
	if err := checkOption(o); err != nil {
		return nil, err
	}
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	t := newTracking(c.Prefix)
	client, err := dial(ctx, t.option(o))
	switch {
	case errors.Is(err, rueidis.ErrNoCache):
		return nil, fmt.Errorf("redisstore: the server, or a proxy before it, does not report changes: it has to support RESP3 (HELLO 3) and CLIENT TRACKING with BCAST, and the user has to be allowed that: %w", err)
	case err != nil:
		return nil, (&Store{}).wrap(ctx, "connect", err)
	}
	c.Client = client
	s, err := start(ctx, c, t)
	if err != nil {
		client.Close()
		return nil, err
	}
	return s, nil
}

// dial makes the client. It returns when ctx ends, which rueidis.NewClient does not.
func dial(ctx context.Context, o rueidis.ClientOption) (rueidis.Client, error) {
	type made struct {
		client rueidis.Client
		err    error
	}
	done := make(chan made, 1)
	go func() {
		client, err := rueidis.NewClient(o)
		done <- made{client, err}
	}()
	select {
	case m := <-done:
		return m.client, m.err
	case <-ctx.Done():
		go func() {
			if m := <-done; m.err == nil {
				m.client.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// checkOption refuses options with which the store would miss changes.
func checkOption(o rueidis.ClientOption) error {
	var errs []error
	refuse := func(set bool, field, why string) {
		if set {
			errs = append(errs, fmt.Errorf("redisstore: rueidis.ClientOption.%s is set: %s; leave it out, or use a client of your own with New", field, why))
		}
	}
	const own, reporting = "Open needs it itself", "the server could not report changes"
	const others = "all commands have to use the connection that reports changes"
	refuse(o.ClientTrackingOptions != nil, "ClientTrackingOptions", own)
	refuse(o.OnInvalidations != nil, "OnInvalidations", own)
	refuse(o.PipelineMultiplex > 0, "PipelineMultiplex", "there is one connection to a server")
	refuse(o.DisableCache, "DisableCache", reporting)
	refuse(o.AlwaysRESP2, "AlwaysRESP2", reporting)
	refuse(o.DisableAutoPipelining, "DisableAutoPipelining", others)
	refuse(o.BlockingPipeline > 0, "BlockingPipeline", others)
	refuse(o.ReplicaOnly, "ReplicaOnly", "sessions are read from the primary")
	refuse(o.SendToReplicas != nil, "SendToReplicas", "sessions are read from the primary")
	refuse(len(o.Standalone.ReplicaAddress) > 0, "Standalone.ReplicaAddress", "sessions are read from the primary")
	const silent = "a connection that fails silently would never be closed"
	refuse(o.ConnWriteTimeout < 0, "ConnWriteTimeout to less than zero", silent)
	refuse(o.Dialer.KeepAlive < 0, "Dialer.KeepAlive to less than zero", silent)
	return errors.Join(errs...)
}

// option adds to o what Open needs.
func (t *tracking) option(o rueidis.ClientOption) rueidis.ClientOption {
	if o.ClientTrackingOptions = []string{"BCAST"}; t.prefix != "" {
		o.ClientTrackingOptions = append(o.ClientTrackingOptions, "PREFIX", t.prefix)
	}
	o.OnInvalidations = t.changed
	o.DialCtxFn, o.DialFn = t.dialer(o), nil
	o.PipelineMultiplex = -1 // one connection; 0 is up to 4
	o.BlockingPipeline = -1  // no other connections for long commands
	if o.ConnWriteTimeout == 0 {
		o.ConnWriteTimeout = DefaultConnWriteTimeout
	}
	if o.Dialer.KeepAlive == 0 {
		o.Dialer.KeepAlive = DefaultKeepAlive
	}
	if o.Sentinel.MasterSet != "" {
		if o.Sentinel.Dialer.KeepAlive == 0 {
			o.Sentinel.Dialer.KeepAlive = DefaultKeepAlive
		}
		if o.Sentinel.Dialer.Timeout == 0 {
			o.Sentinel.Dialer.Timeout = rueidis.DefaultDialTimeout
		}
		if o.Sentinel.TopologyRefreshInterval == 0 {
			o.Sentinel.TopologyRefreshInterval = DefaultTopologyRefreshInterval
		}
	}
	return o
}
