package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// deaf is a store that tells nobody of changes.
type deaf struct{ store.Store }

// node makes one of several managers on a store.
func node(t *testing.T, s store.Store, cfg session.Config) *session.Manager[account] {
	t.Helper()
	cfg.Store = s
	m := newManager[account](t, cfg)
	t.Cleanup(func() { m.Close() })
	return m
}

// stream is a connection that outlives its request: the context of a session.
func stream(m *session.Manager[account], b *browser) (ctx context.Context, stop context.CancelFunc) {
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		ctx, stop = s.NotifyContext(context.WithoutCancel(r.Context()))
	})
	return ctx, stop
}

// A stream ends when its session does, whoever ends it and however.
func TestNotifyContext_EndsWithTheSession(t *testing.T) {
	t.Parallel()
	type action = func(t *testing.T, m *session.Manager[account], b *browser)
	within := func(h handler) action {
		return func(_ *testing.T, m *session.Manager[account], b *browser) { do(m, b.fork(), h) }
	}
	for name, c := range map[string]struct {
		end         action
		here, there error // the cause on the node where it ended, and on another
	}{
		"destroyed": {within(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			_ = s.Destroy(r.Context())
		}), session.ErrDestroyed, session.ErrRevoked},
		"regenerated": {within(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			_ = s.Regenerate(r.Context())
		}), session.ErrRegenerated, session.ErrRevoked},
		"revoked": {func(t *testing.T, m *session.Manager[account], _ *browser) {
			if n, err := m.RevokeOwner(t.Context(), "user:ada"); n != 1 || err != nil {
				t.Errorf("revoked %d, %v", n, err)
			}
		}, session.ErrRevoked, session.ErrRevoked},
		"renewed, then destroyed": {func(_ *testing.T, m *session.Manager[account], b *browser) {
			do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Renew(r.Context()) })
			do(m, b.fork(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) { _ = s.Destroy(r.Context()) })
		}, session.ErrDestroyed, session.ErrRevoked},
		"idle": {func(*testing.T, *session.Manager[account], *browser) {
			time.Sleep(session.DefaultIdleTimeout)
		}, session.ErrExpired, session.ErrExpired},
	} {
		for kind, wrap := range map[string]func(store.Store) store.Store{
			"watched": func(s store.Store) store.Store { return s },
			"asked": func(s store.Store) store.Store {
				l, _ := store.As[store.Lister](s)
				return struct {
					deaf
					store.Lister
				}{deaf{s}, l}
			},
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T) {
					mem := memstore.New(memstore.Config{})
					t.Cleanup(func() { mem.Close() })
					here, there := node(t, wrap(mem), session.Config{}), node(t, wrap(mem), session.Config{})
					b := newBrowser()
					login(t, here, b, "ada")
					do(here, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.SetOwner("user:ada") })
					onHere, stopHere := stream(here, b)
					defer stopHere()
					onThere, stopThere := stream(there, b)
					defer stopThere()
					other := newBrowser()
					login(t, here, other, "bob")
					others, stopOthers := stream(there, other)
					defer stopOthers()
					keep := time.AfterFunc(23*time.Hour, func() {
						do(here, other.fork(), func(http.ResponseWriter, *http.Request, *session.Session[account]) {})
					})
					defer keep.Stop()
					time.Sleep(time.Second)
					synctest.Wait()
					if onHere.Err() != nil || onThere.Err() != nil {
						t.Fatalf("ended with the session alive: %v, %v", context.Cause(onHere), context.Cause(onThere))
					}
					c.end(t, here, b)
					if kind == "asked" {
						time.Sleep(session.DefaultPollInterval + session.DefaultPollInterval)
					}
					synctest.Wait()
					if cause := context.Cause(onHere); cause == nil || !errors.Is(cause, c.here) || !errors.Is(cause, session.ErrRevoked) {
						t.Errorf("here: %v, want %v", cause, c.here)
					}
					if cause := context.Cause(onThere); cause == nil || !errors.Is(cause, c.there) {
						t.Errorf("on the other node: %v, want %v", cause, c.there)
					}
					if others.Err() != nil {
						t.Errorf("another user's stream: %v", context.Cause(others))
					}
				})
			})
		}
	}
}

// What was renewed lives on: the stream goes on, and the connection's session works
// under the new id even when nothing points there any more.
func TestNotifyContext_FollowsARenewal(t *testing.T) {
	t.Parallel()
	t.Run("readable", func(t *testing.T) { followsRenewals(t, session.SealOff) })
	t.Run("sealed", func(t *testing.T) { followsRenewals(t, session.SealOnly) })
}

func followsRenewals(t *testing.T, seal session.Seal) {
	inBubble(t, func(t *testing.T) {
		mem := memstore.New(memstore.Config{})
		t.Cleanup(func() { mem.Close() })
		here, there := node(t, mem, session.Config{Seal: seal}), node(t, mem, session.Config{Seal: seal})
		b := newBrowser()
		login(t, here, b, "ada")
		var live *session.Session[account]
		var ctx context.Context
		do(there, b.fork(), func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			live = s
			ctx, _ = s.NotifyContext(context.WithoutCancel(r.Context()))
		})
		for range 3 {
			do(here, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
				if err := s.Renew(r.Context()); err != nil {
					t.Error(err)
				}
				s.Update(func(a *account) { a.Count++ })
			})
			time.Sleep(time.Hour)
			if err := live.KeepAlive(t.Context()); err != nil {
				t.Errorf("KeepAlive: %v", err)
			}
			if err := live.Reload(t.Context()); err != nil || live.Data().Count == 0 {
				t.Errorf("Reload: %v, %+v", err, live.Data())
			}
			live.Update(func(a *account) { a.Tags = append(a.Tags, "from the stream") })
			if err := live.Save(t.Context()); err != nil {
				t.Errorf("Save: %v", err)
			}
		}
		if ctx.Err() != nil {
			t.Errorf("ended by a renewal: %v", context.Cause(ctx))
		}
		if got := peek(here, b); got.Count != 3 || len(got.Tags) != 3 {
			t.Errorf("the session has %+v", got)
		}
	})
}

