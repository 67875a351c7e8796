package session

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/check"
	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/internal/devices"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/exchange"
	"github.com/nestsession/session/internal/ids"
	"github.com/nestsession/session/internal/records"
	"github.com/nestsession/session/internal/verified"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

func defaultErrorHandler(w http.ResponseWriter, _ *http.Request, err error) {
	status := http.StatusInternalServerError
	if s := (*records.Failure)(nil); errors.As(err, &s) {
		status = http.StatusServiceUnavailable
	}
	http.Error(w, http.StatusText(status), status)
}

// Guard is what an extension decides about a manager's sessions; see [Manager.SetGuard].
// Its methods are called from several goroutines at once.
type Guard[T any] interface {
	// Admit is called when a request has loaded a stored session, before the request can
	// use it. After an error the request has no session, as if the store had failed: Load
	// and Open return the error, and the client gets the error response. If the error is an
	// [http.Handler], that writes the response in place of Config.ErrorHandler.
	//
	// until is when the request's contexts of [Session.NotifyContext] end at the latest,
	// with [ErrLapsed], although the session goes on; the zero time sets no limit.
	Admit(ctx context.Context, r *http.Request, s *Session[T]) (until time.Time, err error)

	// LoggedIn is called before the headers of a response are sent whose request has called
	// [Session.Login]. owner and at are the session's Owner and AuthenticatedAt. The session
	// is locked: LoggedIn must not call its methods. Its cookie is in h.
	LoggedIn(h http.Header, owner string, at time.Time)
}

// Manager manages sessions whose data have the type T. It is safe for concurrent use. An
// application may have several managers, with different cookie names.
type Manager[T any] struct {
	core
	codec document.Codec[T]
	owned io.Closer // the store, if New made it
	guard Guard[T]  // nil if there is none
}

// New checks cfg and returns a manager. T is the type of the session's data: a struct, or a
// map with string keys. The data are stored as a JSON object, together with the cookie's
// settings. The error names every field of cfg that cannot work, and says what to write
// instead.
func New[T any](cfg Config) (*Manager[T], error) {
	codec, typeErr := document.NewCodec[T](cfg.Express.ReservedKeys, cfg.Express.Rules, document.Cookies{Parse: parseCookie, Write: writeCookie}, document.DefaultCacheBytes)
	if err := errors.Join(cfg.validate(), devices.Options(cfg.Devices).Check(), typeErr); err != nil {
		return nil, err
	}
	header, _ := cfg.header()
	former := cfg.formerCookies()
	cfg = cfg.withDefaults()
	signer, err := cookie.NewSigner(cfg.Secrets...)
	if err != nil {
		return nil, check.Refuse("Secrets", "%v", err)
	}
	codec.Seal = document.NewSealer(cfg.Secrets, cfg.Scope, cfg.Express.InsecurePlainIDs, cfg.Express.Rules)
	if err := codec.Seal.SealData(document.SealMode(cfg.Seal), cfg.Secrets); err != nil {
		return nil, check.Refuse("Secrets", "%v", err)
	}
	m := &Manager[T]{codec: codec, core: core{
		signer: signer, former: former, header: header, name: cfg.Name, cookie: cfg.Cookie, cookieFunc: cfg.CookieFunc,
		ids:      ids.Maker{Name: cfg.Name, Signer: signer, Seal: codec.Seal, Scope: cfg.Scope, Plain: cfg.Express.InsecurePlainIDs},
		isSecure: cfg.IsSecure, forwarded: reflect.ValueOf(cfg.IsSecure).Pointer() == reflect.ValueOf(ForwardedHTTPS).Pointer(), onEvent: cfg.OnEvent, exchanges: exchange.Manager{ErrorHandler: cfg.ErrorHandler},
		logger: cmp.Or(cfg.Logger, slog.Default()), idle: cfg.IdleTimeout,
		touchEvery: cfg.StoreLimits.TouchInterval,
		rolling:    cfg.Rolling, resave: cfg.Express.Resave, saveUninitialized: cfg.Express.SaveUninitialized,
		firstCookie: cfg.Express.InsecureFirstCookie, keepCookie: cfg.Express.KeepCookie, keepDeadCookie: cfg.Express.KeepDeadCookie,
		policy: policyOf(&cfg.Express),
	}}
	m.devices = devices.Observer{Options: devices.Options(cfg.Devices), Callback: m.exchanges.Callback}
	m.overHTTP, m.overHTTPS = m.cookie, m.cookie
	m.overHTTP.resolve(false)
	m.overHTTPS.resolve(true)
	m.ids.DigestWith(cfg.Secrets[0])
	m.ids.ForHeader = header != nil
	if cfg.GenID != nil {
		m.ids.Generate = func(r *http.Request) (string, error) { return cfg.GenID(m.exchanges.Callback(r)) }
	}
	if m.exchanges.ErrorHandler == nil {
		m.exchanges.ErrorHandler = defaultErrorHandler
	}
	if cfg.Store == nil {
		s := memstore.New(memstore.Config{Now: cfg.Now})
		cfg.Store, m.owned = s, s
	}
	m.records = &records.Records{
		Store: cfg.Store, Codec: m.codec.Untyped(), IDs: &m.ids, Now: cfg.Now,
		Tombstones: m.policy.leavesTombstones(), Owned: m.policy.ownsRecords(),
		Absolute: cfg.AbsoluteTimeout, Grace: cfg.RenewGrace, MaxRepair: MaxRenewRepair, LoadTimeout: cfg.StoreLimits.LoadTimeout, SaveTimeout: cfg.StoreLimits.SaveTimeout, MaxBytes: cfg.MaxBytes,
		Limit: cfg.MaxPerOwner.limit, Forget: m.dropCached,
		OnRevoked: func(ctx context.Context, owner, key, reason string) {
			m.emit(ctx, Event{Kind: EventRevoked, Owner: owner, Reason: Reason(reason)}, key)
		},
		OnFailure: func(ctx context.Context, owner, key string, err error) {
			m.emit(ctx, Event{Kind: EventSaveFailed, Owner: owner, Err: err}, key)
		},
	}
	m.records.Watch(cfg.StoreLimits.RecheckInterval, DefaultRecheckInterval, DefaultPollInterval)
	m.cookies = verified.New(signer, func(id string) string { return m.codec.Shared(m.ids.Key(id)) }, verified.DefaultCacheBytes)
	return m, nil
}

