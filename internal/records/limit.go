package records

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nestsession/session/internal/backoff"
	"github.com/nestsession/session/internal/crew"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/store"
)

// ByLimit is the reason for which a [Limit] ends a session.
const ByLimit = "session limit"

// Limit is how many sessions an owner may have at the same time.
//
// A store has no operation that counts and stores at once, so a login first stores a record
// and lists the owner's sessions afterwards. Of the logins that end with success, the one
// whose record was stored last has listed all others. ADR 37 has the proofs.
type Limit struct {
	Sessions int  // 0: any number
	Refuse   bool // a login at the limit is refused; otherwise it ends the oldest sessions
}

const (
	// extraHold is by how many milliseconds a reservation outlives the login that made it.
	// Otherwise it could be expired in the view of a store whose clock differs.
	extraHold = 5 * 60_000
	// maxListings is how often the owner's sessions are listed until they contain the record
	// that the login has just stored. The waits in between add up to 0.6 seconds.
	maxListings = 8
	firstWait   = 5 * time.Millisecond
)

var errLags = errors.New("the store does not list a session that it has stored, so Config.MaxPerOwner cannot be kept: " +
	"let it list from the server that it writes to, not from a replica")

// Check returns why a limit cannot be kept with a store; a nil store can list by owner.
func (l Limit) Check(s store.Store) error {
	const field = "session: Config.MaxPerOwner: "
	if l.Sessions == 0 {
		return nil
	}
	if l.Sessions < 0 {
		return errors.New(field + "it allows no session; write at least 1, or leave MaxPerOwner out for no limit")
	}
	if s == nil {
		return nil
	}
	if _, lists := store.As[store.Lister](s); !lists {
		return fmt.Errorf(field+"%T cannot list the sessions of an owner; use a store that is a store.Lister, or leave MaxPerOwner out", s)
	}
	if o, ok := store.As[store.OwnerLister](s); ok && !o.ListsOwners() {
		return fmt.Errorf(field+"%T is not configured to list by owner; set its Config.OwnerOf to session.OwnerOf, or leave MaxPerOwner out", s)
	}
	return nil
}

// errOvertaken means that a login has to begin again.
var errOvertaken = fmt.Errorf("session: other logins of the owner: %w", store.ErrConflict)

// held is one of the sessions of an owner, or a reservation of a login.
type held struct {
	key      string
	version  store.Version
	time     document.Instant // of the login
	created  document.Instant
	reserved bool
	unseen   bool   // by Renew, and no request has come with the new id
	twin     string // the key of the same session's other record, while Renew is at work
}

// before is the order of logins, on which all nodes agree, because it is stored.
func (h *held) before(other *held) bool {
	return cmp.Or(cmp.Compare(h.time, other.time), cmp.Compare(h.key, other.key)) < 0
}

// LoginTime returns the time of a login: now, or later if the owner has a session with a
// later one. So a login is newer than all that have finished before it began, although the
// clocks of nodes differ. It returns [ErrTooManySessions] if the login is refused.
func (r *Records) LoginTime(ctx context.Context, mv *Move, now document.Instant) (document.Instant, error) {
	switch {
	case r.Limit.Sessions == 0:
		return now, nil
	case mv.Time != 0:
		return mv.Time, nil // others may have compared it
	}
	for try := 0; ; try++ {
		all, err := r.held(ctx, mv, nil)
		if err != nil {
			return 0, err
		}
		at, sessions := max(now, mv.latest+1), 0
		mv.listed = nil
		for key, h := range all {
			if !h.reserved {
				sessions++
				mv.listed = append(mv.listed, key)
			}
		}
		switch {
		case r.Limit.Refuse && sessions >= r.Limit.Sessions:
			return 0, ErrTooManySessions
		case !r.Limit.Refuse, len(all) < r.Limit.Sessions:
			mv.Time = at
			return at, nil
		}
		if err := r.awaitOthers(ctx, mv, all, try); err != nil {
			return 0, err
		}
	}
}

// admit keeps the limit after the record of a login was stored, or a reservation under its
// key. After an error there is neither.
func (r *Records) admit(ctx context.Context, mv *Move) (err error) {
	if r.Limit.Refuse {
		err = r.awaitPlace(ctx, mv)
	} else {
		err = r.endOldest(ctx, mv)
	}
	if err != nil {
		r.Undo(ctx, mv)
	}
	return err
}

