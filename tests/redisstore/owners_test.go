package redisstore_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
)

// clock is one that tests set ahead of the system's.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }
func ahead(d time.Duration) *clock       { c := &clock{}; c.advance(d); return c }
func in(d time.Duration) time.Time       { return time.Now().Add(d) }
func owned(id, owner string, expires time.Time) store.Record {
	return store.Record{ID: id, Owner: owner, Data: fmt.Appendf(nil, `{"owner":%q}`, owner), Expires: expires}
}

func mustCreate(t *testing.T, s store.Store, r store.Record) store.Record {
	t.Helper()
	v, err := s.Create(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	r.Version = v
	return r
}

// idsOf are the sessions that are listed for the owner, in order.
func idsOf(t *testing.T, s *redisstore.Store, owner string) []string {
	t.Helper()
	for begun := time.Now(); ; {
		ids, err := listIDs(t, s, owner)
		// A node of a cluster that has just been killed refuses connections for a while.
		if err != nil && strings.Contains(err.Error(), "connection refused") && time.Since(begun) < 2*time.Minute {
			continue
		}
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		slices.Sort(ids)
		return ids
	}
}

func listIDs(t *testing.T, s *redisstore.Store, owner string) (ids []string, err error) {
	ids = []string{}
	for r, err := range s.List(t.Context(), owner) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, r.ID)
	}
	return ids, nil
}

func wantListed(t *testing.T, s *redisstore.Store, owner string, want ...string) {
	t.Helper()
	if got := idsOf(t, s, owner); !slices.Equal(got, want) {
		t.Errorf("sessions %q are listed for %q, want %q", got, owner, want)
	}
}

// indexed are the ids in the owner's index, gone or not.
func indexed(t *testing.T, c rueidis.Client, prefix, owner string) []string {
	t.Helper()
	ids, err := c.Do(t.Context(), c.B().Zrange().Key("nest-owner:"+prefix+owner).Min("0").Max("-1").Build()).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(ids)
	return ids
}

// deployments are where the owners' index is tested: with its sessions on one
// server, and apart from them.
func deployments(t *testing.T, test func(t *testing.T, o rueidis.ClientOption, c redisstore.Config)) {
	t.Run("single", func(t *testing.T) {
		t.Parallel()
		layouts(t, single(servers.SharedRedis(t)), test)
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		layouts(t, rueidis.ClientOption{InitAddress: sharedCluster().Addrs()}, test)
	})
}

func layouts(t *testing.T, o rueidis.ClientOption, test func(t *testing.T, o rueidis.ClientOption, c redisstore.Config)) {
	for name, c := range map[string]redisstore.Config{"native": {}, "express": expressConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Prefix = newPrefix()
			test(t, o, c)
		})
	}
}

// An entry goes an hour after its session, whoever comes by first: the owner with a
// new session, somebody who lists, or TrimOwners. The last one takes the key along.
func TestEntriesGo(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
		clk := &clock{}
		c.Client, c.Now = connect(t, o), clk.now
		s := newStore(t, c)
		ctx := t.Context()
		mustCreate(t, s, owned("over", "user:1", in(time.Millisecond)))
		moved := mustCreate(t, s, owned("moved", "user:1", in(time.Hour)))
		deleted := mustCreate(t, s, owned("deleted", "user:1", time.Time{}))
		kept := mustCreate(t, s, owned("kept", "user:1", time.Time{}))
		mustCreate(t, s, owned("destroyed", "user:1", time.Time{}))
		moved.Owner, moved.Data = "user:2", []byte(`{"owner":"user:2"}`)
		if _, err := s.Update(ctx, moved); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(ctx, deleted.ID); err != nil {
			t.Fatal(err)
		}
		// By Node, or by us with the answer lost: nobody saw to the entry.
		if err := c.Client.Do(ctx, c.Client.B().Del().Key(c.Prefix+"destroyed").Build()).Error(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the session expires", func() bool {
			_, err := s.Load(ctx, "over")
			return errors.Is(err, store.ErrNotFound)
		})
		wantListed(t, s, "user:1", "kept")
		wantListed(t, s, "user:2", "moved")
		// What a script can do with the session is done at once.
		left, trimmed, last := 5, 3, 1
		if !c.Express && c.Client.Mode() != rueidis.ClientModeCluster {
			left, trimmed, last = 3, 2, 0
		}
		if got := indexed(t, c.Client, c.Prefix, "user:1"); len(got) != left {
			t.Errorf("within the hour the index holds %q, want %d of the five", got, left)
		}

		clk.advance(time.Hour + time.Minute)
		if n, err := s.TrimOwners(ctx); err != nil || n != trimmed {
			t.Errorf("TrimOwners after an hour: %d, %v; want %d: the expired, the destroyed and perhaps the deleted one", n, err, trimmed)
		}
		clk.advance(time.Hour)
		wantListed(t, s, "user:1", "kept")
		if got := indexed(t, c.Client, c.Prefix, "user:1"); !slices.Equal(got, []string{"kept"}) {
			t.Errorf("after two hours the index holds %q, want the one that lives", got)
		}
		if err := s.Delete(ctx, kept.ID); err != nil {
			t.Fatal(err)
		}
		clk.advance(2 * time.Hour)
		if n, err := s.TrimOwners(ctx); err != nil || n != last {
			t.Errorf("TrimOwners after all: %d, %v; want %d", n, err, last)
		}
		key := "nest-owner:" + c.Prefix + "user:1"
		if n, err := c.Client.Do(ctx, c.Client.B().Exists().Key(key).Build()).AsInt64(); err != nil || n != 0 {
			t.Errorf("the key of an empty index exists: %d, %v", n, err)
		}
		wantListed(t, s, "user:2", "moved")
	})
}

