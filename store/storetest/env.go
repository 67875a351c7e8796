package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nestsession/session/store"
)

// env is what a case works with.
type env struct {
	Opened
	opts Options
	life time.Duration // how long a record with a short life lives
	ids  int
	turn int // which node comes first in the next race
}

// errLate says that a record with a short life expired before the case used it.
var errLate = errors.New("the machine was too slow for the case")

// check runs the case and returns what is wrong. It always returns, also if the store
// hangs.
func (c testCase) check(o Opened, opts Options) error {
	opts = opts.withDefaults()
	ctx, cancel := context.WithTimeout(context.Background(), opts.Timeout)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- guard(func() error { return c.attempt(ctx, o, opts) })
	}()
	// A store that observes ctx gets time to return.
	hung := time.NewTimer(opts.Timeout + time.Second)
	defer hung.Stop()
	select {
	case err := <-done:
		return err
	case <-hung.C:
		return fmt.Errorf("did not end within %v, nor when its context did", opts.Timeout)
	}
}

// attempt runs the case, and again with more time if the machine was too slow.
func (c testCase) attempt(ctx context.Context, o Opened, opts Options) error {
	e := &env{Opened: o, opts: opts, life: max(100*time.Millisecond, 2*opts.Resolution)}
	if o.Advance != nil {
		e.life = time.Hour
	}
	for range 4 {
		err := c.run(ctx, e)
		if !errors.Is(err, errLate) {
			return err
		}
		if err := e.clear(ctx); err != nil {
			return err
		}
		e.life *= 4
	}
	return errLate
}

// clear removes what an attempt that was too slow has left, so that the next one does not count it.
func (e *env) clear(ctx context.Context) error {
	sweeper, ok := store.As[store.Sweeper](e.Store)
	if !ok {
		return nil
	}
	if err := e.pass(ctx, e.now().Add(e.life)); err != nil {
		return err
	}
	_, err := sweeper.Sweep(ctx)
	return err
}

// guard returns a panic as an error.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

func (e *env) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

// id returns an id that the case has not used yet. It is as long as a real one.
func (e *env) id() string {
	e.ids++
	return fmt.Sprintf("session-%035d", e.ids)
}

// record returns a record with an id of its own that lives for hours.
func (e *env) record() store.Record {
	id := e.id()
	return store.Record{ID: id, Owner: "user:42", Data: doc(id), Expires: e.hours()}
}

// brief returns a record with a short life.
func (e *env) brief() store.Record {
	r := e.record()
	r.Expires = e.soon()
	return r
}

func (e *env) soon() time.Time  { return e.now().Add(e.life) }
func (e *env) hours() time.Time { return e.now().Add(9 * time.Hour) }

// doc returns a JSON document that holds the values.
func doc(values ...any) []byte {
	var b bytes.Buffer
	b.WriteString(`{"cookie":{"path":"/"}`)
	for i, v := range values {
		fmt.Fprintf(&b, `,"v%d":%q`, i, fmt.Sprint(v))
	}
	b.WriteString("}")
	return b.Bytes()
}

// pass waits, or advances the clock, until a record with this expiry has expired.
func (e *env) pass(ctx context.Context, expires time.Time) error {
	if e.Advance != nil {
		e.Advance(expires.Sub(e.now()))
		return nil
	}
	return wait(ctx, expires.Sub(e.now())+e.opts.Skew+e.opts.Resolution)
}

// late returns errLate if err may mean only that the record has expired before the case used it;
// otherwise it returns err.
func (e *env) late(err error, expires time.Time) error {
	if errors.Is(err, store.ErrNotFound) && !e.now().Before(expires.Add(-e.opts.Resolution)) {
		return errLate
	}
	return err
}

// wait waits for the given time or the end of ctx.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// eventually calls f until it returns no error, and returns f's last error if the time is
// over.
func eventually(ctx context.Context, most time.Duration, f func() error) error {
	const every = 5 * time.Millisecond
	for waited := time.Duration(0); ; waited += every {
		err := f()
		if err == nil || waited >= most {
			return err
		}
		if wait(ctx, every) != nil {
			return err
		}
	}
}

// nodes returns all instances on the same records.
func (e *env) nodes() []store.Store {
	return append([]store.Store{e.Store}, e.Peers...)
}

// together runs f n times concurrently, spread over the nodes, each time in another order.
func (e *env) together(n int, f func(i int, s store.Store) error) error {
	nodes, turn := e.nodes(), e.turn
	e.turn++
	start := make(chan struct{})
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = guard(func() error { return f(i, nodes[(i+turn)%len(nodes)]) })
		})
	}
	close(start)
	wg.Wait()
	return errors.Join(errs...)
}
