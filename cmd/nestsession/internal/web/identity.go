package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/cmd/nestsession/internal/web/text"
)

// Sharing says whether other applications use the sessions as well, and with which users.
type Sharing int

const (
	// Alone means that no application shares the sessions of this server.
	Alone Sharing = iota

	// UsersApart: other applications use the same sessions, but with other users. A user who is
	// logged in there is not logged in here: their user 1 is not our user 1.
	UsersApart

	// UsersShared: other applications have the same users. A user who is logged in there is logged
	// in here.
	UsersShared
)

// Account is the data of a session.
type Account struct {
	Own `json:"nestsession,omitzero"`

	// Where other applications keep their users: express-session's usual member, and that of
	// Passport. This server does not change them, unless the users are shared.
	Elsewhere json.RawMessage `json:"user,omitempty"`
	Passport  json.RawMessage `json:"passport,omitempty"`
}

// Own is this server's part of the session, in a member of its own.
type Own struct {
	User   *users.User `json:"user,omitempty"`
	Notice string      `json:"notice,omitempty"` // shown once, on the next page

	Generation int64 `json:"generation,omitempty"` // of the account when the user gave the password, see users.Store.Current
}

// userOf returns the user who is logged in here, nil if nobody is. The session's data are not
// enough to know that, because an application that shares the session can write them. Only a login
// here sets the owner, which also names the file of the accounts.
func (a *App) userOf(s *Session) *users.User {
	d := s.Data()
	if a.sharing == UsersShared {
		var u users.User
		if json.Unmarshal(d.Elsewhere, &u) != nil || u.ID <= 0 || u.Username == "" {
			return nil
		}
		return &u
	}
	if d.User == nil || s.Owner() != a.ownerOf(d.User.ID) {
		return nil
	}
	return d.User
}

// setUser makes the session that of a user.
func (a *App) setUser(s *Session, own Own) {
	shared, err := json.Marshal(own.User)
	s.Update(func(d *Account) {
		d.Own = own
		if a.sharing == UsersShared && err == nil {
			d.Elsewhere = shared
		}
	})
}

// loginOf returns the login that began the session of u. If an application with the same users
// began it, there is none.
func (a *App) loginOf(s *Session, u *users.User) (l users.Login, known bool) {
	d := s.Data()
	return users.Login{User: *u, Generation: d.Generation}, d.User != nil && d.User.ID == u.ID && d.Generation != 0
}

// ownerOf returns the owner of a user's sessions in the store. If other applications have other
// users, the owner includes the issuer of the accounts.
func (a *App) ownerOf(id int64) string {
	owner := "user:" + strconv.FormatInt(id, 10)
	if a.sharing == UsersApart {
		owner += "@" + a.users.Issuer()
	}
	return owner
}

// elsewhere returns the name of the user whom another application has logged in, "" if there is
// none. It is only shown; nothing is done in that name.
func (a *App) elsewhere(t *text.Text, s *Session) string {
	if a.sharing != UsersApart {
		return ""
	}
	d := s.Data()
	var passport struct {
		User json.RawMessage `json:"user"`
	}
	_ = json.Unmarshal(d.Passport, &passport) // a value of another form is no name
	return cmp.Or(nameIn(t, d.Elsewhere), nameIn(t, passport.User))
}

// maxForeignName is how much of another application's name is shown, in characters.
const maxForeignName = 64

// nameIn returns the part of another application's user that a person would recognize as the name.
func nameIn(t *text.Text, value json.RawMessage) string {
	var v any
	if json.Unmarshal(value, &v) != nil {
		return ""
	}
	if members, ok := v.(map[string]any); ok {
		v = nil
		for _, key := range []string{"username", "name", "displayName", "login", "email", "id", "_id", "sub"} {
			if name := scalar(t, members[key]); name != "" {
				v = name
				break
			}
		}
		if v == nil && len(members) > 0 {
			v = t.Somebody
		}
	}
	return scalar(t, v)
}

// scalar returns a text, or a number that identifies a user, as a line of limited length.
func scalar(t *text.Text, v any) string {
	var name string
	switch v := v.(type) {
	case string:
		name = v
	case float64:
		if v != 0 {
			name = fmt.Sprintf(t.UserNumber, strconv.FormatFloat(v, 'f', -1, 64))
		}
	case bool:
		if v {
			name = t.Somebody
		}
	}
	name = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name))
	if utf8.RuneCountInString(name) > maxForeignName {
		name = string([]rune(name)[:maxForeignName]) + "…"
	}
	return name
}

// askToLogIn answers a client that is not logged in here, and says which user is logged in
// elsewhere.
func (a *App) askToLogIn(w http.ResponseWriter, r *http.Request, s *Session) {
	t := text.For(r.Header)
	p := notLoggedIn(t)
	if name := a.elsewhere(t, s); name != "" {
		p.Text = t.NotLoggedInHere + " " + fmt.Sprintf(t.Elsewhere, name)
		p.Elsewhere = name
	}
	a.writeProblem(w, r, p, loginView(t, "", "", nil))
}
