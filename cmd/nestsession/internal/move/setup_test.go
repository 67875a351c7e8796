package move_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/move"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// place is a store in memory that a test can make fail.
type place struct {
	*memstore.Store
	create func(store.Record) error // called before a Create; nil: nothing is
	update func(store.Record) error // called before an Update
	ping   func() error
}

func newPlace(t *testing.T) *place {
	t.Helper()
	kept := memstore.New(memstore.Config{})
	t.Cleanup(func() { _ = kept.Close() })
	return &place{Store: kept}
}

func (p *place) Create(ctx context.Context, r store.Record) (store.Version, error) {
	if p.create != nil {
		if err := p.create(r); err != nil {
			return 0, err
		}
	}
	return p.Store.Create(ctx, r)
}

func (p *place) Update(ctx context.Context, r store.Record) (store.Version, error) {
	if p.update != nil {
		if err := p.update(r); err != nil {
			return 0, err
		}
	}
	return p.Store.Update(ctx, r)
}

func (p *place) Ping(context.Context) error {
	if p.ping != nil {
		return p.ping()
	}
	return nil
}

// soon returns an expiry to the millisecond, as stores keep it.
var soon = time.Now().Add(time.Hour).Truncate(time.Millisecond)

func (p *place) put(t *testing.T, id, owner, document string, expires time.Time) {
	t.Helper()
	if _, err := p.Store.Create(t.Context(), store.Record{ID: id, Owner: owner, Data: []byte(document), Expires: expires}); err != nil {
		t.Fatal(err)
	}
}

// is fails unless the store has this record.
func (p *place) is(t *testing.T, id, owner, document string, expires time.Time) {
	t.Helper()
	r, err := p.Load(t.Context(), id)
	if err != nil || r.Owner != owner || string(r.Data) != document || !r.Expires.Equal(expires) {
		t.Errorf("%s is %q of %q until %v, %v; want %q of %q until %v", id, r.Data, r.Owner, r.Expires, err, document, owner, expires)
	}
}

func (p *place) isNot(t *testing.T, id string) {
	t.Helper()
	if r, err := p.Load(t.Context(), id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%s is there: %q, %v", id, r.Data, err)
	}
}

func (p *place) size(t *testing.T) (n int) {
	t.Helper()
	for _, err := range p.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// saved returns a document as this library saves it, so many seconds after the epoch.
func saved(user string, at int) string {
	return fmt.Sprintf(`{"cookie":{"originalMaxAge":null,"expires":null},"user":%q,"__nestsession":{"created":1000,"used":%d}}`, user, at*1000)
}

// savedByNode returns a document as express-session saves it with a maxAge of an hour.
func savedByNode(user string, at int) string {
	return fmt.Sprintf(`{"cookie":{"originalMaxAge":3600000,"expires":%q},"user":%q}`, time.Unix(int64(at+3600), 0).UTC().Format("2006-01-02T15:04:05.000Z"), user)
}

const pointer = `{"cookie":{"originalMaxAge":3600000,"expires":"1970-01-01T00:00:30.000Z"},"__nestsession":{"successor":"next","until":30000}}`

// run copies, and fails unless the outcomes are these.
func run(t *testing.T, from, to store.Store, o move.Options, want map[move.Outcome]int64) {
	t.Helper()
	m := move.New(from, to, o)
	if err := m.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	counted(t, m, want)
}

func counted(t *testing.T, m *move.Mover, want map[move.Outcome]int64) {
	t.Helper()
	r := m.Report()
	if !maps.Equal(r.Counts, want) {
		t.Errorf("counted %v, want %v", r.Counts, want)
	}
	var sum int64
	for why, n := range r.Counts {
		if why != move.Ended {
			sum += n
		}
	}
	if sum != r.Read {
		t.Errorf("%d were read, and %d came to an end", r.Read, sum)
	}
}

func contains(err error, text string) bool { return err != nil && strings.Contains(err.Error(), text) }
