package storetest

import (
	"bytes"
	"context"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nestsession/session/store"
)

// five is a store with only the five methods of the contract.
type five struct{ store.Store }

// cache is a store in front of another one. It shows the interfaces of that one.
type cache struct{ store.Store }

func (c cache) Unwrap() store.Store { return c.Store }

var nothingMore = map[Capability]string{
	Lister:  "the protocol cannot enumerate",
	Watcher: "callers poll",
	Sweeper: "expires by itself",
	Pinger:  "has no connection",
	Closer:  "belongs to the caller",
	Peers:   "one process alone",
}

func TestCapabilitiesAreComparedWithWhatIsThere(t *testing.T) {
	t.Parallel()
	plain := func() store.Store { return simple{newTable()} }
	tests := map[string]struct {
		opened  Opened
		without map[Capability]string
		want    []string
	}{
		"all":                    {Opened{Store: plain(), Peers: []store.Store{plain()}}, nil, nil},
		"all behind a decorator": {Opened{Store: cache{plain()}, Peers: []store.Store{plain()}}, nil, nil},
		"five methods, named":    {Opened{Store: five{plain()}}, nothingMore, nil},
		"five methods, unnamed": {Opened{Store: five{plain()}}, nil, []string{
			"no Closer", "no Lister", "no Peers", "no Pinger", "no Sweeper", "no Watcher",
		}},
		"named and there": {Opened{Store: plain(), Peers: []store.Store{plain()}},
			map[Capability]string{Watcher: "polls"}, []string{"has Watcher"}},
		"no reason": {Opened{Store: plain()}, map[Capability]string{Peers: ""}, []string{"without a reason"}},
		"misspelt":  {Opened{Store: plain()}, map[Capability]string{Peers: "none", "Wacher": "polls"}, []string{`"Wacher"`}},
		"behaviour": {Opened{Store: plain()}, map[Capability]string{Peers: "none", LongIDs: "varchar"}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, err := range capabilityErrors(test.opened, test.without) {
				got = append(got, err.Error())
			}
			slices.Sort(got)
			if len(got) != len(test.want) {
				t.Fatalf("errors %q, want %d", got, len(test.want))
			}
			for i, part := range test.want {
				if !strings.Contains(got[i], part) {
					t.Errorf("error %q does not say %q", got[i], part)
				}
			}
		})
	}
}

// Options.Without may name a behaviour only if the store lacks it.
func TestUnneededBehaviourIsAnError(t *testing.T) {
	t.Parallel()
	for _, name := range behaviours {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			has := func() Opened { return Opened{Store: newBent()} }
			if err := unneeded(name, has, Options{}); err == nil || !strings.Contains(err.Error(), string(name)) {
				t.Errorf("a store that has %s: %v", name, err)
			}
			lacks := func() Opened {
				b := newBent()
				limited(b)
				return Opened{Store: b}
			}
			if err := unneeded(name, lacks, Options{}); err != nil {
				t.Errorf("a store that lacks %s: %v", name, err)
			}
		})
	}
}

// Stores without the optional capabilities pass all other cases.
func TestStoresWithFewerCapabilitiesPass(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		open    func(b *bent) Opened
		options Options
	}{
		"FiveMethods": {
			func(b *bent) Opened { return Opened{Store: five{b}} },
			Options{Without: nothingMore},
		},
		"Limited": {
			func(b *bent) Opened {
				limited(b)
				return Opened{Store: b, Peers: []store.Store{b}}
			},
			Options{Without: map[Capability]string{
				UniqueVersions: "the version is a digest, so that foreign writes are seen",
				AnyBytes:       "the column is JSON",
				LongIDs:        "the column is varchar(128)",
				TouchEvents:    "nobody waits for an expiry that comes later",
			}},
		},
		"WholeSeconds": {
			func(b *bent) Opened {
				b.mapped(func(r *store.Record) { r.Expires = r.Expires.Truncate(time.Second) })
				b.touch = func(ctx context.Context, id string, expires time.Time) error {
					return b.table.Touch(ctx, id, expires.Truncate(time.Second))
				}
				return Opened{Store: b, Peers: []store.Store{b}}
			},
			Options{Resolution: time.Second},
		},
		"Lagging": {
			func(b *bent) Opened {
				return Opened{Store: b, Peers: []store.Store{lagging(b, 20*time.Millisecond)}}
			},
			Options{Lag: 50 * time.Millisecond},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.options.Synctest, test.options.Parallel = true, true
			Run(t, func(t *testing.T) Opened {
				b := newBent()
				t.Cleanup(func() { close(b.quit) })
				return test.open(b)
			}, test.options)
		})
	}
}

