package sessions

import (
	"cmp"
	"strings"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/document"
)

// links begins the keys of the records that lead from old ids to new ones where a store is
// shared with express-session.
const links = "nestsession:link:"

// complete fills in what a record says of itself and was not believed, since it is sealed
// with secrets that are not known here: an operator may look without them. It reports
// false for what is no session.
func (v *View) complete(s Session) (Session, bool) {
	if !s.Created.IsZero() {
		return s, true // the seal was found right
	}
	notes, cookie := document.Read(s.Document())
	if notes.Over() || notes.Moved() {
		// Beside express-session such a note may be of anybody's making, and the servers
		// take no notice of it.
		return s, v.config.Express.InsecurePlainIDs && !strings.HasPrefix(s.Key(), links)
	}
	s.Owner = cmp.Or(s.Owner, session.OwnerOf(s.Document()))
	if notes.Created == 0 {
		return s, true
	}
	s.Created, s.LastUsed = time.UnixMilli(notes.Created), time.UnixMilli(notes.Used)
	if cookie.MaxAge > 0 && !s.record.Expires.IsZero() {
		// A touch moves only the expiry.
		touched := s.record.Expires.Add(-time.Duration(cookie.MaxAge) * time.Millisecond)
		if touched.After(s.LastUsed) && touched.Before(time.Now()) {
			s.LastUsed = touched
		}
	}
	return s, true
}
