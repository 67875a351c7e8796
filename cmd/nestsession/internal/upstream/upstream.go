// Package upstream passes requests on to an application behind this server.
package upstream

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config configures a proxy.
type Config struct {
	// URL is where the application listens, such as http://127.0.0.1:3000. A path in it is put in
	// front of each request's.
	URL *url.URL

	// Timeout is how long the application may take until its response begins. Default: a minute.
	Timeout time.Duration

	// Stall is how long a client may send nothing of a body, or take nothing of a response. Default: 30
	// seconds.
	Stall time.Duration

	// Private are the names of cookies that the application neither gets nor sets: those of the sessions.
	Private []string

	// Trusted reports whether the client is a proxy whose X-Forwarded headers stay.
	Trusted func(*http.Request) bool

	// Refuse answers in place of an application that does not: 502, 503 or 504. err is for the log.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, err error)

	Logger *slog.Logger
}

// New returns the handler that passes requests on. It sends and receives WebSockets and streams as they
// come. When the context of a request ends, so does its connection.
func New(cfg Config) http.Handler {
	if cfg.Timeout <= 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.Stall <= 0 {
		cfg.Stall = 30 * time.Second
	}
	transport := &http.Transport{
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		ResponseHeaderTimeout: cfg.Timeout,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: cfg.Timeout, // the application decides whether the client sends its body
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       30 * time.Second,
		DisableCompression:    true, // what the client asks for is passed on
		ForceAttemptHTTP2:     true,
	}
	proxy := &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1, // a stream is sent as it comes
		ErrorLog:      slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(cfg.URL)
			p.Out.URL.RawQuery = p.In.URL.RawQuery // also one with a semicolon, which ReverseProxy drops
			p.Out.Host = p.In.Host                 // the application makes links with it
			if cfg.Trusted(p.In) {
				p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
				p.SetXForwarded()
				for _, name := range []string{"X-Forwarded-Proto", "X-Forwarded-Host"} {
					if came := p.In.Header[name]; len(came) > 0 {
						p.Out.Header[name] = came
					}
				}
			} else {
				maps.DeleteFunc(p.Out.Header, func(name string, _ []string) bool {
					return strings.HasPrefix(name, "X-Forwarded-") || slices.Contains(ofProxies, name)
				})
				p.SetXForwarded()
			}
			hide(p.Out.Header, cfg.Private)
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header["Set-Cookie"] = slices.DeleteFunc(r.Header["Set-Cookie"], func(line string) bool { return isPrivate(line, cfg.Private) })
			if len(r.Header["Set-Cookie"]) == 0 {
				delete(r.Header, "Set-Cookie")
			}
			if len(r.Trailer) > 0 { // HTTP/2 has them beside a length, HTTP/1.1 only without
				delete(r.Header, "Content-Length")
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			switch status := statusOf(r.Context(), err); status {
			case 0: // the client has gone, or its session has ended
				panic(http.ErrAbortHandler)
			default:
				cfg.Refuse(w, r, status, err)
			}
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l := &limits{conn: http.NewResponseController(w), stall: cfg.Stall}
		// A client that neither sends nor takes anything must not hold what its session's end ends.
		stop := context.AfterFunc(r.Context(), l.end)
		defer func() { stop(); l.release() }()
		if r.Body != nil && r.Body != http.NoBody {
			body := &steady{ReadCloser: r.Body, limits: l}
			r = r.WithContext(context.WithValue(r.Context(), bodyKey{}, body))
			r.Body = body
		}
		l.write(time.Time{})
		proxy.ServeHTTP(&patient{ResponseWriter: w, limits: l, ctx: r.Context()}, r)
	})
}

// ofProxies are fields in which proxies describe a client, besides X-Forwarded-…; ReverseProxy
// removes Forwarded.
var ofProxies = []string{"X-Real-Ip", "X-Original-Url", "X-Original-Method", "X-Rewrite-Url"}

