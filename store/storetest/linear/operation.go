package linear

import (
	"errors"
	"time"

	"github.com/nestsession/session/store"
)

// method is one of a store's five.
type method uint8

const (
	load method = iota
	create
	update
	touch
	remove
)

// content is what a version stands for. The owner is written in the document too,
// so that the document alone tells two contents apart.
type content struct{ data, owner string }

// call is what a client asked, and when by the store's clock.
type call struct {
	method  method
	id      string
	content content       // of create and update
	expires int64         // of create, update and touch; Unix time in nanoseconds
	version store.Version // of update
	basis   content       // what that version was seen to stand for
	from    int64         // the store's clock before the call
}

// outcome is what a call came to.
type outcome uint8

const (
	done outcome = iota
	notFound
	exists
	conflict
	unknown // no answer, or one that the contract does not name
)

// answer is what the store said, and when by its clock.
type answer struct {
	outcome outcome
	content content       // of load
	expires int64         // of load
	version store.Version // of load, create and update
	until   int64         // the store's clock afterwards; of an unknown outcome, at the end of the round
	err     string        // of an unknown outcome
}

// operation is a call with its answer, and when it was made by the clock of the
// history, which is monotonic.
type operation struct {
	client, node int
	call         call
	answer       answer
	began, ended time.Duration
}

// outcomeOf sorts errors. An error of another method's is no unknown outcome: the
// model refuses it.
func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return done
	case errors.Is(err, store.ErrNotFound):
		return notFound
	case errors.Is(err, store.ErrExists):
		return exists
	case errors.Is(err, store.ErrConflict):
		return conflict
	}
	return unknown
}

// writes tells whether the operation may have changed what is kept.
func (o operation) writes() bool {
	return o.call.method != load && (o.answer.outcome == done || o.answer.outcome == unknown)
}
