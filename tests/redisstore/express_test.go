package redisstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/internal/relay"
)

// express is a store in connect-redis's layout with the keys as Node sees them.
type express struct {
	*redisstore.Store
	t      *testing.T
	client rueidis.Client
	prefix string
}

func newExpress(t *testing.T, c redisstore.Config) express {
	t.Helper()
	c.Client = connect(t, single(servers.SharedRedis(t)))
	c.Express, c.Prefix = true, newPrefix()
	return express{newStore(t, c), t, c.Client, c.Prefix}
}

// redis runs a command as Node would; "id" stands for the session's key.
func (e express) redis(command ...string) string {
	e.t.Helper()
	for i, part := range command {
		if part == "id" {
			command[i] = e.prefix + "id"
		}
	}
	answer, err := e.client.Do(e.t.Context(), e.client.B().Arbitrary(command...).Build()).ToAny()
	if err != nil && !rueidis.IsRedisNil(err) {
		e.t.Fatalf("%s: %v", command[0], err)
	}
	return fmt.Sprint(answer)
}

func (e express) create(r store.Record) store.Record {
	e.t.Helper()
	r.ID = "id"
	v, err := e.Create(e.t.Context(), r)
	if err != nil {
		e.t.Fatal(err)
	}
	r.Version = v
	return r
}

func (e express) load() store.Record {
	e.t.Helper()
	r, err := e.Load(e.t.Context(), "id")
	if err != nil {
		e.t.Fatal(err)
	}
	return r
}

const document = `{"cookie":{"path":"/","expires":"2001-02-03T04:05:06.000Z"},"user":"세션"}`

// The prefix is the one that connect-redis has by default.
func TestExpressDefaultPrefix(t *testing.T) {
	t.Parallel()
	client := connect(t, single(servers.SharedRedis(t)))
	s := newStore(t, redisstore.Config{Client: client, Express: true})
	r := store.Record{ID: "LVrG4bt5nK8tJwZmjIhC6ZJ1A3Lx2r1r", Data: []byte(document), Expires: time.Now().Add(time.Hour)}
	if _, err := s.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	got, err := client.Do(t.Context(), client.B().Get().Key("sess:"+r.ID).Build()).ToString()
	if err != nil || got != document {
		t.Errorf("the key sess:<id> holds %q, %v; want the document", got, err)
	}
}

