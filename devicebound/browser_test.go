package devicebound_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/devicebound"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

type account struct {
	Name  string `json:"name,omitempty"`
	Count int    `json:"count"`
}

type sess = session.Session[account]

// clock is the time of a test.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, time.November, 27, 9, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// node is a server with sessions that are bound.
type node struct {
	http.Handler
	sessions *session.Manager[account]
	binding  *devicebound.Binding[account]

	mu     sync.Mutex
	events []devicebound.Event
}

const secret = "a secret for tests, 32 bytes or so"

// newNode starts a server. Its pages are /login, /again (a login of the same user), /other (a
// login of another), /page, which counts its visits, /read, /renew, /fresh (Regenerate),
// /logout and /switch (Release).
func newNode(t testing.TB, c *clock, cfg session.Config, bind devicebound.Config) *node {
	t.Helper()
	if cfg.Secrets == nil {
		cfg.Secrets = []string{secret}
	}
	cfg.Logger, cfg.Now = slog.New(slog.DiscardHandler), c.now
	if cfg.Store == nil {
		cfg.Store = memstore.New(memstore.Config{Now: c.now})
	}
	m, err := session.New[account](cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	n := &node{sessions: m}
	bind.Now = c.now
	bind.OnEvent = func(_ context.Context, e devicebound.Event) {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.events = append(n.events, e)
	}
	if n.binding, err = devicebound.New(m, bind); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	on := func(path string, do func(w http.ResponseWriter, ctx context.Context, s *sess) error) {
		mux.Handle(path, m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *sess) {
			if err := do(w, r.Context(), s); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		}))
	}
	login := func(owner string) func(w http.ResponseWriter, ctx context.Context, s *sess) error {
		return func(w http.ResponseWriter, ctx context.Context, s *sess) error {
			if err := s.Login(ctx, owner); err != nil {
				return err
			}
			s.Update(func(a *account) { a.Name = owner })
			w.Header().Set("Location", "/page")
			w.WriteHeader(http.StatusSeeOther)
			return nil
		}
	}
	on("/login", login("user:1"))
	on("/again", login("user:1"))
	on("/other", login("user:2"))
	on("/page", func(w http.ResponseWriter, _ context.Context, s *sess) error {
		s.Update(func(a *account) { a.Count++ })
		_, err := io.WriteString(w, "hello "+s.Owner())
		return err
	})
	on("/read", func(w http.ResponseWriter, _ context.Context, s *sess) error {
		_, err := fmt.Fprintf(w, "%s %d", s.Owner(), s.Data().Count)
		return err
	})
	on("/static/a.css", func(w http.ResponseWriter, _ context.Context, s *sess) error {
		_, err := io.WriteString(w, s.Owner())
		return err
	})
	on("/renew", func(_ http.ResponseWriter, ctx context.Context, s *sess) error { return s.Renew(ctx) })
	on("/fresh", func(_ http.ResponseWriter, ctx context.Context, s *sess) error {
		defer s.Update(func(a *account) { a.Count++ })
		return s.Regenerate(ctx)
	})
	on("/logout", func(_ http.ResponseWriter, ctx context.Context, s *sess) error { return s.Destroy(ctx) })
	on("/switch", func(_ http.ResponseWriter, _ context.Context, s *sess) error { n.binding.Release(s); return nil })
	mux.HandleFunc("/nothing", func(http.ResponseWriter, *http.Request) {})
	n.Handler = n.binding.Handler(mux)
	return n
}

// last returns the node's last event of a kind.
func (n *node) last(kind devicebound.EventKind) (e devicebound.Event, times int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range n.events {
		if one.Kind == kind {
			e = one
			times++
		}
	}
	return e, times
}

// bound reports whether the owner's only session is bound.
func (n *node) bound(t testing.TB, owner string) bool {
	t.Helper()
	bound, sessions := false, 0
	for info, err := range n.sessions.List(t.Context(), owner) {
		if err != nil {
			t.Fatal(err)
		}
		sessions++
		bound = n.binding.IsBound(info)
	}
	if sessions != 1 {
		t.Fatalf("%s has %d sessions", owner, sessions)
	}
	return bound
}

type cookie struct {
	value   string
	expires time.Time // zero: when the browser closes
}

// browser does what Chromium does with the fields of the protocol.
type browser struct {
	t     testing.TB
	clock *clock
	alg   string // of its keys

	mu        sync.Mutex
	cookies   map[string]cookie
	key       crypto.Signer // of the session that is registered; nil: none
	id        string
	refresh   string // the path
	challenge string
	excluded  []string
	proof     string // that a server which has failed did not take: it is sent again
	signed    int
}

func newBrowser(t testing.TB, c *clock) *browser {
	return &browser{t: t, clock: c, alg: "ES256", cookies: map[string]cookie{}}
}

// thief returns a browser with all cookies of b, and without its key.
func (b *browser) thief() *browser {
	f := newBrowser(b.t, b.clock)
	b.mu.Lock()
	defer b.mu.Unlock()
	f.cookies = maps.Clone(b.cookies)
	return f
}

