// Package scenario reads the recorded scenarios: requests to an application with express-session,
// and the responses. It knows the whole format, and anything else is an error, so that nothing in a
// file is ignored silently.
package scenario

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// DefaultClock is the time at which a scenario starts by default: 2026-01-01T00:00:00Z.
var DefaultClock = time.UnixMilli(1767225600000)

// MainStore is the label of a layer's store by default.
const MainStore = "main"

// Scenario is a sequence of requests to one application.
type Scenario struct {
	Name  string   // "group/slug"
	About string   // one sentence
	Tags  []string // "quirk:<name>" marks behaviour from which a library may want to differ

	Start time.Time // of the clock
	IDs   []string  // the first ids that the generator returns

	// TrustProxy: the framework believes an X-Forwarded-Proto of exactly "https".
	TrustProxy bool
	// Touch is false for a store that cannot touch.
	Touch bool

	Layers   []Layer            // in order of application
	Variants map[string][]Layer // other servers with the same stores, by name
	Steps    []Step
}

// Layer is one session layer of the application.
type Layer struct {
	Mount   string // the path to which it is applied
	Store   string // a label
	Options Options
}

// UnmarshalJSON reads a scenario.
func (s *Scenario) UnmarshalJSON(text []byte) error {
	var (
		clock                = DefaultClock.UnixMilli()
		app, store, variants Object
		options              Object
		middlewares          []Layer
	)
	var all Object
	if err := all.UnmarshalJSON(text); err != nil {
		return err
	}
	err := all.read(fields{
		"name": &s.Name, "about": &s.About, "tags": &s.Tags, "clock": &clock, "ids": &s.IDs,
		"app": &app, "storeOptions": &store, "options": &options, "middlewares": &middlewares,
		"variants": &variants, "steps": &s.Steps,
	})
	if err == nil {
		err = all.require("name", "steps")
	}
	if err == nil {
		err = app.read(fields{"trustProxy": &s.TrustProxy})
	}
	if err == nil {
		s.Touch = true
		var immediate bool // a store that calls back synchronously, as all stores in Go do
		err = store.read(fields{"touch": &s.Touch, "sync": &immediate})
	}
	if err == nil {
		err = s.readLayers(options, middlewares, variants, all)
	}
	if err != nil {
		return err
	}
	if len(s.Steps) == 0 {
		return errors.New("no steps")
	}
	s.Start = time.UnixMilli(clock)
	return nil
}

func (s *Scenario) readLayers(options Object, middlewares []Layer, variants, all Object) error {
	if all.has("options") == all.has("middlewares") {
		return errors.New("needs one of options and middlewares")
	}
	if all.has("middlewares") {
		if all.has("variants") {
			return errors.New("variants are laid over options, and there are none")
		}
		s.Layers = middlewares
		return nil
	}
	one := func(options Object) ([]Layer, error) {
		l := Layer{Mount: "/", Store: MainStore}
		err := l.Options.read(options)
		return []Layer{l}, err
	}
	var err error
	if s.Layers, err = one(options); err != nil {
		return fmt.Errorf("options: %w", err)
	}
	s.Variants = map[string][]Layer{}
	for _, v := range variants {
		var top Object
		if err := top.UnmarshalJSON(v.Value); err != nil {
			return fmt.Errorf("variant %q: %w", v.Key, err)
		}
		if s.Variants[v.Key], err = one(options.Over(top)); err != nil {
			return fmt.Errorf("variant %q: %w", v.Key, err)
		}
	}
	return nil
}

// UnmarshalJSON reads one of the middlewares.
func (l *Layer) UnmarshalJSON(text []byte) error {
	var all, options Object
	if err := all.UnmarshalJSON(text); err != nil {
		return err
	}
	l.Mount, l.Store = "/", MainStore
	err := all.read(fields{"mount": &l.Mount, "options": &options, "store": &l.Store})
	if err == nil {
		err = all.require("options")
	}
	if err == nil {
		err = l.Options.read(options)
	}
	return err
}

// Covers reports whether a path is at or below the mount path, as Express compares them: by whole
// segments, without regard to case.
func (l *Layer) Covers(path string) bool {
	mount := strings.TrimSuffix(l.Mount, "/")
	if len(path) < len(mount) || !strings.EqualFold(path[:len(mount)], mount) {
		return false
	}
	return len(path) == len(mount) || path[len(mount)] == '/'
}
