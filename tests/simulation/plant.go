package simulation

import (
	"net/http"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
)

// plant is a bug that a run must find; the zero value is none.
type plant struct {
	store func(store.Store) store.Store          // in the store that all share
	near  func(store.Store) (store.Store, error) // in a node's cache
	deaf  bool                                   // a watch does not report that it has missed events
	twice bool                                   // an end is reported twice
	http  func() func(http.Handler) http.Handler // in what is around the application, made for each world

	web func(http.Handler) http.Handler // the same, of this world
}

// begin returns the plant for a world.
func (p plant) begin() plant {
	if p.http != nil {
		p.web = p.http()
	}
	return p
}

func (p plant) shared(s store.Store) store.Store {
	if p.store == nil {
		return s
	}
	return p.store(s)
}

func (p plant) cache(s store.Store) (store.Store, error) {
	if p.near == nil {
		return nearcache.New(s, nearcache.Config{})
	}
	return p.near(s)
}