// CookieName returns the name of the session cookie: Config.Name, or its default.
func (m *Manager[T]) CookieName() string { return m.name }

// SetGuard sets what an extension, such as package devicebound, decides about the sessions.
// Call it before the first request. A manager has one guard, and none if it is not called.
func (m *Manager[T]) SetGuard(g Guard[T]) { m.guard = g }

// DeriveKeys returns a key of 32 bytes for each of Config.Secrets, in their order, for an
// extension's own signatures: the first key signs, and all verify. Managers with the same
// Secrets and Config.Scope return the same keys for the same purpose. The secrets, and the
// keys for other purposes, cannot be computed from them.
func (m *Manager[T]) DeriveKeys(purpose string) [][]byte { return m.codec.Seal.DeriveKeys(purpose) }

// DefaultCacheBytes is the limit of the caches of a manager; see [Manager.SetCacheBytes].
const DefaultCacheBytes = document.DefaultCacheBytes + verified.DefaultCacheBytes

// SetCacheBytes limits the memory for what this manager keeps besides the store: sessions
// that it has decoded, and cookies whose signature it has verified. The caches take only
// what is in use, and forget a session when it ends. The default, 104 MiB, is enough for
// about 65,000 sessions of a few hundred bytes. If more sessions than fit are active, full
// caches take a session at its second visit, and requests take longer, so raise the limit
// where there is memory. With 0, or less, nothing is kept.
// SetCacheBytes may be called at any time; a lower limit than before empties the caches.
func (m *Manager[T]) SetCacheBytes(n int) {
	documents := int(int64(n) * document.DefaultCacheBytes / DefaultCacheBytes)
	m.codec.SetCacheBytes(documents)
	m.cookies.SetLimit(n - documents)
}

// Close ends the contexts of [Session.NotifyContext], and closes the store if New made it.
// It does not close a store that the caller passed in Config.Store. It may be called more
// than once.
func (m *Manager[T]) Close() error {
	m.records.Hub.Close(ErrClosed)
	if m.owned == nil {
		return nil
	}
	return m.owned.Close()
}

// Ping reports whether the store answers, for health checks. It needs no session. The error
// is the store's.
func (m *Manager[T]) Ping(ctx context.Context) error {
	d := deadline.Within(ctx, m.records.LoadTimeout)
	defer d.End()
	if p, ok := store.As[store.Pinger](m.records.Store); ok {
		return p.Ping(d)
	}
	_, err := m.records.Store.Load(d, m.ids.Key("ping"))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
