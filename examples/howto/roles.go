package howto

import (
	"context"
	"fmt"
)

// SetAdmin sets or removes the administrator's role, in the database and then in
// all sessions of the user.
func (a *App) SetAdmin(ctx context.Context, user User, admin bool) error {
	if _, err := a.Users.DB.ExecContext(ctx, "UPDATE users SET admin = ? WHERE id = ?", admin, user.ID); err != nil {
		return err
	}
	_, err := a.Sessions.UpdateOwner(ctx, user.Owner(), func(d *Account) { d.Admin = admin })
	if err != nil {
		return fmt.Errorf("the database has the new role, and some sessions have the old one: %w", err)
	}
	return nil
}
