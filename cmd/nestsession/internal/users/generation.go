package users

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
)

// newGeneration returns a number that nobody guesses. Its 53 bits survive programs in
// JavaScript that read and write sessions as well.
func newGeneration() int64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program rather
	return int64(binary.BigEndian.Uint64(b[:])>>11) + 1
}

// Current reports whether a login still holds: whether the account is there, is not
// disabled, and has the password that it had then. A session records the login that began
// it, and is asked about with every request: so one write to the account's row ends all of
// its sessions, wherever they are and whatever happens to this process the moment after.
func (s *Store) Current(ctx context.Context, l Login) (bool, error) {
	var n int
	err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM users WHERE id = ? AND name = ? AND generation = ? AND disabled_at IS NULL`,
		l.User.ID, l.User.Username, l.Generation).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("users: current: %w", err)
	}
	return n == 1, nil
}
