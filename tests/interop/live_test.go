package interop_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/express"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

const cookieName = "connect.sid"

// liveIDs are ids that both programs must escape, sign and parse in the same way.
var liveIDs = []string{
	"Zk3vQh1cT9yUeWm2LrXa0BpDsGnJf7oK",
	"3f2b8c1e-8a7d-4b1e-9d55-0c1f2a3b4c5d",
	"with.dots.and.one.at.the.end.",
	"a/b?c=d&e+f@g:h$i",
	"50%25",
	`a b;c,d"e\`,
	"s:inner",
	"ключ-é-日本-🍪",
	"-_.!~*'()",
}

// startGo starts the Go counterpart of node/server.js.
func startGo(t *testing.T, secrets ...string) side {
	t.Helper()
	kept := memstore.New(memstore.Config{})
	t.Cleanup(func() { kept.Close() })
	cfg := express.Config(secrets...)
	cfg.Store = kept
	cfg.Cookie.MaxAge = time.Hour
	cfg.GenID = func(r *http.Request) (string, error) { return url.PathUnescape(r.Header.Get("X-New-ID")) }
	sessions, err := session.New[map[string]any](cfg)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/write", sessions.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[map[string]any]) {
		s.Update(func(d *map[string]any) {
			visits, _ := (*d)["visits"].(float64)
			(*d)["writer"], (*d)["visits"] = "go", visits+1
		})
		_ = json.NewEncoder(w).Encode(answer{ID: s.ID()})
	}))
	mux.HandleFunc("/read", sessions.HandlerFunc(func(w http.ResponseWriter, _ *http.Request, s *session.Session[map[string]any]) {
		_ = json.NewEncoder(w).Encode(answer{s.ID(), s.Data()})
	}))
	mux.HandleFunc("/records", func(w http.ResponseWriter, r *http.Request) { serveRecord(kept, w, r) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return side{"go", server.URL}
}

func serveRecord(kept store.Store, w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	if r.Method == "PUT" {
		text, err := io.ReadAll(r.Body)
		if err == nil {
			_, err = kept.Create(r.Context(), store.Record{ID: id, Data: text, Expires: time.Now().Add(time.Hour)})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
		return
	}
	rec, err := kept.Load(r.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		rec.Data = []byte("null")
	}
	_, _ = w.Write(rec.Data)
}

// Each program accepts the cookies and records of the other, whatever the id.
func TestLiveEachAcceptsTheOthersSessions(t *testing.T) {
	t.Parallel()
	secrets := []string{"shared-secret-of-both-programs"}
	node := side{"node", "http://" + startNode(t, nodeApp{"app", secrets}) + "/app"}
	for _, id := range liveIDs {
		for _, way := range [][2]side{{node, startGo(t, secrets...)}, {startGo(t, secrets...), node}} {
			from, to := way[0], way[1]
			written, cookie := from.visit(t, "/write", "", id)
			if written.ID != id || cookie == "" {
				t.Fatalf("%s issues %q with the cookie %q for the id %q", from.name, written.ID, cookie, id)
			}
			to.keep(t, id, from.record(t, id))
			read, _ := to.visit(t, "/read", cookie, "another")
			if read.ID != id || read.Data["writer"] != from.name || read.Data["visits"] != 1.0 {
				t.Errorf("id %q: %s reads %+v from the session that %s stored", id, to.name, read, from.name)
			}
			// The second program writes, and the first one reads that.
			if _, again := to.visit(t, "/write", cookie, "another"); again != cookie {
				t.Errorf("id %q: %s sends the cookie %q, and %s %q", id, to.name, again, from.name, cookie)
			}
			third := startGo(t, secrets...)
			third.keep(t, id, to.record(t, id))
			read, _ = third.visit(t, "/read", cookie, "another")
			if read.Data["writer"] != to.name || read.Data["visits"] != 2.0 {
				t.Errorf("id %q: after %s has written, the data are %v", id, to.name, read.Data)
			}
		}
	}
}

// Each program refuses cookies that were tampered with, and neither uses the id in them for a new
// session.
func TestLiveEachRefusesTamperedCookies(t *testing.T) {
	t.Parallel()
	secrets := []string{"shared-secret-of-both-programs"}
	node := side{"node", "http://" + startNode(t, nodeApp{"app", secrets}) + "/app"}
	golang := startGo(t, secrets...)
	id := liveIDs[0]
	for _, way := range [][2]side{{node, golang}, {golang, node}} {
		from, to := way[0], way[1]
		_, cookie := from.visit(t, "/write", "", id)
		text := from.record(t, id)
		to.keep(t, id, text)
		to.keep(t, "B"+id[1:], text)
		for name, value := range tampered(cookie) {
			if read, _ := to.visit(t, "/read", value, "fresh"); read.ID != "fresh" || len(read.Data) != 0 {
				t.Errorf("%s accepts a cookie of %s, %s: %+v", to.name, from.name, name, read)
			}
		}
		if read, _ := to.visit(t, "/read", cookie, "fresh"); read.ID != id {
			t.Errorf("%s refuses the cookie of %s as it was: %+v", to.name, from.name, read)
		}
		// The other direction begins with empty stores.
		id = "C" + id[1:]
	}
}

// tampered returns a signed cookie with several changes.
func tampered(cookie string) map[string]string {
	dot := strings.LastIndexByte(cookie, '.')
	first := cookie[dot+1]
	other := byte('A')
	if first == 'A' {
		other = 'B'
	}
	return map[string]string{
		"with another id":        strings.Replace(cookie, "s%3A"+cookie[4:5], "s%3AB", 1),
		"with another signature": cookie[:dot+1] + string(other) + cookie[dot+2:],
		"with the signature cut": cookie[:len(cookie)-1],
		"with more behind it":    cookie + "A",
		"with padding":           cookie + "%3D",
		"without signature":      cookie[:dot],
		"without prefix":         strings.TrimPrefix(cookie, "s%3A"),
		"unsigned":               strings.TrimPrefix(cookie[:dot], "s%3A"),
	}
}

// While secrets are rotated, each program accepts what the other signed with any of its secrets,
// and nothing else.
func TestLiveRotatedSecrets(t *testing.T) {
	t.Parallel()
	const older, newer = "the-older-secret-of-them", "the-newer-secret-of-them"
	base := "http://" + startNode(t,
		nodeApp{"old", []string{older}}, nodeApp{"both", []string{newer, older}}, nodeApp{"new", []string{newer}},
	)
	sides := map[string][]side{}
	for name, secrets := range map[string][]string{"old": {older}, "both": {newer, older}, "new": {newer}} {
		sides[name] = []side{startGo(t, secrets...), {"node", base + "/" + name}}
	}
	accepts := map[string][]string{ // the programs that issue and accept the cookies
		"old": {"old"}, "both": {"old", "both", "new"}, "new": {"both", "new"},
	}
	for signer := range sides {
		for verifier := range sides {
			for i, from := range sides[signer] {
				to := sides[verifier][1-i]
				id := "id-of-" + signer + "-for-" + verifier + "-" + from.name
				_, cookie := from.visit(t, "/write", "", id)
				to.keep(t, id, from.record(t, id))
				read, _ := to.visit(t, "/read", cookie, "fresh-"+id)
				want := false
				for _, s := range accepts[verifier] {
					want = want || s == signer
				}
				if got := read.ID == id; got != want {
					t.Errorf("%s with the secrets %q takes a cookie of %s with %q: %v", to.name, verifier, from.name, signer, got)
				}
			}
		}
	}
}