// Each write leaves the document as it is and the time to live that connect-redis
// would set, in seconds and rounded up.
func TestExpressTimeToLive(t *testing.T) {
	t.Parallel()
	in := func(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(d) } }
	tests := map[string]struct {
		ttl     time.Duration // Config.TTL
		expires func() time.Time
		above   int64 // the milliseconds left are more than this,
		upTo    int64 // and at most this; -1: for good, 0: the key is gone
	}{
		"whole seconds":           {0, in(100 * time.Second), 99_000, 100_000},
		"rounded up":              {0, in(100*time.Second - 900*time.Millisecond), 99_500, 100_000},
		"less than a second":      {0, in(300 * time.Millisecond), 500, 1000},
		"none: the default":       {0, func() time.Time { return time.Time{} }, 86_399_000, 86_400_000},
		"none: another":           {2 * time.Hour, func() time.Time { return time.Time{} }, 7_199_000, 7_200_000},
		"none: for good":          {redisstore.NoTTL, func() time.Time { return time.Time{} }, -2, -1},
		"over":                    {0, in(-time.Minute), -3, 0},
		"expired long ago":        {0, func() time.Time { return time.Unix(0, 0) }, -3, 0},
		"in hundreds of years":    {0, func() time.Time { return time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC) }, 1 << 42, 1 << 62},
		"over before the epoch":   {0, func() time.Time { return time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC) }, -3, 0},
		"an option beside a date": {2 * time.Hour, in(10 * time.Second), 9_000, 10_000},
	}
	writes := map[string]func(e express, expires time.Time) error{
		"create": func(e express, expires time.Time) error {
			_, err := e.Create(e.t.Context(), store.Record{ID: "id", Data: []byte(document), Expires: expires})
			return err
		},
		"update": func(e express, expires time.Time) error {
			r := e.create(store.Record{Data: []byte(`{}`), Expires: time.Now().Add(time.Hour)})
			r.Data, r.Expires = []byte(document), expires
			_, err := e.Update(e.t.Context(), r)
			return err
		},
		"touch": func(e express, expires time.Time) error {
			e.create(store.Record{Data: []byte(document), Expires: time.Now().Add(time.Hour)})
			return e.Touch(e.t.Context(), "id", expires)
		},
	}
	for name, test := range tests {
		for method, write := range writes {
			t.Run(name+"/"+method, func(t *testing.T) {
				t.Parallel()
				e := newExpress(t, redisstore.Config{TTL: test.ttl})
				began := time.Now()
				if err := write(e, test.expires()); err != nil {
					t.Fatal(err)
				}
				var left int64
				fmt.Sscan(e.redis("PTTL", "id"), &left)
				passed := time.Since(began).Milliseconds() // much, on a busy machine
				if left == -2 && test.upTo > 0 && passed >= test.above {
					return
				}
				if test.upTo == 0 {
					if left != -2 {
						t.Errorf("PTTL is %d, want no key", left)
					}
					return
				}
				above := test.above
				if left >= 0 {
					above -= passed
				}
				if left <= above || left > test.upTo {
					t.Errorf("PTTL is %d, want more than %d and at most %d", left, test.above, test.upTo)
				}
				if got := e.redis("GET", "id"); got != document {
					t.Errorf("the key holds %q, want %q", got, document)
				}
			})
		}
	}
}

// The date in the text is what was written last; connect-redis's touch leaves it.
func TestExpressKeyIsTheTruth(t *testing.T) {
	t.Parallel()
	e := newExpress(t, redisstore.Config{})
	e.redis("SET", "id", document, "EX", "500")
	if left := time.Until(e.load().Expires); left < 498*time.Second || left > 501*time.Second {
		t.Errorf("a session whose date is past and whose key lives expires in %v, want 500s", left)
	}
	e.redis("PERSIST", "id")
	if r := e.load(); !r.Expires.IsZero() {
		t.Errorf("a session whose key never expires (disableTTL) expires at %v", r.Expires)
	}
	e.redis("PEXPIRE", "id", "1")
	for e.redis("EXISTS", "id") != "0" {
	}
	if _, err := e.Load(t.Context(), "id"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load of a session whose key is gone: %v", err)
	}
}

// A session that ends between the two commands of a load is gone.
func TestExpressEndsAmidLoad(t *testing.T) {
	t.Parallel()
	server := servers.SharedRedis(t)
	p := relay.New(t, server.Addr())
	s := newStore(t, redisstore.Config{
		Client:  connect(t, through(single(server), map[string]*relay.Relay{server.Addr(): p})),
		Express: true, Prefix: newPrefix(), TTL: redisstore.NoTTL,
	})
	mustCreate(t, s, store.Record{ID: "id", Data: []byte(`{}`)})
	p.OnReply(func(answer []byte) []byte { return bytes.Replace(answer, []byte(":-1\r\n"), []byte(":-2\r\n"), 1) })
	if r, err := s.Load(t.Context(), "id"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load: %v, %v; want ErrNotFound", r, err)
	}
}