// restart closes the browser and opens it again: challenges do not last.
func (b *browser) restart() { b.challenge, b.proof = "", "" }

func (b *browser) request(method, path string) *http.Request {
	r := httptest.NewRequest(method, "https://shop.test"+path, nil)
	r.RequestURI = path
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(b.cookies)) {
		if c := b.cookies[name]; c.expires.IsZero() || b.clock.now().Before(c.expires) {
			r.AddCookie(&http.Cookie{Name: name, Value: c.value})
		}
	}
	return r
}

// send sends a request as it is, and takes the cookies of the response.
func (b *browser) send(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return b.receive(w.Result())
}

func (b *browser) receive(res *http.Response) *http.Response {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range res.Cookies() {
		switch {
		case c.MaxAge < 0:
			delete(b.cookies, c.Name)
		case c.MaxAge > 0:
			b.cookies[c.Name] = cookie{c.Value, b.clock.now().Add(time.Duration(c.MaxAge) * time.Second)}
		default:
			b.cookies[c.Name] = cookie{value: c.Value}
		}
	}
	return res
}

// has reports whether the browser has a bound cookie.
func (b *browser) has() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, ok := b.cookies[b.id]
	return ok && b.clock.now().Before(c.expires)
}

var registration = regexp.MustCompile(`^\(ES256 RS256\);path="([^"]+)";challenge="([^"]+)";authorization="([^"]+)"$`)
var challenge = regexp.MustCompile(`^"([^"]+)";id="([^"]+)"$`)

// visit requests a page: with a key, it first proves that if it has no bound cookie.
func (b *browser) visit(h http.Handler, path string) *http.Response {
	skipped := ""
	if b.key != nil && !b.has() && path != b.refresh && !slices.ContainsFunc(b.excluded, func(p string) bool { return strings.HasPrefix(path, p) }) {
		skipped = b.prove(h)
	}
	r := b.request("GET", path)
	if skipped != "" {
		r.Header.Set("Secure-Session-Skipped", skipped)
	}
	res := b.send(h, r)
	if field := res.Header.Get("Secure-Session-Registration"); field != "" {
		b.register(h, field)
	}
	return res
}

// register makes a key and sends it. The browser keeps it if the server takes it.
func (b *browser) register(h http.Handler, field string) *http.Response {
	m := registration.FindStringSubmatch(field)
	if m == nil {
		b.t.Errorf("the browser cannot read %q", field)
		return nil
	}
	key := newKey(b.t, b.alg)
	r := b.request("POST", m[1])
	r.Header.Set("Secure-Session-Response", signCode(b.t, key, m[2], m[3]))
	res := b.send(h, r)
	b.took(key, res)
	return res
}

// took keeps the key that the server has taken.
func (b *browser) took(key crypto.Signer, res *http.Response) {
	if res.StatusCode == http.StatusOK {
		b.key = key
		b.obey(res)
	}
}

