package storetest

import (
	"fmt"
	"io"
	"slices"

	"github.com/nestsession/session/store"
)

// Capability is something that a store may do without if it says why.
type Capability string

// The optional interfaces, looked for with [store.As].
const (
	Lister  Capability = "Lister"  // store.Lister
	Watcher Capability = "Watcher" // store.Watcher
	Sweeper Capability = "Sweeper" // store.Sweeper
	Pinger  Capability = "Pinger"  // store.Pinger
	Closer  Capability = "Closer"  // io.Closer
)

// Properties of a store.
const (
	// Peers are several instances on the same records, see [Opened.Peers].
	Peers Capability = "Peers"

	// UniqueVersions means that each write gives a version that the id never had,
	// even one that changes nothing. A store whose version is a digest of what is
	// stored does without.
	UniqueVersions Capability = "UniqueVersions"

	// AnyBytes means that Data may be any bytes, none included, and not only the
	// JSON documents that package session writes. A store that shares a column of
	// type json does without.
	AnyBytes Capability = "AnyBytes"

	// LongIDs means that an id may be a kilobyte long. A store that shares a column
	// of limited length does without; up to 128 bytes any store keeps.
	LongIDs Capability = "LongIDs"

	// TouchEvents means that those who watch are told of every Touch. A store that
	// spares itself those that move the expiry later does without; one that moves it
	// nearer has to be told in any case. It is asked of a Watcher alone.
	TouchEvents Capability = "TouchEvents"
)

// interfaces tell whether a store has a capability that shows in its methods.
var interfaces = map[Capability]func(Opened) bool{
	Lister:  has[store.Lister],
	Watcher: has[store.Watcher],
	Sweeper: has[store.Sweeper],
	Pinger:  has[store.Pinger],
	Closer:  has[io.Closer],
	Peers:   func(o Opened) bool { return len(o.Peers) > 0 },
}

// behaviours are the capabilities that only show in use.
var behaviours = []Capability{UniqueVersions, AnyBytes, LongIDs, TouchEvents}

func has[C any](o Opened) bool {
	_, ok := store.As[C](o.Store)
	return ok
}

// capabilityErrors compares what a store has with what it is said not to have.
func capabilityErrors(o Opened, without map[Capability]string) (errs []error) {
	for c, reason := range without {
		if interfaces[c] == nil && !slices.Contains(behaviours, c) {
			errs = append(errs, fmt.Errorf("Options.Without names %q, which is no capability", c))
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

// missing are the capabilities that the store's methods show it not to have.
func missing(o Opened) (all []Capability) {
	for c, present := range interfaces {
		if !present(o) {
			all = append(all, c)
		}
	}
	return all
}

// lacks reports whether the store does not have what a case is about, or is said not to.
func (o Options) lacks(c Capability) bool {
	if _, named := o.Without[c]; named || slices.Contains(o.missing, c) {
		return true
	}
	return c == TouchEvents && o.lacks(Watcher)
}

// unneeded is an error if a store that is said to lack a behaviour passes all the
// cases about it.
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
