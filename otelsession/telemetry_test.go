package otelsession_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/nestsession/session"
	"github.com/nestsession/session/devicebound"
	"github.com/nestsession/session/otelsession"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/nearcache"
	"github.com/nestsession/session/store/storetest"
)

func memory(t *testing.T) *memstore.Store {
	t.Helper()
	s := memstore.New(memstore.Config{})
	t.Cleanup(func() { s.Close() })
	return s
}

// Each call has a span under the request's, and the session's digest.
func TestSpansOfARequest(t *testing.T) {
	t.Parallel()
	g := setup(t, sdktrace.AlwaysSample(), otelsession.Options{})
	m := g.manager(session.Config{})
	cookie := g.visit(m, "", count)
	g.spans.Reset()
	var digest string
	g.visit(m, cookie, func(ctx context.Context, s *session.Session[account]) {
		count(ctx, s)
		digest = s.Digest()
	})

	request := g.named("request")
	if len(request) != 1 || attributeOf(request[0], "session.id") != digest {
		t.Fatalf("the request's span is %+v, want one with session.id %s", request, digest)
	}
	for outer, inner := range map[string]string{"session.load": "store.load", "session.save": "store.update"} {
		outers, inners := g.named(outer), g.named(inner)
		if len(outers) != 1 || len(inners) != 1 {
			t.Errorf("%d spans %s and %d %s, want one of each", len(outers), outer, len(inners), inner)
			continue
		}
		if outers[0].Parent.SpanID() != request[0].SpanContext.SpanID() || inners[0].Parent.SpanID() != outers[0].SpanContext.SpanID() {
			t.Errorf("%s and %s are not under the request", outer, inner)
		}
		if got := attributeOf(outers[0], "session.id"); got != digest {
			t.Errorf("%s has session.id %q, want %q", outer, got, digest)
		}
		if inners[0].SpanKind != trace.SpanKindClient || attributeOf(inners[0], "db.system.name") != "memory" {
			t.Errorf("%s is not the call of a store: %+v", inner, inners[0])
		}
	}
}

// After a login the request's span names the session as it is from then on.
func TestTheSpanNamesTheNewSessionAfterALogin(t *testing.T) {
	t.Parallel()
	g := setup(t, sdktrace.AlwaysSample(), otelsession.Options{})
	m := g.manager(session.Config{})
	cookie := g.visit(m, "", count)
	g.spans.Reset()
	var digest string
	g.visit(m, cookie, func(ctx context.Context, s *session.Session[account]) {
		if err := s.Login(ctx, "user:ada"); err != nil {
			t.Error(err)
		}
		digest = s.Digest()
	})
	request := g.named("request")[0]
	if got := attributeOf(request, "session.id"); got != digest {
		t.Errorf("session.id is %q, want %q", got, digest)
	}
	for _, e := range request.Events {
		if e.Name == "session.logged_in" {
			return
		}
	}
	t.Errorf("the span has no event of the login: %+v", request.Events)
}

