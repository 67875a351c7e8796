package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
)

var record = flag.String("record", "", "the folder in which to write what Chromium signs, such as devicebound/testdata")

// bare is a server that speaks the protocol and checks nothing, so that its tests show what Chromium
// sends, and nothing about the package devicebound.
func bare(algorithms, authorization string) func(*clock) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, err := r.Cookie("__Host-sid-bound")
		fmt.Fprintf(w, `<link rel="icon" href="data:,"><main>proof: %t <form method="post" action="/login"><button>Log in</button></form></main>`, err == nil)
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		field := fmt.Sprintf(`(%s);path="/dbsc/register";challenge="first.challenge_of-43~characters"`, algorithms)
		if authorization != "" {
			field += fmt.Sprintf(`;authorization="%s"`, authorization)
		}
		w.Header().Set("Secure-Session-Registration", field)
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	signed := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Secure-Session-Challenge", `"next.challenge_of-43~characters";id="sid"`)
		if r.Header.Get("Secure-Session-Response") == "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "__Host-sid-bound", Value: "bound", MaxAge: 600, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"session_identifier":"sid","refresh_url":"/dbsc/refresh","scope":{"include_site":false},
			"credentials":[{"type":"cookie","name":"__Host-sid-bound","attributes":"Path=/; Secure; HttpOnly; SameSite=Lax"}]}`)
	}
	mux.HandleFunc("POST /dbsc/register", signed)
	mux.HandleFunc("POST /dbsc/refresh", signed)
	return func(*clock) http.Handler { return mux }
}

// vectors checks the form of what this Chromium signs, which testdata of devicebound has from an
// earlier one. With -record it writes them there.
func vectors(t *testing.T, in context.Context) {
	signs(t, in, []signing{
		{"es256", "ES256 RS256", "ES256", "", false},
		{"rs256", "RS256 ES256", "RS256", "", false},
		{"authorization", "ES256", "ES256", "a code of the server's", false},
	})
}

// TestChromiumNamesTheAudience is about a feature that Chromium 156 has and does not use yet: what it signs
// says for which URL it is. The package devicebound checks that.
func TestChromiumNamesTheAudience(t *testing.T) {
	t.Parallel()
	browser := startBindingChromium(t, t.TempDir(), "DeviceBoundSessionsIncludeAudienceClaim")
	signs(t, browser, []signing{{"audience", "ES256", "ES256", "", true}})
	t.Run("the package", func(t *testing.T) { refreshes(t, browser) })
}

// signing is a registration and a refresh, and what Chromium signs for them.
type signing struct {
	name, algorithms, alg, authorization string
	audience                             bool
}

func signs(t *testing.T, in context.Context, cases []signing) {
	t.Helper()
	product, err := chromedp.Call(in, browser.GetVersion, cdp.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := startBoundSite(t, bare(c.algorithms, c.authorization))
			b := openBound(t, in, s)
			b.navigate("/")
			b.press("Log in")
			registered := b.awaitAnswered("POST /dbsc/register", 1)[0]
			b.awaitEvent("registered", succeeded(created))
			b.lapse()
			b.navigate("/")
			refreshed := b.awaitAnswered("POST /dbsc/refresh", 1)[0]
			if !strings.Contains(b.shown(), "proof: true") {
				t.Errorf("the page that waited for the refresh was loaded without the cookie: %q", b.shown())
			}

			first, again := map[string]any{"jti": "first.challenge_of-43~characters"}, map[string]any{"jti": "next.challenge_of-43~characters"}
			if c.authorization != "" {
				first["authorization"] = c.authorization
			}
			if c.audience {
				first["aud"], again["aud"] = s.url+"/dbsc/register", s.url+"/dbsc/refresh"
			}
			jwk := wantSigned(t, registered, c.alg, first)
			if repeated := wantSigned(t, refreshed, c.alg, again); jwk == nil || repeated != nil {
				t.Errorf("the registration has the key %v, the refresh %v; want one only in the first", jwk, repeated)
			}
			key, err := json.Marshal(jwk)
			if err != nil {
				t.Fatal(err)
			}
			keep(t, "chromium-registration-"+c.name+".txt", product.Product, first, key, registered)
			keep(t, "chromium-refresh-"+c.name+".txt", product.Product, again, key, refreshed)
		})
	}
}

// wantSigned checks the form of a JWS, and returns its key if it has one.
func wantSigned(t *testing.T, r seen, alg string, payload map[string]any) (jwk map[string]any) {
	t.Helper()
	parts := strings.Split(r.header.Get("Secure-Session-Response"), ".")
	if len(parts) != 3 {
		t.Fatalf("%s has %d parts signed, want 3", r, len(parts))
	}
	header := decoded(t, parts[0])
	jwk, _ = header["jwk"].(map[string]any)
	want := []string{"alg", "typ"}
	if jwk != nil {
		want = []string{"alg", "jwk", "typ"}
	}
	if names := slices.Sorted(maps.Keys(header)); !slices.Equal(names, want) || header["alg"] != alg || header["typ"] != "dbsc+jwt" {
		t.Errorf("%s is signed with the header %v, want %v with alg %s", r, header, want, alg)
	}
	if got := decoded(t, parts[1]); !maps.Equal(got, payload) {
		t.Errorf("%s signs %v, want %v", r, got, payload)
	}
	return jwk
}

func decoded(t *testing.T, part string) (v map[string]any) {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		t.Fatalf("a part of the JWS: %v", err)
	}
	return v
}

func keep(t *testing.T, name, product string, payload map[string]any, key []byte, r seen) {
	t.Helper()
	if *record == "" {
		return
	}
	var text strings.Builder
	fmt.Fprintf(&text, "browser: %s\nchallenge: %s\n", product, payload["jti"])
	for _, name := range []string{"authorization", "aud"} {
		if value, ok := payload[name]; ok {
			fmt.Fprintf(&text, "%s: %s\n", name, value)
		}
	}
	fmt.Fprintf(&text, "key: %s\n\n%s\n", key, r.header.Get("Secure-Session-Response"))
	if err := os.WriteFile(filepath.Join(*record, name), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}
