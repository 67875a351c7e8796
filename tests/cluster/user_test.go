package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/nestsession/session/eventstream"
	"github.com/nestsession/session/websocketsession"
)

// cookieName is the default name of a cookie that is not Secure.
const cookieName = "sid"

// choice is what a user decides to do next, whatever has happened before.
type choice struct {
	browser int
	action  string // of the first tab
	tab     string // what a second tab does at the same time; "": nothing
	old     int    // which of the old cookies is tried
	again   bool   // a change or a logout is followed by a read at once, with the same cookie
	pause   time.Duration
}

// choose draws a choice.
func choose(r *rand.Rand, pace time.Duration) choice {
	c := choice{browser: r.IntN(2), old: r.IntN(1 << 20), again: r.IntN(2) == 0, pause: time.Duration(r.Int64N(int64(2 * pace)))}
	switch n := r.IntN(100); {
	case n < 35:
		c.action = "read"
	case n < 60:
		c.action = "change"
	case n < 66:
		c.action = "stream"
	case n < 71:
		c.action = "socket"
	case n < 78:
		c.action = "logout"
	case n < 80:
		c.action = "everywhere"
	case n < 86:
		c.action = "login"
	default:
		c.action = "old cookie"
	}
	switch r.IntN(5) {
	case 0:
		c.tab = "read"
	case 1:
		c.tab = "change"
	}
	return c
}

// browser is one of a user's.
type browser struct {
	jar    http.CookieJar
	life   *life // nil: none
	former []*life
	open   map[string]*opened // the last stream and the last WebSocket
}

// user is a person with two browsers.
type user struct {
	run      *run
	name     string
	random   *rand.Rand
	browsers [2]*browser
	logins   int
	next     int            // the number of the last change
	tabs     sync.WaitGroup // requests of second tabs, which may answer when the user has gone on
}

func newUser(r *run, i int) *user {
	u := &user{run: r, name: fmt.Sprint("user", i), random: rand.New(rand.NewPCG(r.o.seed, uint64(i)))}
	for b := range u.browsers {
		jar, _ := cookiejar.New(nil) // never an error
		u.browsers[b] = &browser{jar: jar, open: map[string]*opened{}}
	}
	return u
}

// live makes choices until the context ends.
func (u *user) live(ctx context.Context) {
	defer u.tabs.Wait()
	for {
		c := choose(u.random, u.run.o.pace)
		select {
		case <-ctx.Done():
			return
		case <-time.After(c.pause):
		}
		u.do(c)
	}
}

// do does what was chosen. A user that is not logged in logs in instead. A user that does not know
// whether a logout was done logs out again.
func (u *user) do(c choice) {
	b := u.browsers[c.browser]
	if c.action == "old cookie" {
		u.old(b, c.old)
		return
	}
	switch {
	case b.life == nil:
		u.login(b)
		return
	case !b.life.isLive():
		u.logout(b)
		return
	case b.cookie(u.run.url) != b.life.cookie:
		u.run.history.broken("%s: the cookie of a login was taken away", u.name)
		b.life.end()
		b.life = nil
		return
	}
	l := b.life
	if c.tab != "" {
		u.next++
		n := u.next
		u.tabs.Go(func() { u.use(b, l, c.tab, n) })
	}
	switch c.action {
	case "login":
		u.login(b)
	case "logout":
		u.logout(b)
	case "everywhere":
		u.everywhere(b)
	case "stream", "socket":
		u.open(b, c.action)
	default:
		u.next++
		u.use(b, l, c.action, u.next)
	}
	switch {
	case !c.again:
	case b.life == l && c.action == "change":
		u.use(b, l, "read", 0)
	case b.life == nil:
		u.old(b, len(b.former)-1)
	}
}

func (b *browser) cookie(u *url.URL) string {
	for _, c := range b.jar.Cookies(u) {
		if c.Name == cookieName {
			return c.Value
		}
	}
	return ""
}

// outcome is the answer to a request, or why there is none.
type outcome struct {
	answer
	path        string
	began, done time.Time
	status      int
	failure     string // the kind of an error; "": the answer has a session, or says that there is none
	cookies     []*http.Cookie
}

