package redisstore

import (
	"context"
	"strings"

	"github.com/redis/rueidis"
)

// placement is what differs between an owner's index on the same server as the owner's
// sessions ([colocated]) and one that may be on another ([separate]).
type placement interface {
	// get reads the value of a key.
	get(ctx context.Context, key string) ([]byte, error)

	// create and update run a write, and write the index. They return its outcome.
	create(ctx context.Context, w *write) (int64, error)
	update(ctx context.Context, w *write) (int64, error)

	// delete deletes a session that may have an owner.
	delete(ctx context.Context, id string) error

	// prefixes are those of the keys of indexes and of their counts, for scripts; "" if
	// scripts cannot reach them.
	prefixes() (indexes, counts string)

	// countKey is the key of the count of an index, on the index's server.
	countKey(owner string) string

	// pageReads is what index_page.lua reads of each session.
	pageReads() string
}

// colocated is for a single server, and for a Cluster where a hash tag puts all keys on one
// node. A script then writes a session and the index.
type colocated struct{ s *Store }

func (p colocated) get(ctx context.Context, key string) ([]byte, error) {
	return p.s.getBatched(ctx, key)
}

func (p colocated) keys(w *write) []string {
	if w.hasOwner {
		return w.keys[:]
	}
	return w.keys[:1]
}

func (p colocated) create(ctx context.Context, w *write) (int64, error) {
	return w.run(ctx, &p.s.layout.scripts().create, p.keys(w))
}

// update batches the update. Not batched are long values, and updates that write the index
// each time.
func (p colocated) update(ctx context.Context, w *write) (int64, error) {
	sc, keys := &p.s.layout.scripts().update, p.keys(w)
	if len(w.args[argValue]) > maxValue || w.hasOwner && !p.s.layout.scriptsReadOwners() {
		return w.run(ctx, sc, keys)
	}
	u, ok := p.s.updates.Do(ctx, update{keys: keys, args: w.args[:]})
	switch {
	case !ok:
		return 0, ctx.Err()
	case !u.batched:
		return w.outcome(u.answer)
	case u.err == nil && u.outcome == unbatched:
		return w.run(ctx, sc, keys)
	}
	return u.outcome, u.err
}

// delete deletes the entry in the owner's index too, if a script can find it.
func (p colocated) delete(ctx context.Context, id string) error {
	if !p.s.layout.scriptsReadOwners() {
		return p.s.getAndDelete(ctx, id)
	}
	return p.s.eval(ctx, &p.s.layout.scripts().delete, []string{p.s.key(id)}, []string{id, p.s.indexPrefix, p.s.countPrefix}).Error()
}

func (p colocated) prefixes() (indexes, counts string) {
	return p.s.ownerKey(""), p.countKey("")
}

func (p colocated) countKey(owner string) string { return ownerKeys + countKeys + p.s.space() + owner }

func (p colocated) pageReads() string { return p.s.layout.pageReads() }

// separate is for a Cluster without a common hash tag. A command of its own writes the index,
// before the session is written.
type separate struct{ s *Store }

func (p separate) get(ctx context.Context, key string) ([]byte, error) {
	return p.s.read(ctx, p.s.client, rueidis.Commands{read(p.s.b, "GET", key)})[0].AsBytes()
}

func (p separate) create(ctx context.Context, w *write) (int64, error) {
	if w.hasOwner {
		if err := w.writeIndex(ctx); err != nil {
			return 0, err
		}
	}
	return w.run(ctx, &p.s.layout.scripts().create, w.keys[:1])
}

func (p separate) update(ctx context.Context, w *write) (int64, error) {
	if w.hasOwner && !p.s.layout.scriptsReadOwners() {
		if err := w.writeIndex(ctx); err != nil {
			return 0, err
		}
	}
	sc := &p.s.layout.scripts().update
	outcome, err := w.run(ctx, sc, w.keys[:1])
	if err == nil && outcome == unlisted {
		if err = w.writeIndex(ctx); err == nil {
			outcome, err = w.run(ctx, sc, w.keys[:1])
		}
	}
	return outcome, err
}

func (p separate) delete(ctx context.Context, id string) error { return p.s.getAndDelete(ctx, id) }

func (p separate) prefixes() (indexes, counts string) { return "", "" }

// countKey finds a key in the index's slot.
func (p separate) countKey(owner string) string {
	name := p.s.space() + owner
	index := ownerKeys + name
	switch {
	case tagged(name):
		return ownerKeys + countKeys + name
	case !strings.ContainsAny(name, "{}"):
		return ownerKeys + countKeys + "{" + index + "}"
	}
	slot := func(key string) uint16 {
		cmd := p.s.b.Arbitrary("GET").Keys(key).Build()
		return cmd.Slot()
	}
	for want, i := slot(index), int64(0); ; i++ {
		if key := ownerKeys + countKeys + "{" + number(i) + "}" + name; slot(key) == want {
			return key
		}
	}
}

func (p separate) pageReads() string { return "" }

// getAndDelete deletes a session that only its value says the owner of. It then lets the
// entry in the owner's index fall due when the grace is over, rather than at the session's
// expiry. If that fails, the deletion does not.
func (s *Store) getAndDelete(ctx context.Context, id string) error {
	value, err := s.do(ctx, s.client, s.b.Getdel().Key(s.key(id)).Build()).AsBytes()
	switch {
	case rueidis.IsRedisNil(err):
		return nil
	case isWrongType(err):
		return s.do(ctx, s.client, s.b.Del().Key(s.key(id)).Build()).Error()
	case err != nil:
		return err
	}
	if owner := s.layout.owner(value); owner != "" {
		_ = s.fallDue(ctx, owner, []string{id})
	}
	return nil
}
