package devices_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/nestsession/session/internal/devices"
	"github.com/nestsession/session/internal/document"
)

var all = devices.Options{Addresses: true, UserAgents: true}

func observer(o devices.Options) *devices.Observer {
	return &devices.Observer{Options: o, Callback: func(r *http.Request) *http.Request { return r }}
}

func visit(addr, agent string) devices.Visit {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = addr
	r.Header["User-Agent"] = []string{agent}
	return devices.Visit{Request: r, Owner: "user:1", StoredOwner: "user:1"}
}

func TestAddressesAreCutToNetworks(t *testing.T) {
	t.Parallel()
	whole := all
	whole.IPv4Bits, whole.IPv6Bits = 32, 128
	for _, c := range []struct {
		options    devices.Options
		addr, want string
	}{
		{all, "192.0.2.77:1234", "192.0.2.0/24"},
		{all, "192.0.2.77", "192.0.2.0/24"},
		{all, "[2001:db8:1:2:3:4:5:6]:443", "2001:db8:1::/48"},
		{all, "[::ffff:192.0.2.77]:443", "192.0.2.0/24"},
		{all, "[fe80::1%eth0]:443", "fe80::/48"},
		{whole, "192.0.2.77:1234", "192.0.2.77/32"},
		{whole, "[2001:db8::1]:443", "2001:db8::1/128"},
		{whole, "[fe80::1%eth0]:443", "fe80::1/128"},
		{devices.Options{Addresses: true, IPv4Bits: 16}, "192.0.2.77:1", "192.0.0.0/16"},
		{all, "", ""}, {all, "@", ""}, {all, "somewhere:80", ""}, {all, "192.0.2.256:1", ""},
		{devices.Options{UserAgents: true}, "192.0.2.77:1234", ""},
	} {
		d := observer(c.options).Next(nil, visit(c.addr, "x")).Get()
		want := netip.Prefix{}
		if c.want != "" {
			want = netip.MustParsePrefix(c.want)
		}
		if d.FirstAddress != want || d.LastAddress != want {
			t.Errorf("%+v of %s: %v and %v, want %v", c.options, c.addr, d.FirstAddress, d.LastAddress, want)
		}
	}
}

