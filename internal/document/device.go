package document

import (
	"net/netip"
	"sync"
)

// Device is what the bookkeeping knows of the client's device. A [Meta] has none if there is
// nothing to keep.
type Device struct {
	Name         string       `json:"name,omitempty"`
	UserAgent    string       `json:"userAgent,omitempty"`
	FirstAddress netip.Prefix `json:"first,omitzero"`
	LastAddress  netip.Prefix `json:"last,omitzero"`
}

// OrNil returns a pointer to d, nil if there is nothing in it.
func (d Device) OrNil() *Device {
	if d == (Device{}) {
		return nil
	}
	return &d
}

// Get returns what d points to, and the zero value for nil.
func (d *Device) Get() Device {
	if d == nil {
		return Device{}
	}
	return *d
}

// size is about how many bytes d takes, in a document or in memory.
func (d *Device) size() int {
	if d == nil {
		return 0
	}
	return 128 + len(d.Name) + len(d.UserAgent)
}

// Len is how many bytes d takes in a document.
func (d *Device) Len() int {
	var space [512]byte
	return len(d.append(space[:0]))
}

// append writes d as a member of the bookkeeping.
func (d *Device) append(dst []byte) []byte {
	if d == nil {
		return dst
	}
	dst = append(dst, `,"device":`...)
	first := len(dst)
	text := func(key, s string) {
		if s != "" {
			dst = AppendJSONText(append(dst, key...), s)
		}
	}
	text(`,"name":`, d.Name)
	text(`,"userAgent":`, d.UserAgent)
	address := func(key string, p netip.Prefix) {
		if p.IsValid() {
			dst = append(p.AppendTo(append(dst, key...)), '"')
		}
	}
	address(`,"first":"`, d.FirstAddress)
	address(`,"last":"`, d.LastAddress)
	if len(dst) == first {
		return append(dst, "{}"...)
	}
	dst[first] = '{' // in place of the comma
	return append(dst, '}')
}

// parse reads a device in the form in which append writes it, and returns where it ends.
func (d *Device) parse(text []byte, at int) (end int, ok bool) {
	if at >= len(text) || text[at] != '{' {
		return at, false
	}
	for i := at + 1; i < len(text); i++ {
		var key, value string
		if i, ok = parseText(&key, text, i); !ok || i >= len(text) || text[i] != ':' {
			return at, false
		}
		if i, ok = parseText(&value, text, i+1); !ok || i >= len(text) {
			return at, false
		}
		var err error
		switch key {
		case "name":
			d.Name = value
		case "userAgent":
			d.UserAgent = value
		case "first":
			d.FirstAddress, err = netip.ParsePrefix(value)
		case "last":
			d.LastAddress, err = netip.ParsePrefix(value)
		default:
			return at, false
		}
		switch {
		case err != nil:
			return at, false
		case text[i] == '}':
			return i + 1, true
		case text[i] != ',':
			return at, false
		}
	}
	return at, false
}

// ChangeDevices returns a function that applies fn to the device of a document. It returns
// the document's next text: only the bookkeeping is rewritten. It returns nil if fn changes
// nothing, or if the bookkeeping does not count.
//
// The result may be called from several goroutines. fn runs in one of them at a time.
func (c *Codec[T]) ChangeDevices(fn func(key string, d *Device)) func(Stored) ([]byte, error) {
	var one sync.Mutex
	return func(stored Stored) ([]byte, error) {
		d := stored.(*Document[T])
		m := d.Meta
		was := m.Device.Get()
		is := was
		one.Lock()
		fn(d.entry.Key, &is)
		one.Unlock()
		if is == was || m.Forged {
			return nil, nil
		}
		m.Device, m.Stale = is.OrNil(), false
		data, err := c.withoutMeta(d, nil)
		if err != nil {
			return nil, err
		}
		return append(m.append(data, c.Seal, d.entry.Key), '}'), nil
	}
}
