package howto_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/nestsession/session/examples/howto"
)

// An app logs in beside a browser, on the same routes, and gets no cookie.
func TestAnAppWithAToken(t *testing.T) {
	t.Parallel()
	a, _ := newApp(t, howto.TokenConfig("a secret for tests, 32 bytes or so"))
	h := a.Routes()
	send := func(method, path, token string) *http.Response {
		t.Helper()
		r, w := httptest.NewRequest(method, "https://shop.test"+path, nil), httptest.NewRecorder()
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		h.ServeHTTP(w, r)
		if lines := w.Result().Header["Set-Cookie"]; len(lines) > 0 {
			t.Errorf("%s sets %q", path, lines)
		}
		return w.Result()
	}
	for token, want := range map[string]string{"": "Bearer", "nobody.signature": `Bearer error="invalid_token"`} {
		if res := send("GET", "/api/me", token); res.StatusCode != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") != want {
			t.Errorf("with the token %q: %d, %s", token, res.StatusCode, res.Header.Get("WWW-Authenticate"))
		}
	}
	if res := send("POST", "/api/login?name=ada&password=wrong", ""); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("with a wrong password: %d", res.StatusCode)
	}
	var answer struct{ Token string }
	if err := json.NewDecoder(send("POST", "/api/login?name=ada&password=correct+horse+battery", "").Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if res := send("GET", "/api/me", answer.Token); res.StatusCode != http.StatusOK {
		t.Errorf("with the token: %d", res.StatusCode)
	}
	if got := login(t, h, nil, "grace").Visit(h, "GET", "/me"); got != "grace\n" {
		t.Errorf("a browser beside it: %q", got)
	}
}

// The transport sends the token to its site only, and takes each new one.
func TestTheTransportKeepsTheToken(t *testing.T) {
	t.Parallel()
	var sent []string
	var away string
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Header.Get("Authorization"))
		if r.URL.Path == "/renew" {
			w.Header().Set("X-Session-Token", "second")
		}
		if r.URL.Path == "/away" {
			http.Redirect(w, r, away, http.StatusTemporaryRedirect)
		}
	})
	site, other := httptest.NewTLSServer(h), httptest.NewServer(h)
	defer site.Close()
	defer other.Close()
	away = other.URL
	tokens := &howto.Tokens{Host: site.Listener.Addr().String()}
	tokens.Transport = site.Client().Transport
	client := &http.Client{Transport: tokens}
	tokens.Set("first")
	for _, url := range []string{site.URL + "/renew", site.URL, other.URL, site.URL + "/away"} {
		res, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
	if want := []string{"Bearer first", "Bearer second", "", "Bearer second", ""}; !slices.Equal(sent, want) {
		t.Errorf("sent %q", sent)
	}
}
