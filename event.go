package session

import (
	"log/slog"
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

// Why what a request has changed was dropped, or a cookie did not leave, because of how
// the request went on.
const (
	ReasonPanicked Reason = "handler panicked"             // whoever recovered from it
	ReasonFailed   Reason = "handler failed"               // a 5xx was answered behind the back of what changed the session
	ReasonHijacked Reason = "connection was taken over"    // a response that is not written through net/http carries no cookie of ours
	ReasonTimedOut Reason = "http.TimeoutHandler answered" // and discards what the handler wrote, the cookie included
	ReasonFinished Reason = "request is over"              // an Update came after it: only Save stores it
)

// EventUnread: a member of the session's document is not of its field's type. The
// field is its zero value, the member keeps its text through each save that does not
// change the field, and the session goes on. Err names the key, and not the value.
const EventUnread EventKind = "member not read"

// ReasonMember is the reason of an [EventUnread].
const ReasonMember Reason = "undecodable member"

// ReasonOutside is the reason of an [EventDropped]: a request that recorded no Update
// changed in place what Data returned, as one that sorts a list to show it does. The
// page went out, and nothing was saved.
const ReasonOutside Reason = "data were changed outside Update"
