package stepup_test

import (
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/stepup"
)

type account struct {
	Cart []string    `json:"cart,omitempty"`
	Form stepup.Form `json:"form,omitzero"`
}

type sess = session.Session[account]

// bank is a site with a login page, and routes that demand a login of the last ten minutes.
type bank struct {
	sessions *session.Manager[account]
	guard    *stepup.Guard[account]
	server   *httptest.Server

	mu   sync.Mutex
	at   time.Time
	sent []string // what has been posted to /pay
}

var recent = stepup.Rule{MaxAge: 10 * time.Minute}

func newBank(t *testing.T, cfg stepup.Config[account]) *bank {
	t.Helper()
	b := &bank{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	var err error
	b.sessions, err = session.New[account](session.Config{
		Secrets: []string{"a secret for tests, 32 bytes or so"}, Logger: slog.New(slog.DiscardHandler), Now: b.now,
		Header: session.Header{Use: session.HeaderWins, Response: "X-Token"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.sessions.Close() })
	cfg.Now = b.now
	if b.guard, err = stepup.New(b.sessions, cfg); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form method="post" action="/login"><input type="hidden" name="next" value="%s"></form>`, html.EscapeString(stepup.Next(r)))
	})
	mux.HandleFunc("POST /login", b.sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *sess) {
		if err := s.Login(r.Context(), "user:"+r.FormValue("user"), strings.Fields(r.FormValue("by"))...); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		http.Redirect(w, r, stepup.Next(r), http.StatusSeeOther)
	}))
	mux.HandleFunc("POST /cart", b.sessions.HandlerFunc(func(_ http.ResponseWriter, r *http.Request, s *sess) {
		item := r.FormValue("item")
		s.Update(func(a *account) { a.Cart = append(a.Cart, item) })
	}))
	mux.HandleFunc("GET /cart", b.sessions.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *sess) {
		fmt.Fprint(w, s.Data().Cart, s.Data().Form.Key != "")
	}))
	mux.HandleFunc("POST /pay", b.sessions.HandlerFunc(b.guard.Require(recent, b.pay)))
	mux.HandleFunc("PUT /pay", b.sessions.HandlerFunc(b.guard.Require(recent, b.pay)))
	mux.HandleFunc("GET /keys", b.sessions.HandlerFunc(b.guard.Require(recent, func(w http.ResponseWriter, r *http.Request, _ *sess) {
		fmt.Fprint(w, "the keys of ", r.FormValue("of"))
	})))
	mux.HandleFunc("GET /strong", b.sessions.HandlerFunc(b.guard.Require(stepup.Rule{Methods: []string{"password", "totp"}}, func(w http.ResponseWriter, _ *http.Request, _ *sess) {
		fmt.Fprint(w, "strong")
	})))
	mux.Handle("GET /plain", b.sessions.Handler(b.guard.Handler(recent, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "plain") }))))
	mux.HandleFunc("/again", b.sessions.HandlerFunc(b.guard.Resume))
	b.server = httptest.NewTLSServer(mux)
	t.Cleanup(b.server.Close)
	return b
}

// usual keeps forms.
func usual() stepup.Config[account] {
	return stepup.Config[account]{Login: "/login", Resume: "/again", Form: func(a *account) *stepup.Form { return &a.Form }}
}

func (b *bank) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.at
}

func (b *bank) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.at = b.at.Add(d)
}

// pay records what it was sent: the query, the fields, and the files.
func (b *bank) pay(w http.ResponseWriter, r *http.Request, _ *sess) {
	if err := r.ParseMultipartForm(1 << 20); err != nil && r.PostForm == nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text := r.URL.RawQuery + " " + r.PostForm.Encode()
	if r.MultipartForm != nil {
		for name, files := range r.MultipartForm.File {
			text += fmt.Sprintf(" %s=%s", name, files[0].Filename)
		}
	}
	b.mu.Lock()
	b.sent = append(b.sent, text)
	b.mu.Unlock()
	fmt.Fprint(w, "paid")
}

func (b *bank) paid() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sent
}

// browser follows redirects with its cookies, and keeps the last page.
type browser struct {
	t      *testing.T
	bank   *bank
	client *http.Client
	page   string
	res    *http.Response
}

func newBrowser(t *testing.T, b *bank) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := *b.server.Client()
	c.Jar = jar
	return &browser{t: t, bank: b, client: &c}
}

// do sends a request, with pairs of names and values as its header, and returns the page.
func (b *browser) do(method, path, body string, header ...string) string {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.bank.server.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if b.res, err = b.client.Do(r); err != nil {
		b.t.Fatal(err)
	}
	defer b.res.Body.Close()
	text, err := io.ReadAll(b.res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.page = string(text)
	return b.page
}

var (
	inputs = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	action = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
)

// submit posts the form of the page, with more fields.
func (b *browser) submit(more url.Values) string {
	b.t.Helper()
	to := action.FindStringSubmatch(b.page)
	if to == nil {
		b.t.Fatalf("%s: no form in %s", b.res.Request.URL, b.page)
	}
	fields := url.Values{}
	for _, m := range inputs.FindAllStringSubmatch(b.page, -1) {
		fields.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	for name, values := range more {
		fields[name] = values
	}
	return b.do("POST", html.UnescapeString(to[1]), fields.Encode())
}

// login fills in the login page that the browser is at.
func (b *browser) login(user string) string {
	b.t.Helper()
	if b.res == nil || b.res.Request.URL.Path != "/login" {
		b.do("GET", "/login", "")
	}
	return b.submit(url.Values{"user": {user}})
}

// visitor is a browser for the examples: each call is a request by HTTPS with the cookies of
// the responses before it.
func visitor(h http.Handler) func(method, target, form string) *httptest.ResponseRecorder {
	jar, _ := cookiejar.New(nil) // it never fails without options
	return func(method, target, form string) *httptest.ResponseRecorder {
		r, w := httptest.NewRequest(method, "https://shop.test"+target, strings.NewReader(form)), httptest.NewRecorder()
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Accept", "text/html")
		for _, c := range jar.Cookies(r.URL) {
			r.AddCookie(c)
		}
		h.ServeHTTP(w, r)
		jar.SetCookies(r.URL, w.Result().Cookies())
		return w
	}
}