// A request that is not sampled, and a call outside any request, begin no trace. Metrics
// count them.
func TestNoSpansWithoutASampledRequest(t *testing.T) {
	t.Parallel()
	g := setup(t, sdktrace.ParentBased(sdktrace.NeverSample()), otelsession.Options{})
	m := g.manager(session.Config{})
	cookie := g.visit(m, "", count)
	g.visit(m, cookie, look)
	if got := g.spans.GetSpans(); len(got) != 0 {
		t.Errorf("spans were exported: %+v", got)
	}
	g.want("nestsession.loads", 1, "nestsession.outcome=ok")

	always := setup(t, sdktrace.AlwaysSample(), otelsession.Options{})
	s := always.telemetry.Instrument(session.Config{Store: memory(t)}).Store
	_, _ = s.Load(t.Context(), "none")
	if got := always.spans.GetSpans(); len(got) != 0 {
		t.Errorf("a call outside a request began a trace: %+v", got)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	g := setup(t, sdktrace.NeverSample(), otelsession.Options{
		BoundShare: func(context.Context) (float64, bool) { return 0.25, true },
	})
	now := time.Now()
	heard := 0
	m := g.manager(session.Config{
		IdleTimeout: time.Hour, Now: func() time.Time { return now },
		OnEvent: func(context.Context, session.Event) { heard++ },
	})
	g.want("nestsession.conflicts", 0)
	g.want("nestsession.rejections", 0, "nestsession.reason=unknown id")
	g.want("nestsession.ends", 0, "nestsession.reason=revoked")
	g.want("nestsession.bound", 0.25)

	a := g.visit(m, "", count)
	b := g.visit(m, "", count)
	g.visit(m, "", count)
	// Another request saves between the load and the save of this one.
	g.visit(m, a, func(ctx context.Context, s *session.Session[account]) {
		count(ctx, s)
		g.visit(m, a, count)
	})
	g.visit(m, "sid=nonsense", look)
	g.visit(m, b, func(ctx context.Context, s *session.Session[account]) {
		if err := s.Destroy(ctx); err != nil {
			t.Error(err)
		}
	})
	now = now.Add(2 * time.Hour)
	g.visit(m, a, look)

	g.want("nestsession.conflicts", 1)
	g.want("nestsession.saves", 1, "nestsession.operation=update", "nestsession.outcome=conflict")
	g.want("nestsession.saves", 3, "nestsession.operation=create", "nestsession.outcome=ok")
	g.want("nestsession.rejections", 1)
	g.want("nestsession.ends", 1, "nestsession.reason=destroyed")
	g.want("nestsession.ends", 1, "nestsession.reason=idle timeout")
	g.want("nestsession.events", 3, "nestsession.event=created")
	if heard == 0 {
		t.Error("the program's own OnEvent was not called")
	}
	if n, _ := value(g.collect()["db.client.operation.duration"], "db.operation.name=create", "db.system.name=memory"); n != 3 {
		t.Errorf("%v durations of creates, want 3", n)
	}
}

// failing is a store that is down.
type failing struct{ store.Store }

func (failing) Load(context.Context, string) (store.Record, error) {
	return store.Record{}, errors.New("password=hunter2 at key 9f8e7d")
}

func TestAFailureHasATypeAndNoText(t *testing.T) {
	t.Parallel()
	g := setup(t, sdktrace.AlwaysSample(), otelsession.Options{System: "postgresql"})
	m := g.manager(session.Config{Store: failing{memory(t)}, Logger: slog.New(slog.DiscardHandler), ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusTeapot) }})
	working := g.manager(session.Config{})
	g.visit(m, g.visit(working, "", count), look)
	g.want("db.client.operation.duration", 1, "error.type=_OTHER", "db.system.name=postgresql")
	g.want("nestsession.loads", 1, "nestsession.outcome=_OTHER")
	g.want("nestsession.events", 1, "nestsession.event=load failed")
	failed := 0
	for _, s := range g.spans.GetSpans() {
		if s.Status.Code == codes.Error && attributeOf(s, "error.type") == "_OTHER" {
			failed++
		}
	}
	if failed != 2 {
		t.Errorf("%d spans have failed, want those of the load and of the store's call", failed)
	}
	if text := g.exported(); strings.Contains(text, "hunter2") || strings.Contains(text, "9f8e7d") {
		t.Errorf("the text of the error was exported: %s", text)
	}
}

// Nothing that is exported names an id, a cookie, a secret, an owner or a key of the store.
func TestNothingSecretIsExported(t *testing.T) {
	t.Parallel()
	for name, plain := range map[string]bool{"hashed ids": false, "plain ids": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t, sdktrace.AlwaysSample(), otelsession.Options{})
			shared := memory(t)
			near, err := nearcache.New(g.telemetry.Store(shared), nearcache.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer near.Close()
			m := g.manager(session.Config{Store: near, Express: session.ExpressOptions{InsecurePlainIDs: plain}})
			secrets := []string{secret, "user:ada", "blue whale"}
			keep := func(cookie string) string {
				_, value, _ := strings.Cut(cookie, "=")
				whole, err := url.QueryUnescape(value)
				if err != nil {
					t.Fatal(err)
				}
				id, signature, _ := strings.Cut(strings.TrimPrefix(whole, "s:"), ".")
				secrets = append(secrets, value, whole, id, signature)
				return cookie
			}
			cookie := keep(g.visit(m, "", func(ctx context.Context, s *session.Session[account]) {
				s.Update(func(a *account) { a.User = "blue whale" })
				secrets = append(secrets, s.ID())
			}))
			for _, do := range []func(context.Context, *session.Session[account]){
				count,
				func(ctx context.Context, s *session.Session[account]) { _ = s.Login(ctx, "user:ada") },
				func(ctx context.Context, s *session.Session[account]) { _ = s.Renew(ctx) },
				look,
				func(_ context.Context, s *session.Session[account]) { s.Touch() },
				func(ctx context.Context, s *session.Session[account]) { _ = s.Regenerate(ctx); count(ctx, s) },
				func(ctx context.Context, s *session.Session[account]) { _ = s.Destroy(ctx) },
				look,
			} {
				for rec, err := range store.Lister(shared).List(t.Context(), "") {
					if err != nil {
						t.Fatal(err)
					}
					secrets = append(secrets, rec.ID)
				}
				cookie = keep(g.visit(m, cookie, func(ctx context.Context, s *session.Session[account]) {
					secrets = append(secrets, s.ID())
					do(ctx, s)
					secrets = append(secrets, s.ID())
				}))
			}
			keep(g.visit(m, cookie[:len(cookie)-1]+"x", look))
			text := []byte(g.exported())
			if !bytes.Contains(text, []byte("nestsession.ends")) || !bytes.Contains(text, []byte("session.load")) {
				t.Fatal("nothing was exported")
			}
			for _, s := range secrets {
				for _, form := range []string{s, url.QueryEscape(s), hex.EncodeToString([]byte(s)), base64.StdEncoding.EncodeToString([]byte(s))} {
					if len(s) > 3 && bytes.Contains(text, []byte(form)) {
						t.Errorf("%q was exported", form)
					}
				}
			}
		})
	}
}

