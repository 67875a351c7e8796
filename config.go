package session

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/nestsession/session/store"
)

// NoTimeout as Config.IdleTimeout or Config.AbsoluteTimeout switches it off.
const NoTimeout time.Duration = -1

// The defaults of [Config].
const (
	DefaultIdleTimeout     = 24 * time.Hour
	DefaultAbsoluteTimeout = 30 * 24 * time.Hour
	DefaultRenewGrace      = 30 * time.Second
	DefaultLoadTimeout     = 5 * time.Second
	DefaultSaveTimeout     = 5 * time.Second
	DefaultMaxBytes        = 1 << 20
	DefaultRecheckInterval = time.Minute     // of a store that is a [store.Watcher]
	DefaultPollInterval    = 5 * time.Second // of one that is not
)

// Config says how sessions behave. [New] copies and checks it. The zero value of
// each field is a safe default; only Secrets must be given.
type Config struct {
	// Secrets sign the id in the cookie with HMAC-SHA256. The first signs, all
	// verify. To rotate, add the new one last on every node, then put it first on every
	// node, and drop the old one when MaxAge has passed: docs/rotating-secrets.md. A
	// session whose cookie an old secret signed gets a new cookie at its next visit. At least 16 bytes each; `openssl rand -base64 32` makes a good one.
	Secrets []string

	// Store keeps the sessions. Default: a memstore of this manager's own, which
	// Close closes.
	Store store.Store

	// Name is the cookie's name. Default: "__Host-sid" if the cookie is always
	// Secure, has no Domain and covers "/"; "__Secure-sid" if it is always Secure
	// otherwise; else "sid".
	Name string

	// Scope is a part of the keys under which sessions are stored, so that managers
	// which share Secrets and Store, such as one for staff and one for customers, do not
	// take each other's cookies. Default: Name without its prefix "__Host-" or
	// "__Secure-". Set it to what it was when you change Name, and the sessions stay.
	// With Express.InsecurePlainIDs it has no effect: there every manager with one of the Secrets
	// accepts the cookie under its own Name.
	Scope string

	// Cookie says how the cookie is set.
	Cookie Cookie

	// FormerCookies are what the sessions' cookie was before Name, Cookie.Domain,
	// Cookie.Path or Cookie.Partitioned was changed: a browser keeps such a cookie beside
	// the new one. Who comes with a cookie of a former Name alone goes on with the session,
	// and gets the new one; a former cookie is cleared when the session's cookie is sent.
	FormerCookies []FormerCookie

	// CookieFunc, if given, says it for each request, in place of Cookie. A cookie
	// that cannot be written is an error of that request.
	CookieFunc func(*http.Request) Cookie

	// IdleTimeout ends a session on the server that was not used for so long (ASVS
	// 7.3.1). Default: Cookie.MaxAge, or 24 hours where that is zero. A session that
	// set its own MaxAge has that instead.
	IdleTimeout time.Duration

	// AbsoluteTimeout ends a session so long after it was created, however busy it
	// is (ASVS 7.3.2). Default: 30 days, or Cookie.MaxAge if that is longer.
	AbsoluteTimeout time.Duration

	// TouchInterval is by how much a visit that changes nothing must move the expiry
	// before that is written to the store. Default: a tenth of the session's idle
	// timeout. Negative: every visit writes, as express-session does.
	TouchInterval time.Duration

	// RenewGrace is for how long the old id still answers after Renew, so that requests
	// in flight are not logged out; it counts from when the client was first seen with
	// the new id, for at most [MaxRenewRepair]. After Login, Regenerate, Destroy and Revoke
	// a request that comes with the old id within it stores nothing and is sent no cookie.
	// Default: 30 seconds. Negative: not at all.
	RenewGrace time.Duration

	// LoadTimeout bounds each load, so that a store which does not answer costs a
	// request that long and no longer: then it is answered as with any failure of the
	// store. It bounds Reload, Ping and each step of List too. Default: 5 seconds.
	LoadTimeout time.Duration

	// SaveTimeout bounds each save: the one at the end of a request, which goes on if
	// the client has gone away, and Save, Regenerate, Renew, Destroy and Revoke,
	// which end with their ctx too. Default: 5 seconds.
	SaveTimeout time.Duration

	// RecheckInterval is how often the store is asked whether a session still lives that
	// a [Session.NotifyContext] waits for, though no event of the store tells of its
	// end: for how long an end may go unnoticed. Default: a minute if the store is a
	// [store.Watcher], else 5 seconds.
	RecheckInterval time.Duration

	// MaxBytes is the largest document that is stored. Default: 1 MiB.
	MaxBytes int

	// Rolling sends the cookie with every response, so that the browser's copy of the
	// expiry moves at each visit. Each visit then writes to the store as well, to be sure
	// that the session is still the cookie's. Default: when something has changed, or a
	// visit moves the expiry by TouchInterval.
	Rolling bool

	// GenID makes the ids: unguessable, unique, at least 128 bits from a CSPRNG
	// (ASVS 7.2.3). Default: 24 random bytes, base64url. An error fails the save.
	GenID func(*http.Request) (string, error)

	// Proxy says whether X-Forwarded-Proto is believed.
	Proxy Proxy

	// IsSecure says whether a request without TLS of its own came over HTTPS, where
	// Proxy is ProxyUnset. Default: no.
	IsSecure func(*http.Request) bool

	// Express makes sessions behave as express-session's do, option by option.
	// express.Config sets it for an application that shares its sessions with one on
	// express-session. The zero value is right for any other.
	Express ExpressOptions

	// OnEvent is told what happens to sessions, for an audit log and metrics. It is
	// called from requests, concurrently, and must not block.
	OnEvent func(context.Context, Event)

	// Logger gets events that an operator must see as warnings and errors, and the
	// others at the debug level. Default: slog.Default().
	Logger *slog.Logger

	// ErrorHandler answers a request whose session could not be loaded or saved.
	// Nothing of the handler's response is sent. Default: 503 where the store failed,
	// else 500, in plain text without the reason.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)

	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// ExpressOptions are the settings of express-session that this package does not need, or
// that are safer the other way round.
type ExpressOptions struct {
	// Rules decides as express-session does where that differs from here:
	//   - Regenerate alone, with nothing put in, is worth a record and a cookie;
	//   - a change of the cookie alone, or an old secret's signature, is no reason to
	//     send it;
	//   - what nothing would be lost of (a touch, Resave, an empty new session) is written
	//     when the request ends rather than before its header leaves;
	//   - Save, and SetCookie with the same lifetime, keep the expiry as it is; Reload of a
	//     session that is gone leaves the request what it had; Regenerate does not try a
	//     failed delete again.
	Rules bool

	// Resave writes the session at every visit, changed or not. For stores that
	// cannot touch; otherwise it only costs.
	Resave bool

	// SaveUninitialized stores new sessions that nothing was put into. It makes
	// every visit of every robot a record (CVE-2015-5963): leave it off.
	SaveUninitialized bool

	// KeepCookie lets the attributes in the stored document make the cookie of a
	// session that exists, as express-session does, so that a change of Cookie is seen
	// by new sessions only. Default: Cookie counts, unless the session has its own.
	KeepCookie bool

	// KeepDeadCookie leaves the browser its cookie when the session has ended.
	// Default: it is expired, with identical name, path, domain and flags.
	KeepDeadCookie bool

	// InsecureFirstCookie takes the first of several cookies of the name, as
	// express-session does, so that another subdomain can plant one. Default: the
	// one whose session lives; none if two do.
	InsecureFirstCookie bool

	// InsecurePlainIDs keeps sessions in the store under the id in the cookie, so
	// that who reads the store can take over every session (and a lookup's timing
	// leaks, CVE-2019-16782). For stores shared with express-session. Default: under
	// the SHA-256 of the id.
	InsecurePlainIDs bool

	// InsecureShortSecrets lets New accept secrets under 16 bytes, for sharing
	// cookies with an application that has one.
	InsecureShortSecrets bool

	// ReservedKeys are top-level keys that the data must not have: those which a
	// program that shares the store would take for its own. A stored document that has
	// one is read without it; putting one in fails the save.
	ReservedKeys []string
}
