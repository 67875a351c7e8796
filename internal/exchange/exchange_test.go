package exchange_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/nestsession/session/internal/exchange"
)

// one is an exchange whose session writes down what it is told.
type one struct {
	exchange.Exchange
	handle         func(*one, http.ResponseWriter, *http.Request)
	changed        bool
	load, saves    error
	calls          []string
	ctxAtLoad      context.Context
	rolledBackWith exchange.Failure
}

func (x *one) note(call string) { x.calls = append(x.calls, call) }

func (x *one) Handle(w http.ResponseWriter, r *http.Request) { x.handle(x, w, r) }

func (x *one) Load(ctx context.Context) error {
	x.note("load")
	x.ctxAtLoad = ctx
	if x.load != nil {
		x.FailWith(x.load)
	}
	return x.load
}

func (x *one) Outlook() (saves, idle bool) { return x.changed, !x.changed }

func (x *one) Commit(_ context.Context, h http.Header) error {
	x.note("commit")
	h.Add("Set-Cookie", "sid=1")
	x.changed = false
	return x.saves
}

func (x *one) Unfinished() bool { return x.changed }

func (x *one) RollBack(_ context.Context, why exchange.Failure) {
	x.note("roll back")
	x.changed, x.rolledBackWith = false, why
}

func (x *one) Left([]string) bool { return false }

func (x *one) Cookie() (isNew, sent bool) { return true, false }

func (x *one) Unsend() {}

func (x *one) Taken(context.Context) {}

func (x *one) Unsent(context.Context) { x.note("unsent") }

func (x *one) Abandon(context.Context) { x.note("abandon") }

func (x *one) Close(context.Context, bool) { x.note("close") }

// change opens the session and changes it.
func (x *one) change(t *testing.T, ctx context.Context) {
	t.Helper()
	if err := x.Open(ctx); err != nil {
		t.Error(err)
	}
	x.changed = true
}

func newManager() *exchange.Manager {
	return &exchange.Manager{ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}}
}

// serve sends a request through x.
func serve(x *one, m *exchange.Manager) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	x.Begin(m, x, w, httptest.NewRequest("GET", "/", nil))
	x.Serve()
	return w
}

func (x *one) want(t *testing.T, calls ...string) {
	t.Helper()
	if !slices.Equal(x.calls, calls) {
		t.Errorf("the session's calls are %q, want %q", x.calls, calls)
	}
}

func TestTheSessionIsSavedBeforeTheHeadersAreSent(t *testing.T) {
	t.Parallel()
	x := &one{handle: func(x *one, w http.ResponseWriter, r *http.Request) {
		x.change(t, r.Context())
		_, _ = w.Write([]byte("page"))
		x.note("sent")
	}}
	w := serve(x, newManager())
	x.want(t, "load", "commit", "sent", "close")
	if w.Code != 200 || w.Body.String() != "page" || w.Result().Header.Get("Set-Cookie") != "sid=1" {
		t.Errorf("the client got %d %q with %v", w.Code, w.Body, w.Result().Header)
	}
}

func TestARequestThatOpensNoSessionDoesNothingWithIt(t *testing.T) {
	t.Parallel()
	x := &one{handle: func(_ *one, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }}
	if w := serve(x, newManager()); w.Code != 204 {
		t.Errorf("the client got %d", w.Code)
	}
	x.want(t)
}

func TestTheErrorResponseTakesThePlaceOfTheHandlers(t *testing.T) {
	t.Parallel()
	page := func(x *one, w http.ResponseWriter, r *http.Request) {
		_ = x.Open(r.Context())
		_ = x.Open(r.Context())
		x.changed = true
		w.Header().Set("X-Page", "secret")
		if _, err := w.Write([]byte("page")); err == nil {
			t.Error("Write reports no error")
		}
	}
	for name, x := range map[string]*one{
		"load": {handle: page, load: errors.New("down")},
		"save": {handle: page, saves: errors.New("down")},
	} {
		w := serve(x, newManager())
		if w.Code != 503 || w.Body.String() != "down\n" || w.Header().Get("X-Page") != "" || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("%s: the client got %d %q with %v", name, w.Code, w.Body, w.Header())
		}
	}
}

func TestThePanicOfAHandlerDropsItsChanges(t *testing.T) {
	t.Parallel()
	panics := func(x *one, _ http.ResponseWriter, r *http.Request) {
		x.change(t, r.Context())
		panic("page")
	}
	x := &one{handle: panics}
	func() {
		defer func() { _ = recover() }()
		serve(x, newManager())
		t.Error("the panic was recovered")
	}()
	x.want(t, "load", "roll back", "unsent", "close")

	x = &one{handle: func(x *one, w http.ResponseWriter, r *http.Request) {
		defer func() {
			_ = recover()
			w.WriteHeader(500)
		}()
		panics(x, w, r)
	}}
	if w := serve(x, newManager()); w.Code != 500 {
		t.Errorf("the client got %d", w.Code)
	}
	x.want(t, "load", "roll back", "close")
	if x.rolledBackWith != exchange.Panicked {
		t.Errorf("rolled back with %d", x.rolledBackWith)
	}
}

func TestEachManagerFindsItsOwnExchange(t *testing.T) {
	t.Parallel()
	outer, inner, other := newManager(), newManager(), newManager()
	x := &one{handle: func(x *one, w http.ResponseWriter, r *http.Request) {
		y := &one{handle: func(y *one, _ http.ResponseWriter, r *http.Request) {
			ctx := r.Context()
			if outer.Find(ctx).Session != exchange.Session(x) || inner.Find(ctx).Session != exchange.Session(y) || other.Find(ctx) != nil {
				t.Error("a manager does not find its exchange")
			}
			locked := inner.Lock(ctx)
			if outer.Find(locked).Session != exchange.Session(x) || inner.Find(locked).Session != nil {
				t.Error("Lock does not lock the exchange of its manager only")
			}
			if other.Quiet(ctx) != ctx || inner.Callback(r) == r || other.Callback(r) != r {
				t.Error("a request is changed for a callback although it does not belong to the manager")
			}
			if err := y.Open(ctx); err != nil || inner.Find(y.ctxAtLoad) != nil {
				t.Errorf("the store can use the session that is being loaded (%v)", err)
			}
		}}
		y.Begin(inner, y, w, r)
		y.Serve()
	}}
	serve(x, outer)
}
