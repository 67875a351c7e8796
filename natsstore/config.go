package natsstore

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/nats-io/nats.go"
)

// The values of the zero [Config].
const (
	DefaultBucket    = "nest_sessions"
	DefaultTimeout   = 5 * time.Second
	DefaultHeartbeat = 500 * time.Millisecond
)

// ClockSlack is how much longer than a session the server keeps its record, so that a server whose
// clock is wrong by less does not remove a live session. The nodes decide when a session expires.
const ClockSlack = 5 * time.Minute

// Config says where a [Store] keeps its sessions. [New] needs Conn; all other fields have defaults.
type Config struct {
	// Conn is the connection to the servers. Close does not close it, and other code may use it
	// too. Make it with [Options], so that it notices a dead server within seconds and connects
	// again without end. [Open] makes its own.
	Conn *nats.Conn

	// Bucket is the name of the key-value bucket: letters, digits, "-" and "_". Its stream is "KV_"
	// and the name. New creates the bucket if it does not exist. "": [DefaultBucket].
	Bucket string

	// Replicas is how many servers keep each session: 1, 3 or 5. The majority of them has a session
	// before a save is acknowledged, and has to run. New returns an error if the bucket exists with
	// another number. 0: what the bucket has; a new one gets 3 in a cluster and 1 on a single
	// server. Restart all nodes after the number was changed from 1 to more.
	Replicas int

	// Memory keeps a new bucket in the servers' memory and not on their disks. A server that is
	// restarted then copies the sessions from the others.
	Memory bool

	// Timeout limits a call whose context ends later, or never. 0: [DefaultTimeout].
	Timeout time.Duration

	// Heartbeat is how often a watched Store writes a message of its own, and reports when it comes
	// back that nothing was missed ([store.Event.Whole]). A cache serves its entries for its
	// MaxStale after such an event, so several heartbeats should fit into MaxStale. 0:
	// [DefaultHeartbeat].
	Heartbeat time.Duration

	// Now is the clock that decides whether a session has expired. Nodes and servers should agree
	// to within seconds, and must agree to within [ClockSlack]. Nil: the system's.
	Now func() time.Time

	// Logger gets a record each time that the watch is interrupted and resumes. Nil:
	// [slog.Default].
	Logger *slog.Logger
}

var bucketName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (c Config) withDefaults() (Config, error) {
	def(&c.Bucket, DefaultBucket)
	def(&c.Timeout, DefaultTimeout)
	def(&c.Heartbeat, DefaultHeartbeat)
	switch {
	case c.Conn == nil:
		return c, errors.New("natsstore: Config.Conn is nil; connect with nats.Connect(url, natsstore.Options()...)")
	case !bucketName.MatchString(c.Bucket):
		return c, fmt.Errorf("natsstore: Config.Bucket is %q; write letters, digits, - and _", c.Bucket)
	case c.Replicas < 0 || c.Replicas > 5:
		return c, fmt.Errorf("natsstore: Config.Replicas is %d; write 1, 3 or 5, or 0 for 3 in a cluster and 1 on a single server", c.Replicas)
	case c.Timeout < 0:
		return c, fmt.Errorf("natsstore: Config.Timeout is %v; write a positive duration, or 0 for %v", c.Timeout, DefaultTimeout)
	case c.Heartbeat < 0:
		return c, fmt.Errorf("natsstore: Config.Heartbeat is %v; write a positive duration, or 0 for %v", c.Heartbeat, DefaultHeartbeat)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, nil
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Options are the options for a connection that a [Store] uses. The connection tries the servers
// without end, notices within 3 seconds that one does not answer, and keeps no message back for
// later while it has no server: a save then fails, and does not take effect minutes later.
func Options() []nats.Option {
	return []nats.Option{
		nats.Name("nest session"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(100 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		nats.ReconnectBufSize(-1),
		nats.Timeout(2 * time.Second),
		nats.PingInterval(time.Second),
		nats.MaxPingsOutstanding(2),
		nats.FlusherTimeout(2 * time.Second),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // the default prints subjects, which hold ids
	}
}
