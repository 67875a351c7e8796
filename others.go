package session

import (
	"context"

	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/records"
)

// UpdateOwner applies fn to the data of each session of an owner on every node, except
// keep, and returns how many it changed: for example to take a role away. Later requests
// see the change, and requests in flight replay their own changes on it. It is not a use of
// the sessions: it creates none, revives none and extends none. It also finds sessions that
// are renewed or begin at the same time.
//
// fn is as in [Session.Update], and may be called several times. It should set values and
// not add to them, because a session that is renewed at the same moment may be changed
// twice.
//
// Errors: [ErrNoOwner]; [ErrUnrepeatable]; [ErrTooLarge]; [ErrReservedKey]; the store's;
// [errors.ErrUnsupported] as in List. If some sessions cannot be decoded, or are sealed
// ([ErrSealed]), the error comes after all others are changed. After an error some sessions may have been changed; another
// call changes the others.
func (m *Manager[T]) UpdateOwner(ctx context.Context, owner string, fn func(data *T), keep ...*Session[T]) (changed int, err error) {
	return m.records.UpdateOwner(ctx, owner, m.codec.Change(fn), held(keep))
}

// UpdateSession applies fn to the data of the owner's session with the given digest, as
// [Manager.UpdateOwner] does to all of the owner's sessions, and reports whether the data
// have changed. If the owner has no such session, it returns false and no error.
func (m *Manager[T]) UpdateSession(ctx context.Context, owner, digest string, fn func(data *T)) (changed bool, err error) {
	return m.records.UpdateOne(ctx, owner, digest, m.codec.Change(fn))
}

// UpdateDevices applies fn to the device of each session of an owner on every node, and
// returns how many it changed: to name a device in a list, which [Info.Digest] finds, or to
// erase what is kept. It is not a use of the sessions. While Config.Devices keeps it, the next
// use of a session notes the address and the User-Agent again.
//
//	erase := func(_ string, d *session.Device) { *d = session.Device{} }
//
// fn may be called several times for a session. Names are cut as in [Session.SetDeviceName].
// Errors: [ErrNoOwner]; the others of [Manager.UpdateOwner].
func (m *Manager[T]) UpdateDevices(ctx context.Context, owner string, fn func(digest string, d *Device)) (changed int, err error) {
	change := func(key string, d *document.Device) { fn(m.ids.Digest(key), (*Device)(d)) }
	return m.records.UpdateOwner(ctx, owner, m.codec.ChangeDevices(m.devices.Cleaned(change)), nil)
}

// held returns the sessions that [Manager.UpdateOwner] and [Manager.RevokeOwner] keep.
func held[T any](sessions []*Session[T]) (keep []records.Kept) {
	for _, s := range sessions {
		keep = append(keep, func() (key string, created document.Instant, stored bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.key, s.doc.Meta.Created, s.state != stateNew
		})
	}
	return keep
}
