package redisstore_test

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }

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

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited for this: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}
