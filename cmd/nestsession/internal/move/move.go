// Package move copies sessions from one store to another while both are in use: it changes nothing
// at the source, overwrites nothing newer at the destination, and brings back nothing that was
// ended there. An interrupted copy can be run again.
package move

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
)

// DefaultWorkers is how many records are copied concurrently.
const DefaultWorkers = 16

// Options configure a copy. The zero value copies sessions as they are.
type Options struct {
	// Workers is how many records are copied concurrently, which determines how much memory the
	// copy needs. 0: DefaultWorkers.
	Workers int

	// HashIDs replaces ids with their hashes: the keys at the source are the ids in cookies, those
	// at the destination their hashes with Scope, which is session.Config.Scope there.
	HashIDs bool
	Scope   string

	// Ownerless says that the destination keeps an owner only in the document.
	Ownerless bool

	// Ledger records what the destination has had. Nil: it has had nothing.
	Ledger *Ledger

	// Left is called for each record that was not copied, with the key at the source and the
	// reason, from one goroutine at a time. Nil: it is not called.
	Left func(key string, why Outcome, err error)

	// Now is the clock. Nil: time.Now.
	Now func() time.Time

	// MaxWait is how long the copy waits for a destination that does not answer. 0: 30 seconds.
	MaxWait time.Duration
}

const defaultMaxWait = 30 * time.Second

// Mover copies the sessions of one store to another.
type Mover struct {
	from, to store.Store
	o        Options
	tally    tally
	left     sync.Mutex // one call of Options.Left at a time
	stop     context.CancelCauseFunc
}

// New prepares a copy.
func New(from, to store.Store, o Options) *Mover {
	if o.Workers <= 0 {
		o.Workers = DefaultWorkers
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxWait <= 0 {
		o.MaxWait = defaultMaxWait
	}
	return &Mover{from: from, to: to, o: o}
}

// Report returns the progress. It may be called at any time.
func (m *Mover) Report() Report { return m.tally.report() }

// Run copies until all is done, ctx ends, or one of the stores fails. It finishes the records in
// progress first, so that the Report counts each record that was read.
func (m *Mover) Run(ctx context.Context) error {
	lister, ok := store.As[store.Lister](m.from)
	if !ok {
		return fmt.Errorf("the source cannot list its sessions: %w", errors.ErrUnsupported)
	}
	ctx, m.stop = context.WithCancelCause(ctx)
	defer m.stop(nil)
	records := make(chan store.Record)
	var workers sync.WaitGroup
	for range m.o.Workers {
		workers.Go(func() {
			for r := range records {
				m.one(ctx, r)
			}
		})
	}
	err := m.feed(ctx, lister, records)
	close(records)
	workers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// feed passes the records of the source to the workers.
func (m *Mover) feed(ctx context.Context, lister store.Lister, records chan<- store.Record) error {
	for r, err := range lister.List(ctx, "") {
		if err != nil {
			return fmt.Errorf("reading the source: %w", err)
		}
		m.tally.read.Add(1)
		select {
		case records <- r:
		case <-ctx.Done():
			m.tally.read.Add(-1)
			return nil // Run returns the cause
		}
	}
	return nil
}

// one copies one record, and counts the outcome.
func (m *Mover) one(ctx context.Context, r store.Record) {
	key := r.ID
	why, err := m.prepare(&r)
	if why == ended {
		m.tally.read.Add(-1) // it has ended
		if err := m.endThere(ctx, r.ID); err != nil {
			m.stop(err)
		}
		return
	}
	if why == "" {
		why, err = m.persist(ctx, r)
	}
	if why == "" {
		m.tally.read.Add(-1) // not finished; the next run will copy it
		m.stop(err)
		return
	}
	m.tally.count(why, err)
	if why.left() && m.o.Left != nil {
		m.left.Lock()
		defer m.left.Unlock()
		m.o.Left(key, why, err)
	}
	if why != Refused {
		return
	}
	if err := m.tally.hopeless(); err != nil {
		m.stop(err)
	}
}

// prepare decides whether a record can be copied, and under which key.
func (m *Mover) prepare(r *store.Record) (Outcome, error) {
	at := age(r.Data)
	if at.over && m.o.HashIDs {
		r.ID = session.RecordID(m.o.Scope, r.ID)
	}
	switch {
	case at.over:
		return ended, nil
	case m.over(r):
		return Expired, nil
	}
	if m.o.Ownerless && ownerLost(r) {
		return OwnerLost, nil
	}
	if m.o.HashIDs {
		if at.pointer {
			return Pointer, nil // the document has the id, not the key, of the session that it leads to
		}
		r.ID = session.RecordID(m.o.Scope, r.ID)
	}
	return "", nil
}

func (m *Mover) over(r *store.Record) bool {
	return !r.Expires.IsZero() && !r.Expires.After(m.o.Now())
}
