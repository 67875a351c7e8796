package fromgorilla

import "slices"

// AddFlash keeps a message for the next page.
func AddFlash(s *Session, message string) {
	s.Update(func(a *Account) { a.Flashes = append(a.Flashes, message) })
}

// Flashes returns the messages and takes them out. It takes out those alone that it
// returns: one that another request adds meanwhile stays.
func Flashes(s *Session) []string {
	shown := s.Data().Flashes
	if len(shown) > 0 {
		s.Update(func(a *Account) {
			a.Flashes = slices.DeleteFunc(a.Flashes, func(m string) bool { return slices.Contains(shown, m) })
		})
	}
	return shown
}
