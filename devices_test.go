package session_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

var allOfDevices = session.Devices{Addresses: true, UserAgents: true}

// visitFrom sends a request with a user agent from an address.
func visitFrom(m *session.Manager[account], b *browser, addr, agent string, h handler) *http.Response {
	r := b.request("GET", "/")
	r.RemoteAddr = addr + ":4711"
	r.Header.Set("User-Agent", agent)
	return b.send(m.HandlerFunc(h), r)
}

func logsIn(owner string) handler {
	return func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Login(r.Context(), owner); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

func reading(http.ResponseWriter, *http.Request, *session.Session[account]) {}

// deviceOf is what the only session of an owner says of its device.
func deviceOf(t *testing.T, m *session.Manager[account], owner string) session.Device {
	t.Helper()
	var all []session.Device
	for info, err := range m.List(t.Context(), owner) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, info.Device)
	}
	if len(all) != 1 {
		t.Fatalf("%q has %d sessions", owner, len(all))
	}
	return all[0]
}

// By default nothing is kept: neither in the record nor in a list.
func TestDevicesAreOffByDefault(t *testing.T) {
	t.Parallel()
	kept := newHooked(t)
	m, b := newManager[account](t, session.Config{Store: kept, StoreLimits: session.StoreLimits{TouchInterval: -1}}), newBrowser()
	visitFrom(m, b, "192.0.2.7", "an agent", logsIn(ownerName))
	visitFrom(m, b, "198.51.100.7", "another agent", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		if d := s.Device(); d != (session.Device{}) {
			t.Errorf("the session has %+v", d)
		}
	})
	if d := deviceOf(t, m, ownerName); d != (session.Device{}) {
		t.Errorf("the list has %+v", d)
	}
	for _, rec := range records(t, kept) {
		if bytes.Contains(rec.Data, []byte("agent")) || bytes.Contains(rec.Data, []byte("device")) || bytes.Contains(rec.Data, []byte("192.0.2")) {
			t.Errorf("the record says %s", rec.Data)
		}
	}
}

// A handler sees the device of the session as it was stored, and after Login as it is now.
func TestASessionKnowsItsDevice(t *testing.T) {
	t.Parallel()
	m, b := newManager[account](t, session.Config{Devices: allOfDevices, StoreLimits: session.StoreLimits{TouchInterval: -1}}), newBrowser()
	seen := func(want string) handler {
		return func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
			t.Helper()
			d := s.Device()
			if got := fmt.Sprint(d.Name, "|", d.UserAgent, "|", d.FirstAddress, "|", d.LastAddress); got != want {
				t.Errorf("the session has %s, want %s", got, want)
			}
		}
	}
	visitFrom(m, b, "192.0.2.7", "one", func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		seen("||invalid Prefix|invalid Prefix")(w, r, s)
		logsIn(ownerName)(w, r, s)
		s.SetDeviceName("the tablet")
		seen("the tablet||invalid Prefix|invalid Prefix")(w, r, s)
		if err := s.Save(r.Context()); err != nil {
			t.Error(err)
		}
		seen("the tablet|one|192.0.2.0/24|192.0.2.0/24")(w, r, s)
	})
	visitFrom(m, b, "198.51.100.7", "two", seen("the tablet|one|192.0.2.0/24|192.0.2.0/24"))
	visitFrom(m, b, "198.51.100.7", "two", seen("the tablet|two|192.0.2.0/24|198.51.100.0/24"))
	visitFrom(m, b, "203.0.113.7", "three", func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		logsIn(ownerName)(w, r, s)
		seen("the tablet|three|192.0.2.0/24|203.0.113.0/24")(w, r, s)
		s.SetDeviceName("a name that Reload drops")
		if err := s.Reload(r.Context()); err != nil {
			t.Error(err)
		}
		seen("the tablet|three|192.0.2.0/24|203.0.113.0/24")(w, r, s)
		if err := s.Regenerate(r.Context()); err != nil {
			t.Error(err)
		}
		seen("||invalid Prefix|invalid Prefix")(w, r, s)
	})
}

