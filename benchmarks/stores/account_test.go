package stores

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/nestsession/session/benchmarks/internal/account"
)

// Account is what every contender keeps.
type Account = account.Account

func newAccount() Account { return account.New() }

// typedCodec is the codec for scs that knows the one type that the application keeps,
// which is as fast as scs with JSON gets.
type typedCodec struct{}

type scsDocument struct {
	Deadline time.Time
	Values   *Account
}

func (typedCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	account, _ := values["account"].(*Account)
	return json.Marshal(scsDocument{deadline, account})
}

func (typedCodec) Decode(text []byte) (time.Time, map[string]any, error) {
	var d scsDocument
	err := json.Unmarshal(text, &d)
	return d.Deadline, map[string]any{"account": d.Values}, err
}

// writer is a response writer that is used again and again, so that what is measured
// is the session.
type writer struct {
	header http.Header
	status int
}

func (w *writer) Header() http.Header         { return w.header }
func (w *writer) Write(p []byte) (int, error) { return len(p), nil }
func (w *writer) WriteHeader(status int)      { w.status = status }
