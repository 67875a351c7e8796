package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/nestsession/session/devicebound"
)

// connect opens an EventSource and a WebSocket on the page. The browser opens the first again by
// itself, and the page the second.
const connect = `void (() => {
	window.counts = {events: 0, broken: 0, messages: 0, closed: 0};
	const source = new EventSource("/events");
	source.onmessage = e => { if (e.data === "kim") counts.events++; };
	source.onerror = () => counts.broken++;
	const socket = () => {
		const ws = new WebSocket(location.origin.replace("https", "wss") + "/socket");
		ws.onmessage = e => { if (e.data === "kim") counts.messages++; };
		ws.onclose = () => { counts.closed++; setTimeout(socket, 100); };
	};
	socket();
})()`

// nearLapse is how long a proof still counts when a stream is opened with it. The stream's end comes by
// the real clock.
const nearLapse = 5 * time.Second

func openStreamsApp(t *testing.T, browser context.Context) *boundTab {
	t.Helper()
	b := openBound(t, browser, startBoundSite(t, func(c *clock) http.Handler {
		return newBoundApp(t, newMemory(t), devicebound.Config{Now: c.now, StreamGrace: time.Second})
	}))
	b.logInBound()
	b.site.clock.advance(devicebound.DefaultLifetime - nearLapse)
	return b
}

// boundStreams: a stream of a session whose proof has lapsed is closed, and comes back by itself:
// the browser proves the key for the new connection.
func boundStreams(t *testing.T, browser context.Context) {
	b := openStreamsApp(t, browser)
	b.do(chromedp.Evaluate[chromedp.Void](connect))
	b.until("counts.events === 1 && counts.messages === 1")
	if n := len(answered(b.site.all(), refresh)); n != 0 {
		t.Errorf("there were %d refreshes before the proof lapsed", n)
	}
	b.lapse()
	b.until("counts.events === 2 && counts.messages === 2")
	if counts := run(b.tab, chromedp.Evaluate[map[string]int]("counts")); counts["broken"] != 1 || counts["closed"] != 1 {
		t.Errorf("the page saw %v; want each stream closed once", counts)
	}
	if n := len(answered(b.site.all(), refresh)); n != 1 {
		t.Errorf("there were %d refreshes for the two streams, want 1", n)
	}
	b.wantNoneRefused()
	b.wantBound("after its streams came back")
}

func (b *boundTab) wantNoneRefused() {
	b.Helper()
	for _, r := range b.site.all() {
		if r.status == http.StatusUnauthorized {
			b.Errorf("a connection was refused: %v\n%s", r, b.account())
		}
	}
}

// streamsInTime is boundStreams by the real clock: the cookie expires in the browser, and the stream is
// closed by the server.
func streamsInTime(t *testing.T, browser context.Context) {
	b := openBound(t, browser, startBoundSite(t, func(*clock) http.Handler {
		return newBoundApp(t, newMemory(t), devicebound.Config{Lifetime: 8 * time.Second, ShortLifetime: true, StreamGrace: time.Second})
	}))
	b.navigate("/")
	b.press("Log in")
	b.awaitEvent("the session is bound", succeeded(created))
	b.do(chromedp.Evaluate[chromedp.Void](connect))
	b.until("counts.events >= 2 && counts.messages >= 2 && counts.broken >= 1 && counts.closed >= 1")
	b.wantNoneRefused()
}

// stolenStream: whoever opens a stream with the copied cookies is out when their proof has lapsed,
// although the browser has proved its key meanwhile.
func stolenStream(t *testing.T, browser context.Context) {
	b := openStreamsApp(t, browser)
	begun, ended := b.steal().listen("/events")
	await(t, begun, "curl got no event")
	b.lapse()
	b.navigate("/me")
	b.wantUser("after a refresh")
	await(t, ended, "the stream that curl opened with the copied cookies did not end")
}

// until waits until an expression about the page's variables is true.
func (b *boundTab) until(expression string) {
	b.Helper()
	if ok := run(b.tab, chromedp.Evaluate[bool](fmt.Sprintf(`new Promise(done => {
		const again = setInterval(() => { if (%s) { clearInterval(again); done(true); } }, 20);
		setTimeout(() => done(false), %d);
	})`, expression, soon.Milliseconds()), chromedp.EvalAwaitPromise)); !ok {
		b.Fatalf("the page did not come to %s within %v: %v\n%s", expression, soon, run(b.tab, chromedp.Evaluate[map[string]int]("counts")), b.account())
	}
}
