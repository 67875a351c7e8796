package web_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/users"
)

// gate starts a server that passes requests of the site's users on to an application.
func (s *site) gate(application http.HandlerFunc) *site {
	s.Helper()
	server := httptest.NewServer(s.app.Gate(application))
	s.Cleanup(server.Close)
	gated := *s
	gated.url = server.URL
	return &gated
}

func (b *browser) at(s *site) *browser {
	other := *b
	other.site = s
	return &other
}

func TestTheApplicationGetsOnlyOurHeadersOfTheUser(t *testing.T) {
	t.Parallel()
	s := setup(t)
	gated := s.gate(func(_ http.ResponseWriter, r *http.Request) {
		for name := range r.Header {
			if strings.HasPrefix(strings.ToLower(strings.ReplaceAll(name, "_", "-")), "remote-") && (len(r.Header[name]) != 1 || strings.Contains(r.Header[name][0], "root")) {
				t.Errorf("the application gets %s: %q", name, r.Header[name])
			}
		}
		for _, line := range r.Header["Connection"] {
			if strings.Contains(strings.ToLower(line), "remote") {
				t.Errorf("the headers of the user are to be removed on the way: Connection: %s", line)
			}
		}
		if r.Header.Get("Remote-User") != "ada" || r.Header.Get("Remote-User-Id") == "" || r.Header.Get("Remote-Session") == "" || r.Header.Get("Remote-Session-Expires") == "" {
			t.Errorf("the application gets %v", r.Header)
		}
	})
	b := s.program()
	b.register("ada", "correct horse battery staple")
	for _, name := range []string{"Remote-User", "remote-user", "REMOTE_USER", "Remote_User-Id", "Remote-Session", "Remote-Session_Expires", "Remote-User-Id", "Remote.User", "rEMOTE~uSER^id"} {
		forger := *b.at(gated)
		forger.headers = b.headers.Clone()
		forger.headers[name] = []string{"root", "root"}
		forger.send("GET", "/", nil).want(t, 200)
		forger.headers["Upgrade"], forger.headers["Connection"] = []string{"echo"}, []string{"Upgrade, Remote-User", "remote_session ,Remote-User-Id"}
		forger.send("GET", "/", nil).want(t, 200)
	}
}

func TestTheGateLetsNobodyElseIn(t *testing.T) {
	t.Parallel()
	s := setup(t)
	reached := 0
	gated := s.gate(func(http.ResponseWriter, *http.Request) { reached++ })
	s.program().at(gated).send("GET", "/x", nil).want(t, 401)
	s.program().at(gated).send("POST", "/x", url.Values{"a": {"b"}}).want(t, 401)
	s.person().at(gated).send("POST", "/x", url.Values{"a": {"b"}}).want(t, 401, "was not passed on")
	if a := s.person().at(gated).send("GET", "/x", nil); a.StatusCode != 302 || !strings.HasPrefix(a.Header.Get("Location"), "/login") {
		t.Errorf("%s to %q", a.Status, a.Header.Get("Location"))
	}
	b := s.program()
	b.register("ada", "correct horse battery staple")
	thief := b.sid()
	b.at(gated).send("GET", "/", nil).want(t, 200)
	b.send("POST", "/logout", nil)
	b = s.program()
	b.headers.Set("Cookie", "sid="+thief)
	b.at(gated).send("GET", "/", nil).want(t, 401)
	if reached != 1 {
		t.Errorf("%d requests reached the application", reached)
	}
}

func TestTheGateIsShutIfTheSessionsAreDown(t *testing.T) {
	t.Parallel()
	s := setup(t)
	gated := s.gate(func(http.ResponseWriter, *http.Request) { t.Error("a request reached the application") })
	b := s.program()
	b.register("ada", "correct horse battery staple")
	s.sessions.down.Store(true)
	b.at(gated).send("GET", "/", nil).want(t, 503)
}

// TestStreamsOfTheApplicationEnd: with the session, and with the account.
func TestStreamsOfTheApplicationEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*site, *browser){
		"by a logout": func(_ *site, b *browser) { b.send("POST", "/logout", nil) },
		"by a change of the password elsewhere": func(s *site, _ *browser) {
			other := s.program()
			other.login("ada", "correct horse battery staple")
			other.send("POST", "/password", url.Values{"current_password": {"correct horse battery staple"}, "new_password": {"another horse battery staple"}})
		},
		"with the account": func(s *site, _ *browser) {
			accounts, err := users.OpenAccounts(s.Context(), s.path)
			if err == nil {
				_, err = accounts.Disable(s.Context(), "ada")
			}
			if err != nil {
				s.Fatal(err)
			}
			_ = accounts.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t)
			gated := s.gate(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, "begun\n")
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
				panic(http.ErrAbortHandler) // as a reverse proxy does
			})
			b := s.program()
			b.register("ada", "correct horse battery staple")
			r, _ := http.NewRequestWithContext(t.Context(), "GET", gated.url, nil)
			r.Header.Set("Cookie", "sid="+b.sid())
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			lines := bufio.NewReader(response.Body)
			if line, err := lines.ReadString('\n'); line != "begun\n" {
				t.Fatalf("%q %v", line, err)
			}
			end(s, b)
			ended := make(chan struct{})
			go func() { defer close(ended); _, _ = lines.ReadByte() }()
			select {
			case <-ended:
			case <-time.After(time.Minute):
				t.Error("the stream goes on")
			}
		})
	}
}
