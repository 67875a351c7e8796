package session

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/check"
	"github.com/nestsession/session/internal/deadline"
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

// Manager manages sessions whose data have the type T. It is safe for concurrent use. An
// application may have several managers, with different cookie names.
type Manager[T any] struct {
	core
	codec document.Codec[T]
	owned io.Closer // the store, if New made it
}

// New checks cfg and returns a manager. T is the type of the session's data: a struct, or a
// map with string keys. The data are stored as a JSON object, together with the cookie's
// settings. The error names every field of cfg that cannot work, and says what to write
// instead.
func New[T any](cfg Config) (*Manager[T], error) {
	codec, typeErr := document.NewCodec[T](cfg.Express.ReservedKeys, cfg.Express.Rules, document.Cookies{Parse: parseCookie, Write: writeCookie}, document.DefaultCacheBytes)
	if err := errors.Join(cfg.validate(), typeErr); err != nil {
		return nil, err
	}
	former := cfg.formerCookies()
	cfg = cfg.withDefaults()
	signer, err := cookie.NewSigner(cfg.Secrets...)
	if err != nil {
		return nil, check.Refuse("Secrets", "%v", err)
	}
	codec.Seal = document.NewSealer(cfg.Secrets, cfg.Scope, cfg.Express.InsecurePlainIDs, cfg.Express.Rules)
	m := &Manager[T]{codec: codec, core: core{
		signer: signer, former: former, name: cfg.Name, cookie: cfg.Cookie, cookieFunc: cfg.CookieFunc,
		ids:      ids.Maker{Name: cfg.Name, Signer: signer, Seal: codec.Seal, Scope: cfg.Scope, Plain: cfg.Express.InsecurePlainIDs},
		isSecure: cfg.IsSecure, onEvent: cfg.OnEvent, exchanges: exchange.Manager{ErrorHandler: cfg.ErrorHandler},
		logger: cmp.Or(cfg.Logger, slog.Default()), proxy: cfg.Proxy, idle: cfg.IdleTimeout,
		touchEvery: cfg.TouchInterval,
		rolling:    cfg.Rolling, resave: cfg.Express.Resave, saveUninitialized: cfg.Express.SaveUninitialized,
		firstCookie: cfg.Express.InsecureFirstCookie, keepCookie: cfg.Express.KeepCookie, keepDeadCookie: cfg.Express.KeepDeadCookie,
		policy: policyOf(&cfg.Express),
	}}
	m.overHTTP, m.overHTTPS = m.cookie, m.cookie
	m.overHTTP.resolve(false)
	m.overHTTPS.resolve(true)
	m.ids.DigestWith(cfg.Secrets[0])
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
		Absolute: cfg.AbsoluteTimeout, Grace: cfg.RenewGrace, MaxRepair: MaxRenewRepair, LoadTimeout: cfg.LoadTimeout, SaveTimeout: cfg.SaveTimeout, MaxBytes: cfg.MaxBytes,
		Limit: cfg.MaxPerOwner.limit, Forget: m.dropCached,
		OnRevoked: func(ctx context.Context, owner, key, reason string) {
			m.emit(ctx, Event{Kind: EventRevoked, Owner: owner, Reason: Reason(reason)}, key)
		},
		OnFailure: func(ctx context.Context, owner, key string, err error) {
			m.emit(ctx, Event{Kind: EventSaveFailed, Owner: owner, Err: err}, key)
		},
	}
	m.records.Watch(cfg.RecheckInterval, DefaultRecheckInterval, DefaultPollInterval)
	m.cookies = verified.New(signer, m.ids.Key, verified.DefaultCacheBytes)
	return m, nil
}

// CookieName returns the name of the session cookie: Config.Name, or its default.
func (m *Manager[T]) CookieName() string { return m.name }

// DefaultCacheBytes is the limit of the caches of a manager; see [Manager.SetCacheBytes].
const DefaultCacheBytes = document.DefaultCacheBytes + verified.DefaultCacheBytes

// SetCacheBytes limits the memory for what this manager keeps besides the store: sessions
// that it has decoded, and cookies whose signature it has verified. The caches take only
// what is in use, and forget a session when it ends. The default, 104 MiB, is enough for
// about 65,000 sessions of a few hundred bytes. If more sessions than fit are active,
// requests take longer, so raise it where there is memory. With 0, or less, nothing is kept.
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
