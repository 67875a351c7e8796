package redisstore_test

import (
	"bytes"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/tests/internal/relay"
)

// The store trims by itself, for owners who never come back.
func TestTrimsByItself(t *testing.T) {
	t.Parallel()
	c := redisstore.Config{Client: connect(t, single(servers.SharedRedis(t))), Prefix: newPrefix()}
	s := newStore(t, c)
	mustCreate(t, s, owned("id", "user:1", in(time.Minute)))
	if err := c.Client.Do(t.Context(), c.Client.B().Del().Key(c.Prefix+"id").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	c.Now, c.TrimInterval = ahead(2*time.Hour).now, 10*time.Millisecond
	turn := "nest-trim:" + c.Prefix
	if err := c.Client.Do(t.Context(), c.Client.B().Set().Key(turn).Value("another's").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	p := relay.New(t, servers.SharedRedis(t).Addr())
	var asked atomic.Int64
	p.OnRequest(func(request []byte) bool {
		asked.Add(int64(bytes.Count(request, []byte(turn))))
		return true
	})
	other := c.Client
	c.Client = connect(t, through(single(servers.SharedRedis(t)), map[string]*relay.Relay{servers.SharedRedis(t).Addr(): p}))
	newStore(t, c)
	eventually(t, "it has asked several times whether it is its turn", func() bool { return asked.Load() > 3 })
	if got := indexed(t, other, c.Prefix, "user:1"); len(got) != 1 {
		t.Errorf("it has trimmed while it was another store's turn: the index holds %q", got)
	}
	if err := other.Do(t.Context(), other.B().Del().Key(turn).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the entry of a session that is gone goes", func() bool {
		return len(indexed(t, c.Client, c.Prefix, "user:1")) == 0
	})
}
