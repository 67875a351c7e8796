package session

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/records"
	"github.com/nestsession/session/internal/verified"
	"github.com/nestsession/session/store"
)

// settings returns the Config's cookie for a request, unresolved.
func (c *core) settings(r *http.Request) *Cookie {
	if c.cookieFunc != nil {
		k := c.cookieFunc(c.callback(r))
		return &k
	}
	return &c.cookie
}

// resolve returns a cookie with the settings for a request that came over HTTPS, or did
// not.
func (c *core) resolve(k *Cookie, secure bool) *Cookie {
	switch {
	case k.Secure != SecureAuto && k.SameSite != SameSiteAuto:
		return k
	case k == &c.cookie && secure:
		return &c.overHTTPS
	case k == &c.cookie:
		return &c.overHTTP
	}
	own := *k
	own.resolve(secure)
	return &own
}

// secure reports whether the request came over an encrypted connection.
func (c *core) secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	switch c.proxy {
	case ProxyTrusted:
		proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
		return strings.EqualFold(strings.TrimSpace(proto), "https")
	case ProxyUnset:
		return c.isSecure != nil && c.isSecure(c.callback(r))
	}
	return false
}

// emit reports an event to Config.OnEvent and to the log. key is the session's key in the
// store. Only its digest is reported.
func (c *core) emit(ctx context.Context, e Event, key string) {
	level := e.level()
	logs := c.logger.Enabled(ctx, level)
	if c.onEvent == nil && !logs {
		return
	}
	ctx = quietContext{ctx, c}
	e.Time = c.now()
	if key != "" {
		e.Digest = c.records.Digest(key)
	}
	if c.onEvent != nil {
		c.onEvent(ctx, e)
	}
	if !logs {
		return
	}
	attrs := make([]slog.Attr, 0, 4)
	for _, a := range [...]slog.Attr{
		slog.String("session", e.Digest), slog.String("owner", e.Owner), slog.String("reason", string(e.Reason)),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	c.logger.LogAttrs(ctx, level, "session: "+string(e.Kind), attrs...)
}

// quietContext is a request's context in which From does not find the session. The session
// is locked while events are reported and the store is called. A log handler or a store's
// tracing that used the session there would deadlock.
type quietContext struct {
	context.Context
	c *core
}

func (q quietContext) Value(key any) any {
	if key == chainKey {
		outer, _ := q.Context.Value(key).(chained)
		return lockedExchange{q.c, outer}
	}
	return q.Context.Value(key)
}

// lockedExchange hides an exchange from callbacks.
type lockedExchange struct {
	c     *core
	outer chained
}

func (l lockedExchange) manager() *core { return l.c }

func (l lockedExchange) farther() chained { return l.outer }

func (l lockedExchange) locked() bool { return true }

func (l lockedExchange) level() int {
	if l.outer == nil {
		return -1
	}
	return l.outer.level()
}

// cookieNotSent reports a Secure cookie that cannot be sent over plain HTTP. There is an
// event each time, and a warning once a minute, since it is the same for every request.
func (c *core) cookieNotSent(ctx context.Context, reason Reason, key string) {
	c.emit(ctx, Event{Kind: EventCookieNotSent, Reason: reason, Err: ErrInsecure}, key)
	c.warn(ctx, &c.warned, time.Minute, "session: a Secure cookie was not sent, because the request came over plain HTTP: "+
		"serve HTTPS, set Config.Proxy or Config.IsSecure behind a proxy that ends TLS, or for development set Cookie.Secure to SecureAuto")
}

// warn logs a warning that is the same for many requests, once in every so often. last is
// when it was logged, in seconds since 1970.
func (c *core) warn(ctx context.Context, last *atomic.Int64, every time.Duration, message string, args ...any) {
	now := c.now().Unix()
	if before := last.Load(); now-before >= int64(every.Seconds()) && last.CompareAndSwap(before, now) {
		c.logger.WarnContext(quietContext{ctx, c}, message, args...)
	}
}

// chained is an exchange of any type in the chain of a request's exchanges.
type chained interface {
	manager() *core
	farther() chained
	level() int
	locked() bool // the session is locked and cannot be used
}

// chainKey is the key of the innermost exchange in a context.
var chainKey any = new(int)

// core is the part of a manager that does not depend on the type of the data.
type core struct {
	store   store.Store
	signer  *cookie.Signer
	cookies verified.Cache
	name    string

	cookie              Cookie
	overHTTP, overHTTPS Cookie // the same, resolved

	cookieFunc                         func(*http.Request) Cookie
	genID                              func(*http.Request) (string, error)
	isSecure                           func(*http.Request) bool
	onEvent                            func(context.Context, Event)
	errorHandler                       func(http.ResponseWriter, *http.Request, error)
	now                                func() time.Time
	logger                             *slog.Logger
	proxy                              Proxy
	idle, touchEvery                   time.Duration
	loadTimeout, saveTimeout           time.Duration
	rolling, resave, saveUninitialized bool
	firstCookie                        bool
	keepCookie, keepDeadCookie         bool
	policy                             policy
	warned, warnedCopies, warnedAge    atomic.Int64 // when warn last logged, in seconds since 1970
	warnedOutside, warnedMember        atomic.Int64
	former                             []FormerCookie

	records *records.Records
}

// present returns the current time.
func (c *core) present() document.Instant { return c.records.Present() }

// outlive returns a context for work that goes on when ctx ends, but for at most
// Config.SaveTimeout. The caller calls its End.
func (c *core) outlive(ctx context.Context) *deadline.Context {
	return deadline.Without(ctx, c.saveTimeout)
}

// forCaller returns the context for a store call by a method of the session. The caller
// calls its End.
func (c *core) forCaller(ctx context.Context) *deadline.Context {
	return deadline.Within(quietContext{ctx, c}, c.saveTimeout)
}

// unreadMembers reports the members of a document that do not fit their fields. There is an
// event each time, and a warning once a minute.
func (c *core) unreadMembers(ctx context.Context, misfits []document.Misfit, owner, key string) {
	if len(misfits) == 0 {
		return
	}
	for _, m := range misfits {
		c.emit(ctx, Event{Kind: EventUnread, Owner: owner, Reason: ReasonMember, Err: m.Err}, key)
	}
	c.warn(ctx, &c.warnedMember, time.Minute, "session: a stored member was not read, because it does not have its field's type",
		"error", misfits[0].Err.Error(), "members", fmt.Sprint(len(misfits)))
}

// callback returns the request for a callback of the Config. With its context Load returns
// ErrReentrant, because the session is locked while the callback runs.
func (c *core) callback(r *http.Request) *http.Request {
	ctx := r.Context()
	if quiet := c.quiet(ctx); quiet != ctx {
		return r.WithContext(quiet)
	}
	return r
}

// quiet returns ctx without the session.
func (c *core) quiet(ctx context.Context) context.Context {
	x, _ := ctx.Value(chainKey).(chained)
	for ; x != nil; x = x.farther() {
		if x.manager() == c {
			return quietContext{ctx, c}
		}
	}
	return ctx
}

// changedOutside reports a change outside Update. There is an event each time, and a
// warning once a minute.
func (c *core) changedOutside(ctx context.Context, err error, owner, key string) {
	c.emit(ctx, Event{Kind: EventDropped, Owner: owner, Reason: ReasonOutside, Err: err}, key)
	c.warn(ctx, &c.warnedOutside, time.Minute, "session: a change was not saved, because it was made outside Update", "error", err.Error())
}
