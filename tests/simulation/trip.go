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

// trip is one request and its answer.
type trip struct {
	path   string
	node   *node
	cookie string // the request's header
	life   int    // in which the browser believed to be; 0: none
	line   *line  // which a login is to take over
	asked  time.Time
	origin string // the numbers of the browser, and of the request in it

	mu         sync.Mutex
	writes     []write
	failed     bool // a call to the store has failed
	superseded bool // the library says that another request has put the id out of use
	ids        int  // that were made for it

	status int
	header http.Header
	seen   view
}

// view is what a handler saw of the session when it began.
type view struct {
	ran    bool // there was one
	life   int
	line   int
	items  []int
	digest string
}

type tripKey struct{}

// tripOf is the request for which something is done, nil if it is for none.
func tripOf(ctx context.Context) *trip {
	t, _ := ctx.Value(tripKey{}).(*trip)
	return t
}

// write is one that the store has done for a request.
type write struct {
	key     string
	at      time.Time
	decides bool // a session has begun, moved or ended by it
}

// done notes a write. A nil trip is nobody's.
func (t *trip) done(r store.Record, decides bool, err error) {
	if t != nil && err == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.writes = append(t.writes, write{r.ID, time.Now(), decides})
	}
}

// wrote is when the store did for this request what its answer tells the browser of: the
// last write by which the session of the cookie that came, or of the one that goes out,
// began, moved, ended, or was shown to live. Zero if there was none.
func (t *trip) wrote() (at time.Time) {
	for _, w := range t.writes {
		if w.decides || w.key == t.node.key(t.cookie) || w.key == t.node.key(t.given()) {
			at = w.at
		}
	}
	return at
}

// over reports whether a document is what is left of a session that has ended or moved.
func over(data []byte) bool {
	var doc struct {
		Meta struct {
			Successor string
			Ended     bool
		} `json:"__nestsession"`
	}
	return json.Unmarshal(data, &doc) == nil && (doc.Meta.Ended || doc.Meta.Successor != "")
}

// lost notes that the store has not answered.
func (t *trip) lost() {
	if t != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.failed = true
	}
}

// visit sends the request, and returns when the answer leaves.
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

// given is the cookie that the answer brings, as a request's header; "" if there is none.
func (t *trip) given() string {
	for _, line := range t.header["Set-Cookie"] {
		if c, err := http.ParseSetCookie(line); err == nil && c.MaxAge >= 0 && c.Value != "" && (c.Expires.IsZero() || c.Expires.After(time.Now())) {
			return c.Name + "=" + c.Value
		}
	}
	return ""
}

func (t *trip) ok() bool { return t.status == http.StatusOK }

// is reports whether it was a request for the path.
func (t *trip) is(path string) bool {
	p, _, _ := strings.Cut(t.path, "?")
	return p == path
}

// number is what the request has brought along, for what it may begin.
func (t *trip) number() int {
	_, text, _ := strings.Cut(t.path, "number=")
	number, _ := strconv.Atoi(text)
	return number
}

// began is the life that the request has begun, if it was answered well; 0 if none.
func (t *trip) began() int {
	if t.is("/login") || t.is("/regenerate") || t.is("/add") && t.seen.life == 0 {
		return t.number()
	}
	return 0
}
