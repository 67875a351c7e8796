package websocketsession_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/nestsession/session"
	"github.com/nestsession/session/websocketsession"
)

// inBubble runs a test in a bubble of testing/synctest. It fails if goroutines are left.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// Messages keep the session alive beyond its idle timeout without a write for each. When they stop,
// the session ends on time.
func TestMessagesKeepTheSessionAlive(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		kept := newStore(t, nil)
		n := newNode(t, kept, session.Config{IdleTimeout: time.Hour, AbsoluteTimeout: session.NoTimeout})
		ada := n.onPipes(t)
		ada.post(t, n, "/login")
		ws := ada.open(t, n)
		before := kept.count("touch") + kept.count("update")
		const messages = 1000
		for range messages { // 8 hours and 20 minutes
			time.Sleep(30 * time.Second)
			ask(t, ws, "still here")
		}
		// Once in a tenth of an hour, 84 times; the test is of the number's size.
		if writes := kept.count("touch") + kept.count("update") - before; writes < 70 || writes > 90 {
			t.Errorf("%d messages made %d writes", messages, writes)
		}
		stopped := time.Now()
		wantCloseAfter(t, ws, websocketsession.ReasonExpired)
		if lived := time.Since(stopped); lived < 54*time.Minute || lived > time.Hour+time.Second {
			t.Errorf("ended %v after the last message, want an hour", lived)
		}
		wantErr(t, "Serve", <-n.served, session.ErrExpired)
	})
}

// A thousand messages at once cause no write at all.
func TestManyMessages(t *testing.T) {
	t.Parallel()
	kept := newStore(t, nil)
	n := newNode(t, kept, session.Config{}).listen(t)
	ada := newClient()
	ada.post(t, n, "/login")
	ws := ada.open(t, n)
	before := kept.count("touch") + kept.count("update") + kept.count("load")
	for range 1000 {
		ask(t, ws, "quick")
	}
	if calls := kept.count("touch") + kept.count("update") + kept.count("load") - before; calls > 3 {
		t.Errorf("the store was called %d times", calls)
	}
}

// With NoKeepAlive, messages do not count as a use of the session, but the handler's KeepAlive
// does.
func TestNoKeepAlive(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		n := newNode(t, newStore(t, nil), session.Config{IdleTimeout: time.Hour})
		n.options.NoKeepAlive = true
		n.handle = func(ctx context.Context, c *socket, s *sess) error {
			for {
				_, message, err := c.Read(ctx)
				if err == nil && string(message) == "typed" {
					err = s.KeepAlive(ctx)
				}
				if err != nil {
					return err
				}
			}
		}
		ada := n.onPipes(t)
		ada.post(t, n, "/login")
		ws := ada.open(t, n)
		send := func(text string) {
			time.Sleep(20 * time.Minute)
			if err := ws.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		for range 6 {
			send("typed")
		}
		send("by itself")
		send("by itself")
		stopped := time.Now()
		wantCloseAfter(t, ws, websocketsession.ReasonExpired)
		if lived := time.Since(stopped); lived != 20*time.Minute {
			t.Errorf("ended %v after the last message, which was not the user's, want 20 minutes", lived)
		}
	})
}

// wantCloseAfter waits, however long it takes, until the connection is closed.
func wantCloseAfter(t testing.TB, ws *websocket.Conn, reason string) {
	t.Helper()
	var closed websocket.CloseError
	if _, _, err := ws.Read(context.Background()); !errors.As(err, &closed) || closed.Code != websocket.StatusPolicyViolation || closed.Reason != reason {
		t.Errorf("closed by %v, want 1008 %q", err, reason)
	}
}

// While the store is down no message is lost and the store is not called for each. The connection
// is closed only when the session may have expired.
func TestStoreDown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		kept := newStore(t, nil)
		n := newNode(t, kept, session.Config{IdleTimeout: time.Hour})
		ada := n.onPipes(t)
		ada.post(t, n, "/login")
		ws := ada.open(t, n)
		time.Sleep(10 * time.Minute)
		kept.setDown(true)
		synctest.Wait()
		before := kept.count("load")
		for range 100 {
			ask(t, ws, "hello")
		}
		if loads := kept.count("load") - before; loads != 1 {
			t.Errorf("100 messages loaded the session %d times", loads)
		}
		kept.setDown(false)
		time.Sleep(10 * time.Second)
		ask(t, ws, "hello")
		time.Sleep(30 * time.Minute) // longer than the 50 minutes that were left of the session
		ask(t, ws, "hello")
		kept.setDown(true)
		var closed websocket.CloseError
		_, _, err := ws.Read(context.Background())
		if !errors.As(err, &closed) || closed.Code != websocket.StatusTryAgainLater || closed.Reason != websocketsession.ReasonUnknown {
			t.Errorf("closed by %v", err)
		}
		wantErr(t, "Serve", <-n.served, errDown)
	})
}

// Messages can be read and written in pieces.
func TestStreams(t *testing.T) {
	t.Parallel()
	n := newNode(t, newStore(t, nil), session.Config{}).listen(t)
	n.handle = func(ctx context.Context, c *socket, _ *sess) error {
		c.SetReadLimit(1 << 20)
		for {
			kind, r, err := c.Reader(ctx)
			if err != nil {
				return err
			}
			text, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			w, err := c.Writer(ctx, kind)
			if err != nil {
				return err
			}
			for _, word := range strings.Fields(string(text)) {
				fmt.Fprint(w, strings.ToUpper(word))
			}
			if err := errors.Join(w.Close(), w.Close()); err != nil {
				return err
			}
		}
	}
	ada := newClient()
	ada.post(t, n, "/login")
	ws := ada.open(t, n)
	for range 3 {
		long := strings.Repeat("word ", 20_000)
		ws.SetReadLimit(1 << 20)
		if answer := ask(t, ws, long); answer != strings.ToUpper(strings.ReplaceAll(long, " ", "")) {
			t.Errorf("got %d bytes", len(answer))
		}
	}
}
