package devicebound

import (
	"errors"
	"time"

	"github.com/nestsession/session"
)

// EventKind is the kind of an [Event].
type EventKind string

// The kinds of [Event].
const (
	// EventAsked reports that the response to a login asks the browser for a key.
	EventAsked EventKind = "key asked for"
	// EventRegistered reports that the browser has sent a key.
	EventRegistered EventKind = "key registered"
	// EventBound reports the first request of a session with a valid proof. From now on the
	// session is bound: a request without one is refused.
	EventBound EventKind = "bound"
	// EventRefreshed reports that the browser has proved its key again.
	EventRefreshed EventKind = "refreshed"
	// EventRefused reports a request whose session was refused. Reason says why.
	EventRefused EventKind = "refused"
	// EventNotRegistered reports a key that was not accepted. Reason says why.
	EventNotRegistered EventKind = "key not registered"
	// EventNotRefreshed reports a refresh without a valid proof. Reason says why. A browser
	// that was started again asks without a proof, with ReasonNoProof, and then with one.
	EventNotRefreshed EventKind = "not refreshed"
	// EventReleased reports that the browser was told to forget its key, because binding was
	// switched off.
	EventReleased EventKind = "released"
)

// Reason says why an [Event] happened.
type Reason string

// The reasons in an [Event].
const (
	ReasonNoKey       Reason = "no key"                 // Config.Require demands one
	ReasonNoProof     Reason = "no proof"               // neither a bound cookie nor a signature came
	ReasonExpired     Reason = "proof has expired"      // the cookie or the challenge is too old
	ReasonOld         Reason = "proof was replaced"     // a later proof, or a request for one, has ended it
	ReasonForged      Reason = "proof is not authentic" // this server has not made the cookie or the challenge for this session
	ReasonSignature   Reason = "bad signature"          // it was not made with the session's key
	ReasonMalformed   Reason = "malformed"              // it is not in the form of the protocol
	ReasonKey         Reason = "bad key"                // not a key that ES256 or RS256 can use safely
	ReasonAudience    Reason = "another audience"       // the proof was made for another server
	ReasonRegistered  Reason = "has a key already"      // the login has registered one
	ReasonNoSession   Reason = "no session"             // it has ended, or never was
	ReasonDomain      Reason = "cookie has a domain"    // sessions that several hosts share cannot be bound
	ReasonPath        Reason = "path is outside"        // session.Cookie.Path does not cover Config.RegisterPath
	ReasonUnavailable Reason = "store failed"           // the browser tries again
)

// Event is something that happened to a session's key, for an audit log or metrics. It holds
// no id, cookie, key or secret.
type Event struct {
	Kind EventKind
	Time time.Time

	// Digest and Owner are the session's, as in session.Event; "" if there is none. They are
	// "" in EventAsked, except for Owner.
	Digest, Owner string

	Reason Reason

	// Skipped is what the browser says about why it has sent no proof, in its header
	// Secure-Session-Skipped: "quota_exceeded", "server_error", "unreachable" or another
	// word; "" if it says nothing.
	Skipped string
}

// SessionEvent returns e as an event of the session, so that one log and one set of metrics have
// both:
//
//	OnEvent: func(ctx context.Context, e devicebound.Event) { cfg.OnEvent(ctx, e.SessionEvent()) }
//
// A refused request is a session.EventRejected. The kind of all others is that of e after
// "device ", such as "device key registered"; the reason is that of e after "device: ", such as
// "device: no proof". Skipped becomes the error.
func (e Event) SessionEvent() session.Event {
	to := session.Event{Kind: session.EventKind("device " + e.Kind), Time: e.Time, Digest: e.Digest, Owner: e.Owner}
	if e.Kind == EventRefused {
		to.Kind = session.EventRejected
	}
	if e.Reason != "" {
		to.Reason = session.Reason("device: " + e.Reason)
	}
	if e.Skipped != "" {
		to.Err = errors.New("the browser has sent no proof: " + e.Skipped)
	}
	return to
}

// Stats counts what this process has seen since New. Asked, Registered and Bound are logins:
// Bound / Asked is the share of logins whose session is bound. Proven, Unproven and Refused
// are requests of sessions with an owner: Proven / (Proven + Unproven + Refused) is the
// share of requests that are safe from a stolen cookie.
type Stats struct {
	Asked, Registered, Bound    uint64 // logins
	Refreshed                   uint64 // proofs
	NotRegistered, NotRefreshed uint64 // keys and proofs that were not accepted
	Proven, Unproven, Refused   uint64 // requests
	Released                    uint64 // keys that were given up, see Config.Off
}
