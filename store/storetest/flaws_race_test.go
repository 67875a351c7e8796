package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nestsession/session/store"
)

// raceFlaws check first and write afterwards, or ignore concurrent calls.
var raceFlaws = []flaw{
	{"Concurrency/OneWinner", "compares versions, and then writes", func(b *bent) {
		b.update = checkThenWrite(b)
	}},
	{"Concurrency/NoneIsLost", "compares versions, and then writes", func(b *bent) {
		b.update = checkThenWrite(b)
	}},
	{"Concurrency/CreateOnce", "looks for a record, and then creates it", func(b *bent) {
		b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
			if _, err := b.table.Load(ctx, r.ID); err == nil {
				return 0, store.ErrExists
			}
			pause()
			return b.force(r), ctx.Err()
		}
	}},
	{"Concurrency/CreateOnceOverExpired", "replaces an expired record in two steps", func(b *bent) {
		b.create = func(ctx context.Context, r store.Record) (store.Version, error) {
			if old, ok := b.kept(r.ID); ok && b.over(old) {
				pause()
				return b.force(r), ctx.Err()
			}
			return b.table.Create(ctx, r)
		}
	}},
	{"Concurrency/DeleteBeatsUpdate", "looks for the record, and then writes it", func(b *bent) {
		b.update = checkThenWrite(b)
	}},
	{"Concurrency/DeleteBeatsTouch", "reads the record, and then writes it with its new expiry", func(b *bent) {
		b.touch = readThenWrite(b)
	}},
	{"Concurrency/TouchKeepsUpdate", "reads the record, and then writes it with its new expiry", func(b *bent) {
		b.touch = readThenWrite(b)
	}},

	{"Peers/SeeEachOther", "answers what it has read once", func(b *bent) {
		b.load = remember(b)
	}},
	{"Peers/Touched", "goes by the expiry that it has read once", func(b *bent) {
		b.load = remember(b)
	}},
	{"Peers/Conflict", "compares with the version that it has written itself", func(b *bent) {
		b.peer = blind(b)
	}},
	{"Peers/Exists", "looks among its own records alone", func(b *bent) {
		p := blind(b)
		p.create = func(ctx context.Context, r store.Record) (store.Version, error) { return b.force(r), ctx.Err() }
		b.peer = p
	}},
	{"Peers/Deleted", "answers what it has read once", func(b *bent) {
		p := newBent()
		p.table = b.table
		p.load, p.update, p.touch, p.delete = remember(b), b.table.Update, b.table.Touch, b.table.Delete
		b.peer = p
	}},
}

func checkThenWrite(b *bent) func(context.Context, store.Record) (store.Version, error) {
	return func(ctx context.Context, r store.Record) (store.Version, error) {
		old, err := b.table.Load(ctx, r.ID)
		if err != nil {
			return 0, err
		}
		if old.Version != r.Version {
			return 0, store.ErrConflict
		}
		pause()
		return b.force(r), nil
	}
}

func readThenWrite(b *bent) func(context.Context, string, time.Time) error {
	return func(ctx context.Context, id string, expires time.Time) error {
		r, err := b.table.Load(ctx, id)
		if err != nil {
			return err
		}
		pause()
		r.Expires = expires
		b.force(r)
		return nil
	}
}

// remember is a Load that never reads a record twice.
func remember(b *bent) func(context.Context, string) (store.Record, error) {
	var read sync.Map
	return func(ctx context.Context, id string) (store.Record, error) {
		if r, ok := read.Load(id); ok {
			return r.(store.Record), ctx.Err()
		}
		r, err := b.table.Load(ctx, id)
		if err == nil {
			read.Store(id, r)
		}
		return r, err
	}
}

// blind is a node that ignores what others have written.
func blind(b *bent) *bent {
	p := newBent()
	p.table = b.table
	p.load, p.create, p.touch, p.delete = b.table.Load, b.table.Create, b.table.Touch, b.table.Delete
	p.update = func(ctx context.Context, r store.Record) (store.Version, error) {
		v, err := b.table.Update(ctx, r)
		if errors.Is(err, store.ErrConflict) {
			return b.force(r), nil
		}
		return v, err
	}
	return p
}
