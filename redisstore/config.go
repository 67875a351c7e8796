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
// prefix: "". The database then holds nothing else.
const NoPrefix = "\x00"

// NoTTL as [Config.TTL] keeps a session without an expiry for good.
const NoTTL time.Duration = -1

// Config says where a [Store] keeps its sessions. Only Client is needed, and by [New]
// alone.
type Config struct {
	// Client is connected to the servers. It stays the caller's: Close does not
	// close it, and other code may use it too. Of rueidis.ClientOption, SelectDB is
	// the database. ConnWriteTimeout, 10 seconds, is after how long a connection to
	// a server that hangs is given up. With Sentinel, set
	// Sentinel.TopologyRefreshInterval too, so that a failover is not missed.
	Client rueidis.Client

	// Prefix is put before the id. "": [DefaultPrefix], with Express
	// [DefaultExpressPrefix]. For none at all: [NoPrefix]. Stores in one database need
	// prefixes of which none begins with another. In a Cluster, one with a hash tag
	// ("{sess}.") puts all sessions on one node, where they are served as by a single
	// server.
	Prefix string

	// Express keeps sessions as connect-redis 9 does, for Node applications to
	// share: see the package. A session is then kept to the second, rounded up.
	Express bool

	// TTL is connect-redis's ttl: with Express, how long a session without an
	// expiry is kept after it was written or touched. 0: [DefaultTTL]. [NoTTL]: for
	// good. Whole seconds.
	TTL time.Duration

	// OwnerOf reads the owner from a document: session.OwnerOf. Only with Express,
	// where the owner stands nowhere else. Nil: sessions have no owners, and
	// listing by owner answers [errors.ErrUnsupported].
	OwnerOf func(document []byte) string

	// TrimInterval is how often [Store.TrimOwners] runs by itself, once for all
	// stores on the same sessions. 0: [DefaultTrimInterval]. Negative: never.
	TrimInterval time.Duration

	// Heartbeat is how often a store that was opened and is watched asks the servers
	// whether they still tell of changes: a PING, in a Cluster ROLE and CLUSTER INFO to
	// each node. A cache may serve what it keeps for its MaxStale after an answer, so
	// several should fit into that. 0: [DefaultHeartbeat]. Only with [Open].
	Heartbeat time.Duration

	// Now is the clock that owners' entries and, with Express, lifetimes are
	// reckoned by. Nil: the system's. Whether a session is over is up to the
	// server's clock; keep the two within minutes of each other.
	Now func() time.Time

	// Logger hears what is wrong with no caller to tell: trimming that failed, a
	// server that evicts sessions. Nil: [slog.Default].
	Logger *slog.Logger
}

// withDefaults checks c and fills in what it leaves open.
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
		return c, errors.New("redisstore: Config.TTL is for Config.Express: in the store's own layout a session without an expiry is kept for good")
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

// checkCluster checks what is only known of a client. Half a hash tag could be made a whole
// one by what an id or an owner holds.
func (c Config) checkCluster() error {
	if c.Client.Mode() == rueidis.ClientModeCluster && strings.ContainsAny(c.Prefix, "{}") && !tagged(c.Prefix) {
		return fmt.Errorf("redisstore: Config.Prefix %q holds a brace and no hash tag: write {…} with something in it, or leave the brace out", c.Prefix)
	}
	return nil
}
