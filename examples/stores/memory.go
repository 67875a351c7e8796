package stores

import (
	"io"
	"os"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/memstore"
)

// Memory keeps sessions in this process.
func Memory() (*Sessions, error) {
	kept := memstore.New(memstore.Config{MaxSessions: 200_000})
	sessions, err := session.New[Account](session.Config{
		Secrets: []string{os.Getenv("SESSION_SECRET")},
		Store:   kept,
	})
	if err != nil {
		return nil, err
	}
	return &Sessions{sessions, []io.Closer{kept}}, nil
}
