package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nestsession/session/store"
)

// flaw is a mistake of a store, and the case that must find it.
type flaw struct {
	caught string // topic and name of the case
	does   string
	bend   func(b *bent)
}

var errSomething = errors.New("something else")

var coreFlaws = []flaw{
	{"Load/Unknown", "calls an unknown id expired", func(b *bent) {
		b.load = func(ctx context.Context, id string) (store.Record, error) {
			r, err := b.table.Load(ctx, id)
			if err != nil {
				err = store.ErrExpired
			}
			return r, err
		}
	}},
	{"Load/Unknown", "answers an empty record", func(b *bent) {
		b.load = func(ctx context.Context, id string) (store.Record, error) {
			r, _ := b.table.Load(ctx, id)
			return r, nil
		}
	}},
	{"Load/WhatWasCreated", "forgets the owner", func(b *bent) {
		b.mapped(func(r *store.Record) { r.Owner = "" })
	}},
	{"Load/WhatWasCreated", "answers no version", func(b *bent) {
		b.load = func(ctx context.Context, id string) (store.Record, error) {
			r, err := b.table.Load(ctx, id)
			r.Version = 0
			return r, err
		}
	}},
	{"Load/TheOneAskedFor", "answers without an id", func(b *bent) {
		b.load = func(ctx context.Context, id string) (store.Record, error) {
			r, err := b.table.Load(ctx, id)
			r.ID = ""
			return r, err
		}
	}},
	{"Load/TheOneAskedFor", "answers what was loaded last", func(b *bent) {
		last := make(chan store.Record, 1)
		b.load = func(ctx context.Context, id string) (store.Record, error) {
			select {
			case r := <-last:
				last <- r
				return r, nil
			default:
			}
			r, err := b.table.Load(ctx, id)
			if err == nil {
				last <- r
			}
			return r, err
		}
	}},
	{"Load/TheOneAskedFor", "mixes up two who ask at once", func(b *bent) {
		var asked atomic.Pointer[string]
		b.load = func(ctx context.Context, id string) (store.Record, error) {
			asked.Store(&id)
			pause()
			return b.table.Load(ctx, *asked.Load())
		}
	}},
	{"Load/Nobodys", "gives nobody's records to somebody", func(b *bent) {
		b.mapped(func(r *store.Record) {
			if r.Owner == "" {
				r.Owner = "anonymous"
			}
		})
	}},
	{"Load/ChangesNothing", "counts a load as a write", func(b *bent) {
		b.load = func(ctx context.Context, id string) (store.Record, error) {
			r, err := b.table.Load(ctx, id)
			if err == nil {
				b.force(r)
			}
			return r, err
		}
	}},
	{"Create/Version", "returns no version", func(b *bent) {
		b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
			_, err := b.table.Create(ctx, r)
			return 0, err
		}
	}},
	{"Create/IgnoresVersion", "takes the version for a condition", func(b *bent) {
		b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
			if r.Version != 0 {
				return 0, store.ErrConflict
			}
			return b.table.Create(ctx, r)
		}
	}},
	{"Create/Exists", "hides that there is one", func(b *bent) {
		b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
			v, err := b.table.Create(ctx, r)
			if errors.Is(err, store.ErrExists) {
				return 1, nil
			}
			return v, err
		}
	}},
	{"Create/LeavesTheLive", "overwrites, and then says ErrExists", func(b *bent) {
		b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
			v, err := b.table.Create(ctx, r)
			if errors.Is(err, store.ErrExists) {
				b.force(r)
			}
			return v, err
		}
	}},
	{"Create/OverExpired", "takes an expired record for a live one", func(b *bent) {
		b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
			if _, ok := b.kept(r.ID); ok {
				return 0, store.ErrExists
			}
			return b.table.Create(ctx, r)
		}
	}},
	{"Create/OverExpired", "keeps the owner of the expired record", func(b *bent) {
		b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
			if old, ok := b.kept(r.ID); ok {
				r.Owner = old.Owner
			}
			return b.table.Create(ctx, r)
		}
	}},
	{"Create/AlreadyExpired", "refuses a time in the past", func(b *bent) {
		b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
			if b.over(r) {
				return 0, errSomething
			}
			return b.table.Create(ctx, r)
		}
	}},
	{"Create/AlreadyExpired", "takes a time in the past for none", func(b *bent) {
		b.mapped(func(r *store.Record) {
			if b.over(*r) {
				r.Expires = time.Time{}
			}
		})
	}},

	{"Swap/Replaces", "updates the data alone", func(b *bent) {
		b.update = func(ctx context.Context, r store.Record) (store.Version, error) {
			if old, ok := b.kept(r.ID); ok {
				r.Owner, r.Expires = old.Owner, old.Expires
			}
			return b.table.Update(ctx, r)
		}
	}},
	{"Swap/Chain", "returns the version that it replaced", func(b *bent) {
		b.update = func(ctx context.Context, r store.Record) (store.Version, error) {
			_, err := b.table.Update(ctx, r)
			return r.Version, err
		}
	}},
	{"Swap/Conflict", "lets the last write win", func(b *bent) {
		b.update = lastWriteWins(b)
	}},
	{"Swap/ConflictWritesNothing", "writes, and then says ErrConflict", func(b *bent) {
		b.update = func(ctx context.Context, r store.Record) (store.Version, error) {
			v, err := b.table.Update(ctx, r)
			if errors.Is(err, store.ErrConflict) {
				b.force(r)
			}
			return v, err
		}
	}},
	{"Swap/NoVersion", "takes version zero for any", func(b *bent) {
		b.update = func(ctx context.Context, r store.Record) (store.Version, error) {
			if r.Version == 0 {
				return lastWriteWins(b)(ctx, r)
			}
			return b.table.Update(ctx, r)
		}
	}},
	{"Swap/Unknown", "calls a missing record a conflict", func(b *bent) {
		b.update = func(ctx context.Context, r store.Record) (store.Version, error) {
			v, err := b.table.Update(ctx, r)
			if errors.Is(err, store.ErrNotFound) {
				err = store.ErrConflict
			}
			return v, err
		}
	}},
	{"Swap/NeverCreates", "creates where there is none to update", func(b *bent) {
		b.update = upsert(b)
	}},
	{"Swap/Deleted", "takes what was deleted for another version", func(b *bent) {
		known := map[string]bool{}
		b.delete = func(ctx context.Context, id string) error {
			known[id] = true
			return b.table.Delete(ctx, id)
		}
		b.update = func(ctx context.Context, r store.Record) (store.Version, error) {
			v, err := b.table.Update(ctx, r)
			if known[r.ID] && errors.Is(err, store.ErrNotFound) {
				err = store.ErrConflict
			}
			return v, err
		}
	}},
	{"Swap/NeverRevivesDeleted", "creates where there is none to update", func(b *bent) {
		b.update = upsert(b)
	}},
	{"Swap/Recreated", "counts versions anew for a new record", func(b *bent) {
		versionsPerRecord(b)
	}},

	{"Version/Changes", "keeps the version", func(b *bent) {
		b.update = func(ctx context.Context, r store.Record) (store.Version, error) {
			_, err := b.table.Update(ctx, r)
			b.edit(r.ID, func(kept *store.Record) { kept.Version = r.Version })
			return r.Version, err
		}
	}},
	{"Version/ChangesWithoutAChange", "does not write what is there", func(b *bent) {
		b.update = func(ctx context.Context, r store.Record) (store.Version, error) {
			if old, ok := b.kept(r.ID); ok && bytes.Equal(old.Data, r.Data) && old.Version == r.Version {
				return old.Version, nil
			}
			return b.table.Update(ctx, r)
		}
	}},
	{"Version/NeverComesBack", "counts versions anew for a new record", func(b *bent) {
		versionsPerRecord(b)
	}},

	{"Delete/Removes", "lets it expire instead", func(b *bent) {
		b.delete = func(ctx context.Context, id string) error {
			b.edit(id, func(r *store.Record) { r.Expires = time.Unix(1, 0) })
			return ctx.Err()
		}
	}},
	{"Delete/Absent", "says ErrNotFound", func(b *bent) {
		b.delete = func(ctx context.Context, id string) error {
			if _, ok := b.kept(id); !ok {
				return store.ErrNotFound
			}
			return b.table.Delete(ctx, id)
		}
	}},
	{"Delete/Expired", "says ErrExpired", func(b *bent) {
		b.delete = func(ctx context.Context, id string) error {
			if _, err := b.table.Load(ctx, id); errors.Is(err, store.ErrExpired) {
				return err
			}
			return b.table.Delete(ctx, id)
		}
	}},
	{"Delete/LeavesOthers", "deletes all that is the owner's", func(b *bent) {
		b.delete = func(ctx context.Context, id string) error {
			gone, _ := b.kept(id)
			for r := range b.table.List(ctx, gone.Owner) {
				_ = b.table.Delete(ctx, r.ID)
			}
			return ctx.Err()
		}
	}},
	{"Delete/Anew", "gives a new record the deleted one's owner", func(b *bent) {
		owners := map[string]string{}
		b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
			if r.Owner == "" {
				r.Owner = owners[r.ID]
			}
			owners[r.ID] = r.Owner
			return b.table.Create(ctx, r)
		}
	}},

	{"ID/ByteForByte", "folds case", func(b *bent) { b.renamed(strings.ToLower) }},
	{"ID/ByteForByte", "trims space", func(b *bent) { b.renamed(strings.TrimSpace) }},
	{"ID/ByteForByte", "takes % in an id for a pattern", func(b *bent) {
		b.delete = func(ctx context.Context, id string) error {
			prefix, pattern := strings.CutSuffix(id, "%")
			if !pattern {
				return b.table.Delete(ctx, id)
			}
			for r := range b.table.List(ctx, "") {
				if strings.HasPrefix(r.ID, prefix) {
					_ = b.table.Delete(ctx, r.ID)
				}
			}
			return ctx.Err()
		}
	}},
	{"ID/Prefix", "cuts ids at 64 bytes", func(b *bent) { b.renamed(cutAt(64)) }},
	{"ID/Long", "cuts ids at 255 bytes", func(b *bent) { b.renamed(cutAt(255)) }},

	{"Data/ByteForByte", "writes the document its own way", func(b *bent) {
		b.mapped(func(r *store.Record) {
			var short bytes.Buffer
			if json.Compact(&short, r.Data) == nil {
				r.Data = short.Bytes()
			}
		})
	}},
	{"Data/Large", "cuts data at 64 KiB", func(b *bent) {
		b.mapped(func(r *store.Record) { r.Data = r.Data[:min(len(r.Data), 65535)] })
	}},
	{"Data/Empty", "refuses empty data", func(b *bent) {
		b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
			if len(r.Data) == 0 {
				return 0, errSomething
			}
			return b.table.Create(ctx, r)
		}
	}},
	{"Data/Binary", "keeps text alone", func(b *bent) {
		b.mapped(func(r *store.Record) { r.Data = bytes.ToValidUTF8(r.Data, []byte("?")) })
	}},
	{"Data/NotShared", "overwrites data in place", func(b *bent) {
		b.update = func(ctx context.Context, r store.Record) (store.Version, error) {
			if old, ok := b.kept(r.ID); ok && len(old.Data) == len(r.Data) {
				copy(old.Data, r.Data)
			}
			return b.table.Update(ctx, r)
		}
	}},
}

