package linear

import (
	"errors"
	"time"

	"github.com/nestsession/session/store"
)

// method is one of the five methods of a store.
type method uint8

const (
	load method = iota
	create
	update
	touch
	remove
)

// content is what a version identifies. The owner is also in the document, so the document by
// itself distinguishes two contents.
type content struct{ data, owner string }

// call is a client's call, with the time of the store's clock.
type call struct {
	method  method
	id      string
	content content       // of create and update
	expires int64         // of create, update and touch; Unix time in nanoseconds
	version store.Version // of update
	basis   content       // the content that was read or written with that version
	from    int64         // the store's clock before the call
}

// outcome classifies the answer to a call.
type outcome uint8

const (
	done outcome = iota
	notFound
	exists
	conflict
	unknown // no answer, or one that the contract does not name
)

// answer is the store's answer, with the time of the store's clock.
type answer struct {
	outcome outcome
	content content       // of load
	expires int64         // of load
	version store.Version // of load, create and update
	until   int64         // the store's clock afterwards; of an unknown outcome, at the end of the round
	err     string        // of an unknown outcome
}

// operation is a call with its answer, with times of the history's own, monotonic clock.
type operation struct {
	client, node int
	call         call
	answer       answer
	began, ended time.Duration
}

// outcomeOf classifies errors. An error that this method must not return is not unknown: the model
// refuses it.
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

// writes reports whether the operation may have changed the record.
func (o operation) writes() bool {
	return o.call.method != load && (o.answer.outcome == done || o.answer.outcome == unknown)
}
