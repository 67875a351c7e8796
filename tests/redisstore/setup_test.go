package redisstore_test

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
)

func TestMain(m *testing.M) {
	code := servers.Main(m)
	whole.end()
	os.Exit(code)
}

// run stands for a test where servers are started for all tests of the package, or
// for an example. It ends them when the package's tests are done.
type run struct {
	testing.TB
	mu       sync.Mutex
	cleanups []func()
}

var whole run

func (r *run) Helper()             {}
func (r *run) Failed() bool        { return false }
func (r *run) Logf(string, ...any) {}
func (r *run) Fatal(args ...any)   { panic(fmt.Sprint(args...)) }

func (r *run) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (r *run) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *run) end() {
	for _, f := range slices.Backward(r.cleanups) {
		f()
	}
}

// sharedCluster is a Cluster of three nodes for all tests that leave it as it is.
var sharedCluster = sync.OnceValue(func() *servers.RedisCluster {
	return servers.StartRedisCluster(&whole, servers.ClusterOptions{})
})

// connect makes a client of the test's own.
func connect(t testing.TB, o rueidis.ClientOption) rueidis.Client {
	t.Helper()
	c, err := rueidis.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// single are the options for one server.
func single(r *servers.Redis) rueidis.ClientOption {
	return rueidis.ClientOption{InitAddress: []string{r.Addr()}, Password: r.Password()}
}

var prefixes atomic.Int64

// newPrefix keeps a test apart from others on its server.
func newPrefix() string { return fmt.Sprintf("test%d:", prefixes.Add(1)) }

// newStore makes a store that is closed with the test.
func newStore(t testing.TB, c redisstore.Config) *redisstore.Store {
	t.Helper()
	if c.TrimInterval == 0 {
		c.TrimInterval = -1
	}
	s, err := redisstore.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// ownerOf finds the owner in the documents of these tests: "owner":"…" first, or
// with what [framed] puts in front.
func ownerOf(document []byte) string {
	var length int
	text := string(document)
	if n, _ := fmt.Sscanf(text, "%d:", &length); n == 1 {
		_, rest, _ := strings.Cut(text, ":")
		return rest[:length]
	}
	_, rest, _ := strings.Cut(text, `"owner":"`)
	owner, _, _ := strings.Cut(rest, `"`)
	return owner
}

// maxWait is how long a test waits for what takes a busy machine long.
const maxWait = 2 * time.Minute

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(maxWait)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited for this: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
