package session

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/nestsession/session/store"
)

// NoTimeout, as Config.IdleTimeout or Config.AbsoluteTimeout, switches that timeout off.
const NoTimeout time.Duration = -1

// The defaults of [Config].
const (
	DefaultIdleTimeout     = 24 * time.Hour
	DefaultAbsoluteTimeout = 30 * 24 * time.Hour
	DefaultRenewGrace      = 30 * time.Second
	DefaultLoadTimeout     = 5 * time.Second
	DefaultSaveTimeout     = 5 * time.Second
	DefaultMaxBytes        = 1 << 20
	DefaultRecheckInterval = time.Minute     // for a store that is a [store.Watcher]
	DefaultPollInterval    = 5 * time.Second // for any other store
)

// MaxRenewRepair is how long after [Session.Renew] the old id still leads to the session if
// no request has come with the new one, because the client did not get it.
const MaxRenewRepair = 24 * time.Hour

// Config configures a [Manager]. [New] copies and checks it. Only Secrets is required: the
// zero value of every other field is a safe default.
type Config struct {
	// Secrets are the keys that sign the id in the cookie, with HMAC-SHA256. The first
	// secret signs; all of them verify. Each has at least 16 bytes; `openssl rand -base64
	// 32` makes a good one. To rotate, add the new secret at the end on every node, then
	// move it to the front on every node, and remove the old one when MaxAge has passed:
	// see docs/rotating-secrets.md. A session whose cookie has an old secret's signature
	// gets a new cookie at its next visit.
	Secrets []string

	// Store keeps the sessions. Default: a new memstore, which [Manager.Close] closes.
	Store store.Store

	// Name is the cookie's name. Default: "__Host-sid" if the cookie is always Secure, has
	// no Domain and has the path "/"; "__Secure-sid" for any other cookie that is always
	// Secure; "sid" otherwise.
	Name string

	// Scope is a part of the keys under which the store keeps the sessions. Managers that
	// share Secrets and Store, such as one for staff and one for customers, need different
	// scopes, so that neither accepts the other's cookies. Default: Name without its prefix
	// "__Host-" or "__Secure-". To keep the sessions when you change Name, set Scope to its
	// old value. Scope has no effect with Express.InsecurePlainIDs: then every manager that
	// has one of the Secrets accepts the cookie under its own Name.
	Scope string

	// Cookie holds the attributes of the cookie.
	Cookie Cookie

	// Seal says whether the data of sessions are encrypted in the store. Only a request with
	// the session's cookie can then read them; its owner and its times stay readable. It
	// does not work with Express.Rules, Express.InsecurePlainIDs and Express.ReservedKeys.
	// Default: SealOff. To switch it on while sessions exist, see docs/sealed-sessions.md.
	Seal Seal

	// FormerCookies lists the cookies that sessions had before you changed Name,
	// Cookie.Domain, Cookie.Path or Cookie.Partitioned. A browser keeps such a cookie
	// beside the new one. A client that sends a cookie of a former Name, and none of the new
	// one that is correctly signed, keeps its session and gets the new cookie. A response that sends the session's cookie also
	// clears the former ones.
	FormerCookies []FormerCookie

	// CookieFunc, if set, returns the cookie's attributes for each request and replaces
	// Cookie. If it returns a cookie that cannot be written, that request fails.
	CookieFunc func(*http.Request) Cookie

	// Header lets clients that are not browsers send the session's id in a header of the
	// request, beside the cookie or in place of it. Default: only the cookie is read.
	Header Header

	// IdleTimeout is how long a session lives on the server without use (ASVS 7.3.1). A
	// session that has set its own MaxAge uses that instead. Default: Cookie.MaxAge, or 24
	// hours if that is zero.
	IdleTimeout time.Duration

	// AbsoluteTimeout is how long a session lives after its creation, even if it is in use
	// (ASVS 7.3.2). Default: 30 days, or Cookie.MaxAge if that is longer.
	AbsoluteTimeout time.Duration

	// MaxPerOwner limits how many sessions an owner has at the same time, on all nodes
	// (ASVS 7.1.2): [EndOldest] or [RefuseLogin] with a number. Login keeps the limit, so a
	// session gets an owner only from Login then: a save after SetOwner fails. Store must be a
	// [store.Lister] that lists by owner. Default: no limit.
	MaxPerOwner OwnerLimit

	// RenewGrace is how long the old id stays valid after Renew, so that requests in flight
	// are not logged out. It counts from the first request with the new id; until that
	// comes, the old id stays valid for at most [MaxRenewRepair]. After Login, Regenerate,
	// Destroy and Revoke, a request that comes with the old id within RenewGrace stores
	// nothing and gets no cookie. Default: 30 seconds. Negative: no grace.
	RenewGrace time.Duration

	// StoreLimits holds how long the calls of the store may take and how often it is asked.
	StoreLimits StoreLimits

	// MaxBytes is the largest size of a stored document, in bytes; what Devices keeps does not
	// count. Default: 1 MiB.
	MaxBytes int

	// Rolling sends the cookie with every response, so that every visit moves the expiry in
	// the browser. Every visit then also writes to the store, which makes sure that the
	// session has not ended. A response that is under way while the user logs in may arrive
	// last and replace the cookie of the login. Default: the cookie is sent when it is new,
	// and when a visit moves its end in the browser by StoreLimits.TouchInterval.
	Rolling bool

	// GenID returns a new id. Ids must be unique and unguessable, with at least 128 bits
	// from a CSPRNG (ASVS 7.2.3). If it returns an error, the save fails. Default: 24
	// random bytes in base64url.
	GenID func(*http.Request) (string, error)

	// IsSecure reports whether a request without TLS came over HTTPS. Behind a proxy that
	// ends TLS and sets the header X-Forwarded-Proto, it is [ForwardedHTTPS]. Default: such
	// a request did not come over HTTPS.
	IsSecure func(*http.Request) bool

	// Devices says what the bookkeeping of a session keeps of the device that uses it, for a
	// page "your devices". Default: nothing.
	Devices Devices

	// Express makes sessions behave as in express-session, one option at a time.
	// express.Config sets it for an application that shares its sessions with
	// express-session. Other applications leave it at its zero value.
	Express ExpressOptions

	// OnEvent receives the events of sessions, for an audit log and metrics. Requests call
	// it concurrently, and it must not block.
	OnEvent func(context.Context, Event)

	// Logger receives all events. Events that need an operator's attention are warnings and
	// errors; all others have the debug level. Default: slog.Default().
	Logger *slog.Logger

	// ErrorHandler writes the response if the session cannot be loaded or saved; nothing of
	// the handler's response is sent. Default: status 503 if the store failed, 500
	// otherwise, in plain text without the reason.
	ErrorHandler func(http.ResponseWriter, *http.Request, error)

	// Now returns the current time. Default: time.Now.
	Now func() time.Time
}