// A cache's hits are no calls of the store.
func TestNearCache(t *testing.T) {
	t.Parallel()
	g := setup(t, sdktrace.AlwaysSample(), otelsession.Options{})
	// A store that reports no changes, for the cache drops what is reported at any moment.
	near, err := nearcache.New(g.telemetry.Store(struct{ store.Store }{memory(t)}), nearcache.Config{MaxStale: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	m := g.manager(session.Config{Store: near})
	g.manager(session.Config{Store: near}) // a second manager does not count the cache twice
	cookie := g.visit(m, "", count)
	for range 3 {
		g.visit(m, cookie, look)
	}
	stats := near.Stats()
	g.want("nestsession.cache.hits", float64(stats.Hits))
	g.want("nestsession.cache.misses", float64(stats.Misses))
	g.want("nestsession.cache.size", float64(stats.Bytes))
	g.want("nestsession.loads", 3, "nestsession.outcome=ok")
	if stats.Hits == 0 {
		t.Error("the cache answered nothing")
	}
	if got := len(g.named("store.load")); got != int(stats.Misses) {
		t.Errorf("%d spans of loads of the store, want %d", got, stats.Misses)
	}
	if got := len(g.named("session.load")); got != 3 {
		t.Errorf("%d spans of loads, want 3", got)
	}
}

// The store in front can do all that the store behind can.
func TestCapabilitiesRemain(t *testing.T) {
	t.Parallel()
	g := setup(t, sdktrace.NeverSample(), otelsession.Options{})
	s := g.telemetry.Instrument(session.Config{Store: memory(t)}).Store
	if _, is := store.As[store.Lister](s); !is {
		t.Error("no Lister")
	}
	if _, is := store.As[store.Watcher](s); !is {
		t.Error("no Watcher")
	}
	if _, is := store.As[store.Pinger](s); !is {
		t.Error("no Pinger")
	}
	if _, is := s.(store.SinceLoader); !is {
		t.Error("no SinceLoader")
	}
	// A cache is not one, and so nothing in front of it is.
	near, err := nearcache.New(memory(t), nearcache.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	if _, is := g.telemetry.Instrument(session.Config{Store: near}).Store.(store.SinceLoader); is {
		t.Error("a SinceLoader in front of a cache, which is not one")
	}
	if again := g.telemetry.Store(g.telemetry.Store(s)); again != s {
		t.Error("the calls of a store are measured twice")
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) storetest.Opened {
		g := setup(t, sdktrace.AlwaysSample(), otelsession.Options{})
		return storetest.Opened{Store: g.telemetry.Instrument(session.Config{Store: memory(t), Secrets: []string{secret}}).Store}
	}, storetest.Options{Parallel: true, Without: map[storetest.Capability]string{storetest.Peers: "a memstore has none"}})
}

// uncountable has no list.
type uncountable struct{ store.Store }

func TestLiveSessionsAreCountedWhereTheStoreCan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		store   store.Store
		every   time.Duration
		counted bool
	}{
		"a store that lists":               {memory(t), 0, true},
		"a store that cannot list":         {uncountable{memory(t)}, 0, false},
		"a program that asks for no count": {memory(t), -1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := setup(t, sdktrace.NeverSample(), otelsession.Options{CountInterval: c.every})
			m := g.manager(session.Config{Store: c.store})
			g.visit(m, "", count)
			// What a session that has ended leaves for some seconds does not count.
			g.visit(m, g.visit(m, "", count), func(ctx context.Context, s *session.Session[account]) {
				if err := s.Destroy(ctx); err != nil {
					t.Error(err)
				}
			})
			if n, is := value(g.collect()["nestsession.live"]); is != c.counted || is && n != 1 {
				t.Errorf("%v live sessions (present: %v)", n, is)
			}
		})
	}
}

