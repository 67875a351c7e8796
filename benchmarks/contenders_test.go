package benchmarks

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/gob"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/golang-jwt/jwt/v5"
	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

const secret = "a secret of thirty-two bytes, ok"

func contenders(tb testing.TB) []contender {
	return []contender{
		nest(tb),
		scsMap(), scsTyped("scs/JSON/typed", typedCodec{}), scsTyped("scs/gob", scs.GobCodec{}),
		bearerMap(tb), bearerTyped(tb, "jwt/HS256/typed", jwt.SigningMethodHS256, []byte(secret), []byte(secret)),
		bearerTyped(tb, "jwt/EdDSA/typed", jwt.SigningMethodEdDSA, edPrivate, edPublic),
		bearerTyped(tb, "jwt/RS256/typed", jwt.SigningMethodRS256, rsaKey, &rsaKey.PublicKey),
		gorillaCookie(tb), ginMemory(tb),
	}
}

// bare is a handler without any session.
var bare = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })

func nest(tb testing.TB) contender {
	store := memstore.New(memstore.Config{MaxSessions: 10_000})
	m, err := session.New[Account](session.Config{
		Secrets: []string{secret},
		Store:   store,
		Cookie:  session.Cookie{MaxAge: 7 * 24 * time.Hour, Secure: session.SecureAuto},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { m.Close() })
	return contender{
		name: "nest",
		login: m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
			account := newAccount()
			if err := s.Regenerate(r.Context()); err != nil {
				tb.Error(err)
			}
			s.Update(func(a *Account) { *a = account })
			w.WriteHeader(http.StatusNoContent)
		}),
		read: m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[Account]) {
			if s.Data().User.ID != 482_113 {
				tb.Error("not logged in")
			}
			w.WriteHeader(http.StatusNoContent)
		}),
		write: m.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[Account]) {
			s.Update(func(a *Account) { a.Visits++ })
			w.WriteHeader(http.StatusNoContent)
		}),
	}
}

// jsonCodec is the codec that scs's users write to keep JSON: any values, by key.
type jsonCodec struct{}

type scsDocument[V any] struct {
	Deadline time.Time
	Values   V
}

func (jsonCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(scsDocument[map[string]any]{deadline, values})
}

func (jsonCodec) Decode(text []byte) (time.Time, map[string]any, error) {
	var d scsDocument[map[string]any]
	err := json.Unmarshal(text, &d)
	return d.Deadline, d.Values, err
}

// typedCodec knows the one type that the application keeps, which is as fast as
// scs with JSON gets.
type typedCodec struct{}

func (typedCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	account, _ := values["account"].(*Account)
	return json.Marshal(scsDocument[*Account]{deadline, account})
}

func (typedCodec) Decode(text []byte) (time.Time, map[string]any, error) {
	var d scsDocument[*Account]
	err := json.Unmarshal(text, &d)
	return d.Deadline, map[string]any{"account": d.Values}, err
}

func scsMap() contender {
	m := scs.New()
	m.Codec = jsonCodec{}
	m.Lifetime, m.IdleTimeout = 30*24*time.Hour, 7*24*time.Hour
	return contender{
		name: "scs/JSON",
		login: m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			account := newAccount()
			_ = m.RenewToken(r.Context())
			m.Put(r.Context(), "user", account.User)
			m.Put(r.Context(), "visits", account.Visits)
			m.Put(r.Context(), "roles", account.Roles)
			w.WriteHeader(http.StatusNoContent)
		})),
		read: m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, ok := m.Get(r.Context(), "user").(map[string]any); !ok || user["id"] != 482_113. {
				panic("not logged in")
			}
			w.WriteHeader(http.StatusNoContent)
		})),
		write: m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			visits := m.Get(r.Context(), "visits").(float64)
			m.Put(r.Context(), "visits", visits+1)
			w.WriteHeader(http.StatusNoContent)
		})),
	}
}

