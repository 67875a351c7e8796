package live_test

import (
	"bufio"
	"net/http"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nestsession/session/internal/servers"
)

// beside is a way to open a store for a Node application and a login server.
var beside = map[string]func(t *testing.T) (nodeSettings, string){
	"connect-redis": func(t *testing.T) (nodeSettings, string) {
		server := servers.StartRedis(t, servers.RedisOptions{Password: "password-of-the-server"})
		at := url.URL{Scheme: "redis", User: url.UserPassword("", server.Password()), Host: server.Addr()}
		return nodeSettings{Kind: "connect-redis", URL: at.String()}, at.String()
	},
	"connect-pg-simple": func(t *testing.T) (nodeSettings, string) {
		at := servers.SharedPostgres(t).NewDatabase(t)
		return nodeSettings{Kind: "connect-pg-simple", URL: at, Creates: true}, at + "&notify=false&time-zone=UTC"
	},
	"better-sqlite3-session-store": func(t *testing.T) (nodeSettings, string) {
		file := filepath.Join(t.TempDir(), "node.db")
		return nodeSettings{Kind: "better-sqlite3-session-store", File: file, Creates: true}, "sqlite:" + file + "?layout=better-sqlite3-session-store"
	},
}

// neighbors starts a Node application and a login server on one store.
func neighbors(t *testing.T, kind string, flags ...string) (node side, l loginServer, store string) {
	t.Helper()
	settings, store := beside[kind](t)
	settings.Secret, settings.Apps = secret, apps
	node = side{"Node", "http://" + startNode(t, settings).Express}
	return node, startLoginServer(t, t.TempDir(), store, flags...), store
}

// adaThere is user 1 of the Node application, whose users are not those of the login server.
var adaThere = data{"id": 1.0, "username": "ada", "role": "admin"}

func TestUsersOfANodeApplicationAreNotLoggedInAtTheLoginServer(t *testing.T) {
	t.Parallel()
	for kind := range beside {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			node, l, _ := neighbors(t, kind)
			var grace, ada person
			grace.at(t, l, "POST", "/register", credentials("grace")).want(t, 201, `{"id":1,"username":"grace"}`)
			ada.atNode(t, node, "POST", "/login", data{"user": adaThere})

			ada.at(t, l, "GET", "/me", "").want(t, 401, "not logged in here", "as ada at another application", `"elsewhere":"ada"`)
			ada.at(t, l, "GET", "/", "").want(t, 200, `"user":null`, `"elsewhere":"ada"`)
			for _, path := range []string{"/sessions", "/events", "/sessions/events", "/password"} {
				ada.at(t, l, "GET", path, "").want(t, 401)
			}
			hers := grace.devices(t, l)
			ada.at(t, l, "POST", "/sessions/"+hers[0]+"/logout", "").want(t, 401)
			ada.at(t, l, "POST", "/sessions/logout-others", "").want(t, 401)
			ada.at(t, l, "POST", "/password", `{"current_password":"`+password+`","new_password":"another one of that length"}`).want(t, 401)
			ada.at(t, l, "POST", "/logout", "").want(t, 204)
			page := person{cookies: ada.cookies, page: true}
			page.at(t, l, "GET", "/login", "").want(t, 200, "You are logged in as ada at another application", `action="/login"`)
			page.at(t, l, "GET", "/me", "").want(t, 401, "You are logged in as ada at another application", `action="/login"`)

			// It does not help to write into the session what the login server writes.
			ada.atNode(t, node, "POST", "/merge", data{"nestsession": data{"user": data{"id": 1, "username": "grace"}}})
			ada.at(t, l, "GET", "/me", "").want(t, 401, "as ada at another application")
			its, _ := grace.atNode(t, node, "GET", "/read", nil).Data["__nestsession"].(data)
			if its["owner"] == nil {
				t.Fatalf("the bookkeeping is %v, want an owner in it", its)
			}
			ada.atNode(t, node, "POST", "/merge", data{"__nestsession": its, "nestsession": data{"user": data{"id": 1, "username": "grace"}}})
			ada.at(t, l, "GET", "/me", "").want(t, 401)
			ada.at(t, l, "POST", "/logout", "").want(t, 204)
			if n := len(grace.devices(t, l)); n != 1 {
				t.Errorf("grace has %d devices, want 1", n)
			}

			grace.at(t, l, "GET", "/me", "").want(t, 200, "grace")
			if got := ada.atNode(t, node, "GET", "/read", nil).Data["user"]; !reflect.DeepEqual(got, any(adaThere)) {
				t.Errorf("Node has %v in place of ada", got)
			}
			if got := grace.atNode(t, node, "GET", "/read", nil).Data["user"]; got != nil {
				t.Errorf("Node takes grace for its user %v", got)
			}
		})
	}
}