// The function that finds the client behind a proxy is called for writes only, and must not use
// the session of its request.
func TestClientAddress(t *testing.T) {
	t.Parallel()
	calls := 0
	var m *session.Manager[account]
	kept := session.Devices{Addresses: true, IPv4Bits: 32, ClientAddress: func(r *http.Request) netip.Addr {
		calls++
		if _, err := m.Load(r.Context()); !errors.Is(err, session.ErrReentrant) {
			t.Errorf("Load in ClientAddress: %v", err)
		}
		addr, _ := netip.ParseAddr(r.Header.Get("X-Real-Ip"))
		return addr
	}}
	m = newManager[account](t, session.Config{Devices: kept})
	b := newBrowser()
	send := func(realIP string, h handler) {
		r := b.request("GET", "/")
		r.Header.Set("X-Real-Ip", realIP)
		b.send(m.HandlerFunc(h), r)
	}
	send("203.0.113.9", logsIn(ownerName))
	made := calls
	send("203.0.113.10", reading)
	send("203.0.113.11", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.Discard() })
	if calls != made || made == 0 {
		t.Errorf("it was called %d times for a login and %d for two visits that write nothing", made, calls-made)
	}
	send("not an address", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.Update(adding("a")) })
	want := netip.MustParsePrefix("203.0.113.9/32")
	if d := deviceOf(t, m, ownerName); d.FirstAddress != want || d.LastAddress != want {
		t.Errorf("the addresses are %v and %v, want %v", d.FirstAddress, d.LastAddress, want)
	}
}

// Nothing of a device is in events, in the log, or in what a session prints.
func TestPromise11_DevicesStayOutOfLogs(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var events journal
	kept := newHooked(t)
	m, b := newManager[account](t, session.Config{Store: kept, Devices: allOfDevices, StoreLimits: session.StoreLimits{TouchInterval: -1}, OnEvent: events.add,
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}), newBrowser()
	visitFrom(m, b, "192.0.2.7", "an agent", logsIn(ownerName))
	visitFrom(m, b, "192.0.2.7", "an agent", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.SetDeviceName("a laptop")
		fmt.Fprint(&log, s)
	})
	kept.before = failing("update", "touch")
	visitFrom(m, b, "198.51.100.7", "an agent", reading)
	visitFrom(m, b, "198.51.100.7", "an agent", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.Update(adding("a")) })
	kept.before = nil
	for info, err := range m.List(t.Context(), ownerName) {
		fmt.Fprintf(&log, "%v %+v %#v %v", info, info, info, err)
		slog.New(slog.NewTextHandler(&log, nil)).Info("listed", "session", info)
	}
	text := log.String() + fmt.Sprint(events.take())
	for _, private := range []string{"agent", "laptop", "192.0.2", "198.51.100"} {
		if strings.Contains(text, private) {
			t.Errorf("%q is in %s", private, text)
		}
	}
	if !strings.Contains(text, "touch failed") && !strings.Contains(text, string(session.EventTouchFailed)) {
		t.Errorf("no touch has failed in %s", text)
	}
}