func scsTyped(name string, codec scs.Codec) contender {
	m := scs.New()
	m.Codec = codec
	m.Lifetime, m.IdleTimeout = 30*24*time.Hour, 7*24*time.Hour
	return contender{
		name: name,
		login: m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			account := newAccount()
			_ = m.RenewToken(r.Context())
			m.Put(r.Context(), "account", &account)
			w.WriteHeader(http.StatusNoContent)
		})),
		read: m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if a, ok := m.Get(r.Context(), "account").(*Account); !ok || a.User.ID != 482_113 {
				panic("not logged in")
			}
			w.WriteHeader(http.StatusNoContent)
		})),
		write: m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := m.Get(r.Context(), "account").(*Account)
			a.Visits++
			m.Put(r.Context(), "account", a)
			w.WriteHeader(http.StatusNoContent)
		})),
	}
}

// bearerMap keeps the account in a signed token that the client carries, read as
// golang-jwt's documentation reads it: jwt.Parse, into a map. A write is a new token,
// and a logout does not exist.
func bearerMap(tb testing.TB) contender {
	verify := func(r *http.Request) jwt.MapClaims {
		token, err := jwt.Parse(bearerToken(r), signingKey, jwt.WithValidMethods([]string{"HS256"}))
		if err != nil {
			tb.Fatal(err)
		}
		return token.Claims.(jwt.MapClaims)
	}
	return contender{
		name: "jwt/HS256",
		login: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			account := newAccount()
			sign(tb, w, jwt.MapClaims{"user": account.User, "visits": account.Visits, "roles": account.Roles, "exp": expiry().Unix()}, jwt.SigningMethodHS256, []byte(secret))
		}),
		read: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, ok := verify(r)["user"].(map[string]any); !ok || user["id"] != 482_113. {
				tb.Error("not logged in")
			}
			w.WriteHeader(http.StatusNoContent)
		}),
		write: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := verify(r)
			c["visits"] = c["visits"].(float64) + 1
			c["exp"] = expiry().Unix()
			sign(tb, w, c, jwt.SigningMethodHS256, []byte(secret))
		}),
	}
}

func bearerToken(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

func signingKey(*jwt.Token) (any, error) { return []byte(secret), nil }

func expiry() time.Time { return time.Now().Add(7 * 24 * time.Hour) }

// The keys of services that let others verify their tokens: Ed25519, and RSA of 2,048 bits.
var (
	edPublic, edPrivate, _ = ed25519.GenerateKey(nil)
	rsaKey, _              = rsa.GenerateKey(rand.Reader, 2048)
)

func sign(tb testing.TB, w http.ResponseWriter, c jwt.Claims, method jwt.SigningMethod, key any) {
	token, err := jwt.NewWithClaims(method, c).SignedString(key)
	if err != nil {
		tb.Error(err)
	}
	w.Header().Set("Authorization", "Bearer "+token)
	w.WriteHeader(http.StatusNoContent)
}

type claims struct {
	Account
	jwt.RegisteredClaims
}

// bearerTyped is the same with claims of the application's type and one parser for
// all requests: as fast as golang-jwt gets.
func bearerTyped(tb testing.TB, name string, method jwt.SigningMethod, signing, verifying any) contender {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{method.Alg()}))
	verifyingKey := func(*jwt.Token) (any, error) { return verifying, nil }
	verify := func(r *http.Request) *claims {
		var c claims
		if _, err := parser.ParseWithClaims(bearerToken(r), &c, verifyingKey); err != nil {
			tb.Error(err)
		}
		return &c
	}
	issue := func(w http.ResponseWriter, c *claims) {
		c.ExpiresAt = jwt.NewNumericDate(expiry())
		sign(tb, w, c, method, signing)
	}
	return contender{
		name:  name,
		login: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { issue(w, &claims{Account: newAccount()}) }),
		read: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if verify(r).User.ID != 482_113 {
				tb.Error("not logged in")
			}
			w.WriteHeader(http.StatusNoContent)
		}),
		write: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := verify(r)
			c.Visits++
			issue(w, c)
		}),
	}
}

func init() { gob.Register(&Account{}) } // as users of its default codec do
