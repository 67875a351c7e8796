package redisstore

import "github.com/nestsession/session/store"

var _ store.OwnerLister = (*Store)(nil)

// ListsOwners implements [store.OwnerLister]: with [Config.Express] it reports whether there is
// a [Config.OwnerOf].
func (s *Store) ListsOwners() bool { return s.hasOwners }
