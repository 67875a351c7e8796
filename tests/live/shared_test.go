package live_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/nestsession/session/internal/servers"
)

// If the Node application has the same users, a flag says so to the login server. Users are then
// logged in and out at both.
func TestSharedUsersAreLoggedInAtBoth(t *testing.T) {
	t.Parallel()
	for kind := range beside {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			node, l, _ := neighbors(t, kind, "--users-are-shared")
			var kim, lee person
			kim.at(t, l, "POST", "/register", credentials("kim")).want(t, 201)
			if got, _ := kim.atNode(t, node, "GET", "/read", nil).Data["user"].(data); got["username"] != "kim" || got["id"] != 1.0 {
				t.Errorf("Node has the user %v, want kim", got)
			}
			lee.atNode(t, node, "POST", "/login", data{"user": data{"id": 2, "username": "lee"}})
			lee.at(t, l, "GET", "/me", "").want(t, 200, `{"id":2,"username":"lee"}`)
			lee.at(t, l, "POST", "/logout", "").want(t, 204)
			if got := lee.atNode(t, node, "GET", "/read", nil).Data; len(got) != 0 {
				t.Errorf("Node still has %v", got)
			}
		})
	}
}

// A renamed cookie with a Domain, in a table with other names: both programs share the session with
// these settings.
func TestCookieAndColumnsOfOtherNamesAreShared(t *testing.T) {
	t.Parallel()
	server := servers.SharedMariaDB(t)
	dsn := server.NewDatabase(t)
	at := server.URL(dsn[slices.Index([]byte(dsn), '/')+1:])
	settings := nodeSettings{
		Kind: "express-mysql-session", URL: at, Creates: true, Secret: secret,
		Schema: data{"tableName": "web", "columnNames": data{"session_id": "id", "data": "body", "expires": "until"}},
		Apps:   []nodeApp{{Name: "hour", MaxAge: 3_600_000, Cookie: "shop", Domain: "example.com"}},
	}
	node := side{"Node", "http://" + startNode(t, settings).Express}
	l := startLoginServer(t, t.TempDir(), at+"?table=web&column.sid=id&column.data=body&column.expires=until",
		"--users-are-shared", "--cookie-name=shop", "--cookie-domain=example.com", "--same-site=strict", "--rolling", "--max-age=1h")
	var kim person
	sent := kim.at(t, l, "POST", "/register", credentials("kim")).want(t, 201).sent
	if !slices.ContainsFunc(sent, func(c *http.Cookie) bool {
		return c.Name == "shop" && c.Domain == "example.com" && c.SameSite == http.SameSiteStrictMode
	}) {
		t.Fatalf("the cookies are %v, want shop of example.com", sent)
	}
	sent = kim.at(t, l, "GET", "/me", "").want(t, 200).sent
	if len(sent) != 1 || sent[0].Name != "shop" {
		t.Errorf("with --rolling a visit is answered with the cookies %v", sent)
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", node.base+"/hour/read", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", "shop="+kim.cookies["shop"])
	got := (&visitor{app: "hour"}).do(t, node, r)
	if user, _ := got.Data["user"].(data); user["username"] != "kim" {
		t.Errorf("Node has %v, want kim", got.Data)
	}
}
