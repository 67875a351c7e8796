package web

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

// maxListed limits how many of a user's sessions are read for a list. A user with more sees some of
// them and that there are more, and can end all.
const maxListed = 100

// device is one session of a user, as the user sees it.
type device struct {
	Session  string       `json:"session"` // the session's digest, which identifies it in requests
	Device   string       `json:"device"`
	First    netip.Prefix `json:"first_network,omitzero"` // from which the user logged in
	Last     netip.Prefix `json:"network,omitzero"`       // from which the session was last used
	Created  time.Time    `json:"created,omitzero"`
	LastUsed time.Time    `json:"last_used,omitzero"`
	Expires  time.Time    `json:"expires,omitzero"`
	Bound    bool         `json:"bound,omitempty"` // a stolen cookie is useless without the device
	Current  bool         `json:"current"`         // the session of the request

	JustNow bool `json:"-"` // LastUsed is now; programs compare the times themselves

	known       session.Device
	used, since time.Time // with more precision, for the order of the list
}

// describe returns a session as it is listed.
func describe(digest string, d session.Device, created, used, expires time.Time) device {
	return device{
		Session: digest, First: d.FirstAddress, Last: d.LastAddress,
		Created: seconds(created), LastUsed: seconds(used), Expires: seconds(expires),
		known: d, used: used, since: created,
	}
}

// devices is the list of a user's sessions.
type devices struct {
	Text     string   `json:"text"` // how many, in words
	Sessions []device `json:"sessions"`
	More     bool     `json:"more,omitempty"` // there are others, which are not listed
	Others   bool     `json:"others"`         // there are any but the current one
}

// Count is the sentence above the list.
func (d *devices) Count() string { return d.Text }

// Blank is the empty form of a device, which a page's script copies.
func (*devices) Blank() device { return device{} }

// list reads the live sessions of an owner.
func (a *App) list(ctx context.Context, owner string) ([]device, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	var all []device
	for info, err := range a.sessions.List(ctx, owner) {
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errSession, err)
		}
		// One more than are shown, to know whether there are more.
		one := describe(info.Digest, info.Device, info.Created, info.LastUsed, info.Expires)
		one.Bound = a.IsBound(info)
		if all = append(all, one); len(all) > maxListed {
			break
		}
	}
	slices.SortFunc(all, func(a, b device) int {
		return cmp.Or(b.used.Compare(a.used), b.since.Compare(a.since), cmp.Compare(a.Session, b.Session))
	})
	return all, nil
}

// listTimeout bounds the reading of a list.
const listTimeout = 5 * time.Second

// seconds is the precision of the times that are shown.
func seconds(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Second)
}

// justNow is how long ago a session was used just now.
const justNow = time.Minute

// seenBy returns the list as the client in s sees it: its own session first, which is in the list
// even if the list was cut off before it.
func seenBy(t *text.Text, all []device, s *Session, now time.Time) devices {
	d := devices{More: len(all) > maxListed, Sessions: make([]device, 0, len(all)+1)}
	current := describe(s.Digest(), s.Device(), s.Created(), s.LastUsed(), s.Expires())
	if i := slices.IndexFunc(all, func(d device) bool { return d.Session == current.Session }); i >= 0 {
		current = all[i]
	}
	current.Current = true
	d.Sessions = append(d.Sessions, current)
	for _, other := range all {
		if other.Session != current.Session && len(d.Sessions) < maxListed {
			d.Sessions = append(d.Sessions, other)
		}
	}
	for i := range d.Sessions {
		one := &d.Sessions[i]
		one.Device = deviceName(t, one.known)
		one.JustNow = one.Current || now.Sub(one.used) < justNow
	}
	d.Others = len(d.Sessions) > 1
	switch n := len(d.Sessions); {
	case d.More:
		d.Text = fmt.Sprintf(t.ManyDevices, maxListed)
	case n > 1:
		d.Text = fmt.Sprintf(t.Devices, n)
	default:
		d.Text = t.OneDevice
	}
	return d
}
