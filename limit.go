package session

import (
	"cmp"
	"errors"

	"github.com/nestsession/session/internal/records"
)

// OwnerLimit is how many sessions an owner may have at the same time, and what happens to a
// login at that limit; see Config.MaxPerOwner. The zero value is no limit.
type OwnerLimit struct{ limit records.Limit }

// EndOldest allows n sessions for each owner. A login at the limit ends the session with the
// oldest login, as [Manager.RevokeSession] does; its event has [ReasonLimit]. If an owner logs
// in more than n times at the same moment, the newest n of these logins keep their sessions.
// The others return [ErrTooManySessions], or their sessions end at once.
func EndOldest(n int) OwnerLimit { return OwnerLimit{records.Limit{Sessions: cmp.Or(n, -1)}} }

// RefuseLogin allows n sessions for each owner. A login at the limit returns
// [ErrTooManySessions], and the session is as it was. A session keeps its place until it ends,
// also if its client has lost the cookie, so give users a way to end their sessions.
func RefuseLogin(n int) OwnerLimit {
	return OwnerLimit{records.Limit{Sessions: cmp.Or(n, -1), Refuse: true}}
}

var errOwnerWithoutLogin = errors.New("session: SetOwner gives the owner a session that Config.MaxPerOwner does not count; call Login")
