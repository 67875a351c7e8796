package engine

import (
	"encoding/json"
	"errors"
	"reflect"
	"sync"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/interop/client"
	"github.com/nestsession/session/tests/interop/scenario"
)

// Call is a call of a store.
type Call struct {
	Store, Kind, ID string
	Outcome         string // "", hit, miss, error; gone and taken where the library's outcome differs
}

// request is the state of a request while it is served.
type request struct {
	step    *scenario.Step
	mu      sync.Mutex
	begun   bool
	ended   chan struct{}
	ran     bool // the handler
	resave  bool
	busy    bool // in an operation whose error the handler gets
	byHand  bool // that operation is a save
	another bool // the session has another id than at the beginning of the request
	calls   []Call
	saved   map[string]any // the data that express-session would consider stored, by id
	errors  []string
	values  []scenario.Value
	failure error // of the replay itself
}

func newRequest(s *scenario.Step) *request {
	return &request{step: s, ended: make(chan struct{}), saved: map[string]any{}}
}

func (r *request) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun = true
}

// finish marks the end of all that the server does for the request. A panic goes on, and ends the
// connection as in any server.
func (r *request) finish() { close(r.ended) }

func (r *request) hasBegun() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun
}

func (r *request) options(l *layer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ran = true
	r.resave = l != nil && l.Options.Resave
}

func (r *request) handlerRan() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ran
}

// during runs an operation of the handler on its session.
func (r *request) during(save bool, do func() error) error {
	r.setBusy(true, save)
	defer r.setBusy(false, false)
	return do()
}

func (r *request) setBusy(busy, save bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy, r.byHand = busy, save
}

func (r *request) isBusy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.busy
}

func (r *request) note(c Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, c)
}

func (r *request) late(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors = append(r.errors, err.Error())
}

// found records the data of the session at the beginning of the request.
func (r *request) found(id string, text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, again := r.saved[id]; !again && json.Valid(text) {
		r.saved[id] = dataOf(text)
	}
}

// merged records data that another request has stored meanwhile, for a touch that must not change
// them.
func (r *request) merged(id string, text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.saved[id] = dataOf(text)
}

// wrote records the data that were stored.
func (r *request) wrote(rec store.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.resave = false // from now on there are stored data to compare with
	r.saved[rec.ID] = dataOf(rec.Data)
}

// regenerated records that the session has a new id.
func (r *request) regenerated() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.another = true
}

// leavesDataAlone reports whether express-session would have made this write as a touch: the
// handler did not call save, neither resave nor a new id requires a write, and the data are those
// that the request found or stored last.
func (r *request) leavesDataAlone(rec store.Record) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	known, is := r.saved[rec.ID]
	return !r.byHand && !r.resave && !r.another && is && reflect.DeepEqual(known, dataOf(rec.Data))
}

func (r *request) ops() []scenario.Op { return r.step.Handler }

func (r *request) observe(v scenario.Value) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.values = append(r.values, v)
}

func (r *request) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failure = err
}

func (r *request) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failure
}

// wait waits until the server has finished the request: the client may get the whole response
// earlier.
func (r *request) wait() error {
	t := time.NewTimer(client.RequestTimeout)
	defer t.Stop()
	select {
	case <-r.ended:
		return nil
	case <-t.C:
		return errors.New("the handler does not return")
	}
}
