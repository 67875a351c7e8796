package session

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/internal/devices"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/exchange"
	"github.com/nestsession/session/internal/ids"
	"github.com/nestsession/session/internal/jar"
	"github.com/nestsession/session/internal/records"
	"github.com/nestsession/session/internal/report"
	"github.com/nestsession/session/internal/token"
	"github.com/nestsession/session/internal/verified"
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
	switch {
	case r.TLS != nil || c.isSecure == nil:
		return r.TLS != nil
	case c.forwarded:
		return ForwardedHTTPS(r)
	}
	return c.isSecure(c.exchanges.Callback(r))
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
	e.Time = c.records.Now()
	if key != "" {
		e.Digest = c.ids.Digest(key)
	}
	if c.onEvent != nil {
		c.onEvent(ctx, e)
	}
	if logs {
		entry := report.Entry{Kind: string(e.Kind), Session: e.Digest, Owner: e.Owner, Reason: string(e.Reason), Err: e.Err}
		entry.Write(ctx, c.logger, level)
	}
}

// insecure reports a Secure cookie that cannot be sent over plain HTTP, or a token that came
// over plain HTTP. There is an event each time, and a warning once a minute, since it is the
// same for every request.
func (c *core) insecure(ctx context.Context, kind EventKind, key string) {
	c.emit(ctx, Event{Kind: kind, Reason: ReasonInsecure, Err: ErrInsecure}, key)
	c.warn(ctx, &c.warned, time.Minute, "session: a Secure cookie was not sent, or a token not accepted, because the request came over plain HTTP: "+
		"serve HTTPS, set Config.IsSecure behind a proxy that ends TLS, or for development set Cookie.Secure to SecureAuto")
}

// warn logs a warning that is the same for many requests, once in every so often.
func (c *core) warn(ctx context.Context, w *report.Warning, every time.Duration, message string, args ...any) {
	if w.Due(c.records.Now(), every) {
		c.logger.WarnContext(c.exchanges.Lock(ctx), message, args...)
	}
}

// core is the part of a manager that does not depend on the type of the data.
type core struct {
	signer  *cookie.Signer
	cookies verified.Cache
	name    string

	ids       ids.Maker
	exchanges exchange.Manager
	devices   devices.Observer

	cookie              Cookie
	overHTTP, overHTTPS Cookie // the same, resolved

	cookieFunc                         func(*http.Request) Cookie
	isSecure                           func(*http.Request) bool
	forwarded                          bool // isSecure is ForwardedHTTPS, which needs no copy of the request
	onEvent                            func(context.Context, Event)
	logger                             *slog.Logger
	idle, touchEvery                   time.Duration
	rolling, resave, saveUninitialized bool
	firstCookie                        bool
	keepCookie, keepDeadCookie         bool
	policy                             policy
	warned, warnedCopies, warnedAge    report.Warning
	warnedOutside, warnedMember        report.Warning
	former                             []jar.Cookie
	header                             *token.Reader // nil: only cookies carry ids

	records *records.Records
}

// present returns the current time.
func (c *core) present() document.Instant { return c.records.Present() }

// forCaller returns the context for a store call by a method of the session. The caller
// calls its End.
func (c *core) forCaller(ctx context.Context) *deadline.Context {
	return deadline.Within(c.exchanges.Lock(ctx), c.records.SaveTimeout)
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

// changedOutside reports a change outside Update. There is an event each time, and a
// warning once a minute.
func (c *core) changedOutside(ctx context.Context, err error, owner, key string) {
	c.emit(ctx, Event{Kind: EventDropped, Owner: owner, Reason: ReasonOutside, Err: err}, key)
	c.warn(ctx, &c.warnedOutside, time.Minute, "session: a change was not saved, because it was made outside Update", "error", err.Error())
}
