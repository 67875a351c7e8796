// Package devices decides what a session keeps of the device that uses it: the addresses of
// the client, cut to networks, the User-Agent header, and a name.
package devices

import (
	"cmp"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nestsession/session/internal/check"
	"github.com/nestsession/session/internal/document"
)

// The defaults of [Options], and the longest name in characters.
const (
	defaultIPv4Bits  = 24
	defaultIPv6Bits  = 48
	defaultUserAgent = 256
	maxName          = 64
)

// Options are session.Devices.
type Options struct {
	Addresses          bool
	IPv4Bits, IPv6Bits int
	ClientAddress      func(*http.Request) netip.Addr
	UserAgents         bool
	MaxUserAgent       int
}

// Check returns what is wrong with the options.
func (o Options) Check() error {
	var errs []error
	bits := func(field string, n, most int) {
		if n < 0 || n > most {
			errs = append(errs, check.Refuse(field, "%d is not the length of a network's prefix; write 1 to %d (the whole address)", n, most))
		}
	}
	bits("Devices.IPv4Bits", o.IPv4Bits, 32)
	bits("Devices.IPv6Bits", o.IPv6Bits, 128)
	if o.MaxUserAgent < 0 {
		errs = append(errs, check.Refuse("Devices.MaxUserAgent", "%d; write a positive number of bytes, or 0 for %d", o.MaxUserAgent, defaultUserAgent))
	}
	if !o.Addresses && (o.IPv4Bits != 0 || o.IPv6Bits != 0 || o.ClientAddress != nil) {
		errs = append(errs, check.Refuse("Devices", "IPv4Bits, IPv6Bits and ClientAddress have no effect without Addresses; set that, or leave them out"))
	}
	if !o.UserAgents && o.MaxUserAgent != 0 {
		errs = append(errs, check.Refuse("Devices", "MaxUserAgent has no effect without UserAgents; set that, or leave it out"))
	}
	return errors.Join(errs...)
}

// Observer observes the devices of a manager's sessions.
type Observer struct {
	Options
	Callback func(*http.Request) *http.Request // returns the request that a function of the application gets
}

// keeps reports whether anything is observed.
func (o *Observer) keeps() bool { return o.Addresses || o.UserAgents }

// Visit is a request with which the next version of a session's document is stored.
type Visit struct {
	Request     *http.Request // nil: it did not come with the session's id
	Owner       string        // of the session
	StoredOwner string        // of the version before
	Late        bool          // the version before was stored by a later visit
	Name        *string       // that the session gets now, as [Name] returns it; nil: it keeps its name
}

// Next returns what a session keeps after a visit, where it has kept before.
func (o *Observer) Next(before *document.Device, v Visit) *document.Device {
	if before == nil && v.Name == nil && !o.keeps() {
		return nil
	}
	d := before.Get()
	if v.Owner != v.StoredOwner {
		d = document.Device{Name: d.Name}
		if v.StoredOwner != "" {
			d.Name = ""
		}
	}
	if v.Name != nil {
		d.Name = *v.Name
	}
	if v.Request != nil && !v.Late {
		o.observe(&d, v.Request)
	}
	if !o.UserAgents {
		d.UserAgent = ""
	}
	if !o.Addresses {
		d.FirstAddress, d.LastAddress = netip.Prefix{}, netip.Prefix{}
	}
	d.FirstAddress, d.LastAddress = o.cut(d.FirstAddress), o.cut(d.LastAddress)
	return d.OrNil()
}

// observe notes what a request says. What it does not say stays.
func (o *Observer) observe(d *document.Device, r *http.Request) {
	if o.UserAgents {
		d.UserAgent = cmp.Or(Printable(r.UserAgent(), cmp.Or(o.MaxUserAgent, defaultUserAgent)), d.UserAgent)
	}
	if !o.Addresses {
		return
	}
	if at := o.address(r); at.IsValid() {
		d.LastAddress = at
	}
	if !d.FirstAddress.IsValid() {
		d.FirstAddress = d.LastAddress
	}
}

// Moved reports whether a visit changes what the session keeps.
func (o *Observer) Moved(before *document.Device, v Visit) bool {
	if before == nil && !o.keeps() {
		return false
	}
	return o.Next(before, v).Get() != before.Get()
}

// address returns the client's address; an invalid one if it is not known.
func (o *Observer) address(r *http.Request) netip.Prefix {
	addr := netip.Addr{}
	if o.ClientAddress != nil {
		addr = o.ClientAddress(o.Callback(r))
	} else if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		addr = at.Addr()
	} else if at, err := netip.ParseAddr(r.RemoteAddr); err == nil {
		addr = at
	}
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() {
		return netip.Prefix{}
	}
	return netip.PrefixFrom(addr, addr.BitLen())
}

// cut shortens a network's prefix to what is kept now. One that was stored with fewer bits
// stays as it is.
func (o *Observer) cut(p netip.Prefix) netip.Prefix {
	bits := cmp.Or(o.IPv6Bits, defaultIPv6Bits)
	if p.Addr().Is4() {
		bits = cmp.Or(o.IPv4Bits, defaultIPv4Bits)
	}
	if !p.IsValid() || p.Bits() <= bits {
		return p
	}
	return netip.PrefixFrom(p.Addr(), bits).Masked()
}

// Named returns a device with the name that a request has set, if it has.
func Named(d *document.Device, name *string) document.Device {
	named := d.Get()
	if name != nil {
		named.Name = *name
	}
	return named
}

// Cleaned returns fn with its result in the form in which it may be stored.
func (o *Observer) Cleaned(fn func(string, *document.Device)) func(string, *document.Device) {
	return func(key string, d *document.Device) {
		fn(key, d)
		d.Name = Name(d.Name)
		d.UserAgent = Printable(d.UserAgent, cmp.Or(o.MaxUserAgent, defaultUserAgent))
	}
}

// Name returns a name as it is stored: at most 64 characters that can be seen.
func Name(name string) string {
	name = Printable(name, len(name))
	n := 0
	for i := range name {
		if n++; n > maxName {
			return strings.TrimSpace(name[:i])
		}
	}
	return name
}

// Printable returns text without the characters that cannot be seen, or that change the text
// around them, cut to a number of bytes.
func Printable(text string, most int) string {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, text))
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return strings.TrimSpace(text[:most])
}