func (o outcome) ok() bool      { return o.failure == "" && o.status == http.StatusOK }
func (o outcome) refused() bool { return o.failure == "" && o.status == http.StatusUnauthorized }

// ask sends a request to base, with the jar's cookies or with the one cookie.
func (r *run) ask(base, path string, jar http.CookieJar, cookie string, form url.Values) (o outcome) {
	ctx, cancel := context.WithTimeout(context.Background(), r.o.patience)
	defer cancel()
	o.path = path + " at " + base
	method := http.MethodPost
	if form == nil {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(form.Encode()))
	if err != nil {
		panic(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookieName+"="+cookie)
	}
	client := http.Client{Transport: r.transport, Jar: jar}
	defer func() { r.history.answered(o) }()
	o.began = time.Now()
	res, err := client.Do(req)
	if err == nil {
		defer res.Body.Close()
		o.status, o.cookies = res.StatusCode, res.Cookies()
		switch o.status {
		case http.StatusOK:
			err = json.NewDecoder(res.Body).Decode(&o.answer)
		case http.StatusUnauthorized:
		default:
			o.failure = fmt.Sprint(o.status)
		}
		_, _ = io.Copy(io.Discard, res.Body)
	}
	o.done = time.Now()
	if err != nil {
		if o.failure = "no answer"; ctx.Err() != nil {
			o.failure = "timeout"
		}
	}
	return o
}

// use reads or changes a session.
func (u *user) use(b *browser, l *life, action string, n int) {
	h := u.run.history
	path, form := "/me", url.Values(nil)
	if action == "change" {
		path, form = "/change", url.Values{"n": {fmt.Sprint(n)}}
	}
	o := u.run.ask(u.run.base, path, b.jar, "", form)
	switch {
	case o.refused():
		h.refused(l, o)
	case !o.ok():
	case !l.isLive(): // the jar may have the next cookie already
		if o.User != u.name {
			h.broken("%s got the session of %q", u.name, o.User)
		}
	default:
		if h.accepted(l, o, action == "read"); action == "change" {
			l.change(n, o.done)
			h.count(&h.changes)
		}
	}
}

func (u *user) login(b *browser) {
	former := b.life
	if former != nil {
		former.end()
	}
	o := u.run.ask(u.run.base, "/login", b.jar, "", url.Values{"user": {u.name}})
	if !o.ok() {
		return
	}
	if o.User != u.name {
		u.run.history.broken("%s logged in as %q", u.name, o.User)
	}
	u.run.history.count(&u.run.history.logins)
	if former != nil {
		u.ended(b, former, o.done)
	}
	u.logins++
	l := &life{user: u.name, number: u.logins, began: o.done, acked: map[int]time.Time{}}
	for _, c := range o.cookies {
		if c.Name == cookieName && c.MaxAge >= 0 {
			l.cookie = c.Value
		}
	}
	if l.cookie == "" {
		u.run.history.broken("%s: a login gave no cookie", u.name)
		return
	}
	b.life = l
}

// ended records that a session has ended, whose cookie somebody may have kept.
func (u *user) ended(b *browser, l *life, at time.Time) {
	l.hasEnded(at)
	b.former = append(b.former, l)
	b.life = nil
	clear(b.open)
}

func (u *user) logout(b *browser) {
	was := b.life.isLive()
	l := b.life
	l.end()
	jar, cookie := b.jar, ""
	if b.cookie(u.run.url) != l.cookie { // a failure has cleared the jar
		jar, cookie = nil, l.cookie
	}
	o := u.run.ask(u.run.base, "/logout", jar, cookie, url.Values{})
	switch {
	case o.ok():
		if o.User != u.name {
			u.run.history.broken("%s logged out %q", u.name, o.User)
		}
		u.ended(b, l, o.done)
	case o.refused():
		if was && !u.run.history.excused(l, l.began) {
			u.run.history.broken("%s: a login was lost before its logout", u.name)
		}
		u.ended(b, l, o.done)
	}
}

