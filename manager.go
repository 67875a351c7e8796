package session

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net/http"

	"github.com/nestsession/session/cookie"
	"github.com/nestsession/session/internal/check"
	"github.com/nestsession/session/internal/deadline"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/exchange"
	"github.com/nestsession/session/internal/verified"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

func defaultErrorHandler(w http.ResponseWriter, _ *http.Request, err error) {
	status := http.StatusInternalServerError
	if s := (*storeError)(nil); errors.As(err, &s) {
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
		store: cfg.Store, signer: signer, seal: codec.Seal, former: former, scope: cfg.Scope, name: cfg.Name, cookie: cfg.Cookie, cookieFunc: cfg.CookieFunc,
		genID: cfg.GenID, isSecure: cfg.IsSecure, onEvent: cfg.OnEvent, exchanges: exchange.Manager{ErrorHandler: cfg.ErrorHandler}, now: cfg.Now,
		logger: cfg.Logger, proxy: cfg.Proxy, idle: cfg.IdleTimeout, absolute: cfg.AbsoluteTimeout,
		touchEvery: cfg.TouchInterval, grace: cfg.RenewGrace, maxBytes: cfg.MaxBytes,
		loadTimeout: cfg.LoadTimeout, saveTimeout: cfg.SaveTimeout,
		rolling: cfg.Rolling, resave: cfg.Express.Resave, saveUninitialized: cfg.Express.SaveUninitialized,
		plainIDs: cfg.Express.InsecurePlainIDs, firstCookie: cfg.Express.InsecureFirstCookie,
		keepCookie: cfg.Express.KeepCookie, keepDeadCookie: cfg.Express.KeepDeadCookie,
		policy: policyOf(&cfg.Express), visitors: maxVisits,
	}}
	m.cookies = verified.New(signer, m.key, verified.DefaultCacheBytes)
	m.dropDocument = m.codec.Forget
	m.overHTTP, m.overHTTPS = m.cookie, m.cookie
	m.overHTTP.resolve(false)
	m.overHTTPS.resolve(true)
	mac := hmac.New(sha256.New, []byte(cfg.Secrets[0]))
	mac.Write([]byte("nest session: digest of ids"))
	copy(m.digestKey[:], mac.Sum(nil))
	if m.logger == nil {
		m.logger = slog.Default()
	}
	if m.exchanges.ErrorHandler == nil {
		m.exchanges.ErrorHandler = defaultErrorHandler
	}
	if m.store == nil {
		s := memstore.New(memstore.Config{Now: cfg.Now})
		m.store, m.owned = s, s
	}
	m.hub = m.newHub(cfg.RecheckInterval)
	return m, nil
}

// CookieName returns the name of the session cookie: Config.Name, or its default.
func (m *Manager[T]) CookieName() string { return m.name }

// Close ends the contexts of [Session.NotifyContext], and closes the store if New made it.
// It does not close a store that the caller passed in Config.Store. It may be called more
// than once.
func (m *Manager[T]) Close() error {
	m.hub.Close(ErrClosed)
	if m.owned == nil {
		return nil
	}
	return m.owned.Close()
}

// Ping reports whether the store answers, for health checks. It needs no session. The error
// is the store's.
func (m *Manager[T]) Ping(ctx context.Context) error {
	d := deadline.Within(ctx, m.loadTimeout)
	defer d.End()
	if p, ok := store.As[store.Pinger](m.store); ok {
		return p.Ping(d)
	}
	_, err := m.store.Load(d, m.key("ping"))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