// An owner who comes back is trimmed by the way, a few entries each time.
func TestEntriesGoAsSessionsCome(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
		c.Client = connect(t, o)
		clk := &clock{}
		c.Now = clk.now
		s := newStore(t, c)
		const stale = 30
		for i := range stale {
			mustCreate(t, s, owned(fmt.Sprint("stale", i), "user:1", in(time.Minute)))
			if err := c.Client.Do(t.Context(), c.Client.B().Del().Key(c.Prefix+fmt.Sprint("stale", i)).Build()).Error(); err != nil {
				t.Fatal(err)
			}
		}
		clk.advance(2 * time.Hour)
		want := []string{}
		for i, left := range []int{22, 14, 6, 0} {
			id := fmt.Sprint("new", i)
			mustCreate(t, s, owned(id, "user:1", in(24*time.Hour)))
			want = append(want, id)
			if got := indexed(t, c.Client, c.Prefix, "user:1"); len(got) != left+len(want) {
				t.Errorf("after %d new sessions the index holds %d entries, want %d and %d stale ones", i+1, len(got), len(want), left)
			}
		}
		wantListed(t, s, "user:1", want...)
	})
}

// A session that outlives its score by touches, ours or Node's, stays in the index,
// with a score that is right again.
func TestEntriesFollowTouches(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
		c.Client = connect(t, o)
		s := newStore(t, c)
		c.Now = ahead(3 * time.Hour).now
		later := newStore(t, c)
		ctx := t.Context()
		for _, id := range []string{"ours", "for good", "node's", "over"} {
			mustCreate(t, s, owned(id, "user:1", in(time.Hour)))
		}
		want := []string{"for good", "ours"}
		if err := s.Touch(ctx, "ours", in(9*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := s.Touch(ctx, "for good", time.Time{}); err != nil {
			t.Fatal(err)
		}
		if c.Express {
			want = []string{"for good", "node's", "ours"}
			if err := c.Client.Do(ctx, c.Client.B().Expire().Key(c.Prefix+"node's").Seconds(40_000).Build()).Error(); err != nil {
				t.Fatal(err)
			}
		} else if err := s.Delete(ctx, "node's"); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(ctx, "over"); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := later.TrimOwners(ctx); err != nil {
				t.Fatal(err)
			}
			wantListed(t, later, "user:1", want...)
			if got := indexed(t, c.Client, c.Prefix, "user:1"); !slices.Equal(got, want) {
				t.Errorf("after trimming the index holds %q, want %q", got, want)
			}
		}
		key := "nest-owner:" + c.Prefix + "user:1"
		score, err := c.Client.Do(ctx, c.Client.B().Zscore().Key(key).Member("ours").Build()).AsFloat64()
		if want := in(9 * time.Hour); err != nil || time.UnixMilli(int64(score)).Sub(want).Abs() > 4*time.Hour {
			t.Errorf("the touched session's score is %v, %v; want about %v", time.UnixMilli(int64(score)), err, want)
		}
	})
}

// An id that is used anew is listed, whatever is left of the one before it.
func TestEntriesOfRecreated(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
		c.Client = connect(t, o)
		clk := &clock{}
		c.Now = clk.now
		s := newStore(t, c)
		for range 3 {
			mustCreate(t, s, owned("id", "user:1", in(10*time.Hour)))
			wantListed(t, s, "user:1", "id")
			if err := s.Delete(t.Context(), "id"); err != nil {
				t.Fatal(err)
			}
			wantListed(t, s, "user:1")
			mustCreate(t, s, owned("id", "user:1", in(9*time.Hour)))
			clk.advance(2 * time.Hour)
			if _, err := s.TrimOwners(t.Context()); err != nil {
				t.Fatal(err)
			}
			wantListed(t, s, "user:1", "id")
			if err := s.Delete(t.Context(), "id"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Owners are any text; in a Cluster none of it steers where keys go wrongly.
func TestOddOwners(t *testing.T) {
	t.Parallel()
	deployments(t, func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
		c.Client = connect(t, o)
		s := newStore(t, c)
		for i, owner := range []string{"{a}", "}{", "{}", "{a", "a:b", ":", "*", "사용자", "a b", "user:1", "user:11", "user:"} {
			id := fmt.Sprintf("{%d}{", i)
			r := mustCreate(t, s, owned(id, owner, in(time.Hour)))
			if _, err := s.Update(t.Context(), r); err != nil {
				t.Errorf("Update of a session of %q: %v", owner, err)
			}
			wantListed(t, s, owner, id)
		}
		c.Now = ahead(-2 * time.Hour).now
		if n, err := newStore(t, c).TrimOwners(t.Context()); err != nil || n != 0 {
			t.Errorf("TrimOwners: %d, %v", n, err)
		}
		if got := idsOf(t, s, ""); len(got) != 12 {
			t.Errorf("%d sessions are listed in all, want 12", len(got))
		}
	})
}
