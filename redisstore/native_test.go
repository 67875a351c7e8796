package redisstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
)

// What an operator sees with redis-cli: one key a session, a header that can be
// read, then the document. Programs that outlive this version depend on it.
func TestNativeLayout(t *testing.T) {
	t.Parallel()
	client := connect(t, single(servers.SharedRedis(t)))
	prefix := newPrefix()
	s := newStore(t, redisstore.Config{Client: client, Prefix: prefix})
	ctx := t.Context()
	look := func(what string, owner string, expires int64, document string, v store.Version) {
		t.Helper()
		got, err := client.Do(ctx, client.B().Get().Key(prefix+"id").Build()).ToString()
		want := fmt.Sprintf("n1:%016x:%015d:%d:%s%s", uint64(v), expires, len(owner), owner, document)
		if err != nil || got != want {
			t.Errorf("after %s the key holds %q, %v; want %q", what, got, err, want)
		}
		left, err := client.Do(ctx, client.B().Pttl().Key(prefix+"id").Build()).AsInt64()
		if wanted := time.UnixMilli(expires); err != nil || (expires == 0) != (left == -1) ||
			expires != 0 && (time.Until(wanted)-time.Duration(left)*time.Millisecond).Abs() > 2*time.Second {
			t.Errorf("after %s the key has %d ms left, %v; want until %v", what, left, err, wanted)
		}
	}
	expires := time.Now().Add(time.Hour)
	r := store.Record{ID: "id", Owner: "사용자:42", Data: []byte(`{"n":1}`), Expires: expires}
	v, err := s.Create(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	look("Create", r.Owner, expires.UnixMilli(), `{"n":1}`, v)
	r.Version, r.Owner, r.Data, r.Expires = v, "", nil, time.Time{}
	if v, err = s.Update(ctx, r); err != nil {
		t.Fatal(err)
	}
	look("Update", "", 0, "", v)
	if err = s.Touch(ctx, "id", expires); err != nil {
		t.Fatal(err)
	}
	look("Touch", "", expires.UnixMilli(), "", v)
	if err = s.Touch(ctx, "id", time.Time{}); err != nil {
		t.Fatal(err)
	}
	look("Touch for good", "", 0, "", v)
}

// An expiry beyond what the header has room for is its last one, and one before the
// epoch is over.
func TestNativeOddExpiries(t *testing.T) {
	t.Parallel()
	s := newStore(t, redisstore.Config{Client: connect(t, single(servers.SharedRedis(t))), Prefix: newPrefix()})
	ctx := t.Context()
	far := time.Date(40000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := s.Create(ctx, store.Record{ID: "far", Expires: far}); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Load(ctx, "far"); err != nil || r.Expires.Year() != 33658 {
		t.Errorf("an expiry in the year 40000 is kept as %v, %v", r.Expires, err)
	}
	for _, past := range []time.Time{time.Unix(0, 0), time.Unix(-1, 0), time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)} {
		if _, err := s.Create(ctx, store.Record{ID: "past", Expires: past}); err != nil {
			t.Errorf("Create that expired at %v: %v", past, err)
		}
		if _, err := s.Load(ctx, "past"); err == nil {
			t.Errorf("a session that expired at %v is answered", past)
		}
	}
}

// Keys under the prefix that this layout did not write are told from sessions, in
// an error that says what to do and not what is in them.
func TestNativeForeignValues(t *testing.T) {
	t.Parallel()
	client := connect(t, single(servers.SharedRedis(t)))
	prefix := newPrefix()
	s := newStore(t, redisstore.Config{Client: client, Prefix: prefix})
	ctx := t.Context()
	if _, err := s.Create(ctx, store.Record{ID: "session", Owner: "user:1", Expires: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	header := "n1:0123456789abcdef:000000000000000:"
	for _, value := range []string{
		"", "n1:", "n2" + header[2:] + "0:", `{"cookie":{"path":"/"},"secret":"hush"}` + strings.Repeat(" ", 50),
		header, header + "0", header + ":", header + "x:", header + "5:hush", header + "99999999999999999999:hush",
		"n1:0123456789abcdex:000000000000000:0:", "n1:0123456789abcdef:00000000000000x:0:", header + "-1:",
	} {
		if err := client.Do(ctx, client.B().Set().Key(prefix+"secret-id").Value(value).Build()).Error(); err != nil {
			t.Fatal(err)
		}
		_, err := s.Load(ctx, "secret-id")
		if err == nil || !strings.Contains(err.Error(), "Config.Express") || strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "secret-id") {
			t.Errorf("Load of %q: %v; want an error that says what to do, without id or value", value, err)
		}
		for r, err := range s.List(ctx, "") {
			if err != nil || r.ID != "session" {
				t.Errorf("List beside %q yields %q, %v", value, r.ID, err)
			}
		}
	}
}

// A key that holds no string is an error that says what to do, in every method.
func TestWrongType(t *testing.T) {
	t.Parallel()
	client := connect(t, single(servers.SharedRedis(t)))
	for name, c := range map[string]redisstore.Config{"native": {}, "express": expressConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Client, c.Prefix = client, newPrefix()
			s := newStore(t, c)
			ctx := t.Context()
			for _, key := range []string{c.Prefix + "secret-id", "nest-owner:" + c.Prefix + "user:1"} {
				if err := client.Do(ctx, client.B().Lpush().Key(key).Element("x").Build()).Error(); err != nil {
					t.Fatal(err)
				}
			}
			r := store.Record{ID: "secret-id", Data: []byte("{}"), Expires: time.Now().Add(time.Hour)}
			owned := store.Record{ID: "other", Owner: "user:1", Data: []byte("{}"), Expires: time.Now().Add(time.Hour)}
			calls := map[string]func() error{
				"Load":                   func() error { _, err := s.Load(ctx, r.ID); return err },
				"Update":                 func() error { _, err := s.Update(ctx, r); return err },
				"Create beside an index": func() error { _, err := s.Create(ctx, owned); return err },
				"Delete":                 func() error { return s.Delete(ctx, r.ID) },
				"List": func() (err error) {
					for _, err = range s.List(ctx, "user:1") {
					}
					return err
				},
			}
			if name == "native" { // connect-redis's EXPIRE does not mind
				calls["Touch"] = func() error { return s.Touch(ctx, r.ID, r.Expires) }
			}
			for method, call := range calls {
				err := call()
				if err == nil || !strings.Contains(err.Error(), "choose another Config.Prefix") || strings.Contains(err.Error(), "secret-id") {
					t.Errorf("%s: %v; want an error that says what to do, without the id", method, err)
				}
			}
			if _, err := s.Load(ctx, "other"); !errors.Is(err, store.ErrNotFound) {
				t.Error("a session that its owner's index could not take was written")
			}
		})
	}
}
