package users

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
)

// writeTime bounds a write that goes on although who asked for it has left.
const writeTime = 10 * time.Second

// Verify returns the present login of a user who knows the password, as it was typed. It
// returns [ErrWrong] for another password and for an account that is gone or disabled.
func (s *Store) Verify(ctx context.Context, id int64, typed string) (Login, error) {
	l := Login{User: User{ID: id}}
	var phc string
	err := s.db.QueryRowContext(ctx, `SELECT name, password, generation FROM users WHERE id = ? AND disabled_at IS NULL`, id).
		Scan(&l.User.Username, &phc, &l.Generation)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Login{}, fmt.Errorf("users: verify: %w", err)
	}
	normal, _ := passwords.Normalize(typed)
	match, _, err := s.hasher.Verify(ctx, normal, phc)
	switch {
	case err != nil:
		return Login{}, err
	case !match:
		return Login{}, ErrWrong
	}
	return l, nil
}

// ChangePassword replaces the password of a user who knows the present one, the
// new one being as [passwords.Choose] returned it, and returns the login with it. All
// others are [Store.Current] no more from that moment on. It returns [ErrWrong] for
// another present password, for an account that is gone or disabled, and for one whose
// password was changed meanwhile.
func (s *Store) ChangePassword(ctx context.Context, id int64, present, chosen string) (Login, error) {
	l, err := s.Verify(ctx, id, present)
	if err != nil {
		return Login{}, err
	}
	fresh, err := s.hasher.Hash(ctx, chosen)
	if err != nil {
		return Login{}, err
	}
	// A write that is canceled may or may not have happened.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTime)
	defer cancel()
	before := l.Generation
	l.Generation = newGeneration()
	res, err := s.db.ExecContext(ctx,
		`UPDATE users SET password = ?, generation = ? WHERE id = ? AND generation = ? AND disabled_at IS NULL`, fresh, l.Generation, id, before)
	if err != nil {
		return Login{}, fmt.Errorf("users: change password: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return Login{}, errors.Join(ErrWrong, err)
	}
	return l, nil
}