// obey reads the instructions of the server.
func (b *browser) obey(res *http.Response) {
	var in struct {
		ID          string `json:"session_identifier"`
		Continue    *bool  `json:"continue"`
		RefreshURL  string `json:"refresh_url"`
		Credentials []struct{ Type, Name, Attributes string }
		Scope       struct {
			IncludeSite *bool                         `json:"include_site"`
			Rules       []struct{ Type, Path string } `json:"scope_specification"`
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&in); err != nil || res.Header.Get("Content-Type") != "application/json" {
		b.t.Errorf("the instructions are not JSON: %v", err)
		return
	}
	if in.Continue != nil && !*in.Continue {
		b.forget()
		return
	}
	b.id, b.refresh, b.excluded = in.ID, in.RefreshURL, nil
	for _, rule := range in.Scope.Rules {
		b.excluded = append(b.excluded, rule.Path)
	}
	if in.Scope.IncludeSite == nil || len(in.Credentials) != 1 || in.Credentials[0].Name == "" || in.ID == "" || in.RefreshURL == "" {
		b.t.Errorf("the instructions lack something: %+v", in)
	}
	for _, line := range res.Header["Set-Cookie"] {
		if rest, ok := strings.CutPrefix(line, in.Credentials[0].Name+"="); ok {
			_, attributes, _ := strings.Cut(rest, "; ")
			if _, attributes, _ = strings.Cut(attributes, "; "); attributes != in.Credentials[0].Attributes { // after Max-Age
				b.t.Errorf("the cookie has the attributes %q, the instructions say %q", attributes, in.Credentials[0].Attributes)
			}
		}
	}
	b.keepChallenge(res)
}

func (b *browser) keepChallenge(res *http.Response) bool {
	m := challenge.FindStringSubmatch(res.Header.Get("Secure-Session-Challenge"))
	if m == nil {
		return false
	}
	b.challenge, b.proof = m[1], ""
	return true
}

func (b *browser) forget() { b.key, b.challenge, b.proof = nil, "", "" }

// proofRequest is a request for a new bound cookie, with a proof if there is a challenge.
func (b *browser) proofRequest() *http.Request {
	r := b.request("POST", b.refresh)
	r.Header.Set("Sec-Secure-Session-Id", b.id)
	if b.proof == "" && b.challenge != "" {
		b.proof = signProof(b.t, b.key, b.challenge, false)
		b.signed++
	}
	if b.proof != "" {
		r.Header.Set("Secure-Session-Response", b.proof)
	}
	return r
}

// prove gets a new bound cookie. It returns what Secure-Session-Skipped says if it has none.
func (b *browser) prove(h http.Handler) (skipped string) {
	for range 4 {
		res := b.send(h, b.proofRequest())
		switch {
		case res.StatusCode == http.StatusOK:
			b.proof = ""
			b.obey(res)
			return ""
		case res.StatusCode >= 500:
			return `server_error;session_identifier="` + b.id + `"`
		case res.StatusCode != http.StatusForbidden || !b.keepChallenge(res):
			b.forget()
			return ""
		}
	}
	b.forget()
	return ""
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newKey(t testing.TB, alg string) crypto.Signer {
	t.Helper()
	if alg == "RS256" {
		return rsaKey()
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var b64 = base64.RawURLEncoding

// object is the text of a JSON object in base64url.
func object(members map[string]any) string {
	text, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return b64.EncodeToString(text)
}

func jwkOf(t testing.TB, key crypto.Signer) map[string]any {
	t.Helper()
	switch key := key.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return map[string]any{"kty": "EC", "crv": "P-256", "x": b64.EncodeToString(point[1:33]), "y": b64.EncodeToString(point[33:])}
	case *rsa.PublicKey:
		return map[string]any{"kty": "RSA", "n": b64.EncodeToString(key.N.Bytes()), "e": b64.EncodeToString(big.NewInt(int64(key.E)).Bytes())}
	}
	t.Fatalf("a key of the type %T", key)
	return nil
}

func algOf(key crypto.Signer) string {
	if _, ok := key.(*rsa.PrivateKey); ok {
		return "RS256"
	}
	return "ES256"
}

// signProof is a proof as Chromium makes it.
func signProof(t testing.TB, key crypto.Signer, challenge string, withKey bool) string {
	t.Helper()
	header := map[string]any{"alg": algOf(key), "typ": "dbsc+jwt"}
	if withKey {
		header["jwk"] = jwkOf(t, key)
	}
	return sign(t, key, header, map[string]any{"jti": challenge})
}

// signCode is the proof of a registration.
func signCode(t testing.TB, key crypto.Signer, challenge, code string) string {
	t.Helper()
	header := map[string]any{"alg": algOf(key), "typ": "dbsc+jwt", "jwk": jwkOf(t, key)}
	return sign(t, key, header, map[string]any{"jti": challenge, "authorization": code})
}

func sign(t testing.TB, key crypto.Signer, header, payload map[string]any) string {
	t.Helper()
	text := object(header) + "." + object(payload)
	return text + "." + b64.EncodeToString(signature(t, key, text))
}

func signature(t testing.TB, key crypto.Signer, text string) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		out := make([]byte, 64)
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out
	case *rsa.PrivateKey:
		out, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	t.Fatalf("a key of the type %T", key)
	return nil
}

func text(t testing.TB, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wantStatus fails the test if a response has another status.
func wantStatus(t testing.TB, what string, res *http.Response, want int) {
	t.Helper()
	if res.StatusCode != want {
		t.Errorf("%s: the status is %d, want %d: %s", what, res.StatusCode, want, text(t, res))
	}
}

// faulty is a store that fails on request, and counts its calls.
type faulty struct {
	store.Store
	mu    sync.Mutex
	down  bool
	calls map[string]int
}

func (f *faulty) Unwrap() store.Store { return f.Store }

func (f *faulty) call(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[string]int{}
	}
	f.calls[name]++
	if f.down {
		return fmt.Errorf("the store is down")
	}
	return nil
}

func (f *faulty) set(down bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = down
}

func (f *faulty) reset() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = map[string]int{}
	return calls
}

func (f *faulty) Load(ctx context.Context, id string) (store.Record, error) {
	if err := f.call("Load"); err != nil {
		return store.Record{}, err
	}
	return f.Store.Load(ctx, id)
}

func (f *faulty) Create(ctx context.Context, r store.Record) (store.Version, error) {
	if err := f.call("Create"); err != nil {
		return 0, err
	}
	return f.Store.Create(ctx, r)
}

func (f *faulty) Update(ctx context.Context, r store.Record) (store.Version, error) {
	if err := f.call("Update"); err != nil {
		return 0, err
	}
	return f.Store.Update(ctx, r)
}

func (f *faulty) Touch(ctx context.Context, id string, expires time.Time) error {
	if err := f.call("Touch"); err != nil {
		return err
	}
	return f.Store.Touch(ctx, id, expires)
}

func (f *faulty) Delete(ctx context.Context, id string) error {
	if err := f.call("Delete"); err != nil {
		return err
	}
	return f.Store.Delete(ctx, id)
}

func isRefused(err error) bool { return errors.Is(err, devicebound.ErrRefused) }
