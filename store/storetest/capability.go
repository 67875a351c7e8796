package storetest

import (
	"fmt"
	"io"
	"slices"

	"github.com/nestsession/session/store"
)

// Capability is an ability that a store need not have, if its test gives the reason.
type Capability string

// The optional interfaces, looked for with [store.As].
const (
	Lister  Capability = "Lister"  // store.Lister
	Watcher Capability = "Watcher" // store.Watcher
	Sweeper Capability = "Sweeper" // store.Sweeper
	Pinger  Capability = "Pinger"  // store.Pinger
	Closer  Capability = "Closer"  // io.Closer
)

// SinceLoader is [store.SinceLoader], looked for in the store itself and not behind it. It is
// the one capability that [Options.Without] does not name: a store that does not have it
// loses nothing but time.
const SinceLoader Capability = "SinceLoader"

// Properties of a store.
const (
	// Peers are several instances on the same records, see [Opened.Peers].
	Peers Capability = "Peers"

	// UniqueVersions means that each write gives a version that the id never had, even
	// a write that changes nothing. A store whose version is a digest of what is stored
	// does not have it.
	UniqueVersions Capability = "UniqueVersions"

	// AnyBytes means that Data may be any bytes, including none, and not only the JSON
	// documents that package session writes. A store with a column of type json does
	// not have it.
	AnyBytes Capability = "AnyBytes"

	// LongIDs means that an id may be a kilobyte long. A store with a column of limited
	// length does not have it. Every store keeps ids of up to 128 bytes.
	LongIDs Capability = "LongIDs"

	// TouchEvents means that a Watcher reports every Touch. A store that does not report
	// a Touch to a later time does not have it. Every Watcher reports a Touch to an
	// earlier time.
	TouchEvents Capability = "TouchEvents"
)

// interfaces report whether a store has a capability that shows in its methods.
var interfaces = map[Capability]func(Opened) bool{
	Lister:  has[store.Lister],
	Watcher: has[store.Watcher],
	Sweeper: has[store.Sweeper],
	Pinger:  has[store.Pinger],
	Closer:  has[io.Closer],
	Peers:   func(o Opened) bool { return len(o.Peers) > 0 },
}

// voluntary are the interfaces that a store may lack without a reason.
var voluntary = map[Capability]func(Opened) bool{
	SinceLoader: func(o Opened) bool {
		_, ok := o.Store.(store.SinceLoader)
		return ok
	},
}

// behaviours are the capabilities that show only in use.
var behaviours = []Capability{UniqueVersions, AnyBytes, LongIDs, TouchEvents}

func has[C any](o Opened) bool {
	_, ok := store.As[C](o.Store)
	return ok
}

// capabilityErrors compares the capabilities that a store has with Options.Without.
func capabilityErrors(o Opened, without map[Capability]string) (errs []error) {
	for c, reason := range without {
		if interfaces[c] == nil && !slices.Contains(behaviours, c) {
			errs = append(errs, fmt.Errorf("Options.Without names %q, which is not a capability", c))
		}
		if reason == "" {
			errs = append(errs, fmt.Errorf("Options.Without names %s without a reason", c))
		}
	}
	for c, present := range interfaces {
		_, named := without[c]
		switch {
		case present(o) && named:
			errs = append(errs, fmt.Errorf("the store has %s, but Options.Without names it", c))
		case !present(o) && !named:
			errs = append(errs, fmt.Errorf("the store has no %s, and its cases are left out: implement it, or name it with the reason in Options.Without", c))
		}
	}
	return errs
}

// missing returns the capabilities that the store's methods show to be missing.
func missing(o Opened) (all []Capability) {
	for _, table := range []map[Capability]func(Opened) bool{interfaces, voluntary} {
		for c, present := range table {
			if !present(o) {
				all = append(all, c)
			}
		}
	}
	return all
}

// lacks reports whether the store, or Options.Without, lacks the capability that a case needs.
func (o Options) lacks(c Capability) bool {
	if _, named := o.Without[c]; named || slices.Contains(o.missing, c) {
		return true
	}
	return c == TouchEvents && o.lacks(Watcher)
}

// unneeded returns an error if a store passes all cases of a behaviour that Options.Without
// names.
func unneeded(name Capability, open func() Opened, o Options) error {
	if !slices.Contains(behaviours, name) {
		return nil
	}
	for _, topic := range topics {
		for _, c := range topic.cases {
			if c.needs == name && c.check(open(), o) != nil {
				return nil
			}
		}
	}
	return fmt.Errorf("the store has %s, but Options.Without names it", name)
}