// endOldest ends the owner's sessions except the newest. It returns [ErrTooManySessions] if
// this login is not one of the newest any more.
func (r *Records) endOldest(ctx context.Context, mv *Move) error {
	all, own, err := r.heldWith(ctx, mv)
	if err != nil {
		return err
	}
	var newest []*held
	for _, h := range all {
		if !h.reserved {
			newest = append(newest, h)
		}
	}
	slices.SortFunc(newest, func(a, b *held) int {
		if a.before(b) {
			return 1
		}
		return -1
	})
	if len(newest) <= r.Limit.Sessions {
		return nil
	}
	oldest := newest[r.Limit.Sessions:]
	if slices.Contains(oldest, own) {
		return ErrTooManySessions
	}
	c := crew.Crew{Size: cmp.Or(r.Visitors, maxVisits)}
	for _, h := range oldest {
		c.Begin(func() error {
			_, err := r.revoke(ctx, h.key, h.version, mv.Owner, ErrDisplaced, ByLimit)
			if err == nil && h.twin != "" {
				_, err = r.Remove(ctx, h.twin, 0, ErrDisplaced)
			}
			return err
		})
	}
	return c.Wait()
}

// reserve stores a reservation under the key of a session that will begin. For everyone else
// it is a session that has ended. It has an owner, so it is listed, and a time of a login,
// which no other record of an ended session has.
func (r *Records) reserve(ctx context.Context, mv *Move) (err error) {
	info := document.Meta{Ended: true, Owner: mv.Owner, Authenticated: mv.Time}
	hold := document.Instant(r.SaveTimeout.Milliseconds()) + extraHold
	mv.Version, err = r.Store.Create(ctx, store.Record{
		ID: mv.Key, Owner: mv.Owner, Expires: (r.Present() + hold).Time(),
		Data: document.Dataless(mv.Cookie, info, r.IDs.Seal, mv.Key),
	})
	return err
}

// awaitPlace returns nil if the session may begin in the place of its reservation,
// [ErrTooManySessions] if the login is refused, and [store.ErrConflict] if it has to give way
// to others that have not begun yet.
//
// A reservation counts for all logins that list after it was stored. Of two such logins the
// later one, in the order of logins, gives way. It does not know of a reservation that was
// stored after it has listed, so the earlier one waits for those that it has found in its first
// listing, until they have begun or given way. All others have found this one.
func (r *Records) awaitPlace(ctx context.Context, mv *Move) error {
	rivals := map[string]bool{} // later logins that may not have found this one
	for try := 0; ; try++ {
		all, own, err := r.heldWith(ctx, mv)
		if err != nil {
			return err
		}
		sessions, ahead, undecided := 0, 0, 0
		for key, h := range all {
			switch {
			case h == own:
			case !h.reserved:
				sessions++
			case h.before(own):
				ahead++
			default:
				if try == 0 {
					rivals[key] = true
				}
				if rivals[key] {
					undecided++
				}
			}
		}
		switch n := r.Limit.Sessions; {
		case sessions >= n:
			return ErrTooManySessions
		case sessions+ahead >= n:
			return errOvertaken
		case sessions+ahead+undecided < n:
			return nil
		}
		if err := r.awaitOthers(ctx, mv, all, try); err != nil {
			return err
		}
	}
}

// awaitOthers waits a moment for the logins that have reservations. It cancels a reservation
// that this login has waited for too long: the process that made it may have died. If that
// login continues nevertheless, it cannot begin its session, because the reservation has another
// version, and makes a new one.
func (r *Records) awaitOthers(ctx context.Context, mv *Move, all map[string]*held, try int) error {
	if mv.waiting == nil {
		mv.waiting = map[string]time.Time{}
	}
	for key, h := range all {
		if !h.reserved || key == mv.Key {
			continue
		}
		since, ok := mv.waiting[key]
		if !ok {
			mv.waiting[key] = time.Now() // not Records.Now, which need not go on
			continue
		}
		if time.Since(since) < r.SaveTimeout/2 {
			continue
		}
		_, err := r.Store.Update(ctx, r.tombstoneOf(key, h.version))
		if err == nil {
			_ = r.clear(ctx, key, nil) // otherwise it expires
		} else if !Definite(err) {
			return Failed("canceling a login", err)
		}
	}
	if err := pauseBeforeRetry(ctx, try); err != nil {
		return Failed("waiting for other logins", err)
	}
	return nil
}

