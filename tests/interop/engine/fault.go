package engine

import (
	"errors"
	"fmt"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/interop/scenario"
)

// fault is an active fault, with the number of calls that still succeed.
type fault struct {
	scenario.Fault
	skip int
}

// suffer activates faults in addition to the active ones, until the returned function is called.
func (w *World) suffer(faults []scenario.Fault) (recover func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.faults
	for _, f := range faults {
		w.faults = append(w.faults[:len(w.faults):len(w.faults)], &fault{f, f.Skip})
	}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.faults = before
	}
}

// failing returns the error of a call if an active fault makes it fail.
func (w *World) failing(call string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.faults {
		if f.Call != call {
			continue
		}
		if f.skip > 0 {
			f.skip--
			continue
		}
		if f.Code == scenario.NotThere {
			return fmt.Errorf("%w: %s", store.ErrNotFound, f.Error)
		}
		return errors.New(f.Error)
	}
	return nil
}
