package promises

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
)

// counted is a node's store that records which calls it gets.
type counted struct {
	store.Store

	mu     sync.Mutex
	calls  []string
	before func(op string) // runs before each call
}

func (c *counted) Unwrap() store.Store { return c.Store }

func (c *counted) call(op string) {
	c.mu.Lock()
	c.calls = append(c.calls, op)
	before := c.before
	c.mu.Unlock()
	if before != nil {
		before(op)
	}
}

// take returns the calls since it was last called.
func (c *counted) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = nil
	return strings.Join(calls, " ")
}

func (c *counted) Load(ctx context.Context, id string) (store.Record, error) {
	c.call("load")
	return c.Store.Load(ctx, id)
}

func (c *counted) Create(ctx context.Context, r store.Record) (store.Version, error) {
	c.call("create")
	return c.Store.Create(ctx, r)
}

func (c *counted) Update(ctx context.Context, r store.Record) (store.Version, error) {
	c.call("update")
	return c.Store.Update(ctx, r)
}

func (c *counted) Touch(ctx context.Context, id string, expires time.Time) error {
	c.call("touch")
	return c.Store.Touch(ctx, id, expires)
}

func (c *counted) Delete(ctx context.Context, id string) error {
	c.call("delete")
	return c.Store.Delete(ctx, id)
}

// street is a world with sessions that have devices, and the stores of its two nodes.
type street struct {
	*world
	stores []*counted
}

func beginDevices(t *testing.T, env Env, kept session.Devices) *street {
	t.Helper()
	s := &street{}
	inner := env.Node
	env.Node = func(t *testing.T, kept store.Store) store.Store {
		if inner != nil {
			kept = inner(t, kept)
		}
		s.stores = append(s.stores, &counted{Store: kept})
		return s.stores[len(s.stores)-1]
	}
	s.world = begin(t, env, func(c *session.Config) {
		c.Cookie.MaxAge, c.IdleTimeout, c.StoreLimits.TouchInterval = 0, time.Hour, 5*time.Minute
		c.Devices = kept
	})
	return s
}

// from sends a request from an address with a user agent.
func (b *browser) from(t *testing.T, m *manager, addr, agent string, do action) {
	t.Helper()
	r := b.request()
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(addr), 40000).String()
	r.Header.Set("User-Agent", agent)
	b.receive(r, send(t, m, r, do))
}

// listed returns the only session of an owner.
func (s *street) listed(owner string) session.Info[data] {
	s.t.Helper()
	var all []session.Info[data]
	for info, err := range s.b.List(s.t.Context(), owner) {
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, info)
	}
	if len(all) != 1 {
		s.t.Fatalf("%q has %d sessions, want 1", owner, len(all))
	}
	return all[0]
}

func (s *street) want(owner, name, agent, first, last string) {
	s.t.Helper()
	info := s.listed(owner)
	got := info.Device
	text := func(p netip.Prefix) string {
		if !p.IsValid() {
			return ""
		}
		return p.String()
	}
	if is, want := fmt.Sprintf("%q %q %q %q", got.Name, got.UserAgent, text(got.FirstAddress), text(got.LastAddress)), fmt.Sprintf("%q %q %q %q", name, agent, first, last); is != want {
		s.t.Errorf("the device of %s is %s, want %s", owner, is, want)
	}
}

// near reports whether two times are the same to within a store's rounding.
func near(a, b time.Time) bool { return a.Sub(b).Abs() < 2*time.Second }

var everything = session.Devices{Addresses: true, UserAgents: true}

