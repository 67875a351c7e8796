package sqlstore

import "github.com/nestsession/session/store"

var _ store.OwnerLister = (*Store)(nil)

// ListsOwners implements [store.OwnerLister]: it reports whether there is a column for the
// owner or a [Config.OwnerOf].
func (s *Store) ListsOwners() bool { return s.q.listOwner.exists() || s.config.OwnerOf != nil }
