package session

import (
	"log/slog"
	"time"

	"github.com/nestsession/session/internal/records"
)

// EventKind is the kind of an [Event].
type EventKind string

// The kinds of [Event].
const (
	// EventCreated reports that a new session was stored.
	EventCreated EventKind = "created"
	// EventLoggedIn reports that Login gave the session an owner and a new id.
	EventLoggedIn EventKind = "logged in"
	// EventRenewed reports that the session has a new id and kept its data.
	EventRenewed EventKind = "renewed"
	// EventRegenerated reports that the session was ended to begin an empty one under a new
	// id.
	EventRegenerated EventKind = "regenerated"
	// EventDestroyed reports that Destroy ended the session.
	EventDestroyed EventKind = "destroyed"
	// EventLoginRefused reports that Login returned ErrTooManySessions.
	EventLoginRefused EventKind = "login refused"
	// EventRevoked reports that Revoke, RevokeSession or RevokeOwner ended the session, or
	// with ReasonLimit a newer login of its owner.
	EventRevoked EventKind = "revoked"
	// EventExpired reports a cookie whose session has passed its idle or absolute timeout.
	EventExpired EventKind = "expired"
	// EventRejected reports a cookie or a token that was not accepted. Reason says why.
	EventRejected EventKind = "rejected"
	// EventConflict reports that another request saved first. The changes were replayed on
	// its result.
	EventConflict EventKind = "conflict"
	// EventDropped reports changes that were not stored, for example because the session
	// had ended or its cookie could not reach the client. Reason says why.
	EventDropped EventKind = "dropped"
	// EventLoadFailed reports that the store failed to load a session. Err is the store's
	// error.
	EventLoadFailed EventKind = "load failed"
	// EventSaveFailed reports a save that failed. Err says why.
	EventSaveFailed EventKind = "save failed"
	// EventTouchFailed reports that the expiry could not be moved. The response was sent
	// nevertheless.
	EventTouchFailed EventKind = "touch failed"
	// EventCookieNotSent reports a response that was sent without its cookie, or a token
	// that the client did not get. Reason says why.
	EventCookieNotSent EventKind = "cookie not sent"
)

// Reason says why an [Event] happened.
type Reason string

// The reasons in an [Event].
const (
	ReasonMalformed   Reason = "malformed"              // not in the form of a session cookie or token, or too long
	ReasonSignature   Reason = "bad signature"          // none of the secrets signed it
	ReasonDuplicate   Reason = "duplicate cookie"       // several cookies with the same name
	ReasonUnknown     Reason = "unknown id"             // the signature is valid, but the store has no such session
	ReasonUndecodable Reason = "undecodable record"     // the stored document does not fit the type
	ReasonIdle        Reason = "idle timeout"           // not used for too long
	ReasonAbsolute    Reason = "absolute timeout"       // too old, even if it is in use
	ReasonEnded       Reason = "session has ended"      // destroyed, revoked or expired in the meantime
	ReasonInsecure    Reason = "secure over plain HTTP" // see ErrInsecure
	ReasonHeaderSent  Reason = "header already sent"    // see ErrHeaderSent
	ReasonSuperseded  Reason = "superseded"             // the id is from before a recent login, renewal or end
	ReasonClientLeft  Reason = "client left"            // the client disconnected and does not wait for the response
	ReasonLimit       Reason = records.ByLimit          // see Config.MaxPerOwner
)

// Event is something that happened to a session, for an audit log or metrics. It holds no
// id, cookie or secret.
type Event struct {
	Kind EventKind
	Time time.Time

	// Digest is a short name for the session. It is the same on every node that has the
	// same first secret, and it cannot be used to take over the session. It is "" if there
	// is no session.
	Digest string

	// Former is the digest that the session had before, in the events that report a new id:
	// EventLoggedIn and EventRenewed. It is "" in all others.
	Former string

	// Owner is the session's owner; "" if it has none or its owner is unknown.
	Owner string

	Reason Reason
	Err    error
}

// level is the event's level in the log. What an operator must act on is a warning or an
// error.
func (e *Event) level() slog.Level {
	failed := e.Kind == EventLoadFailed || e.Kind == EventSaveFailed
	switch {
	case failed && e.Reason != ReasonClientLeft:
		return slog.LevelError
	case e.Kind == EventTouchFailed,
		e.Kind == EventDropped && e.Reason != ReasonEnded && e.Reason != ReasonSuperseded &&
			e.Reason != ReasonInsecure && e.Reason != ReasonOutside, // these two are logged as a warning once a minute
		e.Kind == EventCookieNotSent && e.Reason != ReasonInsecure, // cookieNotSent warns of it
		e.Kind == EventRejected && e.Reason == ReasonUndecodable:
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// The reasons for which a request's changes are dropped, or a cookie is not sent, because of
// what happens later in the request.
const (
	ReasonPanicked Reason = "handler panicked"             // even if another handler recovered
	ReasonFailed   Reason = "handler failed"               // the handler that changed the session has ended, and other code responded with a 5xx
	ReasonNoToken  Reason = "token was not given"          // the client sends it in a header; neither Config.Header.Response nor Session.Token gave it the new one
	ReasonHijacked Reason = "connection was taken over"    // the response is not written through net/http, so it carries no session cookie
	ReasonTimedOut Reason = "http.TimeoutHandler answered" // it discards what the handler wrote, including the cookie
	ReasonFinished Reason = "request is over"              // Update was called after its end; only Save stores the change
)

// EventUnread reports a member of the stored document whose JSON type does not fit its
// field. The field has its zero value, and the session goes on. The member keeps its text
// until a save changes the field. Err names the key, not the value.
const EventUnread EventKind = "member not read"

// ReasonMember is the reason of an [EventUnread].
const ReasonMember Reason = "undecodable member"

// ReasonOutside is the reason of an [EventDropped] for a request that called no Update and
// modified in place what Data returned, for example by sorting a list. The response was
// sent, and nothing was saved.
const ReasonOutside Reason = "data were changed outside Update"