// A name alone is a change that is saved, and saved over by nobody's older view.
func TestDeviceNamesAreChanges(t *testing.T) {
	t.Parallel()
	kept := newHooked(t)
	var events journal
	m := newManager[account](t, session.Config{Store: kept, OnEvent: events.add})
	b := newBrowser()
	visitFrom(m, b, "192.0.2.7", "x", logsIn(ownerName))
	naming := func(name string) handler {
		return func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.SetDeviceName(name) }
	}
	kept.calls()
	visitFrom(m, b, "192.0.2.7", "x", naming("  a\x00\u202eb  "))
	if d := deviceOf(t, m, ownerName); d != (session.Device{Name: "ab"}) {
		t.Errorf("the device is %+v", d)
	}
	if got := strings.Join(kept.calls(), " "); got != "load update" {
		t.Errorf("naming a device makes the calls %q", got)
	}
	visitFrom(m, b, "192.0.2.7", "x", naming("ab")) // it has this name
	if got := strings.Join(kept.calls(), " "); got != "load" {
		t.Errorf("the same name makes the calls %q", got)
	}
	// Another request saves in between.
	visitFrom(m, b, "192.0.2.7", "x", func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		visitFrom(m, b.fork(), "192.0.2.7", "x", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { s.Update(adding("b")) })
		naming("mine")(w, r, s)
	})
	if d := deviceOf(t, m, ownerName); d.Name != "mine" || !peek(m, b).Keys["b"] {
		t.Errorf("the device is %+v of %+v", d, peek(m, b))
	}
	visitFrom(m, b, "192.0.2.7", "x", func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		visitFrom(m, b.fork(), "192.0.2.7", "x", naming("theirs"))
		s.Update(adding("c"))
	})
	if d := deviceOf(t, m, ownerName); d.Name != "theirs" || !peek(m, b).Keys["c"] {
		t.Errorf("the device is %+v of %+v", d, peek(m, b))
	}
	// What a panic undoes, and what comes too late, is reported.
	events.take()
	func() {
		defer func() { _ = recover() }()
		visitFrom(m, b, "192.0.2.7", "x", func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
			s.SetDeviceName("lost")
			panic("in a handler")
		})
	}()
	if got := events.kinds(); got != "dropped: "+string(session.ReasonPanicked) {
		t.Errorf("after a panic: %s", got)
	}
	var late *session.Session[account]
	visitFrom(m, b, "192.0.2.7", "x", func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) { late = s })
	late.SetDeviceName("too late")
	if got := events.kinds(); got != "dropped: "+string(session.ReasonFinished) {
		t.Errorf("after the end: %s", got)
	}
	visitFrom(m, b, "192.0.2.7", "x", func(w http.ResponseWriter, r *http.Request, s *session.Session[account]) {
		if err := s.Destroy(r.Context()); err != nil {
			t.Error(err)
		}
		s.SetDeviceName("of nothing")
	})
	if n := len(records(t, kept)); n != 0 {
		t.Errorf("%d records are left", n)
	}
}

// What is kept of a device neither makes a session too large nor keeps it from being touched.
func TestDevicesDoNotCountAsData(t *testing.T) {
	t.Parallel()
	clk := newClock()
	kept := &hooked{inner: memstore.New(memstore.Config{Now: clk.now})}
	cfg := session.Config{Store: kept, Now: clk.now, IdleTimeout: time.Hour, MaxBytes: 600}
	b := newBrowser()
	visitFrom(newManager[account](t, cfg), b, "192.0.2.7", "x", logsIn(ownerName))
	size := len(records(t, kept)[0].Data) // without a device
	cfg.Devices = allOfDevices
	m := newManager[account](t, cfg)
	fill := func(_ http.ResponseWriter, _ *http.Request, s *session.Session[account]) {
		s.Update(func(a *account) { a.Tags = []string{strings.Repeat("x", cfg.MaxBytes-size-len(`,"tags":[""]`))} })
	}
	if res := visitFrom(m, b, "192.0.2.7", strings.Repeat("y", 1000), fill); res.StatusCode != http.StatusOK {
		t.Fatalf("answered %d", res.StatusCode)
	}
	for i := range 20 { // longer than the idle timeout
		clk.advance(30 * time.Minute)
		visitFrom(m, b, fmt.Sprintf("198.51.%d.7", i), strings.Repeat("z", 10*i), reading)
	}
	if d := deviceOf(t, m, ownerName); d.LastAddress != netip.MustParsePrefix("198.51.19.0/24") {
		t.Errorf("the device is %+v", d)
	}
	if n := len(records(t, kept)[0].Data); n <= cfg.MaxBytes {
		t.Errorf("the record has %d bytes, which shows nothing", n)
	}
	if n, err := m.UpdateOwner(t.Context(), ownerName, func(a *account) { a.Count++ }); n != 1 || err != nil {
		t.Errorf("UpdateOwner: %d, %v", n, err)
	}
}

