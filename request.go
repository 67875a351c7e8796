package session

import (
	"sync/atomic"

	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/frames"
	"github.com/nestsession/session/internal/jar"
	"github.com/nestsession/session/internal/replay"
	"github.com/nestsession/session/internal/token"
	"github.com/nestsession/session/store"
)

// A request's session is the Session itself, with what is here. Each request allocates one, so
// flags stand together: they would take eight bytes each. Its state says what a call
// asks of the store, and which state it leaves:
//
//	                 new              stored            ending          ended         discarded
//	Data             the view         the view          zero value      zero value    zero value
//	Update           recorded         recorded          dropped         dropped       dropped
//	Save             create → stored  swap → stored ¹   ErrRevoked      ErrRevoked    ErrRevoked
//	Reload           ErrNotSaved ²    load → stored ¹   ErrRevoked      ErrRevoked    ErrRevoked
//	Renew            new id → new     move → stored ¹   ErrRevoked      ErrRevoked    ErrRevoked
//	Login            new id → new     move → stored     end → new       new id → new  ErrRevoked
//	Regenerate       new id → new     end → new         end → new       new id → new  ErrRevoked
//	Destroy          → ended          end → ended ³     end → ended ³   → ended       → ended
//	at the end       create → stored  swap, touch ¹     end → ended ³   cookie        nothing
//
//	¹ → ended, with ErrRevoked, where the store says that the session is over
//	² under Config.Express.Rules ErrRevoked, and the session has an id
//	³ → ending where the store fails: the request's end tries again
//
// TestTableOfStates keeps the table.

// state is where a session is in its life.
type state uint8

const (
	stateNew       state = iota // no store has it
	stateStored                 // the store had it at the last look
	stateEnding                 // Destroy was called and the store has failed to do it
	stateEnded                  // it is over
	stateDiscarded              // Discard was called: this request no longer uses it
)

// identity is whose session it is.
type identity struct {
	owner         string
	storedOwner   string // as the record has it
	created       document.Instant
	used          document.Instant
	authenticated document.Instant // by Login
	methods       string           // of that, with spaces between them
}

// base is the stored version that the request works on.
type base[T any] struct {
	doc      *document.Document[T] // in the last known version
	origin   *document.Document[T] // in the version with which the request, or this id, began
	saved    *document.Document[T] // as this request has saved it; nil if it has not
	version  store.Version
	deadline document.Instant // until when the store keeps the record, as last known
	expires  document.Instant // the same, with what this request has changed of it

	successor atomic.Pointer[string] // the record's key since a renewal elsewhere, by NotifyContext
}

// changes is what the request has changed and not saved.
type changes[T any] struct {
	recorded replay.Changes[T] // by Update

	named *string             // SetDeviceName
	noted document.NoteChange // by UpdateNote

	ownerBefore                          string // SetOwner
	ownerMoved, touched, settingsChanged bool
	regenerated                          bool
	loggedIn                             bool // by Login, and not stored since

	superseded bool       // another request has made this request's id invalid
	follows    *following // the login that has superseded the session, and gets the changes

	traced atomic.Bool   // the callers that make changes are recorded
	trace  *frames.Trace // nil: none has made a change
}

// following is the record of the login that has superseded a session.
type following struct {
	key  string
	with document.Opener // opens it
}

// reply is what the response says of the session.
type reply struct {
	settings  *Cookie // resolved; shared, never changed in place
	lifetime  document.Lifetime
	ownCookie bool // settings and lifetime are the session's own

	secure bool         // the request came over HTTPS
	source token.Source // of the id, and where a new one goes

	headerSent, cookieSent bool
	tellGuard              bool         // of a login by this request, before the headers are sent
	cookieChanged          bool         // by this request, and not sent since
	extend                 bool         // the cookie goes with the write at hand
	repair                 bool         // the client may not have got the cookie of a renewal
	resend                 bool         // the client has several cookies of the name
	copies                 jar.Clearing // what becomes of several cookies of one name
	copied                 string       // that name
}

// progress is how far the request has come.
type progress struct {
	closing deadline.Context // of the first save at the end; a field saves an allocation
	now     document.Instant // of the write at hand
	enough  func() bool      // whether what another request has saved makes a swap needless

	state      state
	keepExpiry bool // the write at hand does not count as use
	renewing   bool // the write at hand is a renewal's
	taking     bool // the write at hand is Take's, which reads what it changes
	late       bool // a later visit than this one, which is of now, has saved before

	written, deferred bool // by Commit: the store was updated; more updates follow at the end
	checked           bool // by Commit: the store has shown that the session is live
	unsure            bool // a write has failed in this request, but may have taken effect

	was                state // before Discard
	ended              bool  // by this request
	failed             bool  // the handler panicked, and what it had changed was dropped
	over, overReported bool  // the request is over, and a change after it was reported

	lapses        document.Instant // when its contexts end, by the guard; zero: not by it
	pendingDelete *pendingDelete   // what Regenerate could not end
}

// pendingDelete is a session that the store has failed to end.
type pendingDelete struct {
	event Event
	keys  []string
}
