package session

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/exchange"
	"github.com/nestsession/session/internal/jar"
	"github.com/nestsession/session/internal/verified"
	"github.com/nestsession/session/internal/watch"
	"github.com/nestsession/session/store"
)

// settings returns the Config's cookie for a request, unresolved.
func (c *core) settings(r *http.Request) *Cookie {
	if c.cookieFunc != nil {
		k := c.cookieFunc(c.exchanges.Callback(r))
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
		return c.isSecure != nil && c.isSecure(c.exchanges.Callback(r))
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
	ctx = c.exchanges.Lock(ctx)
	e.Time = c.now()
	if key != "" {
		e.Digest = c.digest(key)
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
		c.logger.WarnContext(c.exchanges.Lock(ctx), message, args...)
	}
}

// core is the part of a manager that does not depend on the type of the data.
type core struct {
	store     store.Store
	signer    *cookie.Signer
	seal      *document.Sealer
	cookies   verified.Cache
	digestKey [sha256.Size]byte
	exchanges exchange.Manager
	name      string
	scope     string // a part of the keys

	cookie              Cookie
	overHTTP, overHTTPS Cookie // the same, resolved

	cookieFunc                         func(*http.Request) Cookie
	genID                              func(*http.Request) (string, error)
	isSecure                           func(*http.Request) bool
	onEvent                            func(context.Context, Event)
	now                                func() time.Time
	logger                             *slog.Logger
	proxy                              Proxy
	idle, absolute, touchEvery         time.Duration
	grace, loadTimeout, saveTimeout    time.Duration
	maxBytes                           int
	rolling, resave, saveUninitialized bool
	plainIDs, firstCookie              bool
	keepCookie, keepDeadCookie         bool
	policy                             policy
	warned, warnedCopies, warnedAge    atomic.Int64 // when warn last logged, in seconds since 1970
	warnedOutside, warnedMember        atomic.Int64
	former                             []jar.Cookie
	visitors                           int // how many of an owner's sessions are visited at a time

	hub    *watch.Hub // ends the contexts of NotifyContext
	ending sync.Map   // key → cause of the removals in progress on this node

	dropDocument func(key string) // drops a document from the decode cache, whose type depends on T
}

// present returns the current time.
func (c *core) present() document.Instant { return document.Instant(c.now().UnixMilli()) }

// outlive returns a context for work that goes on when ctx ends, but for at most
// Config.SaveTimeout. The caller calls its End.
func (c *core) outlive(ctx context.Context) *deadline.Context {
	return deadline.Without(ctx, c.saveTimeout)
}

// forCaller returns the context for a store call by a method of the session. The caller
// calls its End.
func (c *core) forCaller(ctx context.Context) *deadline.Context {
	return deadline.Within(c.exchanges.Lock(ctx), c.saveTimeout)
}

// dropCached drops what this node has cached of a session that is no longer in the store.
// It is personal data, and no longer needed.
func (c *core) dropCached(key string) {
	c.dropDocument(key)
	c.cookies.Drop(key)
}

const (
	// maxPasses bounds how often an owner's sessions are listed again.
	maxPasses = 8
	// maxVisits is how many sessions are visited at a time. Stores batch calls that are
	// made at the same time.
	maxVisits = 16
)

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

// changedOutside reports a change outside Update. There is an event each time, and a
// warning once a minute.
func (c *core) changedOutside(ctx context.Context, err error, owner, key string) {
	c.emit(ctx, Event{Kind: EventDropped, Owner: owner, Reason: ReasonOutside, Err: err}, key)
	c.warn(ctx, &c.warnedOutside, time.Minute, "session: a change was not saved, because it was made outside Update", "error", err.Error())
}
