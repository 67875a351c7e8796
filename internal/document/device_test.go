package document

import (
	"bytes"
	"net/netip"
	"testing"
)

var laptop = Device{Name: "노트북 \"1\"", UserAgent: "Mozilla/5.0 <X11>", FirstAddress: netip.MustParsePrefix("192.0.2.0/24"), LastAddress: netip.MustParsePrefix("2001:db8::/48")}

// A device comes back from a document, in a text that is read by hand and in one that is not.
func TestDevicesComeBack(t *testing.T) {
	t.Parallel()
	s := NewSealer([]string{"a secret for tests"}, "", false, false)
	plain := laptop
	plain.Name, plain.UserAgent = "laptop", "Mozilla/5.0 (X11)"
	for _, d := range []Device{laptop, plain, {Name: "a"}, {UserAgent: "b"}, {FirstAddress: laptop.FirstAddress}, {LastAddress: laptop.LastAddress}} {
		m := Meta{Created: 1, Owner: "user:1", Device: &d}
		data := Dataless([]byte(`{}`), m, s, "key")
		if got := s.MetaOf("key", data); got.Owner != "user:1" || got.Device.Get() != d {
			t.Errorf("%s comes back as %+v", data, got.Device)
		}
		if n := len(data) - len(Dataless([]byte(`{}`), Meta{Created: 1, Owner: "user:1"}, s, "key")); n != d.Len() {
			t.Errorf("%+v takes %d bytes, and says %d", d, n, d.Len())
		}
	}
}

// Anyone who can write a record can neither invent a device nor change one.
func TestDevicesAreSealed(t *testing.T) {
	t.Parallel()
	s := NewSealer([]string{"a secret for tests"}, "", false, false)
	data := Dataless([]byte(`{}`), Meta{Owner: "user:1", Device: &Device{Name: "laptop", LastAddress: laptop.FirstAddress}}, s, "key")
	for _, change := range [][2]string{
		{"laptop", "laptap"}, {"192.0.2.0", "192.0.3.0"}, {"/24", "/23"}, {`"name"`, `"userAgent"`}, {`"last"`, `"first"`},
		{`,"device":{"name":"laptop","last":"192.0.2.0/24"}`, ``}, {`{"name":"laptop","last":"192.0.2.0/24"}`, `{}`},
	} {
		forged := bytes.Replace(data, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(forged, data) {
			t.Fatalf("%s has no %s", data, change[0])
		}
		if got := s.MetaOf("key", forged); got != (Meta{}) {
			t.Errorf("%s counts as %+v", forged, got)
		}
	}
}

// A document that was decoded does not keep the memory that its record came in.
func TestADeviceHasTextOfItsOwn(t *testing.T) {
	t.Parallel()
	s := NewSealer([]string{"a secret for tests"}, "", false, false)
	data := Dataless([]byte(`{}`), Meta{Device: &Device{Name: "laptop", UserAgent: "Mozilla"}}, s, "key")
	m := s.MetaOf("key", data)
	for i := range data {
		data[i] = 'x'
	}
	if m.Device.Get() != (Device{Name: "laptop", UserAgent: "Mozilla"}) {
		t.Errorf("the device is %+v", m.Device)
	}
}
