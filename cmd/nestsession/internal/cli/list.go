package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/sessions"
)

// sessionsList is the flags of `nestsession sessions list`.
type sessionsList struct {
	operator
	Owner string `placeholder:"OWNER" help:"Only the sessions of this owner, such as user:42."`
	JSON  bool   `name:"json" help:"Write one JSON object per line."`
	Keys  bool   `name:"ids" help:"Also show the key of each session in the store: a hash, or, with the layouts of express-session, the id in the cookie, with which anyone can take over the session."`
	Limit int    `placeholder:"N" help:"List at most this many sessions."`
}

// Help returns the help beyond the flags.
func (*sessionsList) Help() string {
	return `The list shows the digest of each session, which is not a credential, ` +
		`but not its data. On a terminal the list is a table. Otherwise it is a line per session, with tabs between ` +
		`digest, last use, expiry, creation, owner and, with --ids, key. The times are as in RFC 3339, and "-" means unknown or never.

` + storesHelp
}

// Run lists sessions as the store yields them, in no particular order.
func (c *sessionsList) Run(ctx context.Context, to output) (err error) {
	opened, view, err := c.open(ctx, to)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(to.out)
	defer func() { err = errors.Join(err, w.Flush(), opened.Close()) }()
	write := writeLine
	switch {
	case c.JSON:
		write = writeJSON
	case isTerminal(to.out):
		write = writeRow
		writeHeading(w, c.Keys)
	}
	n := 0
	for s, err := range view.All(ctx, c.Owner) {
		if err != nil {
			return err
		}
		if err := write(w, s, c.Keys); err != nil {
			return err
		}
		if n++; n == c.Limit {
			break
		}
	}
	return nil
}

// description is a session as JSON. Unknown fields are left out.
type description struct {
	Session  string     `json:"session"`
	Key      string     `json:"key,omitempty"`
	Owner    string     `json:"owner,omitempty"`
	Created  *time.Time `json:"created,omitempty"`
	LastUsed *time.Time `json:"last_used,omitempty"`
	Expires  *time.Time `json:"expires,omitempty"`
	Data     any        `json:"data,omitempty"`
}

func describe(s sessions.Session, withKey bool) description {
	d := description{Session: s.Digest, Owner: s.Owner, Created: known(s.Created), LastUsed: known(s.LastUsed), Expires: known(s.Expires)}
	if withKey {
		d.Key = s.Key()
	}
	return d
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func writeJSON(w io.Writer, s sessions.Session, withKey bool) error {
	return encode(w, describe(s, withKey), false)
}

// encode writes JSON without characters that control a terminal.
func encode(w io.Writer, v any, indent bool) error {
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if indent {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(w, printable(text.String()))
	return err
}

func writeLine(w io.Writer, s sessions.Session, withKey bool) error {
	_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s", s.Digest, instant(s.LastUsed), instant(s.Expires), instant(s.Created), oneLine(s.Owner))
	return endLine(w, err, "\t", s, withKey)
}

const (
	rowFormat  = "%-24s  %-19s  %-19s  %-19s  %s"
	timeFormat = "2006-01-02 15:04:05"
)

func writeHeading(w io.Writer, withKey bool) {
	last := "OWNER"
	if withKey {
		last += "  KEY"
	}
	fmt.Fprintf(w, rowFormat+"\n", "SESSION", "LAST USED", "EXPIRES", "CREATED", last)
}

func writeRow(w io.Writer, s sessions.Session, withKey bool) error {
	_, err := fmt.Fprintf(w, rowFormat, s.Digest, local(s.LastUsed), local(s.Expires), local(s.Created), oneLine(s.Owner))
	return endLine(w, err, "  ", s, withKey)
}

func endLine(w io.Writer, err error, between string, s sessions.Session, withKey bool) error {
	if err == nil && withKey {
		_, err = io.WriteString(w, between+oneLine(s.Key()))
	}
	if err == nil {
		_, err = io.WriteString(w, "\n")
	}
	return err
}

func instant(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

func local(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(timeFormat)
}
