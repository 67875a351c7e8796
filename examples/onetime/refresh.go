package onetime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nestsession/session"
)

const (
	// lease is how long a request has to refresh the token. After it another
	// request tries, so a crashed request does not block the others for longer.
	lease = 10 * time.Second
	// pause is how long the others wait before they check again.
	pause = 100 * time.Millisecond
)

// Refresher gets a new token with the refresh token, which the provider accepts once.
type Refresher func(ctx context.Context, refresh string) (token, next string, expires time.Time, err error)

// Token returns an access token that is valid. If it has expired, one of the requests that
// need it refreshes it, and the others wait. Before that it saves the
// request's changes.
func (refresh Refresher) Token(ctx context.Context, s *Session) (string, error) {
	for saved := false; ; {
		now := time.Now() // before Take, whose function may run again
		until := now.Add(lease)
		access := s.Data().Access
		switch {
		case now.Before(access.Expires):
			return access.Token, nil
		case access.Refresh == "":
			return "", errors.New("the session has no access that could be refreshed")
		case !saved: // because Reload drops unsaved changes
			if err := s.Save(ctx); err != nil {
				return "", err
			}
			saved = true
		}
		ours, err := session.Take(ctx, s, func(a *Account) bool {
			if now.Before(a.Access.Expires) || now.Before(a.Access.Refreshing) {
				return false
			}
			a.Access.Refreshing = until
			return true
		})
		if err != nil {
			return "", err
		}
		if ours {
			return refresh.buy(ctx, s, until)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		if err := s.Reload(ctx); err != nil {
			return "", err
		}
	}
}

// buy refreshes the token within the lease of this request.
func (refresh Refresher) buy(ctx context.Context, s *Session, until time.Time) (string, error) {
	inTime, cancel := context.WithDeadline(ctx, until.Add(-lease/5)) // the rest is for the save
	defer cancel()
	token, next, expires, err := refresh(inTime, s.Data().Access.Refresh)
	kept, saveErr := session.Take(ctx, s, func(a *Account) bool {
		if !a.Access.Refreshing.Equal(until) {
			return false // too late: another request has the lease
		}
		a.Access.Refreshing = time.Time{}
		if err == nil {
			a.Access.Token, a.Access.Refresh, a.Access.Expires = token, next, expires
		}
		return true
	})
	switch {
	case err != nil:
		return "", fmt.Errorf("refreshing the access token: %w", err)
	case saveErr != nil:
		return "", saveErr
	case !kept:
		return "", fmt.Errorf("refreshing the access token took longer than %v", lease)
	}
	return token, nil
}
