package redisstore_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/internal/relay"
)

// stop lets a client's requests through until one holds the text, and that one when
// it is told to.
type stop struct {
	reached chan struct{}
	pass    chan bool
	first   sync.Once
}

func stopAt(proxies map[string]*relay.Relay, text string) *stop {
	s := &stop{reached: make(chan struct{}), pass: make(chan bool, 1)}
	for _, p := range proxies {
		p.OnRequest(func(request []byte) bool {
			forward := true
			if bytes.Contains(request, []byte(text)) {
				s.first.Do(func() {
					close(s.reached)
					forward = <-s.pass
				})
			}
			return forward
		})
	}
	return s
}

// proxied makes a store of its own that reaches the servers by proxies.
func proxied(t *testing.T, o rueidis.ClientOption, c redisstore.Config) (*redisstore.Store, map[string]*relay.Relay) {
	t.Helper()
	proxies := map[string]*relay.Relay{}
	addrs := o.InitAddress
	if len(addrs) > 1 {
		addrs = sharedCluster().Addrs()
	}
	for _, addr := range addrs {
		proxies[addr] = relay.New(t, addr)
	}
	c.Client = connect(t, through(o, proxies))
	return newStore(t, c), proxies
}

// Whatever comes in between, while a session is written that belongs to an owner,
// it is listed once it is acknowledged, and not trimmed.
func TestWritersAndTrimmers(t *testing.T) {
	t.Parallel()
	const owner = "user:1"
	// Each begins with a session "id" that is over, and whose entry is due.
	writes := map[string]func(s *redisstore.Store, before store.Record) error{
		"create": func(s *redisstore.Store, before store.Record) error {
			_, err := s.Create(t.Context(), owned("id", owner, in(24*time.Hour)))
			return err
		},
		"update from another owner": func(s *redisstore.Store, before store.Record) error {
			r := owned("id", owner, in(24*time.Hour))
			r.Version = before.Version
			_, err := s.Update(t.Context(), r)
			return err
		},
	}
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deployments(t, func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
				prepare := func(t *testing.T) (redisstore.Config, *redisstore.Store, store.Record) {
					c := c
					c.Prefix = newPrefix()
					c.Client = connect(t, o)
					c.Now = ahead(-24 * time.Hour).now
					past := newStore(t, c)
					r := mustCreate(t, past, owned("id", owner, in(-2*time.Hour)))
					drop(t, c.Client, c.Prefix+"id")
					if strings.HasPrefix(name, "update") {
						r = mustCreate(t, past, owned("id", "user:2", in(24*time.Hour)))
					}
					c.Now = nil
					return c, newStore(t, c), r
				}
				settled := func(t *testing.T, s *redisstore.Store) {
					t.Helper()
					if _, err := s.TrimOwners(t.Context()); err != nil {
						t.Error(err)
					}
					wantListed(t, s, owner, "id")
					wantListed(t, s, "user:2")
				}

				// The trimmer has seen that the session is gone and has not yet taken
				// the entry out when it is written.
				t.Run("while trimming", func(t *testing.T) {
					t.Parallel()
					c, s, before := prepare(t)
					trimmer, proxies := proxied(t, o, c)
					gate := stopAt(proxies, "EVALSHA")
					trimmed := make(chan error)
					go func() {
						_, err := trimmer.TrimOwners(t.Context())
						trimmed <- err
					}()
					<-gate.reached
					if err := write(s, before); err != nil {
						t.Error(err)
					}
					gate.pass <- true
					if err := <-trimmed; err != nil {
						t.Error(err)
					}
					settled(t, s)
				})

				// The writer has not yet written the session when others trim and list.
				t.Run("while writing", func(t *testing.T) {
					t.Parallel()
					c, s, before := prepare(t)
					writer, proxies := proxied(t, o, c)
					if err := write(writer, store.Record{Version: 1}); err != nil && name == "create" {
						t.Fatal(err) // the server knows the scripts
					}
					if name == "create" {
						if err := s.Delete(t.Context(), "id"); err != nil {
							t.Fatal(err)
						}
					}
					gate := stopAt(proxies, "\r\n"+c.Prefix+"id\r\n")
					written := make(chan error)
					go func() { written <- write(writer, before) }()
					<-gate.reached
					for range 2 {
						if _, err := s.TrimOwners(t.Context()); err != nil {
							t.Error(err)
						}
						wantListed(t, s, owner)
					}
					gate.pass <- true
					if err := <-written; err != nil {
						t.Error(err)
					}
					settled(t, s)
				})
			})
		})
	}
}

