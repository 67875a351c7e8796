package simulation

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nestsession/session/store"
)

// trip is one request and its response.
type trip struct {
	path   string
	node   *node
	cookie string // the request's header fields
	life   int    // the session that the browser expected; 0: none
	line   *line  // the session that a login is to take over
	asked  time.Time
	origin string // the number of the browser, and of the request of the browser

	mu         sync.Mutex
	writes     []write
	failed     bool // a call to the store has failed
	superseded bool // the library reports that another request has replaced or ended the id
	ids        int  // the store's changes for this request

	status int
	header http.Header
	seen   view
}

// view is what a handler saw of the session at its beginning.
type view struct {
	ran    bool // there was a session
	life   int
	line   int
	items  []int
	digest string
}

type tripKey struct{}

// tripOf returns the request for which a call is made; nil if there is none.
func tripOf(ctx context.Context) *trip {
	t, _ := ctx.Value(tripKey{}).(*trip)
	return t
}

// write is a change that the store has made for a request.
type write struct {
	key     string
	at      time.Time
	decides bool // a session began, moved or ended with it
}

// done records a write. A nil trip is allowed.
func (t *trip) done(r store.Record, decides bool, err error) {
	if t != nil && err == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.writes = append(t.writes, write{r.ID, time.Now(), decides})
	}
}

// wrote returns when the store made the change that the response reports: the last write by which
// the session of the request's cookie, or of the response's, began, moved, ended, or was shown to
// be live. Zero if there was none, or if the response only repeats the request's cookie, except
// under the preset, which does that at each change.
func (t *trip) wrote() (at time.Time) {
	given := t.given()
	repeats := t.node.world.rules == native && given != "" && given == t.cookie
	for _, w := range t.writes {
		if w.decides || !repeats && (w.key == t.node.key(t.cookie) || w.key == t.node.key(given)) {
			at = w.at
		}
	}
	return at
}

// over reports whether a document belongs to a session that has ended or moved.
func over(data []byte) bool {
	var doc struct {
		Meta struct {
			Successor string
			Ended     bool
		} `json:"__nestsession"`
	}
	return json.Unmarshal(data, &doc) == nil && (doc.Meta.Ended || doc.Meta.Successor != "")
}

// lost records that the store has not answered.
func (t *trip) lost() {
	if t != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.failed = true
	}
}

// visit sends the request, and returns when the response is sent.
func (t *trip) visit() {
	r := httptest.NewRequest("GET", site+t.path, nil)
	if t.cookie != "" {
		r.Header.Set("Cookie", t.cookie)
	}
	w := httptest.NewRecorder()
	t.node.web.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tripKey{}, t)))
	res := w.Result()
	t.status, t.header = res.StatusCode, res.Header
	h := res.Header
	t.seen.ran = h.Get("X-Life") != ""
	t.seen.life, _ = strconv.Atoi(h.Get("X-Life"))
	t.seen.line, _ = strconv.Atoi(h.Get("X-Line"))
	t.seen.digest = h.Get("X-Digest")
	for text := range strings.FieldsSeq(h.Get("X-Items")) {
		item, _ := strconv.Atoi(text)
		t.seen.items = append(t.seen.items, item)
	}
}

// given returns the cookie that the response sets, in the form of a request's field; "" if there is
// none.
func (t *trip) given() string {
	for _, line := range t.header["Set-Cookie"] {
		if c, err := http.ParseSetCookie(line); err == nil && c.MaxAge >= 0 && c.Value != "" && (c.Expires.IsZero() || c.Expires.After(time.Now())) {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

func (t *trip) ok() bool { return t.status == http.StatusOK }

// is reports whether the request is for the path.
func (t *trip) is(path string) bool {
	p, _, _ := strings.Cut(t.path, "?")
	return p == path
}

// number returns the number in the request for what it may begin.
func (t *trip) number() int {
	_, text, _ := strings.Cut(t.path, "number=")
	number, _ := strconv.Atoi(text)
	return number
}

// began returns the life that the request has begun, if the response reports success; 0 if none.
func (t *trip) began() int {
	if t.is("/login") || t.is("/regenerate") || t.is("/add") && t.seen.life == 0 {
		return t.number()
	}
	return 0
}
