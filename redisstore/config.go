package redisstore

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// The values of the zero [Config].
const (
	DefaultPrefix        = "nest:"
	DefaultExpressPrefix = "sess:"        // connect-redis's
	DefaultTTL           = 24 * time.Hour // connect-redis's
	DefaultTrimInterval  = 1 * time.Hour
	DefaultHeartbeat     = 500 * time.Millisecond
)

// NoPrefix as [Config.Prefix] puts nothing before the id, as connect-redis does with
// prefix: "". Keep nothing else in such a database.
const NoPrefix = "\x00"

// NoTTL as [Config.TTL] keeps a session without an expiry forever.
const NoTTL time.Duration = -1

// Config says where a [Store] keeps its sessions. [New] needs Client; all other fields have
// defaults.
type Config struct {
	// Client is connected to the servers. Close does not close it, and other code may
	// use it too. Of the connections for blocking commands that the client makes
	// (rueidis.ClientOption.BlockingPoolSize), the store uses up to three. In rueidis.ClientOption, SelectDB is the database, and
	// ConnWriteTimeout, by default 10 seconds, is how long rueidis waits for a server
	// that hangs before it closes the connection. With Sentinel, set
	// Sentinel.TopologyRefreshInterval too, so that the client notices each failover.
	Client rueidis.Client

	// Prefix stands before the id in a key. "": [DefaultPrefix], with Express
	// [DefaultExpressPrefix]. For no prefix: [NoPrefix]. No prefix of a store may begin
	// with that of another store in the same database. In a Cluster, a prefix with a hash
	// tag ("{sess}.") puts all sessions on one node, which serves them as a single server
	// does.
	Prefix string

	// Express stores sessions as connect-redis 9 does, so that Node applications can
	// share them: see the package. Expiries are then rounded up to the second.
	Express bool

	// TTL is connect-redis's ttl: with Express, how long a session without an
	// expiry is kept after it was written or touched. 0: [DefaultTTL]. [NoTTL]:
	// forever. Whole seconds.
	TTL time.Duration

	// OwnerOf reads the owner from a document: session.OwnerOf. Only with Express,
	// where nothing else holds the owner. Nil: sessions have no owners, and
	// listing by owner returns [errors.ErrUnsupported].
	OwnerOf func(document []byte) string

	// TrimInterval is how often the store calls [Store.TrimOwners], once for all
	// stores on the same sessions. 0: [DefaultTrimInterval]. Negative: never.
	TrimInterval time.Duration

	// Heartbeat is how often a store that was opened and is watched polls the servers, to
	// prove that they still report changes: with PING, in a Cluster with ROLE and CLUSTER
	// INFO to each node. A cache may serve its entries for its MaxStale after an answer,
	// so several heartbeats should fit into MaxStale. 0: [DefaultHeartbeat]. Only with
	// [Open].
	Heartbeat time.Duration

	// Now is the clock for the entries of owners' indexes and, with Express, for
	// lifetimes. Nil: the system's. The server's clock decides when a session ends; keep
	// the two within minutes of each other.
	Now func() time.Time

	// Logger gets warnings that no caller gets as an error: trimming that failed, a server
	// that evicts sessions. Nil: [slog.Default].
	Logger *slog.Logger
}

// withDefaults checks c and fills in the defaults.
func (c Config) withDefaults() (Config, error) {
	if c.Prefix == "" {
		c.Prefix = DefaultPrefix
		if c.Express {
			c.Prefix = DefaultExpressPrefix
		}
	}
	for _, own := range []string{ownerKeys, trimKeys} {
		if strings.HasPrefix(own, c.Prefix) || strings.HasPrefix(c.Prefix, own) {
			return c, fmt.Errorf("redisstore: Config.Prefix %q overlaps with %q, which the store needs for itself: choose another", c.Prefix, own)
		}
	}
	if strings.HasPrefix(c.Prefix, countKeys) {
		return c, fmt.Errorf("redisstore: Config.Prefix %q begins with %q, which the store needs for itself: choose another", c.Prefix, countKeys)
	}
	if c.Prefix == NoPrefix {
		c.Prefix = ""
	}
	switch {
	case c.TTL == 0:
		c.TTL = DefaultTTL
	case c.TTL == NoTTL:
	case !c.Express:
		return c, errors.New("redisstore: Config.TTL is for Config.Express: in the store's own layout a session without an expiry is kept forever")
	case c.TTL < time.Second || c.TTL%time.Second != 0:
		return c, fmt.Errorf("redisstore: Config.TTL is %v: give whole seconds, or NoTTL", c.TTL)
	}
	if c.TrimInterval == 0 {
		c.TrimInterval = DefaultTrimInterval
	}
	switch {
	case c.Heartbeat == 0:
		c.Heartbeat = DefaultHeartbeat
	case c.Heartbeat < 0:
		return c, fmt.Errorf("redisstore: Config.Heartbeat is %v: give a positive duration, or 0 for %v", c.Heartbeat, DefaultHeartbeat)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, nil
}
