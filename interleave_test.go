package session_test

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/nestsession/session/store"
)

// stepped is a store whose calls wait for a scheduler, so that a test can run
// requests in every order in which their calls can reach the store.
type stepped struct{ store.Store }

// actor is one request under the scheduler.
type actor struct {
	index   int
	name    string
	arrived chan struct{} // to the scheduler: before each call, and at the end
	resume  chan struct{} // from the scheduler
	next    call          // which it waits for
	last    int           // when it made its last call, and then answered; under Express.Rules: before its cookie was settled
	header  http.Header   // of the answer
	done    bool
	res     *http.Response
}

type call struct{ op, id string }

// commutes reports whether the order of two calls makes no difference.
func (c call) commutes(d call) bool {
	return c.op == "load" && d.op == "load" || c.id != d.id && c.id != "" && d.id != ""
}

type actorKey struct{}

func (s *stepped) step(ctx context.Context, op, id string) {
	if a, ok := ctx.Value(actorKey{}).(*actor); ok {
		a.next = call{op, id}
		a.arrived <- struct{}{}
		<-a.resume
	}
}

func (s *stepped) Load(ctx context.Context, id string) (store.Record, error) {
	s.step(ctx, "load", id)
	return s.Store.Load(ctx, id)
}

func (s *stepped) Create(ctx context.Context, r store.Record) (store.Version, error) {
	s.step(ctx, "create", r.ID)
	return s.Store.Create(ctx, r)
}

func (s *stepped) Update(ctx context.Context, r store.Record) (store.Version, error) {
	s.step(ctx, "update", r.ID)
	return s.Store.Update(ctx, r)
}

func (s *stepped) Touch(ctx context.Context, id string, expires time.Time) error {
	s.step(ctx, "touch", id)
	return s.Store.Touch(ctx, id, expires)
}

func (s *stepped) Delete(ctx context.Context, id string) error {
	s.step(ctx, "delete", id)
	return s.Store.Delete(ctx, id)
}

func (s *stepped) List(ctx context.Context, owner string) iter.Seq2[store.Record, error] {
	s.step(ctx, "list", "")
	return s.Store.(store.Lister).List(ctx, owner)
}

// job is a request to be run under the scheduler.
type job struct {
	name string
	h    http.Handler
	r    *http.Request
}

// interleave runs the jobs that setup makes once for each order of their store
// calls that makes a difference, and calls check after each run with the finished
// requests and the order. It returns the number of orders.
func interleave(t *testing.T, setup func() []job, check func(done []*actor, order string)) (orders int) {
	t.Helper()
	var choices, options []int // the path to take, and how wide the tree was there
	for {
		depth := 0
		choose := func(n int) int {
			if depth == len(choices) {
				choices, options = append(choices, 0), append(options, n)
			}
			if options[depth] != n {
				t.Fatal("the calls of a run depend on more than their order")
			}
			depth++
			return choices[depth-1]
		}
		done, order, redundant := run(setup(), choose)
		if !redundant {
			orders++
			check(done, order)
		}
		for depth > 0 && choices[depth-1] == options[depth-1]-1 {
			depth--
		}
		if depth == 0 {
			return orders
		}
		choices, options = choices[:depth], options[:depth]
		choices[depth-1]++
	}
}

// run makes one run. It is redundant where two calls that commute came in the
// order in which another run does not make them.
func run(jobs []job, choose func(int) int) (actors []*actor, order string, redundant bool) {
	for i, j := range jobs {
		w := httptest.NewRecorder()
		a := &actor{index: i, name: j.name, arrived: make(chan struct{}), resume: make(chan struct{}), header: w.Header()}
		actors = append(actors, a)
		go func() {
			j.h.ServeHTTP(w, j.r.WithContext(context.WithValue(j.r.Context(), actorKey{}, a)))
			a.res, a.done = w.Result(), true
			a.arrived <- struct{}{}
		}()
		<-a.arrived
	}
	prev := &actor{}
	var made call
	for now := 1; ; now++ {
		var waiting []*actor
		for _, a := range actors {
			if !a.done && (redundant || a.index >= prev.index || !a.next.commutes(made)) {
				waiting = append(waiting, a)
			}
		}
		switch len(waiting) {
		case 0:
			left := false
			for _, a := range actors {
				left = left || !a.done
			}
			if !left {
				return actors, order, redundant
			}
			redundant = true
			continue
		case 1:
			prev = waiting[0]
		default:
			i := 0
			if !redundant {
				i = choose(len(waiting))
			}
			prev = waiting[i]
		}
		made = prev.next
		if len(prev.header["Set-Cookie"]) == 0 {
			prev.last = now
		}
		order += " " + prev.name + "." + made.op
		prev.resume <- struct{}{}
		<-prev.arrived
	}
}