// Seal says whether the data of sessions are encrypted in the store, for [Config].
type Seal uint8

const (
	// SealOff stores the data readable. A session whose data are sealed counts as one that
	// cannot be decoded.
	SealOff Seal = iota

	// SealReads stores the data readable, and reads those that are sealed. It is the step
	// between SealOff and SealWrites, in both directions.
	SealReads

	// SealWrites seals the data with each write. It reads data that are not sealed, and
	// seals them at the session's next visit.
	SealWrites

	// SealOnly is SealWrites, but data that are not sealed count as data that cannot be
	// decoded. A program that can write to the store can then not make up data.
	SealOnly
)

// StoreLimits limit the use of the store: how long a call may take, and how often the store is
// asked. The zero value of each field is its default.
type StoreLimits struct {
	// LoadTimeout limits each load. If the store does not answer in time, the request is
	// answered as after any other failure of the store. It also limits Reload, Ping and
	// each step of List. Default: 5 seconds.
	LoadTimeout time.Duration

	// SaveTimeout limits each save. The save at the end of a request goes on when the
	// client disconnects. Save, Regenerate, Renew, Destroy and Revoke stop when their ctx
	// ends, too. Default: 5 seconds.
	SaveTimeout time.Duration

	// TouchInterval limits the writes of visits that change nothing: such a visit writes to
	// the store only if it moves the expiry by at least TouchInterval. Default: a tenth of
	// the session's idle timeout. Negative: every visit writes, as in express-session.
	TouchInterval time.Duration

	// RecheckInterval is how often the store is polled for each session that a
	// [Session.NotifyContext] watches. Polling finds the ends of sessions of which the
	// store publishes no event, so an end is noticed after at most this time. Default: a
	// minute if the store is a [store.Watcher], 5 seconds otherwise.
	RecheckInterval time.Duration
}