// A client can send any text. What is kept of it can be shown in a line.
func TestUserAgentsAreBoundedText(t *testing.T) {
	t.Parallel()
	short := all
	short.MaxUserAgent = 10
	for _, c := range []struct {
		options     devices.Options
		agent, want string
	}{
		{all, "Mozilla/5.0 (X11) Firefox/140.0", "Mozilla/5.0 (X11) Firefox/140.0"},
		{all, " \x00\u202e\ufeff ", ""},
		{all, "a\u202eb\x1b[31m", "ab[31m"},
		{all, "a\r\nSet-Cookie: x=1\tb\x7f\u0085\u2028", "aSet-Cookie: x=1b"},
		{all, "\xff\xfea\xc3", "a"},
		{all, "a\ufffdb", "ab"},
		{all, "<script>\"'&", "<script>\"'&"},
		{all, strings.Repeat("x", 5000), strings.Repeat("x", 256)},
		{all, strings.Repeat("날", 5000), strings.Repeat("날", 85)},
		{short, "날날날날", "날날날"},
		{short, "123456789 1", "123456789"},
		{devices.Options{Addresses: true}, "curl/8.5.0", ""},
	} {
		if got := observer(c.options).Next(nil, visit("192.0.2.1:1", c.agent)).Get().UserAgent; got != c.want {
			t.Errorf("%q is kept as %q, want %q", c.agent, got, c.want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("Mozilla/5.0", 10)
	f.Add("\xff\u202e날\x00", 3)
	f.Fuzz(func(t *testing.T, text string, most int) {
		for _, got := range []string{devices.Printable(text, max(most, 0)), devices.Name(text)} {
			if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.TrimSpace(got) != got {
				t.Errorf("%q is kept as %q", text, got)
			}
		}
		if got := devices.Printable(text, max(most, 0)); len(got) > max(most, 0) {
			t.Errorf("%d bytes of %q, want at most %d", len(got), text, most)
		}
		if got := devices.Name(text); utf8.RuneCountInString(got) > 64 || devices.Name(got) != got {
			t.Errorf("%q is named %q", text, got)
		}
	})
}

func TestWhatAVisitChanges(t *testing.T) {
	t.Parallel()
	o := observer(all)
	name := "the tablet"
	home, away := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24")
	before := &document.Device{Name: "old", UserAgent: "one", FirstAddress: home, LastAddress: home}
	here, there := visit("192.0.2.1:1", "one"), visit("198.51.100.1:1", "two")
	with := func(v devices.Visit, change func(*devices.Visit)) devices.Visit {
		change(&v)
		return v
	}
	for about, c := range map[string]struct {
		visit devices.Visit
		want  document.Device
	}{
		"the same place":           {here, *before},
		"another place":            {there, document.Device{Name: "old", UserAgent: "two", FirstAddress: home, LastAddress: away}},
		"a later visit has saved":  {with(there, func(v *devices.Visit) { v.Late = true }), *before},
		"not with its id":          {with(there, func(v *devices.Visit) { v.Request = nil }), *before},
		"another owner":            {with(there, func(v *devices.Visit) { v.Owner = "user:2" }), document.Device{UserAgent: "two", FirstAddress: away, LastAddress: away}},
		"no owner any more":        {with(there, func(v *devices.Visit) { v.Owner = "" }), document.Device{UserAgent: "two", FirstAddress: away, LastAddress: away}},
		"a visitor logs in":        {with(there, func(v *devices.Visit) { v.StoredOwner = "" }), document.Device{Name: "old", UserAgent: "two", FirstAddress: away, LastAddress: away}},
		"a name":                   {with(here, func(v *devices.Visit) { v.Name = &name }), document.Device{Name: name, UserAgent: "one", FirstAddress: home, LastAddress: home}},
		"a name for another owner": {with(there, func(v *devices.Visit) { v.Owner, v.Name = "user:2", &name }), document.Device{Name: name, UserAgent: "two", FirstAddress: away, LastAddress: away}},
		"it says nothing":          {visit("@", ""), *before},
	} {
		if got := o.Next(before, c.visit).Get(); got != c.want {
			t.Errorf("%s: %+v, want %+v", about, got, c.want)
		}
		if moved := o.Moved(before, c.visit); moved != (c.want != *before) {
			t.Errorf("%s: moved is %v", about, moved)
		}
	}
	if *before != (document.Device{Name: "old", UserAgent: "one", FirstAddress: home, LastAddress: home}) {
		t.Errorf("the stored device was changed to %+v", *before)
	}
}

func TestOff(t *testing.T) { // not parallel: it counts allocations
	o := observer(devices.Options{})
	v := visit("192.0.2.1:1", "one")
	if n := testing.AllocsPerRun(100, func() {
		if o.Next(nil, v) != nil || o.Moved(nil, v) {
			t.Error("something is kept")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	// What was kept before is dropped, except for the name.
	before := &document.Device{Name: "old", UserAgent: "one", LastAddress: netip.MustParsePrefix("192.0.2.0/24")}
	if got := o.Next(before, v).Get(); got != (document.Device{Name: "old"}) || !o.Moved(before, v) {
		t.Errorf("it keeps %+v", got)
	}
	if o.Next(&document.Device{UserAgent: "one"}, v) != nil {
		t.Error("an empty device is kept")
	}
}

func TestOptionsThatCannotWork(t *testing.T) {
	t.Parallel()
	anywhere := func(*http.Request) netip.Addr { return netip.Addr{} }
	for _, c := range []struct {
		options devices.Options
		want    string
	}{
		{devices.Options{}, ""},
		{all, ""},
		{devices.Options{Addresses: true, IPv4Bits: 32, IPv6Bits: 128, ClientAddress: anywhere}, ""},
		{devices.Options{UserAgents: true, MaxUserAgent: 4096}, ""},
		{devices.Options{Addresses: true, IPv4Bits: 33}, "session: Config.Devices.IPv4Bits: 33"},
		{devices.Options{Addresses: true, IPv4Bits: -1}, "session: Config.Devices.IPv4Bits: -1"},
		{devices.Options{Addresses: true, IPv6Bits: 129}, "session: Config.Devices.IPv6Bits: 129"},
		{devices.Options{UserAgents: true, MaxUserAgent: -1}, "session: Config.Devices.MaxUserAgent: -1"},
		{devices.Options{IPv4Bits: 24}, "have no effect without Addresses"},
		{devices.Options{UserAgents: true, ClientAddress: anywhere}, "have no effect without Addresses"},
		{devices.Options{Addresses: true, MaxUserAgent: 10}, "has no effect without UserAgents"},
	} {
		err := c.options.Check()
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.options, err, c.want)
		}
	}
}
