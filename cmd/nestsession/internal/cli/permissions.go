package cli

import (
	"fmt"
	"log/slog"

	"github.com/nestsession/session/cmd/nestsession/internal/sqlitefile"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
)

// permissions refuses files with which every user of the machine could log in as anybody. It warns
// of other rights that other users have to the files.
func (p *place) permissions(log *slog.Logger) error {
	folder, err := sqlitefile.AccessTo(p.folder)
	if err != nil {
		return err
	}
	if folder.AnybodyWrites() {
		return fmt.Errorf("the data folder %v: everybody could put other users and another secret into it", folder)
	}
	found := []sqlitefile.Access{folder}
	if p.users.Kind == storeurl.SQLite {
		users, err := sqlitefile.AccessTo(p.users.Path)
		if err != nil {
			return err
		}
		found = append(found, users) // users.Open refuses files that everybody can read or write
	}
	if p.sessions.Kind == storeurl.SQLite {
		sessions, err := sqlitefile.AccessTo(p.sessions.Path)
		if err != nil {
			return err
		}
		if sessions.AnybodyWrites() && !p.sessions.PlainIDs() {
			return fmt.Errorf("the sessions' file %v: everybody could put a session of any user into it", sessions)
		}
		found = append(found, sessions)
	}
	for _, a := range found {
		if text := a.String(); text != "" {
			log.Warn("other users of this machine can use the server's files: " + text)
		}
	}
	return nil
}
