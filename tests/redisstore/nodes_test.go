package redisstore_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store/nearcache"
)

type account struct {
	User string `json:"user,omitempty"`
}

// node is one of those that share sessions: a manager, a cache, a store.
type node struct {
	store    *redisstore.Store
	near     *nearcache.Cache
	sessions *session.Manager[account]
}

func newNode(t testing.TB, o rueidis.ClientOption, c redisstore.Config) *node {
	t.Helper()
	s := open(t, o, c)
	n := &node{store: s, near: near(t, s)}
	m, err := session.New[account](session.Config{Store: n.near, Secrets: []string{"a secret of thirty-two characters"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	n.sessions = m
	return n
}

// visitor keeps cookies, as a browser does.
type visitor map[string]*http.Cookie

// visit lets the node handle a request.
func (v visitor) visit(n *node, do func(context.Context, *session.Session[account])) {
	r := httptest.NewRequest(http.MethodGet, "https://shop.test/", nil)
	for _, c := range v {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	n.sessions.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		do(r.Context(), s)
	})(w, r)
	for _, c := range w.Result().Cookies() {
		v[c.Name] = c
	}
}

func (v visitor) login(n *node) {
	v.visit(n, func(_ context.Context, s *session.Session[account]) {
		s.SetOwner("user:ada")
		s.Update(func(a *account) { a.User = "ada" })
	})
}

func (v visitor) logout(t testing.TB, n *node) {
	v.visit(n, func(ctx context.Context, s *session.Session[account]) {
		if err := s.Destroy(ctx); err != nil {
			t.Error(err)
		}
	})
}

// stream is a connection that outlives its request.
func (v visitor) stream(t testing.TB, n *node) (ctx context.Context) {
	v.visit(n, func(request context.Context, s *session.Session[account]) {
		if s.Data().User != "ada" {
			t.Errorf("the node does not know the user")
		}
		var stop context.CancelFunc
		ctx, stop = s.NotifyContext(context.WithoutCancel(request))
		t.Cleanup(stop)
	})
	return ctx
}

// ends waits for the end of a stream.
func ends(t testing.TB, stream context.Context) time.Time {
	t.Helper()
	late := time.NewTimer(maxWait)
	defer late.Stop()
	select {
	case <-stream.Done():
		if err := context.Cause(stream); !errors.Is(err, session.ErrRevoked) {
			t.Errorf("the stream ended with %v", err)
		}
	case <-late.C:
		t.Fatal("the stream does not end")
	}
	return time.Now()
}

// A logout on one node ends the user's streams on another, whoever does it: a manager, or
// a Node application with its DEL.
func TestLogoutEndsStreams(t *testing.T) {
	t.Parallel()
	server := servers.SharedRedis(t)
	for name, c := range map[string]redisstore.Config{
		"single": {}, "cluster": {}, "express": {Express: true, OwnerOf: session.OwnerOf},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Prefix = newPrefix()
			o := single(server)
			if name == "cluster" {
				o = rueidis.ClientOption{InitAddress: sharedCluster().Addrs()}
			}
			one, two := newNode(t, o, c), newNode(t, o, c)
			ada := visitor{}
			ada.login(one)
			stream := ada.stream(t, two)
			ada.logout(t, one)
			ends(t, stream)
			if name == "cluster" {
				return
			}
			bob := visitor{}
			bob.login(one)
			stream = bob.stream(t, two)
			for r, err := range one.store.List(t.Context(), "") {
				if err != nil {
					t.Fatal(err)
				}
				do(t, server, "DEL", c.Prefix+r.ID)
			}
			ends(t, stream)
		})
	}
}