// Devices says what the bookkeeping of a session keeps of the device that uses it (see
// [Device]). The zero value keeps nothing.
//
// What is kept is written only together with something else: by a visit that saves the
// session, or that moves its expiry (see StoreLimits.TouchInterval), in the same write. So
// it is as precise as LastUsed, and a visit without a stored session writes nothing. Only
// saves note it if no visit moves the expiry: without an idle timeout, and from when the
// absolute timeout ends the session first.
//
// It is part of the session's record and is deleted with it: at the logout, or when the
// session expires. Login of another owner and [Manager.UpdateDevices] erase it earlier. What
// Devices no longer keeps is erased by the session's next write.
type Devices struct {
	// Addresses keeps the networks of the first and the last address from which the session
	// was used. They count from the login with which the session got its owner.
	Addresses bool

	// IPv4Bits and IPv6Bits are how many bits of an address are kept. 32 and 128 keep whole
	// addresses. Default: 24 and 48, which say where a device is, but not which one it is.
	IPv4Bits, IPv6Bits int

	// ClientAddress returns the address of a request's client, for servers behind a proxy. It
	// must use only header fields that the proxy sets, since a client can send any. If it
	// returns the zero Addr, the address is unknown and the session keeps the one before.
	// Default: the address in the request's RemoteAddr.
	ClientAddress func(*http.Request) netip.Addr

	// UserAgents keeps the User-Agent header of the last use.
	UserAgents bool

	// MaxUserAgent limits what is kept of the header, in bytes. Default: 256.
	MaxUserAgent int
}

// Device is what a session knows of the device that uses it. Config.Devices says which of it
// is kept. All of it is the client's own word, so it helps users to recognize their devices
// and proves nothing. A page must escape it.
type Device struct {
	// Name is what [Session.SetDeviceName] has set: valid UTF-8 of at most 64 characters that
	// can be seen. It is kept whatever Config.Devices says.
	Name string

	// UserAgent is the client's User-Agent header without the characters that cannot be seen:
	// valid UTF-8 of at most Devices.MaxUserAgent bytes.
	UserAgent string

	// FirstAddress and LastAddress are networks, such as 192.0.2.0/24, or whole addresses,
	// such as 192.0.2.7/32. They are not valid if the address is unknown.
	FirstAddress, LastAddress netip.Prefix
}

// ExpressOptions are options of express-session that only applications which share sessions
// with it need. Their zero values are the safe choice.
type ExpressOptions struct {
	// Rules makes the manager behave as express-session does in these points:
	//   - Regenerate stores the new session and sends its cookie even if it is empty.
	//   - A change of only the cookie's attributes does not send the cookie. Nor does the
	//     signature of an old secret.
	//   - Writes that can be lost without harm (a touch, Resave, an empty new session) are
	//     done at the end of the request, after the headers are sent.
	//   - Save does not move the expiry, and nor does SetCookie with the same lifetime.
	//   - Reload of a session that has ended keeps the request's view.
	//   - Regenerate does not retry a failed delete.
	Rules bool

	// Resave writes the session at every visit, even if it is unchanged. It is for stores
	// that cannot touch; with others it only costs writes.
	Resave bool

	// SaveUninitialized stores new sessions that have no data. Every visit of every robot
	// then creates a record (CVE-2015-5963), so leave it off.
	SaveUninitialized bool

	// KeepCookie sets the cookie of an existing session from the attributes in its stored
	// document, as express-session does. A change of Config.Cookie then applies to new
	// sessions only. Default: Config.Cookie applies, unless the session has a cookie of its
	// own.
	KeepCookie bool

	// KeepDeadCookie leaves the cookie in the browser when the session has ended. Default:
	// the response expires it, with identical name, path, domain and flags.
	KeepDeadCookie bool

	// InsecureFirstCookie takes the first of several cookies with the name, as
	// express-session does. Another subdomain can then plant a cookie. Default: the cookie
	// whose session is live; none of them if two are.
	InsecureFirstCookie bool

	// InsecurePlainIDs stores sessions under the id from the cookie, for stores that are
	// shared with express-session. Anyone who can read the store can then take over every
	// session, and the timing of a lookup leaks ids (CVE-2019-16782). Default: sessions are
	// stored under the SHA-256 of the id.
	InsecurePlainIDs bool

	// InsecureShortSecrets makes New accept secrets of less than 16 bytes, for an
	// application that already has one and shares its cookies.
	InsecureShortSecrets bool

	// ReservedKeys lists top-level keys that the data must not have, because another
	// program that shares the store uses them. If a stored document has such a key, the
	// data are read without it. If the data have one, the save fails.
	ReservedKeys []string
}
