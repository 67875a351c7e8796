package web_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/client"
	"github.com/nestsession/session/cmd/nestsession/internal/web"
)

// TestALoginIsBoundToItsDevice registers a key as Chromium does. internal/e2e has the real one.
func TestALoginIsBoundToItsDevice(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var later atomic.Int64
	happened := map[session.EventKind][]session.Reason{}
	app, err := web.New(web.Config{
		Session: session.Config{
			Secrets: []string{"a secret for the tests alone"},
			Cookie:  session.Cookie{MaxAge: 7 * 24 * time.Hour, Secure: session.SecureAlways},
			Store:   s.sessions,
			Now:     func() time.Time { return time.Now().Add(time.Duration(later.Load())) },
			OnEvent: func(_ context.Context, e session.Event) {
				happened[e.Kind] = append(happened[e.Kind], e.Reason)
				if e.Digest == "" && e.Kind != "device key asked for" {
					t.Errorf("%s names no session", e.Kind)
				}
			},
		},
		Users: s.accounts, Proxies: client.Proxies{netip.MustParsePrefix("192.0.2.1/32")}, Logger: slog.New(slog.DiscardHandler),
		BindDevices: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Close() })
	cookies := map[string]string{}
	send := func(method, path, body string, headers ...string) *http.Response {
		t.Helper()
		r := httptest.NewRequest(method, "https://login.example.com"+path, strings.NewReader(body))
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		for name, value := range cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		for _, c := range w.Result().Cookies() {
			cookies[c.Name] = c.Value
		}
		return w.Result()
	}
	login := send("POST", "/register", "username=ada&password=correct+horse+battery+staple")
	asked := login.Header.Get("Secure-Session-Registration")
	challenge := regexp.MustCompile(`challenge="([^"]*)"`).FindStringSubmatch(asked)
	if login.StatusCode != 201 || challenge == nil {
		t.Fatalf("%s asks for no key: %q", login.Status, asked)
	}
	listed := func() (bound []bool) {
		var list struct {
			Sessions []struct{ Bound bool } `json:"sessions"`
		}
		if err := json.NewDecoder(send("GET", "/sessions", "").Body).Decode(&list); err != nil {
			t.Fatal(err)
		}
		for _, one := range list.Sessions {
			bound = append(bound, one.Bound)
		}
		return bound
	}
	if got := listed(); len(got) != 1 || got[0] {
		t.Errorf("before the key: %v", got)
	}
	if a := send("POST", "/dbsc/register", "", "Secure-Session-Response", proofOf(t, challenge[1])); a.StatusCode != 200 {
		t.Fatalf("the registration: %s", a.Status)
	}
	send("GET", "/me", "") // the key counts from the first request that shows the proof
	if got := listed(); len(got) != 1 || !got[0] {
		t.Errorf("after the key: %v", got)
	}
	if _, sent := cookies[app.BoundCookie()]; !sent {
		t.Errorf("the cookie of the proof is not called %q", app.BoundCookie())
	}
	// A thief has the session's cookie, and no key. Requests that were in flight have come by now.
	later.Store(int64(time.Minute))
	for name := range cookies {
		if strings.HasSuffix(name, "-bound") {
			delete(cookies, name)
		}
	}
	if a := send("GET", "/me", ""); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a copied cookie: %s", a.Status)
	}
	if a := send("GET", "/auth", ""); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a copied cookie at /auth: %s", a.Status)
	}
	// What happens to keys is reported as all that happens to sessions is.
	for _, kind := range []session.EventKind{"device key asked for", "device key registered", "device bound"} {
		if len(happened[kind]) != 1 {
			t.Errorf("%d events %q, want 1", len(happened[kind]), kind)
		}
	}
	if got, want := happened[session.EventRejected], []session.Reason{"device: no proof", "device: no proof"}; !slices.Equal(got, want) {
		t.Errorf("the refusals are %q, want %q", got, want)
	}
	// A user who has lost the key logs in again.
	if a := send("POST", "/login", "username=ada&password=correct+horse+battery+staple"); a.StatusCode != 200 {
		t.Errorf("a login without the key: %s", a.Status)
	}
}

func TestNoLoginIsBoundByDefault(t *testing.T) {
	t.Parallel()
	b := setup(t).program()
	b.headers.Set("X-Forwarded-Proto", "https")
	if a := b.register("ada", "correct horse battery staple"); a.Header.Get("Secure-Session-Registration") != "" {
		t.Error("a key is asked for")
	}
}

// proofOf makes a key, and proves it as Chromium does at a registration.
func proofOf(t *testing.T, challenge string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	header := fmt.Sprintf(`{"alg":"ES256","jwk":{"crv":"P-256","kty":"EC","x":"%s","y":"%s"},"typ":"dbsc+jwt"}`, encode(point[1:33]), encode(point[33:]))
	signed := encode([]byte(header)) + "." + encode(fmt.Appendf(nil, `{"jti":"%s"}`, challenge))
	hash := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key, hash[:])
	if err != nil {
		t.Fatal(err)
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + encode(signature[:])
}
