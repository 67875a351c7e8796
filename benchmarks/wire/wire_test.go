package wire_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/net/http2/hpack"

	"github.com/nestsession/session"
	"github.com/nestsession/session/benchmarks/internal/account"
)

// The data of the session, and of the token.
type (
	Account = account.Account
	User    = account.User
)

// sizes are the sizes of the account as JSON, in bytes.
var sizes = []int{146, 1024}

// accountOf returns an account of so many bytes of JSON. Its further roles have random names, as
// compression would otherwise find them equal.
func accountOf(t testing.TB, size int) Account {
	t.Helper()
	a := account.New()
	for {
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		switch missing := size - len(text); {
		case missing == 0:
			return a
		case missing < 3:
			t.Fatalf("%d bytes cannot be filled", missing)
		default:
			name := rand.Text() + rand.Text()
			if n := min(len(name), missing-3); missing-3-n != 0 && missing-3-n < 3 {
				name = name[:n-3]
			} else {
				name = name[:n]
			}
			a.Roles = append(a.Roles, name)
		}
	}
}

const secret = "a secret of thirty-two bytes, ok"

func newManager(t testing.TB, c session.Config) *session.Manager[Account] {
	t.Helper()
	c.Secrets = []string{secret}
	m, err := session.New[Account](c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// logIn returns the request field that a browser sends after a login.
func logIn(t testing.TB, m *session.Manager[Account], a Account) (name, value string) {
	t.Helper()
	w := httptest.NewRecorder()
	m.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Login(r.Context(), "user:482113"); err != nil {
			t.Error(err)
		}
		s.Update(func(kept *Account) { *kept = a })
	}).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "https://example.com/login", nil))
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("the login has set %d cookies", len(cookies))
	}
	return "cookie", cookies[0].Name + "=" + cookies[0].Value
}

// claims are those of a token that carries the account.
type claims struct {
	Account
	jwt.RegisteredClaims
}

// key is a way to sign tokens.
type key struct {
	method jwt.SigningMethod
	sign   any
	verify any
}

func keys(t testing.TB) []key {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return []key{
		{jwt.SigningMethodHS256, []byte(secret), []byte(secret)},
		{jwt.SigningMethodEdDSA, crypto.Signer(private), public},
		{jwt.SigningMethodRS256, long, &long.PublicKey},
	}
}

