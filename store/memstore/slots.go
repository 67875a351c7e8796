package memstore

// slots gives each entry a number that stays the same while the entry exists, so that an
// iteration can release the lock and continue later from a number.
type slots struct {
	items []*entry
	free  []int32 // numbers that are no longer in use
}

func (s *slots) add(e *entry) int32 {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		s.items[i] = e
		return i
	}
	s.items = append(s.items, e)
	return int32(len(s.items) - 1)
}

func (s *slots) remove(i int32) {
	s.items[i] = nil
	s.free = append(s.free, i)
}
