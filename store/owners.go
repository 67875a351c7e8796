package store

// OwnerLister is a [Lister] whose configuration decides whether it can list by owner. Without
// it, a caller may assume that a Lister can.
type OwnerLister interface {
	// ListsOwners reports whether List takes an owner. If not, List returns
	// [errors.ErrUnsupported] for every owner but "".
	ListsOwners() bool
}