// A connection that is lost between the two commands of a Cluster leaves an entry
// without a session, at most.
func TestLostBetweenIndexAndSession(t *testing.T) {
	t.Parallel()
	layouts(t, rueidis.ClientOption{InitAddress: sharedCluster().Addrs()}, func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
		direct := c
		direct.Client = connect(t, o)
		direct.Now = ahead(0).now
		s := newStore(t, direct)
		clk := ahead(3 * time.Hour)
		direct.Now = clk.now
		later := newStore(t, direct)

		for what, at := range map[string]string{
			"before the index":   "nest-owner:" + c.Prefix,
			"before the session": "\r\n" + c.Prefix + "id\r\n",
		} {
			writer, proxies := proxied(t, o, c)
			gate := stopAt(proxies, at)
			gate.pass <- false // the connection is cut
			if _, err := writer.Create(t.Context(), owned("id", "user:1", in(time.Hour))); err == nil {
				t.Errorf("%s: Create succeeded", what)
			}
			wantListed(t, s, "user:1")
			wantListed(t, s, "")
			if what == "before the session" {
				if got := indexed(t, direct.Client, c.Prefix, "user:1"); len(got) != 1 {
					t.Errorf("the index holds %q, want the entry that was written", got)
				}
			}
			if _, err := later.TrimOwners(t.Context()); err != nil {
				t.Error(err)
			}
			if got := indexed(t, direct.Client, c.Prefix, "user:1"); len(got) != 0 {
				t.Errorf("%s: later the index holds %q, want nothing", what, got)
			}
			if _, err := writer.Create(t.Context(), owned("id", "user:1", in(time.Hour))); err != nil {
				t.Errorf("%s: Create once more: %v", what, err)
			}
			wantListed(t, s, "user:1", "id")
			if err := s.Delete(t.Context(), "id"); err != nil {
				t.Fatal(err)
			}
			clk.advance(3 * time.Hour)
			if _, err := later.TrimOwners(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
}

// Of two writers of one session, one whose entry would be due at once does not take
// the place of the other's.
func TestScoresOnlyGrow(t *testing.T) {
	t.Parallel()
	o := rueidis.ClientOption{InitAddress: sharedCluster().Addrs()}
	c := redisstore.Config{Prefix: newPrefix(), Client: connect(t, o)}
	s := newStore(t, c)
	c.Now = ahead(time.Hour).now // as if entries had no grace
	trimmer := newStore(t, c)
	c.Now = nil
	writer, proxies := proxied(t, o, c)
	gate := stopAt(proxies, "\r\n"+c.Prefix+"id\r\n")
	written := make(chan error)
	go func() {
		_, err := writer.Create(t.Context(), owned("id", "user:1", in(time.Hour)))
		written <- err
	}()
	<-gate.reached
	mustCreate(t, s, owned("id", "user:1", in(-time.Minute)))
	if _, err := trimmer.TrimOwners(t.Context()); err != nil {
		t.Error(err)
	}
	gate.pass <- true
	if err := <-written; err != nil {
		t.Error(err)
	}
	wantListed(t, s, "user:1", "id")
}

// A process that stood still between the two commands does not write the session,
// whose entry may be gone by then.
func TestStandstill(t *testing.T) {
	t.Parallel()
	layouts(t, rueidis.ClientOption{InitAddress: sharedCluster().Addrs()}, func(t *testing.T, o rueidis.ClientOption, c redisstore.Config) {
		clk := &clock{}
		c.Now = clk.now
		s, proxies := proxied(t, o, c)
		for _, p := range proxies {
			p.OnRequest(func(request []byte) bool {
				if bytes.Contains(request, []byte("nest-owner:"+c.Prefix)) {
					clk.advance(31 * time.Minute)
				}
				return true
			})
		}
		_, err := s.Create(t.Context(), owned("id", "user:1", in(time.Hour)))
		if err == nil || !strings.Contains(err.Error(), "stood still") {
			t.Errorf("Create: %v, want an error that says why", err)
		}
		if _, err := s.Load(t.Context(), "id"); err == nil {
			t.Error("the session was written")
		}
	})
}
