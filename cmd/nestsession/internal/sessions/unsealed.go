package sessions

import (
	"cmp"
	"strings"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/document"
)

// links begins the keys of the records that lead from old ids to new ones if express-session shares
// the store.
const links = "nestsession:link:"

// complete adds what a record's bookkeeping says although its seal cannot be verified, because the
// secrets are not known here: an operator may read it. It reports false if the record is no
// session.
func (v *View) complete(s Session) (Session, bool) {
	if !s.Created.IsZero() {
		return s, true // the seal was verified
	}
	notes, cookie := document.Read(s.Document())
	if notes.Over() || notes.Moved() {
		// If express-session shares the store, any program may have written this, and the servers
		// ignore it.
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