// A touch that another request has made needless drops what is new of the device: it is as exact
// as the touch.
func TestOfTwoTouchesOneIsWritten(t *testing.T) {
	t.Parallel()
	clk := newClock()
	s := &hooked{inner: memstore.New(memstore.Config{Now: clk.now})}
	m, b := newManager[account](t, session.Config{Store: s, Devices: allOfDevices, Now: clk.now, IdleTimeout: time.Hour}), newBrowser()
	visitFrom(m, b, "192.0.2.7", "x", logsIn(ownerName))
	clk.advance(10 * time.Minute)
	s.calls()
	visitFrom(m, b, "198.51.100.7", "x", func(http.ResponseWriter, *http.Request, *session.Session[account]) {
		visitFrom(m, b.fork(), "203.0.113.7", "x", reading)
	})
	if got := strings.Join(s.calls(), " "); got != "load load update update load" {
		t.Errorf("the calls are %q", got)
	}
	if d := deviceOf(t, m, ownerName); d.LastAddress != netip.MustParsePrefix("203.0.113.0/24") {
		t.Errorf("the device is %+v", d)
	}
}

// A store that fails a touch with a new address answers the page nevertheless.
func TestADeviceThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	kept := newHooked(t)
	var events journal
	m, b := newManager[account](t, session.Config{Store: kept, Devices: allOfDevices, StoreLimits: session.StoreLimits{TouchInterval: -1}, OnEvent: events.add}), newBrowser()
	visitFrom(m, b, "192.0.2.7", "x", logsIn(ownerName))
	events.take()
	kept.before = failing("update")
	if res := visitFrom(m, b, "198.51.100.7", "x", reading); res.StatusCode != http.StatusOK {
		t.Errorf("answered %d", res.StatusCode)
	}
	if got := events.kinds(); got != string(session.EventTouchFailed) {
		t.Errorf("events: %s", got)
	}
	// A session that ended meanwhile stays ended.
	kept.before = nil
	visitFrom(m, b, "198.51.100.7", "x", func(http.ResponseWriter, *http.Request, *session.Session[account]) {
		if _, err := m.RevokeOwner(context.WithoutCancel(t.Context()), ownerName); err != nil {
			t.Error(err)
		}
	})
	if n := len(records(t, kept)); n != 0 {
		t.Errorf("%d records", n)
	}
}

func TestUpdateDevicesOfNobody(t *testing.T) {
	t.Parallel()
	m := newManager[account](t, session.Config{Store: noLister{newHooked(t)}})
	erase := func(_ string, d *session.Device) { *d = session.Device{} }
	if _, err := m.UpdateDevices(t.Context(), "", erase); !errors.Is(err, session.ErrNoOwner) {
		t.Errorf("the owner %q: %v", "", err)
	}
	if _, err := m.UpdateDevices(t.Context(), ownerName, erase); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a store that does not list: %v", err)
	}
}

// noLister is a store that does not list.
type noLister struct{ store.Store }

func TestDevicesThatCannotWork(t *testing.T) {
	t.Parallel()
	for want, kept := range map[string]session.Devices{
		"Config.Devices.IPv4Bits":            {Addresses: true, IPv4Bits: 64},
		"have no effect without Addresses":   {UserAgents: true, IPv6Bits: 64},
		"Config.Devices.MaxUserAgent: -1":    {UserAgents: true, MaxUserAgent: -1},
		"has no effect without UserAgents":   {Addresses: true, MaxUserAgent: 10},
		"Config.Secrets: none given; write ": {IPv4Bits: 1},
	} {
		cfg := session.Config{Secrets: []string{secret}, Devices: kept}
		if strings.Contains(want, "Secrets") {
			cfg.Secrets = nil // all that is wrong is named
		}
		if _, err := session.New[account](cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q in it", kept, err, want)
		}
	}
}