// A peer that lags behind fails, unless Options.Lag allows it.
func TestLagFailsUnlessAllowed(t *testing.T) {
	t.Parallel()
	for lag, want := range map[time.Duration]bool{0: false, 50 * time.Millisecond: true} {
		t.Run(lag.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBent()
				defer close(b.quit)
				o := Opened{Store: b, Peers: []store.Store{lagging(b, 20*time.Millisecond)}}
				err := allCases()["Peers/Deleted"].check(o, Options{Lag: lag})
				if (err == nil) != want {
					t.Errorf("Peers/Deleted: %v", err)
				}
			})
		})
	}
}

// limited has digests for versions, short ids, a column of JSON, and no event for a touch
// that moves the expiry later.
func limited(b *bent) {
	digest := func(r store.Record) store.Version {
		h := fnv.New64a()
		h.Write(r.Data)
		return store.Version(h.Sum64())
	}
	fits := func(r store.Record) bool {
		return len(r.ID) <= 128 && bytes.Equal(bytes.ToValidUTF8(r.Data, nil), r.Data) &&
			len(r.Data) > 0 && !bytes.Contains(r.Data, []byte{0})
	}
	settle := func(r store.Record, err error) (store.Version, error) {
		if err == nil {
			b.edit(r.ID, func(kept *store.Record) { kept.Version = digest(*kept) })
		}
		return digest(r), err
	}
	one := make(chan struct{}, 1) // writing and deriving the version is one step
	b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
		if !fits(r) {
			return 0, errSomething
		}
		one <- struct{}{}
		defer func() { <-one }()
		_, err := b.table.Create(ctx, r)
		return settle(r, err)
	}
	b.update = func(ctx context.Context, r store.Record) (store.Version, error) {
		one <- struct{}{}
		defer func() { <-one }()
		_, err := b.table.Update(ctx, r)
		return settle(r, err)
	}
	b.load = func(ctx context.Context, id string) (store.Record, error) {
		one <- struct{}{}
		defer func() { <-one }()
		return b.table.Load(ctx, id)
	}
	quietTouch(b, later)
}

// lagging is a node that returns a record that it has read for that long.
func lagging(b *bent, lag time.Duration) store.Store {
	type answer struct {
		r     store.Record
		until time.Time
	}
	p := newBent()
	p.table = b.table
	p.create, p.update, p.touch, p.delete = b.table.Create, b.table.Update, b.table.Touch, b.table.Delete
	answers := map[string]answer{}
	one := make(chan struct{}, 1)
	p.load = func(ctx context.Context, id string) (store.Record, error) {
		one <- struct{}{}
		defer func() { <-one }()
		a, ok := answers[id]
		if ok && time.Now().Before(a.until) && !b.over(a.r) {
			return a.r, ctx.Err()
		}
		r, err := b.table.Load(ctx, id)
		if err == nil {
			answers[id] = answer{r, time.Now().Add(lag)}
		}
		return r, err
	}
	return p
}

// Every optional case belongs to a capability that exists.
func TestCasesNeedKnownCapabilities(t *testing.T) {
	t.Parallel()
	known := slices.Concat(slices.Collect(maps.Keys(interfaces)), slices.Collect(maps.Keys(voluntary)), behaviours)
	used := map[Capability]bool{}
	for name, c := range allCases() {
		if c.needs != "" && !slices.Contains(known, c.needs) {
			t.Errorf("%s needs %q", name, c.needs)
		}
		used[c.needs] = true
	}
	for _, c := range known {
		if !used[c] {
			t.Errorf("no case is about %s", c)
		}
	}
}
