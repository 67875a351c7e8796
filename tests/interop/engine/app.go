package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/nestsession/session"
	"github.com/nestsession/session/tests/interop/client"
	"github.com/nestsession/session/tests/interop/scenario"
)

// app is the application of a scenario, or of one of its variants: session layers, one within the
// other, around one handler.
type app struct {
	w       *World
	layers  []*layer
	handler http.Handler
}

// layer is one session layer.
type layer struct {
	scenario.Layer
	store   *Store
	manager *Manager
}

func (w *World) newApp(layers []scenario.Layer) (*app, error) {
	a := &app{w: w}
	for _, l := range layers {
		m, err := w.newManager(l)
		if err != nil {
			return nil, err
		}
		a.layers = append(a.layers, &layer{l, w.store(l.Store), m})
	}
	a.handler = http.HandlerFunc(a.serve)
	for i := len(a.layers) - 1; i >= 0; i-- {
		a.handler = a.layers[i].wrap(a.handler)
	}
	return a, nil
}

// wrap applies the layer to its mount path. While its store is disconnected, requests are served
// without a session: that is this application's choice, as it is in express-session.
func (l *layer) wrap(next http.Handler) http.Handler {
	with := l.manager.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.Covers(rawPath(r)) && l.store.connected() {
			with.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// verify returns the id in a cookie, whichever of the layers signed it.
func (a *app) verify(name, value string) (id string, by int, ok bool) {
	for _, l := range a.layers {
		if l.Options.Name == name {
			if id, by, ok = client.Verify(value, l.Options.Secrets); ok {
				return id, by, true
			}
		}
	}
	return "", 0, false
}

type requestKey struct{}

// ServeHTTP serves a request and reports its end.
func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := a.w.current()
	req.begin()
	defer req.finish()
	a.handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, req)))
}

// serve is the handler within the layers. Its session is that of the first layer that has one for
// this request: in Express, later layers do nothing if a session exists.
func (a *app) serve(w http.ResponseWriter, r *http.Request) {
	req := r.Context().Value(requestKey{}).(*request)
	run := &handler{w: a.w, req: req, out: w, r: r, status: http.StatusOK}
	for _, l := range a.layers {
		s, err := l.manager.Load(r.Context())
		if err == nil {
			run.layer, run.session = l, s
			break
		}
		if !errors.Is(err, session.ErrOutsidePath) && !errors.Is(err, session.ErrNoHandler) {
			return // the layer answers with an error, and the handler does not run
		}
	}
	req.options(run.layer)
	run.run()
}

// answerError is the application's error handler.
func (w *World) answerError(out http.ResponseWriter, _ *http.Request, err error) {
	if r := w.current(); r != nil && r.handlerRan() {
		r.late(err)
	}
	out.Header().Set("Content-Type", "text/plain; charset=utf-8")
	out.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(out, "error: "+err.Error())
}

// onEvent records errors that neither the handler nor the client gets.
func (w *World) onEvent(_ context.Context, e session.Event) {
	switch e.Kind {
	case session.EventSaveFailed, session.EventTouchFailed:
		if r := w.current(); r != nil && r.handlerRan() && !r.isBusy() {
			r.late(e.Err)
		}
	}
}

type serverKey struct {
	variant string
	tls     bool
}

type server struct {
	*httptest.Server
	config *tls.Config // of its clients; nil if it is plain
}

func (s *server) close() { s.Server.Close() }

// server returns the server of a variant, and starts it at the first call.
func (w *World) server(key serverKey) *server {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s := w.servers[key]; s != nil {
		return s
	}
	s := &server{Server: httptest.NewUnstartedServer(w.apps[key.variant])}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if key.tls {
		s.StartTLS()
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		s.config = &tls.Config{RootCAs: roots, ServerName: "example.com", NextProtos: []string{"http/1.1"}}
	} else {
		s.Start()
	}
	w.servers[key] = s
	return s
}
