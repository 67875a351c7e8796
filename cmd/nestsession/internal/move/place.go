package move

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session/store"
)

// rounding is by how much a store may round an expiry: the stores of some npm packages keep whole
// seconds.
const rounding = time.Second

// maxTries limits how often a record is loaded again because others write it meanwhile.
const maxTries = 20

// place writes a record to the destination, unless the destination has a newer one.
func (m *Mover) place(ctx context.Context, r store.Record) (Outcome, error) {
	had := m.o.Ledger.had(r.ID, m.o.Now())
	for range maxTries {
		if !had {
			_, err := m.to.Create(ctx, r)
			if err == nil {
				return m.noted(Copied, nil, r.ID, r.Expires)
			}
			if !errors.Is(err, store.ErrExists) {
				return "", err
			}
		}
		there, err := m.to.Load(ctx, r.ID)
		if errors.Is(err, store.ErrNotFound) {
			if had {
				return EndedThere, nil
			}
			continue // it has just ended
		}
		if err != nil {
			return "", err
		}
		why, err := m.settle(ctx, r, there)
		why, err = m.noted(why, err, r.ID, longer(r, there))
		if err == nil || !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
			return why, err
		}
		if m.over(&r) {
			return Expired, nil
		}
	}
	return "", fmt.Errorf("it is written all the time")
}

// settle chooses between a record and the one under its key at the destination.
func (m *Mover) settle(ctx context.Context, r, there store.Record) (Outcome, error) {
	if bytes.Equal(r.Data, there.Data) && r.Owner == there.Owner {
		if r.Expires.IsZero() || there.Expires.IsZero() || r.Expires.Sub(there.Expires) < rounding {
			return Same, nil
		}
		return Extended, m.to.Touch(ctx, r.ID, r.Expires)
	}
	if age(there.Data).over {
		return EndedThere, nil
	}
	switch compare(r.Data, there.Data) {
	case newer:
		r.Version = there.Version
		_, err := m.to.Update(ctx, r)
		return Replaced, err
	case older:
		return Newer, nil
	}
	return Unclear, nil
}

const (
	callTime   = 10 * time.Second       // a destination that takes longer counts as down
	refusals   = 3                      // limit for a record at a destination that answers
	firstPause = 100 * time.Millisecond // between two tries; doubled each time
	longPause  = 2 * time.Second
)

// persist calls place again while the destination is down for a while. A record that a running
// destination refuses is not copied. An error means that the copy cannot continue.
func (m *Mover) persist(ctx context.Context, r store.Record) (Outcome, error) {
	begun, pause, refused := time.Now(), firstPause, 0
	for {
		why, err := m.try(ctx, r)
		if err == nil {
			return why, nil
		}
		if errors.Is(err, errLedger) {
			return "", err
		}
		if errors.Is(err, store.ErrFull) {
			return "", fmt.Errorf("the destination is full: %w", err)
		}
		if m.answers(ctx) {
			if refused++; refused == refusals {
				return Refused, err
			}
		} else if time.Since(begun) > m.o.MaxWait {
			return "", fmt.Errorf("the destination has not answered for %v: %w", m.o.MaxWait, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		pause = min(2*pause, longPause)
	}
}

// try calls place with a timeout. It is not canceled with the copy: a record in progress is
// finished and counted.
func (m *Mover) try(ctx context.Context, r store.Record) (Outcome, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	return m.place(ctx, r)
}

// answers reports whether the destination answers.
func (m *Mover) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTime)
	defer cancel()
	p, ok := store.As[store.Pinger](m.to)
	return !ok || p.Ping(ctx) == nil
}
