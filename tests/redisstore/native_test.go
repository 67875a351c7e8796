package redisstore_test

import (
	"fmt"
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