// What Node writes is a conflict for whoever has read what was there before, and is
// answered byte for byte.
func TestExpressSeesNode(t *testing.T) {
	t.Parallel()
	e := newExpress(t, redisstore.Config{})
	r := e.create(store.Record{Data: []byte(`{"n":1}`), Expires: time.Now().Add(time.Hour)})
	e.redis("SET", "id", `{"n": 2 }`, "EX", "100")
	r.Data = []byte(`{"n":3}`)
	if _, err := e.Update(t.Context(), r); !errors.Is(err, store.ErrConflict) {
		t.Errorf("Update of what Node has replaced: %v, want ErrConflict", err)
	}
	if got := e.load(); string(got.Data) != `{"n": 2 }` {
		t.Errorf("Load answers %s", got.Data)
	}
	e.redis("EXPIRE", "id", "200")
	r = e.load()
	r.Data = []byte(`{"n":4}`)
	if _, err := e.Update(t.Context(), r); err != nil {
		t.Errorf("Update of what Node has written and touched: %v", err)
	}
	e.redis("DEL", "id")
	if _, err := e.Update(t.Context(), r); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Update of what Node has destroyed: %v, want ErrNotFound", err)
	}
	if err := e.Touch(t.Context(), "id", time.Now().Add(time.Hour)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Touch of what Node has destroyed: %v, want ErrNotFound", err)
	}
	if n := e.redis("EXISTS", "id"); n != "0" {
		t.Error("what Node has destroyed is back")
	}
}

// connect-redis's all, ids, length and clear go by SCAN with the prefix. They must
// find the sessions and nothing else, whatever owners there are.
func TestExpressKeysAreSessions(t *testing.T) {
	t.Parallel()
	server := servers.StartRedis(t, servers.RedisOptions{})
	client := connect(t, single(server))
	s := newStore(t, redisstore.Config{Client: client, Express: true, OwnerOf: ownerOf, TrimInterval: 20 * time.Millisecond})
	for i, owner := range []string{"user:1", "sess:1", "", "*"} {
		r := store.Record{ID: fmt.Sprint("id", i), Owner: owner, Data: fmt.Appendf(nil, `{"owner":%q}`, owner), Expires: time.Now().Add(time.Hour)}
		if _, err := s.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the store trims, and says whose turn it is", func() bool {
		n, err := client.Do(t.Context(), client.B().Exists().Key("nest-trim:sess:").Build()).AsInt64()
		return err == nil && n == 1
	})
	keys, err := client.Do(t.Context(), client.B().Keys().Pattern("sess:*").Build()).AsStrSlice()
	slices.Sort(keys)
	if want := []string{"sess:id0", "sess:id1", "sess:id2", "sess:id3"}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("KEYS sess:* answers %q, %v; want %q", keys, err, want)
	}
}

func TestExpressWithoutOwners(t *testing.T) {
	t.Parallel()
	e := newExpress(t, redisstore.Config{})
	e.create(store.Record{Owner: "user:1", Data: []byte(`{"owner":"user:1"}`), Expires: time.Now().Add(time.Hour)})
	for r, err := range e.List(t.Context(), "user:1") {
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "Config.OwnerOf") {
			t.Errorf("List by owner yields %q, %v; want ErrUnsupported that names Config.OwnerOf", r.ID, err)
		}
	}
	for r, err := range e.List(t.Context(), "") {
		if err != nil || r.ID != "id" || r.Owner != "" {
			t.Errorf("List of all yields %q of %q, %v", r.ID, r.Owner, err)
		}
	}
	if err := e.Delete(t.Context(), "id"); err != nil {
		t.Error(err)
	}
}

// Any text is an id, such as those of the records that lead from one session to another.
func TestExpressOddIDs(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
		c.Client = connect(t, o)
		s := newStore(t, c)
		for _, id := range []string{"nestsession:link:3q2+7w==", "nestsession:link:_-8", "a b", "{}", "*", "sess:", "\x00", strings.Repeat("x", 1000)} {
			r := mustCreate(t, s, owned(id, "user:1", in(time.Hour)))
			if _, err := s.Update(t.Context(), r); err != nil {
				t.Errorf("Update of %q: %v", id, err)
			}
			wantListed(t, s, "", id)
			wantListed(t, s, "user:1", id)
			if err := s.Delete(t.Context(), id); err != nil {
				t.Errorf("Delete of %q: %v", id, err)
			}
			if _, err := s.Load(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Load of %q, deleted: %v", id, err)
			}
		}
	})
}
