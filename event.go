package session

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

// EventKind says what happened to a session.
type EventKind string

// The kinds of [Event].
const (
	// EventCreated: a new session was stored.
	EventCreated EventKind = "created"
	// EventLoggedIn: the session has an owner by Login, and a new id.
	EventLoggedIn EventKind = "logged in"
	// EventRenewed: the session has a new id and kept its data.
	EventRenewed EventKind = "renewed"
	// EventRegenerated: the session was ended to begin an empty one under a new id.
	EventRegenerated EventKind = "regenerated"
	// EventDestroyed: the session was ended by Destroy.
	EventDestroyed EventKind = "destroyed"
	// EventRevoked: the session was ended by Revoke or RevokeOwner.
	EventRevoked EventKind = "revoked"
	// EventExpired: a cookie named a session whose idle or absolute timeout had passed.
	EventExpired EventKind = "expired"
	// EventRejected: a cookie was not accepted; Reason says why.
	EventRejected EventKind = "rejected"
	// EventConflict: another request saved first; the changes were replayed on its result.
	EventConflict EventKind = "conflict"
	// EventDropped: changes were not stored, since the session had ended meanwhile or
	// could not reach its client; Reason says which.
	EventDropped EventKind = "dropped"
	// EventLoadFailed: the store did not answer a load; Err says why.
	EventLoadFailed EventKind = "load failed"
	// EventSaveFailed: a save failed; Err says why.
	EventSaveFailed EventKind = "save failed"
	// EventTouchFailed: the expiry could not be moved; the page went out all the same.
	EventTouchFailed EventKind = "touch failed"
	// EventCookieNotSent: a response went out without its cookie; Reason says why.
	EventCookieNotSent EventKind = "cookie not sent"
)

// Reason says why, in an [Event].
type Reason string

// The reasons in an [Event].
const (
	ReasonMalformed   Reason = "malformed"              // not of the form of a session cookie, or too long
	ReasonSignature   Reason = "bad signature"          // none of the secrets signed it
	ReasonDuplicate   Reason = "duplicate cookie"       // several cookies of the name
	ReasonUnknown     Reason = "unknown id"             // well signed, but no store has it
	ReasonUndecodable Reason = "undecodable record"     // the stored document does not fit the type
	ReasonIdle        Reason = "idle timeout"           // not used for too long
	ReasonAbsolute    Reason = "absolute timeout"       // too old, however busy
	ReasonEnded       Reason = "session has ended"      // destroyed, revoked or expired meanwhile
	ReasonInsecure    Reason = "secure over plain HTTP" // see ErrInsecure
	ReasonHeaderSent  Reason = "header already sent"    // see ErrHeaderSent
	ReasonSuperseded  Reason = "superseded"             // the id is of before a login, a renewal or an end a moment ago
	ReasonClientLeft  Reason = "client left"            // so that nobody waits for the answer
)

// Event is one thing that happened to a session, for an audit log or metrics.
// It holds no id, cookie or secret.
type Event struct {
	Kind EventKind
	Time time.Time

	// Digest stands for the session: the same for the same session on every node
	// with the same first secret, and worth nothing to a thief. "" if there is none.
	Digest string

	// Former is the digest that the session had until now, where it has a new id: in
	// EventLoggedIn and EventRenewed. "" otherwise.
	Former string

	// Owner is the session's owner, "" if it has none or it is not known.
	Owner string

	Reason Reason
	Err    error
}

// level is how loud an event is in the log if Config.Logger is left as it is:
// what an operator must act on is a warning or an error.
func (e *Event) level() slog.Level {
	switch e.Kind {
	case EventLoadFailed, EventSaveFailed:
		if e.Reason == ReasonClientLeft {
			return slog.LevelDebug
		}
		return slog.LevelError
	case EventTouchFailed:
		return slog.LevelWarn
	case EventDropped:
		switch e.Reason {
		case ReasonEnded, ReasonSuperseded, ReasonInsecure, ReasonOutside: // the last two are warned of once a minute
		default:
			return slog.LevelWarn
		}
	case EventCookieNotSent:
		if e.Reason != ReasonInsecure { // of which cookieNotSent warns
			return slog.LevelWarn
		}
	case EventRejected:
		if e.Reason == ReasonUndecodable {
			return slog.LevelWarn
		}
	}
	return slog.LevelDebug
}

// emit reports an event to Config.OnEvent and the log. key is the session's key
// in the store, of which only the digest leaves the process.
func (c *core) emit(ctx context.Context, e Event, key string) {
	level := e.level()
	logs := c.logger.Enabled(ctx, level)
	if c.onEvent == nil && !logs {
		return
	}
	ctx = quietContext{ctx, c}
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

// quietContext is a request's context in which From does not find the session, which
// is locked while events are reported and the store is called: a log handler or a
// store's tracing that asks for the user would wait for ever.
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

func (l lockedExchange) manager() *core   { return l.c }
func (l lockedExchange) farther() chained { return l.outer }
func (l lockedExchange) locked() bool     { return true }
func (l lockedExchange) level() int {
	if l.outer == nil {
		return -1
	}
	return l.outer.level()
}

// cookieNotSent reports a Secure cookie that a plain connection cannot carry. The
// event comes each time, the warning once a minute: it is the same for every request.
func (c *core) cookieNotSent(ctx context.Context, reason Reason, key string) {
	c.emit(ctx, Event{Kind: EventCookieNotSent, Reason: reason, Err: ErrInsecure}, key)
	c.warn(ctx, &c.warned, "session: a Secure cookie was not sent, since the request came over plain HTTP: "+
		"serve HTTPS, set Config.Proxy or Config.IsSecure behind a proxy that ends TLS, or for development set Cookie.Secure to SecureAuto")
}

// warn writes to the log what is the same for every request, once a minute.
func (c *core) warn(ctx context.Context, last *atomic.Int64, message string, args ...any) {
	now := c.now().Unix()
	if before := last.Load(); now-before >= 60 && last.CompareAndSwap(before, now) {
		c.logger.WarnContext(quietContext{ctx, c}, message, args...)
	}
}