// What leads from an old id to a session does not count, and neither does a note that another
// secret has made.
func TestBoundSessionsAreCounted(t *testing.T) {
	t.Parallel()
	g := setup(t, sdktrace.NeverSample(), otelsession.Options{})
	m := g.manager(session.Config{})
	if _, is := value(g.collect()["nestsession.bound"]); is {
		t.Error("a share is reported, and nothing is bound")
	}
	note := func(ctx context.Context, s *session.Session[account]) {
		count(ctx, s)
		s.UpdateNote("key", func(string) string { return "yes" })
	}
	g.visit(m, g.visit(m, "", note), func(ctx context.Context, s *session.Session[account]) { _ = s.Renew(ctx) })
	for range 3 {
		g.visit(m, "", count)
	}
	g.telemetry.CountBound(func(s interface{ Note(string) string }) bool { return s.Note("key") == "yes" })
	for g.Context().Err() == nil { // the count runs in the background
		if share, is := value(g.collect()["nestsession.bound"]); is {
			if share != 0.25 {
				t.Errorf("the share is %v, want 0.25", share)
			}
			return
		}
	}
}

// A request that a device's key refuses is a rejection with its reason.
func TestARefusedDeviceIsARejection(t *testing.T) {
	t.Parallel()
	g := setup(t, sdktrace.NeverSample(), otelsession.Options{})
	cfg := g.telemetry.Instrument(session.Config{Store: memory(t)})
	for range 2 {
		cfg.OnEvent(t.Context(), devicebound.Event{Kind: devicebound.EventRefused, Reason: devicebound.ReasonNoProof}.SessionEvent())
	}
	cfg.OnEvent(t.Context(), devicebound.Event{Kind: devicebound.EventRefreshed}.SessionEvent())
	g.want("nestsession.rejections", 2, "nestsession.reason=device: no proof")
	g.want("nestsession.events", 1, "nestsession.event=device refreshed")
}

// The store that Instrument made is closed with the telemetry, and nothing is observed then.
func TestClose(t *testing.T) {
	t.Parallel()
	g := setup(t, sdktrace.NeverSample(), otelsession.Options{})
	s := g.telemetry.Instrument(session.Config{}).Store
	if err := g.telemetry.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), "id"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("the store answers %v after Close", err)
	}
	if _, is := value(g.collect()["nestsession.live"]); is {
		t.Error("sessions are counted after Close")
	}
}

func TestStreamsAreCountedWhileTheyLast(t *testing.T) {
	t.Parallel()
	g := setup(t, sdktrace.NeverSample(), otelsession.Options{})
	open, end := make(chan struct{}), make(chan struct{})
	handlers := map[string]http.HandlerFunc{
		"/events": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			w.(http.Flusher).Flush()
			open <- struct{}{}
			<-end
		},
		"/socket": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			open <- struct{}{}
			<-end
		},
		"/page": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("page")) },
	}
	server := httptest.NewServer(g.telemetry.CountStreams(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handlers[r.URL.Path](w, r) })))
	defer server.Close()
	server.Config.SetKeepAlivesEnabled(false) // a client repeats a request whose reused connection was lost
	for path, want := range map[string]float64{"/events": 1, "/socket": 1} {
		g.want("nestsession.streams", 0)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if res, err := server.Client().Get(server.URL + path); err == nil {
				_, _ = res.Body.Read(make([]byte, 1))
				res.Body.Close()
			}
		}()
		<-open
		g.want("nestsession.streams", want)
		end <- struct{}{}
		<-done
		for { // the handler returns after its client has seen the end
			if n, _ := value(g.collect()["nestsession.streams"]); n == 0 || t.Context().Err() != nil {
				break
			}
		}
	}
	res, err := server.Client().Get(server.URL + "/page")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	g.want("nestsession.streams", 0)
}
