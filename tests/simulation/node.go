package simulation

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store/nearcache"
)

const (
	maxStale = nearcache.DefaultMaxStale
	grace    = 10 * time.Second
	idle     = 2 * time.Hour
	recheck  = 5 * time.Second

	secret = "the secret of all simulated nodes"
)

// rules are the ways in which the managers of a world are configured.
type rules string

const (
	native        rules = "native"
	expressPreset rules = "express"
)

// config is common to all managers of a world. In every second world the cookies have a lifetime,
// so that visits extend them.
func (r rules) config(seed uint64) session.Config {
	c := session.Config{Secrets: []string{secret}, IdleTimeout: idle}
	if r == expressPreset {
		c = express.Config(secret)
	}
	if seed%2 == 1 {
		c.Cookie.MaxAge = time.Hour
	}
	if r == native && seed%4 == 3 {
		c.Cookie.Secure, c.Cookie.SameSite, c.Cookie.Partitioned = session.SecureAlways, session.SameSiteNone, true
	}
	if r == expressPreset || c.Cookie.MaxAge == 0 { // else each of them would send the cookie
		c.StoreLimits.TouchInterval = -1 // so that there are many writes
	}
	c.RenewGrace, c.StoreLimits.RecheckInterval = grace, recheck
	c.Logger = slog.New(slog.DiscardHandler)
	return c
}

// data is the data of a session: its number, and its items.
type data struct {
	Life  int   `json:"life,omitempty"`
	Line  int   `json:"line,omitempty"`
	Items []int `json:"items,omitempty"`
}

// node is a process of the application, with a manager of its own.
type node struct {
	index    int
	world    *world
	sessions *session.Manager[data]
	cache    io.Closer
	mux      *http.ServeMux
	web      http.Handler // a mux, perhaps with a planted bug around it
}

func newNode(w *world, index int, calm bool) (*node, error) {
	name := fmt.Sprint("node ", index)
	l := &link{Store: w.shared, seed: w.seed, name: name, calm: calm, calls: map[string]*chance{}}
	near, err := w.plant.cache(&stream{link: l, deaf: w.plant.deaf})
	if err != nil {
		return nil, err
	}
	c := w.rules.config(w.seed)
	c.Store = attentive{near}
	// The id is drawn for the request, and not for the world: the order of requests at one instant
	// is not repeatable.
	c.GenID = func(r *http.Request) (string, error) {
		t := tripOf(r.Context())
		t.mu.Lock()
		defer t.mu.Unlock()
		t.ids++
		return fmt.Sprintf("the id of a session, number %s-%d", t.origin, t.ids), nil
	}
	c.OnEvent = func(ctx context.Context, e session.Event) {
		if t := tripOf(ctx); t != nil && (e.Reason == session.ReasonSuperseded || e.Reason == session.ReasonEnded) {
			t.mu.Lock()
			t.superseded = true
			t.mu.Unlock()
		}
		w.history.event(e)
		if w.plant.twice {
			w.history.event(e)
		}
	}
	m, err := session.New[data](c)
	if err != nil {
		return nil, err
	}
	n := &node{index: index, world: w, sessions: m, mux: http.NewServeMux()}
	n.cache, _ = near.(io.Closer)
	n.route()
	n.web = n.mux
	if w.plant.web != nil {
		n.web = w.plant.web(n.mux)
	}
	return n, nil
}

func (n *node) close() {
	n.sessions.Close()
	if n.cache != nil {
		n.cache.Close()
	}
}

func owner(user int) string { return fmt.Sprint("user:", user) }

// route serves the application's routes. A response has what the handler has read, and an error
// status unless the change is known to be made.
func (n *node) route() {
	handle := func(path string, anybody bool, h func(*http.Request, *session.Session[data]) error) {
		n.mux.Handle(path, n.sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[data]) {
			seen := s.Data()
			w.Header().Set("X-Life", strconv.Itoa(seen.Life))
			w.Header().Set("X-Line", strconv.Itoa(seen.Line))
			w.Header().Set("X-Items", strings.Trim(fmt.Sprint(seen.Items), "[]"))
			w.Header().Set("X-Digest", s.Digest())
			if seen.Life == 0 && !anybody {
				http.Error(w, "no session", http.StatusUnauthorized)
				return
			}
			if err := h(r, s); err != nil {
				s.Discard()
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
			}
		}))
	}
	handle("/add", true, func(r *http.Request, s *session.Session[data]) error {
		number, _ := strconv.Atoi(r.FormValue("number"))
		s.Update(func(d *data) {
			if d.Life == 0 {
				d.Life, d.Line = number, number
			}
			d.Items = append(d.Items, number)
		})
		return s.Save(r.Context())
	})
	handle("/login", true, func(r *http.Request, s *session.Session[data]) error {
		if err := s.Login(r.Context(), owner(n.number(r, "user"))); err != nil {
			return err
		}
		n.enter(r, s)
		return nil // the response saves
	})
	handle("/regenerate", true, func(r *http.Request, s *session.Session[data]) error {
		if err := s.Regenerate(r.Context()); err != nil {
			return err
		}
		s.SetOwner(owner(n.number(r, "user")))
		n.enter(r, s)
		return s.Save(r.Context())
	})
	handle("/read", false, func(*http.Request, *session.Session[data]) error { return nil })
	handle("/renew", false, func(r *http.Request, s *session.Session[data]) error { return s.Renew(r.Context()) })
	handle("/logout", false, func(r *http.Request, s *session.Session[data]) error { return s.Destroy(r.Context()) })
	handle("/stream", false, func(r *http.Request, s *session.Session[data]) error {
		ctx, _ := s.NotifyContext(context.Background())
		n.world.history.follow(s.Data().Life, n.index, r.Header.Get("Cookie"), ctx)
		// The watch looks at the new session before the touch at the end of the request, on any
		// machine.
		time.Sleep(time.Nanosecond)
		return nil
	})
}

// enter stores the user of a login in the session.
func (n *node) enter(r *http.Request, s *session.Session[data]) {
	number := n.number(r, "number")
	s.Update(func(d *data) {
		if d.Life = number; d.Line == 0 {
			d.Line = number
		}
	})
}

func (n *node) number(r *http.Request, name string) int {
	number, _ := strconv.Atoi(r.FormValue(name))
	return number
}

// key returns the store's key of the session that a cookie names.
func (n *node) key(cookie string) string {
	name, value, _ := strings.Cut(cookie, "=")
	value, _ = url.QueryUnescape(value)
	value = strings.TrimPrefix(value, "s:")
	id := value[:max(strings.LastIndexByte(value, '.'), 0)]
	if n.world.rules == expressPreset {
		return id
	}
	hash := sha256.Sum256([]byte(strings.TrimPrefix(name, "__Host-") + "\x00" + id))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}