// everywhere ends the sessions of both browsers.
func (u *user) everywhere(b *browser) {
	for _, other := range u.browsers {
		if other.life != nil {
			other.life.end()
		}
	}
	o := u.run.ask(u.run.base, "/everywhere", b.jar, "", url.Values{})
	if !o.ok() {
		return // each browser logs out by itself
	}
	for _, other := range u.browsers {
		if other.life != nil {
			u.ended(other, other.life, o.done)
		}
	}
}

// old sends the cookie of a session that has ended.
func (u *user) old(b *browser, which int) {
	if len(b.former) == 0 {
		return
	}
	l := b.former[which%len(b.former)]
	if o := u.run.ask(u.run.base, "/me", nil, l.cookie, nil); o.ok() {
		u.run.history.accepted(l, o, true)
	}
}

// open opens a stream or a WebSocket, which is read until it ends. Each browser has one of each.
func (u *user) open(b *browser, kind string) {
	h, l := u.run.history, b.life
	if last := b.open[kind]; last != nil {
		h.mu.Lock()
		isOpen := last.closed.IsZero()
		h.mu.Unlock()
		if isOpen {
			return
		}
	}
	dial := u.dialStream
	if kind == "socket" {
		dial = u.dialSocket
	}
	o, read := dial(b)
	h.answered(o)
	if o.refused() {
		h.refused(l, o)
	}
	if read == nil {
		return
	}
	s := &opened{life: l, kind: kind}
	b.open[kind] = s
	h.mu.Lock()
	h.streams = append(h.streams, s)
	h.mu.Unlock()
	u.run.running.Go(func() {
		user, told := read()
		if user != "" && user != u.name {
			h.broken("%s got the %s of %q", u.name, kind, user)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		s.closed, s.told = time.Now(), told
	})
}

// reader reads a stream until it ends, and returns whose it was, "" if it does not know, and whether
// the end said that the session has ended.
type reader func() (user string, told bool)

func (u *user) dialStream(b *browser) (o outcome, read reader) {
	req, err := http.NewRequestWithContext(u.run.streaming, http.MethodGet, u.run.base+"/events", nil)
	if err != nil {
		panic(err)
	}
	o = outcome{path: "/events", began: time.Now()}
	res, err := (&http.Client{Transport: u.run.transport, Jar: b.jar}).Do(req)
	o.opened(res, err, http.StatusOK)
	switch {
	case err != nil:
		return o, nil
	case !o.ok():
		_ = res.Body.Close()
		return o, nil
	}
	return o, func() (user string, told bool) {
		defer res.Body.Close()
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			told = told || lines.Text() == "event: "+eventstream.EndEvent
			if name, ok := strings.CutPrefix(lines.Text(), "data: user"); ok {
				user = "user" + name
			}
		}
		return user, told
	}
}

func (u *user) dialSocket(b *browser) (o outcome, read reader) {
	ctx, cancel := context.WithTimeout(u.run.streaming, u.run.o.patience)
	defer cancel()
	o = outcome{path: "/socket", began: time.Now()}
	conn, res, err := websocket.Dial(ctx, u.run.base+"/socket", &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: u.run.transport, Jar: b.jar},
	})
	if res != nil && res.StatusCode != http.StatusSwitchingProtocols {
		err = nil // an answer
	}
	o.opened(res, err, http.StatusSwitchingProtocols)
	if !o.ok() {
		return o, nil
	}
	return o, func() (user string, told bool) {
		defer context.AfterFunc(u.run.streaming, func() { _ = conn.CloseNow() })()
		defer conn.CloseNow()
		for {
			_, text, err := conn.Read(context.Background())
			if end := (websocket.CloseError{}); errors.As(err, &end) {
				return user, end.Code == websocket.StatusPolicyViolation &&
					(end.Reason == websocketsession.ReasonLoggedOut || end.Reason == websocketsession.ReasonExpired)
			}
			if err != nil {
				return user, false
			}
			user = string(text)
		}
	}
}

// opened records the answer to a request for a stream, which has the status if it is open.
func (o *outcome) opened(res *http.Response, err error, status int) {
	if o.done = time.Now(); err != nil {
		o.failure = "no answer"
		return
	}
	o.status = res.StatusCode
	if o.status == status {
		o.status = http.StatusOK
	}
	if !o.ok() && !o.refused() {
		o.failure = fmt.Sprint(o.status)
	}
}
