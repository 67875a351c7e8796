package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
	"github.com/nestsession/session/eventstream"
)

// listEventsURL is the stream of the page that lists the user's sessions.
const listEventsURL = "/sessions/events"

// reconnect is how long a browser waits before it opens a stream again that has failed.
const reconnect = 2 * time.Second

// retryStream is the value of Retry-After for a user with too many streams.
const retryStream = 30 * time.Second

// events is a stream whose only event says that the session has ended.
func (a *App) events(w http.ResponseWriter, r *http.Request, s *Session) {
	a.serveStream(w, r, s, func(ctx context.Context, _ *eventstream.Stream, st *stream) error {
		for {
			if err := a.followAccount(ctx, s); err != nil {
				return err
			}
			if !a.live.pause(ctx, st, 0) {
				return context.Cause(ctx)
			}
		}
	})
}

// followAccount ends the stream of a session that is no longer valid, as a request with it would:
// the server that changed the account may have failed before it ended the session. It returns the
// reason.
func (a *App) followAccount(ctx context.Context, s *Session) error {
	if err := a.loggedOut(ctx, s); err != nil {
		return err
	}
	ended, err := a.recheck(ctx, s)
	if ended {
		if a.sharing == UsersApart {
			return session.ErrRevoked // data of other applications in it may stay
		}
		<-ctx.Done()
		return context.Cause(ctx)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// listEvents is events with the list of the user's sessions, now and whenever it has changed.
func (a *App) listEvents(w http.ResponseWriter, r *http.Request, s *Session) {
	a.serveStream(w, r, s, func(ctx context.Context, events *eventstream.Stream, st *stream) error {
		return a.followList(ctx, text.For(r.Header), events, s, st)
	})
}

func (a *App) serveStream(w http.ResponseWriter, r *http.Request, s *Session, handle func(context.Context, *eventstream.Stream, *stream) error) {
	u := a.userOf(s)
	if u == nil {
		a.askToLogIn(w, r, s)
		return
	}
	st := a.live.join(a.ownerOf(u.ID))
	if st == nil {
		t := text.For(r.Header)
		a.writeProblem(w, r, &problem{Status: http.StatusTooManyRequests, After: retryStream, Text: t.TooManyStreams},
			view{Title: t.TooManyPages, Links: toStart(t)})
		return
	}
	defer a.live.leave(st)
	err := eventstream.Serve(w, r, s, eventstream.Options{Retry: reconnect}, func(ctx context.Context, events *eventstream.Stream) error {
		return handle(ctx, events, st)
	})
	if err == nil || errors.Is(err, session.ErrRevoked) || errors.Is(err, session.ErrClosed) || errors.Is(err, eventstream.ErrSlow) {
		return // as streams end
	}
	a.log.WarnContext(r.Context(), "a live page lost its stream", slog.Any("error", err))
}

// followList sends the list whenever it has changed for this client.
func (a *App) followList(ctx context.Context, t *text.Text, events *eventstream.Stream, s *Session, st *stream) error {
	var sent []byte
	failures := 0
	for {
		if err := a.followAccount(ctx, s); err != nil {
			return err
		}
		all, err := a.live.read(ctx, st.watched)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			if failures++; failures == 1 {
				a.log.WarnContext(ctx, "a list of sessions could not be updated", slog.Any("error", err))
			}
		default:
			failures = 0
			list, err := json.Marshal(seenBy(t, all, s, a.now()))
			if err != nil {
				return err
			}
			if !bytes.Equal(list, sent) {
				if err := events.Send(eventstream.Event{Name: "sessions", Data: string(list)}); err != nil {
					return err
				}
				sent = list
			}
		}
		if !a.live.pause(ctx, st, failures) {
			return context.Cause(ctx)
		}
	}
}