// heldWith is held for a login whose record is stored, and returns that too.
//
// Errors: [store.ErrConflict] if another request has ended the login; [ErrTooManySessions] if
// newer logins have.
func (r *Records) heldWith(ctx context.Context, mv *Move) (all map[string]*held, own *held, err error) {
	for try := range maxListings {
		if all, err = r.held(ctx, mv, mv.listed); err != nil {
			return nil, nil, err
		}
		if own = all[mv.Key]; own != nil {
			return all, own, nil
		}
		rec, err := r.behind().Load(ctx, mv.Key)
		if errors.Is(err, store.ErrNotFound) || err == nil && rec.Version != mv.Version {
			return nil, nil, r.overtaken(mv, all)
		}
		if err != nil {
			return nil, nil, Failed("loading", err)
		}
		if !backoff.Pause(ctx, firstWait<<try) {
			return nil, nil, Failed("listing", ctx.Err())
		}
	}
	return nil, nil, Failed("listing", errLags)
}

// overtaken returns why another request has ended a login.
func (r *Records) overtaken(mv *Move, all map[string]*held) error {
	own, newer := &held{key: mv.Key, time: mv.Time}, 0
	for _, h := range all {
		if !h.reserved && own.before(h) {
			newer++
		}
	}
	if newer >= r.Limit.Sessions && !r.Limit.Refuse {
		return ErrTooManySessions
	}
	return errOvertaken
}

// held lists the live sessions of a login's owner, and the reservations, by their keys. The
// session that the login replaces is not among them. known are keys of sessions that an
// earlier listing has found.
//
// A listing may miss a session that is renewed at the same time, under its old and its new
// id. Then it contains the pointer or an earlier listing contains the session.
func (r *Records) held(ctx context.Context, mv *Move, known []string) (map[string]*held, error) {
	all, pointers, led := map[string]*held{}, map[string]string{}, map[string]bool{}
	for rec, err := range r.list(ctx, mv.Owner) {
		if err != nil {
			return nil, err
		}
		switch l := r.read(rec); {
		case l.Owner != mv.Owner:
		case l.Successor != "":
			pointers[l.Key], led[l.Successor] = l.Successor, true
		default:
			if h := r.heldBy(&l); h != nil {
				all[h.key] = h
			}
		}
	}
	search := known
	for _, to := range pointers {
		search = append(search[:len(search):len(search)], to)
	}
	for _, key := range search {
		if all[key] != nil || pointers[key] != "" {
			continue
		}
		l, err := r.chase(ctx, key)
		if err != nil {
			return nil, err
		}
		if l.Live && l.Owner == mv.Owner && all[l.Key] == nil {
			all[l.Key], led[l.Key] = r.heldBy(&l), true
		}
	}
	for _, h := range all {
		mv.latest = max(mv.latest, h.time)
	}
	joinTwins(all, led)
	for key := mv.OldKey; key != ""; key = pointers[key] {
		delete(all, key)
	}
	return all, nil
}

// behind returns the store that lists, which may be behind a cache. A cache may serve a
// session that another node has ended a moment ago.
func (r *Records) behind() store.Store {
	l, _ := store.As[store.Lister](r.Store)
	if s, ok := l.(store.Store); ok {
		return s
	}
	return r.Store
}

// chase is follow without a cache.
func (r *Records) chase(ctx context.Context, key string) (l Listed, err error) {
	behind := r.behind()
	for range maxHops {
		rec, err := behind.Load(ctx, key)
		if errors.Is(err, store.ErrNotFound) && !r.Tombstones {
			rec, err = behind.Load(ctx, linkKey(key))
		}
		if errors.Is(err, store.ErrNotFound) {
			break
		}
		if err != nil {
			return Listed{}, Failed("loading", err)
		}
		if l = r.read(rec); l.Live || l.Successor == "" {
			return l, nil
		}
		key = l.Successor
	}
	return Listed{}, nil
}

// heldBy returns what the limit counts of a record; nil if it is no session.
func (r *Records) heldBy(l *Listed) *held {
	m := document.Meta{}
	if l.Doc != nil {
		m = *l.Doc.Bookkeeping()
	} else {
		m = r.IDs.Seal.MetaOf(l.Key, l.Rec.Data)
	}
	reserved := m.Ended && m.Authenticated != 0
	if !l.Live && !reserved {
		return nil
	}
	return &held{
		key: l.Key, version: l.Rec.Version, time: max(m.Authenticated, m.Created), created: m.Created,
		reserved: reserved, unseen: m.Unseen,
	}
}

// joinTwins counts a session once that Renew has stored under its new id and not yet replaced
// under the old one. led are the keys to which an old id leads. No client has the id of the
// other record, so it is no session by itself.
func joinTwins(all map[string]*held, led map[string]bool) {
	for key, h := range all {
		if !h.unseen || led[key] {
			continue
		}
		for _, old := range all {
			if old != h && !old.reserved && !old.unseen && old.time == h.time && old.created == h.created {
				old.twin = key
				delete(all, key)
				break
			}
		}
	}
}