// Messages on a stream keep its session alive, and are not written each.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newHooked(t)
		m := node(t, s, session.Config{IdleTimeout: time.Hour})
		b := newBrowser()
		login(t, m, b, "ada")
		do(m, b, func(_ http.ResponseWriter, r *http.Request, sess *session.Session[account]) {
			s.calls()
			for range 300 {
				time.Sleep(time.Minute)
				if err := sess.KeepAlive(r.Context()); err != nil {
					t.Fatal(err)
				}
			}
			touches := 0
			for _, call := range s.calls() {
				if call == "touch" {
					touches++
				}
			}
			if touches < 40 || touches > 50 {
				t.Errorf("%d touches in 300 messages of a minute, want one in six", touches)
			}
			s.before = failing("load")
			time.Sleep(20 * time.Minute)
			if err := sess.KeepAlive(r.Context()); !errors.Is(err, errDown) {
				t.Errorf("with the store down: %v", err)
			}
			s.before = nil
			time.Sleep(time.Hour)
			if err := sess.KeepAlive(r.Context()); !errors.Is(err, session.ErrRevoked) {
				t.Errorf("when it is over: %v", err)
			}
		})
		do(m, newBrowser(), func(_ http.ResponseWriter, r *http.Request, sess *session.Session[account]) {
			if err := sess.KeepAlive(r.Context()); !errors.Is(err, session.ErrNotSaved) {
				t.Errorf("of a session that is not stored: %v", err)
			}
		})
	})
}

// A stream keeps its session alive for as long as a use of it does by now, and not for
// as long as one did when the connection began; and streams of one session do not each
// write.
func TestKeepAlive_TakesTheStoredLifetime(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newHooked(t)
		m := node(t, s, session.Config{})
		b := newBrowser()
		login(t, m, b, "ada")
		var streams [4]*session.Session[account]
		for i := range streams {
			do(m, b.fork(), func(_ http.ResponseWriter, _ *http.Request, sess *session.Session[account]) { streams[i] = sess })
		}
		do(m, b, func(_ http.ResponseWriter, _ *http.Request, sess *session.Session[account]) {
			sess.SetMaxAge(10 * 24 * time.Hour)
		})
		use := func() {
			for _, stream := range streams {
				if err := stream.KeepAlive(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		time.Sleep(2 * 24 * time.Hour)
		s.calls()
		use()
		if calls := fmt.Sprint(s.calls()); calls != "[load touch load load load]" {
			t.Errorf("four streams asked the store for %s", calls)
		}
		time.Sleep(25 * time.Hour)
		if who := whoami(m, b); who != "ada" {
			t.Errorf("the session that was to live for ten days is %q's the day after a stream was used", who)
		}
	})
}

// A store that cannot keep a session alive is reported, and the end of a session is told
// as precisely as the store knows it.
func TestKeepAlive_Reports(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		s := newHooked(t)
		var told journal
		m := node(t, s, session.Config{IdleTimeout: time.Hour + 30*time.Second, OnEvent: told.add})
		b := newBrowser()
		login(t, m, b, "ada")
		do(m, b, func(_ http.ResponseWriter, r *http.Request, sess *session.Session[account]) {
			time.Sleep(30 * time.Minute)
			told.take()
			s.before = failing("touch")
			if err := sess.KeepAlive(r.Context()); !errors.Is(err, errDown) {
				t.Errorf("with the store down: %v", err)
			}
			if kinds := told.kinds(); kinds != "touch failed" {
				t.Errorf("reported %q", kinds)
			}
			s.before = nil
			time.Sleep(30*time.Minute + 31*time.Second) // no sweep has come since
			if err := sess.KeepAlive(r.Context()); !errors.Is(err, session.ErrExpired) {
				t.Errorf("when its time was over: %v", err)
			}
		})
	})
}

// Contexts that there is nothing to wait for end at once; the parent's end and stop end
// them as any context.
func TestNotifyContext_AtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T) {
		m := node(t, newHooked(t), session.Config{})
		b := newBrowser()
		cause := func(ctx context.Context, _ context.CancelFunc) error {
			synctest.Wait()
			return context.Cause(ctx)
		}
		do(m, newBrowser(), func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			if err := cause(s.NotifyContext(t.Context())); !errors.Is(err, session.ErrNotSaved) {
				t.Errorf("not stored: %v", err)
			}
		})
		login(t, m, b, "ada")
		do(m, b.fork(), func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			gone := errors.New("the client has gone")
			parent, leave := context.WithCancelCause(t.Context())
			ctx, _ := s.NotifyContext(parent)
			leave(gone)
			if err := cause(ctx, nil); !errors.Is(err, gone) {
				t.Errorf("parent ended: %v", err)
			}
			ctx, stop := s.NotifyContext(t.Context())
			stop()
			if err := cause(ctx, nil); !errors.Is(err, context.Canceled) {
				t.Errorf("stopped: %v", err)
			}
		})
		ctx, _ := stream(m, b)
		m.Close()
		if err := cause(ctx, nil); !errors.Is(err, session.ErrClosed) {
			t.Errorf("manager closed: %v", err)
		}
		late, _ := stream(m, b)
		if err := cause(late, nil); !errors.Is(err, session.ErrClosed) {
			t.Errorf("after the manager was closed: %v", err)
		}
	})
}