// A Node application's members of a session stay unchanged through logins and logouts at the login
// server, whichever came first.
func TestLoginsKeepANodeApplicationsMembers(t *testing.T) {
	t.Parallel()
	for kind := range beside {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			node, l, _ := neighbors(t, kind)
			kept := data{"user": adaThere, "device": 5.0, "notice": []any{"mine"}, "passport": data{"user": "ada"}}
			var both, phone person
			both.atNode(t, node, "POST", "/login", data{"user": adaThere})
			both.atNode(t, node, "POST", "/merge", kept)
			still := func(what string, status int) {
				t.Helper()
				got := both.atNode(t, node, "GET", "/read", nil).Data
				delete(got, "nestsession")
				delete(got, "__nestsession") // the bookkeeping of package session
				if !reflect.DeepEqual(got, kept) {
					t.Errorf("%s: Node has %v, want %v", what, got, kept)
				}
				both.at(t, l, "GET", "/me", "").want(t, status)
			}
			before := both.cookies[cookieName]
			both.at(t, l, "POST", "/register", credentials("grace")).want(t, 201)
			if both.cookies[cookieName] == before {
				t.Error("the login gives no new id")
			}
			still("logged in beside", 200)
			phone.at(t, l, "POST", "/login", credentials("grace")).want(t, 200)

			both.at(t, l, "POST", "/logout", "").want(t, 204)
			still("logged out", 401)
			phone.at(t, l, "GET", "/me", "").want(t, 200)

			both.at(t, l, "POST", "/login", credentials("grace")).want(t, 200)
			its := both.devices(t, l)[0]
			phone.at(t, l, "POST", "/sessions/"+its+"/logout", "").want(t, 204)
			still("logged out from another device", 401)
			if n := len(phone.devices(t, l)); n != 1 {
				t.Errorf("grace has %d devices, want the phone only", n)
			}

			both.at(t, l, "POST", "/login", credentials("grace")).want(t, 200)
			phone.at(t, l, "POST", "/sessions/logout-others", "").want(t, 200)
			still("logged out everywhere else", 401)

			both.at(t, l, "POST", "/login", credentials("grace")).want(t, 200)
			phone.at(t, l, "POST", "/password", `{"current_password":"`+password+`","new_password":"another one of that length"}`).want(t, 200)
			still("logged out by a new password", 401)

			// Another user of the login server logs in over the first.
			both.at(t, l, "POST", "/register", credentials("heidi")).want(t, 201)
			both.at(t, l, "POST", "/login", `{"username":"grace","password":"another one of that length"}`).want(t, 200)
			still("logged in as another user", 200)

			// If no other application has members in the session, a logout ends it and removes the
			// cookie.
			id := (&visitor{cookie: phone.cookies[cookieName]}).id(t)
			out := phone.at(t, l, "POST", "/logout", "").want(t, 204)
			if !slices.ContainsFunc(out.sent, func(c *http.Cookie) bool {
				return c.Name == cookieName && c.Value == "" && c.SameSite == http.SameSiteLaxMode
			}) {
				t.Errorf("the logout leaves the cookie: %v", out.sent)
			}
			if kept := (&rig{node: node}).record(t, id); kept != nil {
				t.Error("the logout leaves the session")
			}
		})
	}
}