// lastWriteWins updates without comparing the version.
func lastWriteWins(b *bent) func(context.Context, store.Record) (store.Version, error) {
	return func(ctx context.Context, r store.Record) (store.Version, error) {
		old, err := b.table.Load(ctx, r.ID)
		if err != nil {
			return 0, err
		}
		r.Version = old.Version
		return b.table.Update(ctx, r)
	}
}

// upsert creates a record if there is none to update, and still returns ErrNotFound.
func upsert(b *bent) func(context.Context, store.Record) (store.Version, error) {
	return func(ctx context.Context, r store.Record) (store.Version, error) {
		v, err := b.table.Update(ctx, r)
		if errors.Is(err, store.ErrNotFound) {
			_, _ = b.table.Create(ctx, r)
		}
		return v, err
	}
}

// versionsPerRecord lets every record begin with version 1.
func versionsPerRecord(b *bent) {
	set := func(id string, v store.Version, err error) (store.Version, error) {
		if err == nil {
			b.edit(id, func(r *store.Record) { r.Version = v })
		}
		return v, err
	}
	b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
		_, err := b.table.Create(ctx, r)
		return set(r.ID, 1, err)
	}
	b.update = func(ctx context.Context, r store.Record) (store.Version, error) {
		_, err := b.table.Update(ctx, r)
		return set(r.ID, r.Version+1, err)
	}
}

func cutAt(n int) func(string) string {
	return func(s string) string { return s[:min(len(s), n)] }
}
