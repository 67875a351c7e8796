package e2e

import (
	"context"
	"crypto/sha1" //nolint:gosec // the handshake of WebSockets (RFC 6455, section 4.2.2)
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/devicebound"
	"github.com/nestsession/session/eventstream"
	"github.com/nestsession/session/store"
)

// account is what the sessions of the application hold.
type account struct {
	Before int `json:"before"` // visits
	Visits int `json:"visits"`
}

// boundApp is an application whose logins are bound to the device where the browser can.
type boundApp struct {
	http.Handler
	manager *session.Manager[account]
	binding *devicebound.Binding[account]

	mu     sync.Mutex
	events []devicebound.Event
}

const boundPage = `<!doctype html><link rel="icon" href="data:,"><main>%s
<form method="post" action="/login"><button>Log in</button></form>
<form method="post" action="/logout"><button>Log out</button></form>
</main>`

const boundSecret = "a secret for the tests alone"

// newBoundApp begins the application. The secrets are boundSecret by default.
func newBoundApp(t *testing.T, st store.Store, cfg devicebound.Config, secrets ...string) *boundApp {
	t.Helper()
	if len(secrets) == 0 {
		secrets = []string{boundSecret}
	}
	a := &boundApp{}
	m, err := session.New[account](session.Config{
		Secrets: secrets,
		Store:   st,
		Cookie:  session.Cookie{MaxAge: 24 * time.Hour}, // a browser that is started again has the cookie
		Now:     cfg.Now,
		Logger:  slog.New(slog.DiscardHandler),

		StoreLimits: session.StoreLimits{LoadTimeout: time.Minute, SaveTimeout: time.Minute}, // a test holds the store with a gate
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	cfg.OnEvent = func(_ context.Context, e devicebound.Event) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.events = append(a.events, e)
	}
	binding, err := devicebound.New(m, cfg)
	if err != nil {
		t.Fatal(err)
	}
	a.manager, a.binding = m, binding

	mux := http.NewServeMux()
	page := func(w http.ResponseWriter, text string) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintf(w, boundPage, text)
	}
	handle := func(pattern string, h func(http.ResponseWriter, *http.Request, *session.Session[account])) {
		mux.HandleFunc(pattern, m.HandlerFunc(h))
	}
	// whose answers 401 to a session without an owner.
	whose := func(pattern string, h func(http.ResponseWriter, *http.Request, *session.Session[account])) {
		handle(pattern, func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			if s.Owner() == "" {
				w.WriteHeader(http.StatusUnauthorized)
				page(w, "nobody is logged in")
				return
			}
			h(w, r, s)
		})
	}
	mux.HandleFunc("GET /welcome", func(w http.ResponseWriter, _ *http.Request) { page(w, "welcome") })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { page(w, "welcome") })
	whose("GET /me", func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		page(w, fmt.Sprintf("%s has %d visits", s.Owner(), s.Data().Visits))
	})
	whose("GET /visit", func(w http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Visits++ })
		page(w, fmt.Sprintf("%s has %d visits", s.Owner(), s.Data().Visits))
	})
	whose("POST /visit", func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		sent, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.Update(func(a *account) { a.Visits++ })
		fmt.Fprintf(w, "%s sent %q", s.Owner(), sent)
	})
	handle("POST /before", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Before++ })
	})
	// A provider of logins sends the browser to this page from its own site.
	handle("GET /callback", func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Login(r.Context(), "kim"); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, "/me", http.StatusSeeOther)
	})
	handle("POST /login", func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Login(r.Context(), "kim"); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		target := "/me"
		if to := r.URL.Query().Get("to"); to != "" {
			target = to
		}
		if r.URL.Query().Has("fetch") {
			fmt.Fprint(w, "logged in")
			return
		}
		http.Redirect(w, r, target, http.StatusSeeOther)
	})
	handle("POST /logout", func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Destroy(r.Context()); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		if r.URL.Query().Has("clear") {
			w.Header().Set("Clear-Site-Data", `"cookies", "storage"`)
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	whose("POST /renew", func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Renew(r.Context()); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	whose("GET /events", func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		_ = eventstream.Serve(w, r, s, eventstream.Options{Retry: 10 * time.Millisecond}, func(ctx context.Context, events *eventstream.Stream) error {
			if err := events.Send(eventstream.Event{Data: s.Owner()}); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		})
	})
	whose("GET /socket", serveSocket)
	a.Handler = routed(binding.Handler(mux))
	return a
}

// serveSocket sends the owner in one message and closes the connection when the session's context
// ends.
func serveSocket(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
	ctx, stop := s.NotifyContext(r.Context())
	defer stop()
	if ctx.Err() != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	owner := s.Owner()
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see the import
	fmt.Fprintf(buffered, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n\x81%c%s",
		base64.StdEncoding.EncodeToString(accept[:]), len(owner), owner)
	if buffered.Flush() != nil {
		return
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, conn)
	}()
	select {
	case <-ctx.Done():
		_, _ = conn.Write([]byte{0x88, 2, 0x03, 0xf0}) // 1008: the policy is violated
	case <-gone:
	}
	_ = conn.Close()
	<-gone
}

// count returns how many events of the kind there were.
func (a *boundApp) count(is func(devicebound.Event) bool) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.events {
		if is(e) {
			n++
		}
	}
	return n
}

func (a *boundApp) all() []devicebound.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.events)
}
