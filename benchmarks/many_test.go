package benchmarks

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	mathrand "math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// crowd is a contender with many active sessions, each of another user.
type crowd struct {
	name               string
	login, read, write http.Handler

	from    int      // the number of sessions with which it differs from the others
	user    int      // whose request is served: the handlers check that it is theirs
	cookies []string // of the users, in order
	tb      testing.TB
}

// crowds are the contenders: this library, scs and a bound that was written by hand.
var crowds = []func(testing.TB) *crowd{nestCrowd, roomyCrowd, scsCrowd, boundCrowd}

// manySizes are how many sessions are active.
var manySizes = []int{1, 1024, 65_536, 1_000_000}

func (c *crowd) account() Account {
	a := newAccount()
	a.User.ID = c.user
	return a
}

func (c *crowd) check(id int) {
	if id != c.user {
		c.tb.Errorf("%s: the session is of user %d, the request of %d", c.name, id, c.user)
	}
}

// fill logs users in until n sessions are active.
func (c *crowd) fill(n int) {
	r := newRequest()
	for i := len(c.cookies); i < n; i++ {
		c.cookies = append(c.cookies, c.enter(r, i))
	}
}

// enter logs a user in and returns the cookie.
func (c *crowd) enter(r *http.Request, user int) string {
	w := &writer{http.Header{}}
	c.user = user
	c.login.ServeHTTP(w, r)
	if len(w.header["Set-Cookie"]) != 1 {
		c.tb.Fatalf("%s: login sent %d cookies", c.name, len(w.header["Set-Cookie"]))
	}
	pair, _, _ := strings.Cut(w.header["Set-Cookie"][0], ";")
	return strings.Clone(pair)
}

// serve returns a function that serves a request of the next user, in random order.
func (c *crowd) serve(h http.Handler) func() {
	order := mathrand.New(mathrand.NewPCG(1, 2)).Perm(len(c.cookies))
	r, w, next := newRequest(), &writer{http.Header{}}, 0
	line := []string{""}
	r.Header["Cookie"] = line
	return func() {
		c.user = order[next]
		line[0] = c.cookies[c.user]
		if next++; next == len(order) {
			next = 0
		}
		clear(w.header)
		h.ServeHTTP(w, r)
	}
}

// enterAll returns a function that logs another user in.
func (c *crowd) enterAll() func() {
	r, w := newRequest(), &writer{http.Header{}}
	return func() {
		clear(w.header)
		c.login.ServeHTTP(w, r)
	}
}

// BenchmarkMany is a request among many active sessions, each as likely as the others.
func BenchmarkMany(b *testing.B) {
	for _, n := range manySizes {
		for _, make := range crowds {
			c := make(b)
			if n < c.from {
				continue
			}
			b.Run(fmt.Sprintf("%d/%s", n, c.name), func(b *testing.B) {
				c := make(b)
				c.fill(n)
				c.checkAnswers()
				for _, work := range []struct {
					name  string
					serve func()
				}{{"read", c.serve(c.read)}, {"write", c.serve(c.write)}, {"login", c.enterAll()}} {
					b.Run(work.name, func(b *testing.B) {
						for range min(2*n, 200_000) { // what caches keep of that is what they can keep
							if work.name != "login" {
								work.serve()
							}
						}
						b.ReportAllocs()
						for b.Loop() {
							work.serve()
						}
					})
				}
			})
		}
	}
}

// checkAnswers holds a contender to what it is timed for: each user's reads and writes are
// their own, what was written is read again, and a cookie that was changed is refused.
func (c *crowd) checkAnswers() {
	c.tb.Helper()
	read, write := c.serve(c.read), c.serve(c.write)
	for range min(len(c.cookies), 100) {
		read()
		write()
		write()
		read()
	}
	r := newRequest()
	for range 3 {
		c.user = -1 // of a visitor who is not logged in
		for _, cookie := range []string{c.cookies[0][:len(c.cookies[0])-2], "session=x", "sid=s%3Ax.y"} {
			r.Header.Set("Cookie", cookie)
			c.read.ServeHTTP(&writer{http.Header{}}, r)
		}
	}
}

// TestManySameWork holds the contenders of BenchmarkMany to doing what they are timed for.
func TestManySameWork(t *testing.T) {
	t.Parallel()
	for _, make := range crowds {
		c := make(t)
		c.fill(200)
		c.checkAnswers()
	}
}

// id is the user's in an account, -1 of who is not logged in.
func id(u *User) int {
	if u == nil {
		return -1
	}
	return u.ID
}

func nestCrowd(tb testing.TB) *crowd {
	return nestCrowdIn(tb, memstore.Config{MaxSessions: memstore.NoLimit, MaxBytes: memstore.NoLimit}, session.SealOff, session.DefaultCacheBytes)
}

// roomyCrowd is this library with room for the decoded values of all sessions.
func roomyCrowd(tb testing.TB) *crowd {
	c := nestCrowdIn(tb, memstore.Config{MaxSessions: memstore.NoLimit, MaxBytes: memstore.NoLimit}, session.SealOff, 2<<30)
	c.name, c.from = "nest/cache_of_2_GiB", 1_000_000
	return c
}