func (k key) token(t testing.TB, c jwt.Claims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(k.method, c).SignedString(k.sign)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// accepts reports whether a service that trusts the key lets the token in at this time.
func (k key) accepts(token string, at time.Time) bool {
	_, err := jwt.NewParser(jwt.WithValidMethods([]string{k.method.Alg()}), jwt.WithTimeFunc(func() time.Time { return at })).
		ParseWithClaims(token, &claims{}, func(*jwt.Token) (any, error) { return k.verify, nil })
	return err == nil
}

// begin is a fixed time, so that every run signs the same claims.
var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func until(lifetime time.Duration) jwt.RegisteredClaims {
	return jwt.RegisteredClaims{IssuedAt: jwt.NewNumericDate(begin), ExpiresAt: jwt.NewNumericDate(begin.Add(lifetime))}
}

// row is a line of the table.
type row struct {
	name        string
	http1       int // bytes of the header line in each request
	http2       int // bytes of the field in the first request of a connection
	http2Repeat int // and in each later one
}

func measure(name, field, value string) row {
	r := row{name: name, http1: len(field) + len(": ") + len(value) + len("\r\n")}
	var wire bytes.Buffer
	encoder := hpack.NewEncoder(&wire)
	for _, n := range []*int{&r.http2, &r.http2Repeat} {
		wire.Reset()
		if err := encoder.WriteField(hpack.HeaderField{Name: strings.ToLower(field), Value: value}); err != nil {
			panic(err)
		}
		*n = wire.Len()
	}
	return r
}

func rows(t testing.TB, size int) []row {
	t.Helper()
	a := accountOf(t, size)
	var all []row
	for _, k := range keys(t) {
		token := k.token(t, claims{a, until(time.Hour)})
		all = append(all, measure("JWT "+k.method.Alg(), "authorization", "Bearer "+token))
	}
	return all
}

// BenchmarkBytes reports what a request carries, for the page of benchmarks: the line of its header in
// HTTP/1.1, and the field in a later request of a connection of HTTP/2.
func BenchmarkBytes(b *testing.B) {
	if runtime.GOMAXPROCS(0) > 1 {
		b.Skip("bytes do not depend on the cores")
	}
	for _, size := range sizes {
		report := func(name string, r row) {
			b.Run(fmt.Sprintf("of_%d/%s", size, name), func(b *testing.B) {
				for b.Loop() {
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(r.http1), "B/request")
				b.ReportMetric(float64(r.http2Repeat), "B/later-request")
			})
		}
		field, value := logIn(b, newManager(b, session.Config{}), accountOf(b, size))
		report("nest", measure("session cookie", field, value))
		for _, r := range rows(b, size) {
			report(strings.Replace(r.name, "JWT ", "jwt/", 1), r)
		}
	}
}

// TestBytes: the tables in docs/session-or-jwt.md and docs/session-or-jwt.ko.md have the bytes that
// a request carries.
func TestBytes(t *testing.T) {
	t.Parallel()
	for _, size := range sizes {
		for _, r := range rows(t, size) {
			t.Logf("%4d bytes of data: %-14s %5d in HTTP/1.1; %5d in HTTP/2, then %d", size, r.name, r.http1, r.http2, r.http2Repeat)
			wants(t, r, fmt.Sprint(size), thousands(r.http1))
		}
	}
}

// thousands writes a number with commas.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// TestBytesOfACookie: the size of the session's cookie does not depend on the data. It varies by a
// few bytes, because some characters of a signature are escaped.
func TestBytesOfACookie(t *testing.T) {
	t.Parallel()
	for _, size := range sizes {
		const logins, about, spread = 200, 105, 25
		m, a := newManager(t, session.Config{}), accountOf(t, size)
		sum := 0
		var last row
		for range logins {
			field, value := logIn(t, m, a)
			last = measure("session cookie", field, value)
			sum += last.http1
			if last.http1 < about-spread || last.http1 > about+spread {
				t.Errorf("a cookie takes %d bytes, want about %d", last.http1, about)
			}
		}
		t.Logf("%4d bytes of data: session cookie %d in HTTP/1.1 on average", size, sum/logins)
		if mean := float64(sum) / logins; mean < about-5 || mean > about+5 {
			t.Errorf("a cookie takes %.1f bytes on average, want about %d", mean, about)
		}
		wants(t, last, fmt.Sprint(size), fmt.Sprint("about ", about))
	}
}

// wants fails unless the pages have the row.
func wants(t *testing.T, r row, size, http1 string) {
	t.Helper()
	for path, text := range pages(t) {
		line := fmt.Sprintf("| %s | %s | %s |", size, http1, thousands(r.http2Repeat))
		if strings.HasSuffix(path, ".ko.md") {
			line = strings.Replace(line, "about ", "약 ", 1)
		}
		name := strings.Replace(r.name, "session cookie", names[path], 1)
		if !strings.Contains(text, "| "+name+" "+line) {
			t.Errorf("%s has no row | %s %s", path, name, line)
		}
	}
}

// names are the words for a session's cookie on the pages.
var names = map[string]string{"session-or-jwt.md": "session cookie", "session-or-jwt.ko.md": "세션 쿠키"}

// TestAShortToken: the pages have the size of a token with the user's number only.
func TestAShortToken(t *testing.T) {
	t.Parallel()
	registered := until(time.Hour)
	registered.Subject = "482113"
	for _, k := range keys(t) {
		r := measure("JWT "+k.method.Alg(), "authorization", "Bearer "+k.token(t, registered))
		t.Logf("only the user's number: %-10s %d in HTTP/1.1", r.name, r.http1)
		wants(t, r, "—", thousands(r.http1))
	}
}