// Devices tests that what is kept of a device is written with what is written anyway.
func Devices(t *testing.T, env Env) {
	t.Run("no write is added", func(t *testing.T) {
		t.Parallel()
		var calls [2][]string
		for i, kept := range []session.Devices{{}, everything} {
			s, b := beginDevices(t, env, kept), newBrowser()
			note := func(addr string, do action) {
				b.from(t, s.a, addr, "agent of "+addr, do)
				calls[i] = append(calls[i], s.stores[0].take())
			}
			newBrowser().from(t, s.a, "198.51.100.1", "a visitor", read)
			if got := s.stores[0].take(); got != "" {
				t.Errorf("a visitor without a session costs %q", got)
			}
			note("192.0.2.7", login("ada"))
			s.advance(time.Minute)
			note("203.0.113.9", read) // less than the touch's interval later
			if kept.Addresses {
				s.want("user:ada", "", "agent of 192.0.2.7", "192.0.2.0/24", "192.0.2.0/24")
			}
			s.advance(6 * time.Minute)
			note("192.0.2.7", read) // only the time has changed
			s.advance(6 * time.Minute)
			note("203.0.113.9", read)
			if info := s.listed("user:ada"); !near(info.LastUsed, s.clock()) {
				t.Errorf("last used at %v, want %v", info.LastUsed, s.clock())
			}
			if kept.Addresses {
				s.want("user:ada", "", "agent of 203.0.113.9", "192.0.2.0/24", "203.0.113.0/24")
			}
			s.advance(time.Second)
			note("2001:db8:1:2::3", add("a change"))
			if kept.Addresses {
				s.want("user:ada", "", "agent of 2001:db8:1:2::3", "192.0.2.0/24", "2001:db8:1::/48")
			} else {
				s.want("user:ada", "", "", "", "")
			}
		}
		off, on := calls[0], calls[1]
		if want := strings.Replace(off[3], "touch", "update", 1); on[3] != want || !strings.HasSuffix(off[3], "touch") {
			t.Errorf("a touch from another network makes the calls %q, without devices %q", on[3], off[3])
		}
		off[3], on[3] = "", ""
		if !slices.Equal(off, on) || !strings.HasSuffix(on[2], "touch") || strings.HasSuffix(on[1], "touch") || strings.HasSuffix(on[1], "update") {
			t.Errorf("the calls of the store are\n%q, without devices\n%q", on, off)
		}
	})
	t.Run("it lives as long as the session of its owner", func(t *testing.T) {
		t.Parallel()
		s, b := beginDevices(t, env, everything), newBrowser()
		name := func(name string) action {
			return func(_ *testing.T, _ *manager, _ *http.Request, s *current) { s.SetDeviceName(name) }
		}
		b.from(t, s.a, "203.0.113.9", "one", add("a visitor's"))
		b.from(t, s.a, "203.0.113.9", "one", name("at home"))
		b.from(t, s.a, "192.0.2.7", "one", login("ada"))
		s.want("user:ada", "at home", "one", "192.0.2.0/24", "192.0.2.0/24")
		b.from(t, s.b, "198.51.100.1", "two", renew)
		s.want("user:ada", "at home", "two", "192.0.2.0/24", "198.51.100.0/24")
		b.from(t, s.a, "203.0.113.9", "three", login("ada"))
		s.want("user:ada", "at home", "three", "192.0.2.0/24", "203.0.113.0/24")
		b.from(t, s.a, "203.0.113.9", "three", name(""))
		s.want("user:ada", "", "three", "192.0.2.0/24", "203.0.113.0/24")
		b.from(t, s.b, "203.0.113.9", "three", name("the tablet"))
		s.want("user:ada", "the tablet", "three", "192.0.2.0/24", "203.0.113.0/24")
		b.from(t, s.b, "198.51.100.1", "three", login("grace"))
		s.want("user:grace", "", "three", "198.51.100.0/24", "198.51.100.0/24")
		b.from(t, s.b, "203.0.113.9", "three", func(_ *testing.T, _ *manager, _ *http.Request, s *current) { s.SetOwner("user:alan") })
		s.want("user:alan", "", "three", "203.0.113.0/24", "203.0.113.0/24")
		b.from(t, s.b, "203.0.113.9", "three", destroy)
		for rec, err := range s.listAll() {
			if err != nil || strings.Contains(string(rec.Data), "203.0.113") || strings.Contains(string(rec.Data), "three") {
				t.Errorf("after the logout a record says %s (%v)", rec.Data, err)
			}
		}
	})
	t.Run("an owner's devices are named and erased", func(t *testing.T) {
		t.Parallel()
		s, b := beginDevices(t, env, everything), newBrowser()
		b.from(t, s.a, "192.0.2.7", "one", login("ada"))
		change := func(want int, fn func(digest string, d *session.Device)) {
			t.Helper()
			if n, err := s.b.UpdateDevices(t.Context(), "user:ada", fn); n != want || err != nil {
				t.Errorf("UpdateDevices changed %d (%v), want %d", n, err, want)
			}
		}
		digest := s.listed("user:ada").Digest
		change(1, func(d string, device *session.Device) {
			if d == digest {
				device.Name = "the\n" + strings.Repeat("é", 100)
			}
		})
		s.want("user:ada", "the"+strings.Repeat("é", 61), "one", "192.0.2.0/24", "192.0.2.0/24")
		change(0, func(string, *session.Device) {})
		before := s.listed("user:ada")
		change(1, func(_ string, d *session.Device) { *d = session.Device{} })
		s.want("user:ada", "", "", "", "")
		if after := s.listed("user:ada"); !near(after.LastUsed, before.LastUsed) || !near(after.Expires, before.Expires) {
			t.Errorf("after the devices were erased the session was used at %v and ends at %v, before %v and %v", after.LastUsed, after.Expires, before.LastUsed, before.Expires)
		}
		b.from(t, s.a, "203.0.113.9", "two", add("more"))
		s.want("user:ada", "", "two", "203.0.113.0/24", "203.0.113.0/24")
		if d, owner := peek(t, s.a, b); d.User != "ada" || owner != "user:ada" {
			t.Errorf("the session is %+v of %q", d, owner)
		}
	})
	t.Run("of two requests the later one counts", func(t *testing.T) {
		t.Parallel()
		for name, later := range map[string]string{"that saves last": "first", "that saves first": "second"} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s, b := beginDevices(t, env, everything), newBrowser()
				b.from(t, s.a, "198.51.100.1", "login", login("ada"))
				s.advance(time.Minute)
				var once sync.Once
				other := func() {
					s.advance(time.Minute)
					b.fork().from(t, s.b, "203.0.113.9", "second", add("second"))
				}
				inside := func(t *testing.T, m *manager, r *http.Request, s *current) { add("first")(t, m, r, s) }
				if later == "second" { // it comes when the first has begun to save
					s.stores[0].before = func(op string) {
						if op == "update" {
							once.Do(other)
						}
					}
				} else {
					inside = func(t *testing.T, m *manager, r *http.Request, cur *current) {
						other()
						s.advance(time.Minute)
						add("first")(t, m, r, cur)
					}
				}
				b.from(t, s.a, "192.0.2.7", "first", inside)
				s.stores[0].before = nil
				last := map[string]string{"first": "192.0.2.0/24", "second": "203.0.113.0/24"}[later]
				s.want("user:ada", "", later, "198.51.100.0/24", last)
				info := s.listed("user:ada")
				if d, _ := peek(t, s.a, b); !near(info.LastUsed, s.clock()) || d.Cart["first"]+d.Cart["second"] != 2 {
					t.Errorf("last used at %v with %v, want %v", info.LastUsed, d.Cart, s.clock())
				}
			})
		}
	})
	t.Run("a request from before a login is no visit of its session", func(t *testing.T) {
		t.Parallel()
		s, b := beginDevices(t, env, everything), newBrowser()
		b.from(t, s.a, "203.0.113.9", "planted", add("a visitor's"))
		thief := b.fork()
		thief.from(t, s.b, "203.0.113.9", "planted", func(t *testing.T, m *manager, r *http.Request, cur *current) {
			b.from(t, s.a, "192.0.2.7", "ada's", login("ada"))
			s.advance(time.Second)
			add("late")(t, m, r, cur)
			cur.SetDeviceName("planted")
		})
		s.want("user:ada", "", "ada's", "192.0.2.0/24", "192.0.2.0/24")
		if d, _ := peek(t, s.a, b); d.Cart["late"] != 1 {
			t.Errorf("the update of the request from before was applied %d times", d.Cart["late"])
		}
	})
	t.Run("what is no longer kept is erased", func(t *testing.T) {
		t.Parallel()
		s, b := beginDevices(t, env, session.Devices{Addresses: true, IPv4Bits: 32, UserAgents: true}), newBrowser()
		b.from(t, s.a, "192.0.2.7", "one", login("ada"))
		s.want("user:ada", "", "one", "192.0.2.7/32", "192.0.2.7/32")
		s.cfg.Devices = session.Devices{Addresses: true}
		s.advance(6 * time.Minute)
		b.from(t, s.node(), "192.0.2.9", "one", read)
		s.want("user:ada", "", "", "192.0.2.0/24", "192.0.2.0/24")
		s.cfg.Devices = session.Devices{}
		s.advance(6 * time.Minute)
		b.from(t, s.node(), "192.0.2.9", "one", read)
		s.want("user:ada", "", "", "", "")
	})
}

// listAll yields the records of the store.
func (s *street) listAll() func(func(store.Record, error) bool) {
	l, ok := store.As[store.Lister](s.store)
	if !ok {
		s.t.Fatalf("%T does not list", s.store)
	}
	return l.List(s.t.Context(), "")
}