// limits are the deadlines of a connection. Not the length of an upload or a stream counts, but that
// it goes on. What a connection cannot limit (HTTP/2) its own timeouts do.
type limits struct {
	conn  *http.ResponseController
	stall time.Duration

	mu              sync.Mutex
	ended, released bool
	sendBy          time.Time // the client must; zero: it need not
}

// read limits how long the client may send nothing. The zero time removes the limit.
func (l *limits) read(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sendBy = until; !l.ended {
		_ = l.conn.SetReadDeadline(until)
	}
}

// write limits how long the client may take nothing. The zero time removes the limit.
func (l *limits) write(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		_ = l.conn.SetWriteDeadline(until)
	}
}

// end interrupts what reads and writes at this moment, for good. If the client has stalled, which ends
// the request's context too, it still gets an answer.
func (l *limits) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released || !l.sendBy.IsZero() && !time.Now().Before(l.sendBy) {
		return
	}
	l.ended = true
	_ = l.conn.SetReadDeadline(past)
	_ = l.conn.SetWriteDeadline(past)
}

// release leaves the connection to the next request.
func (l *limits) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.released = true
}

func (l *limits) goesOn() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.ended
}

var past = time.Unix(1, 0)

// bodyKey is the key of a request's body in its context, which ends when the body fails.
type bodyKey struct{}

// statusOf returns the status that tells the client of an error of the application; 0 if there is nobody to tell.
func statusOf(ctx context.Context, err error) int {
	var network net.Error
	body, _ := ctx.Value(bodyKey{}).(*steady)
	switch {
	case body != nil && body.stalled.Load():
		return http.StatusRequestTimeout
	case ctx.Err() != nil:
		return 0
	case errors.As(err, &network) && network.Timeout():
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

// steady is the body of a request whose client must go on sending.
type steady struct {
	io.ReadCloser
	*limits

	stalled atomic.Bool
}

func (b *steady) Read(p []byte) (int, error) {
	b.read(time.Now().Add(b.stall))
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.stalled.Store(b.goesOn()) // the deadline stays: net/http would wait for the rest
	case err != nil:
		b.read(time.Time{}) // the connection may serve another request
	}
	return n, err
}

// patient is the writer of a response whose client must go on reading.
type patient struct {
	http.ResponseWriter
	*limits
	ctx context.Context
}

// Unwrap is for [http.ResponseController].
func (w *patient) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *patient) Write(p []byte) (int, error) {
	w.write(time.Now().Add(w.stall))
	n, err := w.ResponseWriter.Write(p)
	w.write(time.Time{})
	return n, err
}

func (w *patient) Flush() {
	w.write(time.Now().Add(w.stall))
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	w.write(time.Time{})
}

// Hijack implements [http.Hijacker]. The connection ends with its request's context, also if its
// client takes nothing: ReverseProxy closes only that of the application, and would wait for the
// client's.
func (w *patient) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := w.conn.Hijack()
	if err == nil {
		context.AfterFunc(w.ctx, func() { _ = conn.Close() })
	}
	return conn, buffered, err
}

// hide removes cookies from a request.
func hide(h http.Header, names []string) {
	lines := h["Cookie"][:0:0]
	for _, line := range h["Cookie"] {
		var kept []string
		for pair := range strings.SplitSeq(line, ";") {
			if pair = strings.TrimSpace(pair); pair != "" && !isPrivate(pair, names) {
				kept = append(kept, pair)
			}
		}
		if len(kept) > 0 {
			lines = append(lines, strings.Join(kept, "; "))
		}
	}
	if h["Cookie"] = lines; len(lines) == 0 {
		delete(h, "Cookie")
	}
}

// isPrivate reports whether a text that begins with a cookie's name and value is of one of the names.
func isPrivate(text string, names []string) bool {
	name, _, _ := strings.Cut(text, "=")
	name, _, _ = strings.Cut(name, ";")
	return slices.Contains(names, strings.TrimSpace(name))
}