// An open page is notified at once that its user was logged out, although Node keeps the session.
func TestPagesAreNotifiedOfALogoutBesideNode(t *testing.T) {
	t.Parallel()
	node, l, _ := neighbors(t, "connect-redis")
	var both, phone person
	both.atNode(t, node, "POST", "/login", data{"user": adaThere})
	both.at(t, l, "POST", "/register", credentials("grace")).want(t, 201)
	phone.at(t, l, "POST", "/login", credentials("grace")).want(t, 200)
	var its string
	for _, path := range []string{"/events", "/sessions/events"} {
		both.at(t, l, "POST", "/login", credentials("grace")).want(t, 200)
		its = both.devices(t, l)[0]
		r, err := http.NewRequestWithContext(t.Context(), "GET", l.base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", cookieName+"="+both.cookies[cookieName])
		stream, err := http.DefaultClient.Do(r)
		if err != nil || stream.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v, %v", path, stream.Status, err)
		}
		phone.at(t, l, "POST", "/sessions/"+its+"/logout", "").want(t, 204)
		heard := false
		for lines := bufio.NewScanner(stream.Body); !heard && lines.Scan(); {
			heard = strings.Contains(lines.Text(), "session-end")
		}
		if !heard {
			t.Errorf("%s ends silently", path)
		}
		_ = stream.Body.Close()
	}
}

// Two login servers with different accounts, on one store and with one cookie.
func TestLoginServersOnOneStoreKeepTheirUsersApart(t *testing.T) {
	t.Parallel()
	_, l, store := neighbors(t, "connect-redis")
	other := startLoginServer(t, t.TempDir(), store)
	var kim, lee person
	kim.at(t, l, "POST", "/register", credentials("kim")).want(t, 201, `"id":1`)
	lee.at(t, other, "POST", "/register", credentials("lee")).want(t, 201, `"id":1`)
	kim.at(t, other, "GET", "/me", "").want(t, 401)
	lee.at(t, l, "GET", "/me", "").want(t, 401)
	lee.at(t, other, "POST", "/sessions/logout-others", "").want(t, 200, `"ended_sessions":0`)
	if n := len(lee.devices(t, other)); n != 1 {
		t.Errorf("lee has %d devices, want 1", n)
	}
	kim.at(t, l, "GET", "/me", "").want(t, 200, "kim")
}

// The login server shows a user's name, whatever form the Node application keeps it in, and handles
// every form without an error.
func TestUsersInAnyFormAreShownByName(t *testing.T) {
	t.Parallel()
	node, l, _ := neighbors(t, "connect-redis")
	for _, c := range []struct {
		session data
		name    string
	}{
		{data{"user": "ada"}, "ada"},
		{data{"user": 7}, "user 7"},
		{data{"user": data{"_id": "64b7f0c2"}}, "64b7f0c2"},
		{data{"user": data{"roles": []any{"admin"}}}, "somebody"},
		{data{"passport": data{"user": "ada@example.com"}}, "ada@example.com"},
		{data{"user": "<b>" + strings.Repeat("a", 1000)}, "<b>" + strings.Repeat("a", 61) + "…"},
		{data{"user": nil, "cart": 1}, ""},
		{data{"user": false}, ""},
		{data{"user": []any{1, 2}}, ""},
	} {
		var p person
		p.atNode(t, node, "POST", "/merge", c.session)
		text := p.at(t, l, "GET", "/me", "").want(t, 401).text
		if c.name == "" && strings.Contains(text, "elsewhere") || c.name != "" && !strings.Contains(text, strings.NewReplacer("<", `\u003c`, ">", `\u003e`).Replace(c.name)) {
			t.Errorf("%v: the answer is %s, want the name %q", c.session, text, c.name)
		}
		p.at(t, l, "POST", "/logout", "").want(t, 204)
		if got := p.atNode(t, node, "GET", "/read", nil).Data; len(got) != len(c.session) {
			t.Errorf("Node has %v, want %v", got, c.session)
		}
	}
}
