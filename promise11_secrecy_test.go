package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// witness hears everything that leaves the process.
type witness struct {
	journal
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *witness) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *witness) heard() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.take() {
		fmt.Fprintf(&w.text, "%#v %v\n", e, e.Err)
	}
	return w.text.String()
}

// "Nothing that leaves the process (a log line, an event, a metric, an error) holds an
// id, a cookie or a secret."
func TestPromise11_NothingThatLeavesTheProcessHoldsAnID(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain ids %v", plain), func(t *testing.T) {
			t.Parallel()
			var w witness
			clk := newClock()
			s := &hooked{inner: memstore.New(memstore.Config{Now: clk.now, SweepInterval: -1})}
			secrets := map[string]bool{secret: true}
			m := newManager[account](t, session.Config{
				Store: s, OnEvent: w.add, Express: session.ExpressOptions{InsecurePlainIDs: plain}, Now: clk.now, StoreLimits: session.StoreLimits{TouchInterval: -1}, MaxBytes: 2000,
				Logger: slog.New(slog.NewTextHandler(&w, &slog.HandlerOptions{Level: slog.LevelDebug})),
			})
			b := newBrowser()
			// note remembers what must not be heard, and hears what handlers get.
			note := func(ses *session.Session[account], errs ...error) {
				secrets[ses.ID()] = true
				for _, rec := range records(t, s) {
					secrets[rec.ID] = true
				}
				_, sig, _ := strings.Cut(b.cookie(), ".")
				secrets[b.cookie()], secrets[sig] = true, true
				fmt.Fprintf(&w, "%v %+v %#v %s\n", ses, ses, ses, ses)
				slog.New(slog.NewJSONHandler(&w, nil)).Info("seen", "session", ses)
				for info, err := range m.ListAll(t.Context()) {
					fmt.Fprintf(&w, "%v %+v %#v %v\n", info, info, info, err)
				}
				for _, err := range errs {
					fmt.Fprintf(&w, "%v %+v %#v\n", err, err, err)
					for ; err != nil; err = errors.Unwrap(err) {
						fmt.Fprintln(&w, err)
					}
				}
			}
			each(t, m, b, s, clk, note)
			for _, cookies := range []string{
				cookieName + "=s%3Aan-id-that-was-signed.badsignature",
				cookieName + "=" + signed(t, secret, "an-id-that-is-not-known"),
				cookieName + "=a-value-of-a-cookie;" + cookieName + "=a-value-of-a-cookie",
			} {
				r := newBrowser().request("GET", "/")
				r.Header.Set("Cookie", cookies)
				m.HandlerFunc(func(http.ResponseWriter, *http.Request, *session.Session[account]) {})(httptest.NewRecorder(), r)
			}
			for _, s := range []string{"an-id-that-was-signed", "badsignature", "an-id-that-is-not-known", "a-value-of-a-cookie"} {
				secrets[s] = true
			}
			heard := w.heard()
			delete(secrets, "")
			for s := range secrets {
				if i := strings.Index(heard, s); i >= 0 {
					t.Errorf("left the process: %q, in ...%s", s, heard[max(0, i-300):min(len(heard), i+len(s)+50)])
				}
			}
			for _, kind := range []session.EventKind{
				session.EventCreated, session.EventRenewed, session.EventRegenerated, session.EventDestroyed, session.EventRevoked,
				session.EventExpired, session.EventRejected, session.EventConflict, session.EventDropped, session.EventLoadFailed,
				session.EventSaveFailed, session.EventTouchFailed, session.EventCookieNotSent,
			} {
				if !strings.Contains(heard, `msg="session: `+string(kind)+`"`) && !strings.Contains(heard, "msg=session: "+string(kind)) {
					t.Errorf("the log has no %q, so that this test has not seen it", kind)
				}
			}
			if len(secrets) < 15 {
				t.Errorf("only %d secrets to look for", len(secrets))
			}
		})
	}
}

