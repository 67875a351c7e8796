package simulation

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
)

const (
	maxStale = nearcache.DefaultMaxStale
	grace    = 10 * time.Second
	idle     = 2 * time.Hour
	recheck  = 5 * time.Second
)

// data is what a session holds: which login it is, and what was counted in it.
type data struct {
	Login int `json:"login,omitempty"`
	Count int `json:"count,omitempty"`
}

// node is a process of the application.
type node struct {
	index    int
	sessions *session.Manager[data]
	cache    io.Closer
	mux      *http.ServeMux
	streams  func(login int, ctx context.Context) // told of each that is opened
}

func newNode(seed uint64, index int, shared store.Store, ids *atomic.Int64, p plant, calm bool) (*node, error) {
	name := fmt.Sprint("node ", index)
	l := &link{Store: shared, seed: seed, name: name, calm: calm, calls: map[string]*chance{}}
	near, err := p.cache(&stream{link: l, deaf: p.deaf})
	if err != nil {
		return nil, err
	}
	m, err := session.New[data](session.Config{
		Secrets:         []string{"the secret of all simulated nodes"},
		Store:           attentive{near},
		Cookie:          session.Cookie{Secure: session.Insecure},
		IdleTimeout:     idle,
		TouchInterval:   -1, // the more writes the better
		RenewGrace:      grace,
		RecheckInterval: recheck,
		GenID: func(*http.Request) (string, error) {
			return fmt.Sprintf("the id of a session, number %06d", ids.Add(1)), nil
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	n := &node{index: index, sessions: m, mux: http.NewServeMux()}
	n.cache, _ = near.(io.Closer)
	n.route()
	return n, nil
}

func (n *node) close() {
	n.sessions.Close()
	if n.cache != nil {
		n.cache.Close()
	}
}

func owner(user int) string { return fmt.Sprint("user:", user) }

// route is the application. It answers with what it has read, and with an error status
// unless what was asked for is known to be done.
func (n *node) route() {
	handle := func(path string, h func(http.ResponseWriter, *http.Request, *session.Session[data]) error) {
		n.mux.Handle(path, n.sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[data]) {
			seen := s.Data()
			w.Header().Set("X-Login", strconv.Itoa(seen.Login))
			w.Header().Set("X-Count", strconv.Itoa(seen.Count))
			if seen.Login == 0 && path != "/login" {
				http.Error(w, "not logged in", http.StatusUnauthorized)
				return
			}
			if err := h(w, r, s); err != nil {
				s.Discard()
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
			}
		}))
	}
	handle("/login", func(_ http.ResponseWriter, r *http.Request, s *session.Session[data]) error {
		login, _ := strconv.Atoi(r.FormValue("login"))
		user, _ := strconv.Atoi(r.FormValue("user"))
		if err := s.Regenerate(r.Context()); err != nil {
			return err
		}
		s.SetOwner(owner(user))
		s.Update(func(d *data) { d.Login = login })
		return s.Save(r.Context())
	})
	handle("/read", func(http.ResponseWriter, *http.Request, *session.Session[data]) error { return nil })
	handle("/count", func(_ http.ResponseWriter, r *http.Request, s *session.Session[data]) error {
		s.Update(func(d *data) { d.Count++ })
		return s.Save(r.Context())
	})
	handle("/renew", func(_ http.ResponseWriter, r *http.Request, s *session.Session[data]) error {
		return s.Renew(r.Context())
	})
	handle("/logout", func(_ http.ResponseWriter, r *http.Request, s *session.Session[data]) error {
		return s.Destroy(r.Context())
	})
	handle("/stream", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[data]) error {
		ctx, _ := s.NotifyContext(context.Background())
		n.streams(s.Data().Login, ctx)
		// The look at the session that has begun there comes before the touch at the end
		// of the request, on any machine.
		time.Sleep(time.Nanosecond)
		return nil
	})
}
