package users

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/record"
	"github.com/nestsession/session/store"
)

// The records of a bucket:
//
//	account.<id>   the account
//	name.<name>    which account has the name
//	accounts       the issuer, and the last id that was given
//
// An account is written before its name, and removed before it. So a name without its account is
// free; and an account that its name does not lead to does not exist: its registration has not ended.
const (
	accountPrefix = "account."
	namePrefix    = "name."
	metaID        = "accounts"
)

// bucket keeps accounts as records of a store, as the rows of a [Store].
type bucket struct {
	kept  store.Store // reads of it are never out of date
	near  store.Store // kept with a near cache in front of it, or kept
	close io.Closer
}

var _ rows = (*bucket)(nil)

// meta is the record of the whole.
type meta struct {
	Version int    `json:"version"`
	Issuer  string `json:"issuer"`
	LastID  int64  `json:"last_id"`
}

// row is an account as JSON.
type row struct {
	Name       string `json:"name"`
	Password   string `json:"password"`
	Generation int64  `json:"generation"`
	Created    int64  `json:"created"`
	Disabled   int64  `json:"disabled,omitempty"`
}

// bucketVersion is that of the records.
const bucketVersion = 1

// OpenBucket uses a store whose reads are never out of date, and the same store with a near cache in
// front of it. Any number of processes may use it. Close closes what is given as close.
func OpenBucket(ctx context.Context, kept, near store.Store, hasher Hasher, close io.Closer) (*Store, error) {
	b := &bucket{kept: kept, near: near, close: close}
	s := &Store{rows: b, hasher: hasher}
	m, err := change(ctx, kept, kept, metaID, func(m *meta, exists bool) bool {
		if !exists {
			*m = meta{Version: bucketVersion, Issuer: newIssuer()}
		}
		return !exists
	})
	if err != nil {
		return nil, b.failed("open", err)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	s.issuer = m.Issuer
	return s, nil
}

// OpenBucketAccounts is [OpenAccounts] for a bucket.
func OpenBucketAccounts(ctx context.Context, kept store.Store, close io.Closer) (*Accounts, error) {
	b := &bucket{kept: kept, near: kept, close: close}
	var m meta
	switch err := b.load(ctx, metaID, &m); {
	case errors.Is(err, store.ErrNotFound):
		return nil, ErrNoTables
	case err != nil:
		return nil, b.failed("open", err)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return &Accounts{b}, nil
}

func (m meta) check() error {
	if m.Version > bucketVersion {
		return fmt.Errorf("users: the accounts have version %d, and this program supports versions up to %d: use a newer nestsession", m.Version, bucketVersion)
	}
	return nil
}

func (b *bucket) failed(what string, err error) error {
	return fmt.Errorf("users: %s: %w: %w", what, ErrUnavailable, err)
}

// Close closes what belongs to the bucket.
func (b *bucket) Close() error { return b.close.Close() }

// Ping returns nil if the majority of the servers takes writes.
func (b *bucket) Ping(ctx context.Context) error {
	p, ok := store.As[store.Pinger](b.kept)
	if !ok {
		return nil // in memory
	}
	if err := p.Ping(ctx); err != nil {
		return b.failed("ping", err)
	}
	return nil
}

func (b *bucket) load(ctx context.Context, id string, to any) error {
	r, err := b.kept.Load(ctx, id)
	if err != nil {
		return err
	}
	return json.Unmarshal(r.Data, to)
}

// change is [record.Change] for records that do not expire.
func change[T any](ctx context.Context, kept, near store.Store, id string, do func(v *T, exists bool) bool) (T, error) {
	return record.Change(ctx, kept, near, id, func(v *T, exists bool) (time.Time, bool) { return time.Time{}, do(v, exists) })
}

func accountID(id int64) string { return accountPrefix + strconv.FormatInt(id, 10) }

func (b *bucket) insert(ctx context.Context, a account) (int64, error) {
	if _, err := b.byName(ctx, a.name); !errors.Is(err, ErrUnknown) {
		return 0, cmp.Or(err, ErrTaken)
	}
	m, err := change(ctx, b.kept, b.kept, metaID, func(m *meta, _ bool) bool {
		m.LastID++
		return true
	})
	if err != nil {
		return 0, err
	}
	data, err := json.Marshal(row{a.name, a.password, a.generation, a.created, a.disabled})
	if err != nil {
		return 0, err
	}
	if _, err := b.near.Create(ctx, store.Record{ID: accountID(m.LastID), Data: data}); err != nil {
		return 0, err
	}
	for {
		free, err := b.take(ctx, a.name, m.LastID)
		if err != nil {
			return 0, err // the name may lead to the account by now
		}
		if free {
			return m.LastID, nil
		}
		if _, err := b.byName(ctx, a.name); !errors.Is(err, ErrUnknown) {
			if err == nil {
				err = errors.Join(ErrTaken, b.near.Delete(ctx, accountID(m.LastID)))
			}
			return 0, err
		}
	}
}

// take lets a name lead to an account, if the account that it leads to does not exist. It reports
// false if somebody else was faster.
func (b *bucket) take(ctx context.Context, name string, id int64) (bool, error) {
	to := store.Record{ID: namePrefix + name, Data: strconv.AppendInt(nil, id, 10)}
	present, err := b.kept.Load(ctx, to.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		_, err = b.kept.Create(ctx, to)
	case err == nil:
		if _, err := b.account(ctx, present); !errors.Is(err, ErrUnknown) {
			return false, err
		}
		to.Version = present.Version
		_, err = b.kept.Update(ctx, to)
	}
	if errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (b *bucket) byName(ctx context.Context, name string) (account, error) {
	r, err := b.kept.Load(ctx, namePrefix+name)
	if errors.Is(err, store.ErrNotFound) {
		return account{}, ErrUnknown
	}
	if err != nil {
		return account{}, err
	}
	return b.account(ctx, r)
}

// account returns the account to which a name leads.
func (b *bucket) account(ctx context.Context, name store.Record) (account, error) {
	id, err := strconv.ParseInt(string(name.Data), 10, 64)
	if err != nil {
		return account{}, err
	}
	return b.byID(ctx, id)
}

func (b *bucket) byID(ctx context.Context, id int64) (account, error) {
	return find(ctx, b.kept, id)
}

func find(ctx context.Context, in store.Store, id int64) (account, error) {
	r, err := in.Load(ctx, accountID(id))
	if errors.Is(err, store.ErrNotFound) {
		return account{}, ErrUnknown
	}
	if err != nil {
		return account{}, err
	}
	return decode(id, r.Data)
}

func decode(id int64, data []byte) (account, error) {
	var v row
	if err := json.Unmarshal(data, &v); err != nil {
		return account{}, err
	}
	return account{id, v.Name, v.Password, v.Generation, v.Created, v.Disabled}, nil
}

// current is asked in each request of a user who is logged in. The near cache may answer that the
// login is valid: it is then as up to date as the session itself. That it is not valid ends the
// session, so only the servers answer that.
func (b *bucket) current(ctx context.Context, l Login) (account, error) {
	if a, err := find(ctx, b.near, l.User.ID); err == nil && a.disabled == 0 && a.login() == l {
		return a, nil
	}
	return b.byID(ctx, l.User.ID)
}

// edit changes an account that exists, unless do returns false. It reports whether it was changed.
func (b *bucket) edit(ctx context.Context, id int64, do func(*row) bool) (a account, changed bool, err error) {
	v, err := change(ctx, b.kept, b.near, accountID(id), func(v *row, exists bool) bool {
		changed = exists && do(v)
		return changed
	})
	if err == nil && v.Name == "" {
		err = ErrUnknown
	}
	return account{id, v.Name, v.Password, v.Generation, v.Created, v.Disabled}, changed, err
}

func (b *bucket) replace(ctx context.Context, id, generation int64, to account) (bool, error) {
	_, changed, err := b.edit(ctx, id, func(v *row) bool {
		if v.Disabled != 0 || v.Generation != generation {
			return false
		}
		v.Password, v.Generation = to.password, to.generation
		return true
	})
	if errors.Is(err, ErrUnknown) {
		return false, nil
	}
	return changed, err
}

func (b *bucket) disable(ctx context.Context, name string, generation, at int64) (Account, error) {
	return b.editNamed(ctx, name, func(v *row) {
		v.Generation, v.Disabled = generation, cmp.Or(v.Disabled, at)
	})
}

func (b *bucket) enable(ctx context.Context, name string) (Account, error) {
	return b.editNamed(ctx, name, func(v *row) { v.Disabled = 0 })
}

func (b *bucket) editNamed(ctx context.Context, name string, do func(*row)) (Account, error) {
	a, err := b.byName(ctx, name)
	if err == nil {
		a, _, err = b.edit(ctx, a.id, func(v *row) bool { do(v); return true })
	}
	return a.shown(), b.known("change", err)
}

// remove removes the account, and then the name, unless that leads to another account by now.
func (b *bucket) remove(ctx context.Context, name string) (Account, error) {
	r, err := b.kept.Load(ctx, namePrefix+name)
	if errors.Is(err, store.ErrNotFound) {
		return Account{}, ErrUnknown
	}
	var a account
	if err == nil {
		a, err = b.account(ctx, r)
	}
	if err == nil {
		err = b.near.Delete(ctx, accountID(a.id))
	}
	if err != nil {
		return Account{}, b.known("delete", err)
	}
	r.Expires = time.Now().Add(time.Millisecond) // a swap, which Delete is not
	if _, err := b.kept.Update(ctx, r); err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
		return Account{}, b.failed("delete", err)
	}
	return a.shown(), nil
}

func (b *bucket) known(what string, err error) error {
	if err == nil || errors.Is(err, ErrUnknown) {
		return err
	}
	return b.failed(what, err)
}

func (a account) shown() Account {
	shown := Account{User: a.login().User, Created: time.UnixMilli(a.created).UTC()}
	if a.disabled != 0 {
		shown.Disabled = time.UnixMilli(a.disabled).UTC()
	}
	return shown
}

// page returns all accounts at once, as records have no order. So the next page is empty.
func (b *bucket) page(ctx context.Context, after int64) ([]Account, error) {
	lister, ok := store.As[store.Lister](b.kept)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	leads := map[string]int64{}
	var all []Account
	for r, err := range lister.List(ctx, "") {
		if err != nil {
			return nil, b.failed("list", err)
		}
		if name, is := strings.CutPrefix(r.ID, namePrefix); is {
			leads[name], _ = strconv.ParseInt(string(r.Data), 10, 64)
		}
		id, is := strings.CutPrefix(r.ID, accountPrefix)
		n, err := strconv.ParseInt(id, 10, 64)
		if !is || err != nil || n <= after {
			continue
		}
		a, err := decode(n, r.Data)
		if err != nil {
			return nil, b.failed("list", err)
		}
		all = append(all, a.shown())
	}
	all = slices.DeleteFunc(all, func(a Account) bool { return leads[a.Username] != a.ID })
	slices.SortFunc(all, func(a, b Account) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}