// each makes every kind of event happen.
func each(t *testing.T, m *session.Manager[account], b *browser, s *hooked, clk *clock, note func(*session.Session[account], ...error)) {
	t.Helper()
	visit := func(h handler) { do(m, b, h) }
	visit(func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		ses.Update(func(a *account) { a.User = &user{Name: "ada"} })
		ses.SetOwner("user:1")
		note(ses, ses.Save(r.Context()))
	})
	visit(func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		note(ses, ses.Renew(r.Context()))
		note(ses)
	})
	visit(func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) { // conflict
		do(m, b.fork(), func(_ http.ResponseWriter, _ *http.Request, other *session.Session[account]) {
			other.Update(func(a *account) { a.Count++ })
		})
		ses.Update(func(a *account) { a.Count++ })
		note(ses, ses.Save(r.Context()))
	})
	for _, op := range []string{"load", "update", "touch", "delete", "create"} { // failures
		fail := failing(op)
		visit(func(http.ResponseWriter, *http.Request, *session.Session[account]) {})
		visit(func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
			s.before = fail
			note(ses, ses.Reload(r.Context()), m.Ping(r.Context()))
			if op != "touch" {
				note(ses, ses.Renew(r.Context()))
			}
			if op == "update" {
				ses.Update(func(a *account) { a.Count++ })
				note(ses, ses.Save(r.Context()))
			}
		})
		if op == "load" {
			visit(func(http.ResponseWriter, *http.Request, *session.Session[account]) {})
		}
		s.before = nil
	}
	visit(func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) { // saves that cannot be
		n := 0
		ses.Update(func(a *account) { n++; a.Count = n })
		note(ses, ses.Save(r.Context()))
	})
	visit(func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		ses.Update(func(a *account) { a.Tags = []string{strings.Repeat("x", 3000)} })
		note(ses, ses.Save(r.Context()))
	})
	visit(func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		ses.SetCookie(session.Cookie{Domain: "a;b"})
		note(ses, ses.Save(r.Context()))
	})
	visit(func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) { // undecodable
		for _, rec := range records(t, s) {
			rec.Data = []byte(`{"cookie":{},"count":"` + ses.ID() + `"}`)
			if _, err := s.inner.Update(t.Context(), rec); err != nil {
				t.Fatal(err)
			}
		}
		note(ses, ses.Reload(r.Context()))
	})
	visit(func(http.ResponseWriter, *http.Request, *session.Session[account]) {})
	login(t, m, b, "bob")
	visit(func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		note(ses, ses.Regenerate(r.Context()))
		ses.SetOwner("user:2")
	})
	visit(func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) { // revoked, and dropped
		note(ses)
		_, err := m.RevokeOwner(r.Context(), "user:2")
		ses.Update(func(a *account) { a.Count++ })
		note(ses, err, ses.Save(r.Context()))
	})
	login(t, m, b, "carl")
	visit(func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		note(ses)
		note(ses, ses.Destroy(r.Context()), ses.Save(r.Context()))
	})
	login(t, m, b, "dora")
	visit(func(_ http.ResponseWriter, _ *http.Request, ses *session.Session[account]) { note(ses) })
	plain := b.request("GET", "/")
	plain.TLS = nil
	m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) { // plain HTTP
		ses.SetMaxAge(time.Minute)
		note(ses, ses.Renew(r.Context()))
	})(httptest.NewRecorder(), plain)
	clk.advance(time.Hour)
	visit(func(http.ResponseWriter, *http.Request, *session.Session[account]) {}) // expired
}

// The digest is the same wherever a session is spoken of, on every node with the same
// first secret, and cannot be made from what is in the store.
func TestPromise11_TheDigestIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	var log journal
	mem := memstore.New(memstore.Config{})
	m := newManager[account](t, session.Config{Store: mem, OnEvent: log.add})
	node := newManager[account](t, session.Config{Store: mem, Secrets: []string{secret, "an older secret, of 32 bytes..."}})
	other := newManager[account](t, session.Config{Store: mem, Secrets: []string{"another secret of enough bytes"}})
	b := newBrowser()
	var digest string
	do(m, b, func(_ http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		s.SetOwner("user:1")
		if err := s.Save(r.Context()); err != nil {
			t.Fatal(err)
		}
		digest = s.Digest()
	})
	if len(digest) != 24 {
		t.Errorf("the digest is %q", digest)
	}
	if e := log.take(); len(e) != 1 || e[0].Digest != digest || e[0].Owner != "user:1" || e[0].Time.IsZero() {
		t.Errorf("events: %+v", e)
	}
	for _, m := range []*session.Manager[account]{m, node} {
		if infos := list(t, m, "user:1"); len(infos) != 1 || infos[0].Digest != digest {
			t.Errorf("listed as %+v, want the digest %s", infos, digest)
		}
	}
	if infos := list(t, other, "user:1"); len(infos) != 1 || infos[0].Digest == digest {
		t.Errorf("with another secret the digest is the same: %+v", infos)
	}
	do(node, b, func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		if s.Digest() != digest {
			t.Errorf("on another node the digest is %s, want %s", s.Digest(), digest)
		}
	})
	do(m, newBrowser(), func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		if got := s.Digest(); got != "" {
			t.Errorf("a session without an id has the digest %s", got)
		}
	})
}

// What the store keeps is no id: who reads it cannot make a cookie of it, unless the
// configuration says so.
func TestPromise11_TheStoreKeepsNoID(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		s := newHooked(t)
		m := newManager[account](t, session.Config{Store: s, Express: session.ExpressOptions{InsecurePlainIDs: plain}})
		var id string
		do(m, newBrowser(), func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
			if err := ses.Save(r.Context()); err != nil {
				t.Fatal(err)
			}
			if err := ses.Renew(r.Context()); err != nil {
				t.Fatal(err)
			}
			id = ses.ID()
		})
		found := false
		for _, rec := range records(t, s) {
			text, err := json.Marshal(rec)
			if err != nil {
				t.Fatal(err)
			}
			found = found || rec.ID == id || bytes.Contains(text, []byte(id)) || bytes.Contains(rec.Data, []byte(id))
		}
		if found != plain {
			t.Errorf("plain ids %v: the id is in the store: %v", plain, found)
		}
	}
}

// Errors of the store come back wrapped, with the sentinels in reach.
func TestPromise11_ErrorsKeepTheirCause(t *testing.T) {
	t.Parallel()
	s := newHooked(t)
	m := newManager[account](t, session.Config{Store: s})
	s.before = func(context.Context, string, string) error { return store.ErrFull }
	do(m, newBrowser(), func(_ http.ResponseWriter, r *http.Request, ses *session.Session[account]) {
		err := ses.Save(r.Context())
		if !errors.Is(err, store.ErrFull) || !strings.HasPrefix(err.Error(), "session: ") {
			t.Errorf("Save returned %v", err)
		}
	})
}