func nestCrowdIn(tb testing.TB, cfg memstore.Config, seal session.Seal, cacheBytes int) *crowd {
	store := memstore.New(cfg)
	tb.Cleanup(func() { _ = store.Close() })
	m, err := session.New[Account](session.Config{
		Secrets: []string{secret},
		Store:   store,
		Cookie:  session.Cookie{MaxAge: 7 * 24 * time.Hour, Secure: session.SecureAuto},
		Seal:    seal,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = m.Close() })
	m.SetCacheBytes(cacheBytes)
	c := &crowd{name: "nest", tb: tb}
	c.login = m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		account := c.account()
		if err := s.Regenerate(r.Context()); err != nil {
			tb.Error(err)
		}
		s.Update(func(a *Account) { *a = account })
		w.WriteHeader(http.StatusNoContent)
	})
	c.read = m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[Account]) {
		c.check(id(s.Data().User))
		w.WriteHeader(http.StatusNoContent)
	})
	c.write = m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[Account]) {
		s.Update(func(a *Account) { a.Visits++ })
		c.check(id(s.Data().User))
		w.WriteHeader(http.StatusNoContent)
	})
	return c
}

// scsCrowd is scs as its documentation sets it up, with the codec that knows the
// application's type: without an idle timeout, so that a read does not write.
func scsCrowd(tb testing.TB) *crowd {
	m := scs.New()
	m.Codec = typedCodec{}
	m.Lifetime = 30 * 24 * time.Hour
	c := &crowd{name: "scs", tb: tb}
	user := func(r *http.Request) (*Account, int) {
		a, _ := m.Get(r.Context(), "account").(*Account)
		if a == nil {
			return nil, -1
		}
		return a, id(a.User)
	}
	c.login = m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		account := c.account()
		_ = m.RenewToken(r.Context())
		m.Put(r.Context(), "account", &account)
		w.WriteHeader(http.StatusNoContent)
	}))
	c.read = m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, id := user(r)
		c.check(id)
		w.WriteHeader(http.StatusNoContent)
	}))
	c.write = m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, id := user(r)
		c.check(id)
		a.Visits++
		m.Put(r.Context(), "account", a)
		w.WriteHeader(http.StatusNoContent)
	}))
	return c
}

// boundCrowd is what a service could write by hand, with nothing that can be left out of a
// middleware: a signed cookie, a value in the context, a writer that notices the first byte,
// an object that nobody changes in a map. It has no expiry, no store and no merging.
func boundCrowd(tb testing.TB) *crowd {
	b := &bound{}
	b.macs.New = func() any { return &boundMAC{mac: hmac.New(sha256.New, []byte(secret))} }
	for i := range b.shards {
		b.shards[i].sessions = map[string]*Account{}
	}
	c := &crowd{name: "bound", tb: tb}
	c.login = b.handler(func(w http.ResponseWriter, _ *http.Request) {
		account := c.account()
		var space [24]byte
		_, _ = rand.Read(space[:])
		id := base64.RawURLEncoding.EncodeToString(space[:])
		b.put(id, &account)
		line := append(b.sign(make([]byte, 0, 160), id), "; Path=/; Max-Age=604800; HttpOnly; Secure; SameSite=Lax"...)
		w.Header()["Set-Cookie"] = []string{string(line)}
		w.WriteHeader(http.StatusNoContent)
	})
	c.read = b.handler(func(w http.ResponseWriter, r *http.Request) {
		c.check(boundUser(r))
		w.WriteHeader(http.StatusNoContent)
	})
	c.write = b.handler(func(w http.ResponseWriter, r *http.Request) {
		c.check(boundUser(r))
		x := r.Context().Value(boundKey{}).(*boundExchange)
		account := *x.account
		account.Visits++
		b.put(x.id, &account)
		w.WriteHeader(http.StatusNoContent)
	})
	return c
}

type bound struct {
	macs   sync.Pool
	shards [64]struct {
		sync.RWMutex
		sessions map[string]*Account
	}
}

type boundMAC struct {
	mac  hash.Hash
	sum  [sha256.Size]byte
	text [44]byte
}

type boundKey struct{}

type boundExchange struct {
	http.ResponseWriter
	id      string
	account *Account
	sent    bool
}

func (x *boundExchange) WriteHeader(code int) {
	x.sent = true
	x.ResponseWriter.WriteHeader(code)
}

func (x *boundExchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

func boundUser(r *http.Request) int {
	x := r.Context().Value(boundKey{}).(*boundExchange)
	if x.account == nil {
		return -1
	}
	return id(x.account.User)
}

func (b *bound) handler(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := &boundExchange{ResponseWriter: w}
		if lines := r.Header["Cookie"]; len(lines) == 1 {
			value, _ := strings.CutPrefix(lines[0], "sid=")
			id, signature, _ := strings.Cut(value, ".")
			if b.verify(id, signature) {
				x.id, x.account = id, b.get(id)
			}
		}
		next(x, r.WithContext(context.WithValue(r.Context(), boundKey{}, x)))
	})
}

func (b *bound) verify(id, signature string) bool {
	m := b.macs.Get().(*boundMAC)
	defer b.macs.Put(m)
	return len(signature) == 43 && hmac.Equal(m.of(id), []byte(signature))
}

func (m *boundMAC) of(id string) []byte {
	m.mac.Reset()
	m.mac.Write([]byte(id))
	return base64.RawURLEncoding.AppendEncode(m.text[:0], m.mac.Sum(m.sum[:0]))
}

func (b *bound) sign(dst []byte, id string) []byte {
	m := b.macs.Get().(*boundMAC)
	defer b.macs.Put(m)
	return append(append(append(append(dst, "sid="...), id...), '.'), m.of(id)...)
}

func (b *bound) get(id string) *Account {
	s := &b.shards[id[0]%64]
	s.RLock()
	defer s.RUnlock()
	return s.sessions[id]
}

func (b *bound) put(id string, a *Account) {
	s := &b.shards[id[0]%64]
	s.Lock()
	defer s.Unlock()
	s.sessions[strings.Clone(id)] = a
}
