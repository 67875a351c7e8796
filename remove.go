package session

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/nestsession/session/store"
)

// remove ends the session whose record is kept under key, and what it was renewed to.
//
// A delete alone would not do: between whoever looks at a record and deletes it,
// another request can renew the session, so that what is deleted is the pointer and
// the session lives on under its new id. So the record is first swapped for one that
// says that it is over and expires at once. If the swap fails there was another
// version, which is looked at; if it succeeds no renewal can. version is the last
// known one, 0 for none. No key, nothing to do.
//
// Under ExpressRules, whose traffic with the store is express-session's, the swap is
// left out until this manager has renewed a session: express-session never does.
//
// cause is what those are told who wait for the end on this node. ended is true for the
// one caller who ended the session; others find it ended.
func (c *core) remove(ctx context.Context, key string, version store.Version, cause error) (ended bool, err error) {
	if key == "" {
		return false, nil
	}
	err = c.endFor(cause, key, func() error {
		ended, err = c.removeRecord(ctx, key, version, cause)
		return err
	})
	return ended, err
}

func (c *core) removeRecord(ctx context.Context, key string, version store.Version, cause error) (ended bool, err error) {
	if c.express && !c.renews.Load() {
		return true, c.store.Delete(ctx, key)
	}
	for try := 0; ; try++ {
		if version != 0 {
			_, err := c.store.Update(ctx, c.tombstone(key, version))
			if err == nil || errors.Is(err, store.ErrNotFound) {
				return err == nil, c.store.Delete(ctx, key)
			}
			if !errors.Is(err, store.ErrConflict) || try == maxConflicts {
				return false, err
			}
			if err := backoff(ctx, try); err != nil {
				return false, err
			}
		}
		rec, err := c.store.Load(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			return false, c.store.Delete(ctx, key) // what an earlier try may have left
		}
		if err != nil {
			return false, err
		}
		if next := successor(rec.Data); next != "" && next != key {
			// A pointer is never swapped again, so that nothing can come in between.
			if ended, err = c.remove(ctx, next, 0, cause); err != nil {
				return ended, err
			}
			return ended, c.store.Delete(ctx, key)
		}
		version = rec.Version
	}
}

// tombstone is what takes the place of a record that is about to be deleted: a
// pointer to itself, which nobody follows, however long a store's clock lets it live.
func (c *core) tombstone(key string, version store.Version) store.Record {
	info := meta{Successor: key}
	data := append(info.append([]byte(`{"`+cookieKey+`":{"originalMaxAge":null}`)), '}')
	return store.Record{ID: key, Data: data, Expires: c.present().time(), Version: version}
}

// successor is the key that a stored document points to, "" if it is a session's, or
// not one of ours.
func successor(data []byte) string { return metaOf(data).Successor }

// metaOf reads the bookkeeping of a stored document, whatever its data's type.
func metaOf(data []byte) meta {
	members, err := parseMembers(data)
	if err != nil {
		return meta{}
	}
	var info meta
	if err := json.Unmarshal(find(members, metaKey), &info); err != nil {
		return meta{}
	}
	return info
}
