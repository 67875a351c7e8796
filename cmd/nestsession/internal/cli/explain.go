package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/events"
)

// explain is the flags of `nestsession explain`.
type explain struct {
	Session string   `arg:"" optional:"" help:"The session's digest, as a server's log or \"sessions list\" shows it, or its first characters. A digest from before a login or a renewal works too."`
	Owner   string   `placeholder:"OWNER" help:"All sessions of this owner, such as user:42."`
	Events  []string `placeholder:"FILE" env:"NESTSESSION_EVENTS" help:"The log that a server writes with --events FILE. The command reads this file and the older ones, FILE.1 and so on. It sorts several logs by time. \"-\" is standard input, which is the default."`
	JSON    bool     `name:"json" help:"Write one JSON object per line."`
}

// Help returns the help beyond the flags.
func (*explain) Help() string {
	return `The command lists the events of a session, the oldest first: the time in UTC, what happened, and the node, the client's address ` +
		`and the digest. It skips lines that are not events, and prefixes that a log collector adds to lines: docker compose logs | nestsession explain DIGEST.

Each node logs only its own events, so give the logs of all nodes. Commands (sessions revoke, accounts disable) write no events: ` +
		`a session that they end is refused at its next request. "nestsession accounts list" shows which account user:42 is.`
}

// Validate refuses a command line that does not say what to explain.
func (c *explain) Validate() error {
	if (c.Session == "") == (c.Owner == "") {
		return errors.New("name what to explain: write the digest of a session, or --owner OWNER")
	}
	return nil
}

// Run explains sessions.
func (c *explain) Run(ctx context.Context, to output, in input) error {
	record, err := c.read(to, in)
	if err != nil {
		return err
	}
	if record.Skipped > 0 {
		fmt.Fprintf(to.err, "nestsession: skipped lines that are not events: %d\n", record.Skipped)
	}
	lives, err := c.find(record)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(to.out)
	for i, life := range lives {
		if err := c.write(w, i, life); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, l := range record.LostIn(lives[0]) {
		fmt.Fprintf(to.err, "nestsession: the node %s could not write %d events before %s, so some may be missing here\n", oneLine(l.Node), l.Lost, exact(l.Time))
	}
	return nil
}

func (c *explain) read(to output, in input) (*events.Record, error) {
	var record events.Record
	files := c.Events
	if len(files) == 0 {
		if in.terminal() {
			return nil, errors.New("there is no event log: name the file that the server writes with --events FILE, or pass it on standard input")
		}
		files = []string{standard}
	}
	for _, path := range files {
		var err error
		if path == standard {
			err = record.Read(in)
		} else {
			err = record.ReadFile(path)
		}
		if err != nil {
			return nil, fmt.Errorf("--events: %w: name the file that a server writes with --events", err)
		}
	}
	if record.Len() == 0 {
		return nil, errors.New("the log contains no events: name the file that a server writes with --events, or pass it on standard input")
	}
	return &record, nil
}

func (c *explain) find(record *events.Record) (lives []events.Life, err error) {
	what := fmt.Sprintf("the session %q", c.Session)
	if c.Owner != "" {
		what = fmt.Sprintf("the owner %q", c.Owner)
		lives, err = record.FindOwner(c.Owner)
	} else {
		lives = make([]events.Life, 1)
		lives[0], err = record.Find(c.Session)
	}
	if errors.Is(err, events.ErrNone) {
		return nil, fmt.Errorf("none of %d events is about %s.\n"+
			"The first event is from %s: if the session is older, look in older files.\n"+
			"Give the logs of all nodes, each with --events FILE.\n"+
			"A digest depends on the server's first secret: use a digest from the server's log, or from `nestsession sessions list` with the server's secrets.\n"+
			"If you know the user, `nestsession accounts list` shows the number for --owner user:NUMBER", record.Len(), what, exact(record.Begin()))
	}
	return lives, err
}

// explained is a line as JSON.
type explained struct {
	events.Line
	Life string `json:"life,omitempty"` // the last digest of the session
	Text string `json:"text"`
}

func (c *explain) write(w io.Writer, i int, life events.Life) error {
	if c.JSON {
		for _, l := range life.Lines {
			if err := encode(w, explained{l, life.Session, textOf(l)}, false); err != nil {
				return err
			}
		}
		return nil
	}
	between := ""
	if i > 0 {
		between = "\n"
	}
	if _, err := fmt.Fprintf(w, "%s%s\n", between, heading(life)); err != nil {
		return err
	}
	for _, l := range life.Lines {
		if _, err := fmt.Fprintf(w, "%s  %s  (%s)\n", exact(l.Time), oneLine(textOf(l)), oneLine(circumstances(l))); err != nil {
			return err
		}
	}
	return nil
}

// heading names a session, its former digests and its owners.
func heading(life events.Life) string {
	if life.Session == "" {
		return "without a session"
	}
	var owners, former []string
	for _, l := range life.Lines {
		for _, d := range []string{l.Former, l.Session} {
			if d != "" && d != life.Session && !slices.Contains(former, d) {
				former = append(former, d)
			}
		}
		if l.Owner != "" && !slices.Contains(owners, l.Owner) {
			owners = append(owners, l.Owner)
		}
	}
	text := "session " + life.Session
	if len(owners) > 0 {
		text += " of " + strings.Join(owners, ", ")
	}
	if len(former) > 0 {
		text += ", called before: " + strings.Join(former, ", ")
	}
	return oneLine(text)
}

func circumstances(l events.Line) string {
	var parts []string
	add := func(label, value string) {
		if value != "" {
			parts = append(parts, label+value)
		}
	}
	add("node ", l.Node)
	if l.Kind != session.EventLoggedIn { // its sentence has it
		add("from ", l.From)
	}
	add("session ", l.Session)
	add("request ", l.Request)
	return strings.Join(parts, ", ")
}

// exact writes a time so that lines are in order.
func exact(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// textOf says what happened in a sentence.
func textOf(l events.Line) string {
	text := sentence(l)
	if why := reasons[l.Reason]; why != "" {
		text += ": " + why
	} else if l.Reason != "" {
		text += ": " + string(l.Reason)
	}
	if l.Error != "" {
		text += ": " + l.Error
	}
	return text
}

func sentence(l events.Line) string {
	switch l.Kind {
	case session.EventCreated:
		return "created"
	case session.EventLoggedIn:
		text := "logged in"
		switch l.Request {
		case passwordRoute, logoutOneRoute, logoutOthersRoute:
			text = "renewed: the user gave the password again, and the client has a new cookie;"
		}
		if l.From != "" {
			text += " from " + l.From
		}
		if l.Owner != "" {
			text += " as " + l.Owner
		}
		return text
	case session.EventRenewed:
		return "renewed: it has a new id, and the client has a new cookie"
	case session.EventRegenerated:
		return "ended: an empty session or the login of another user replaced it"
	case session.EventDestroyed:
		switch l.Request {
		case logoutRoute, logoutOneRoute:
			return "ended: the user logged out"
		}
		return "ended by the server: the account is disabled or deleted, or its password was changed"
	case session.EventLoginRefused:
		return "a login was refused: its owner has too many sessions"
	case session.EventRevoked:
		if l.Reason == session.ReasonLimit {
			return "ended by a newer login of the same user, who had too many sessions"
		}
		switch l.Request {
		case passwordRoute:
			return "ended: the user changed the password in another session"
		case logoutOneRoute:
			return "ended: the user logged it out from another session"
		case logoutOthersRoute:
			return "ended: the user logged all other sessions out"
		case loginRoute, registerRoute:
			return "ended by a login of the same user"
		}
		return "ended from outside"
	case session.EventExpired:
		return "ended: it has expired"
	case session.EventRejected:
		if strings.HasPrefix(string(l.Reason), "device: ") {
			return "refused: the request did not prove the key of the device, so the cookie may be a copy; the session continued"
		}
		return "refused: the cookie or token was not accepted"
	case session.EventConflict:
		return "conflict: another request saved first, so the changes were applied again to its result"
	case session.EventDropped:
		return "changes were not stored"
	case session.EventLoadFailed:
		return "the store could not load it, and the client got an error"
	case session.EventSaveFailed:
		return "the store could not save it"
	case session.EventTouchFailed:
		return "the store could not extend it; the client got its response"
	case session.EventCookieNotSent:
		return "the client did not get its cookie"
	case session.EventUnread:
		return "a member of its data could not be read; the session continued"
	}
	if text := deviceSentences[l.Kind]; text != "" {
		return text
	}
	return string(l.Kind)
}

// deviceSentences are those of sessions that are bound to a device.
var deviceSentences = map[session.EventKind]string{
	"device key asked for":      "the browser was asked for a key of its device",
	"device key registered":     "the browser sent a key of its device",
	"device bound":              "bound to the device: from now on requests need a proof of its key",
	"device refreshed":          "the browser proved the key of its device again",
	"device key not registered": "a key was not accepted",
	"device not refreshed":      "the browser was asked for a proof of the key and sent no valid one; the session continued",
	"device released":           "no longer bound to its device",
}

// reasons are the reasons that need more words than they have.
var reasons = map[session.Reason]string{
	session.ReasonUnknown:     "the store has no such session; it has expired, or a command, another node or another program ended it, or the store lost it",
	session.ReasonSignature:   "no secret of this node signed it; the cookie is forged, or a secret was removed",
	session.ReasonMalformed:   "it does not have the format of a session cookie",
	session.ReasonDuplicate:   "there were several cookies with its name",
	session.ReasonSuperseded:  "the id is an old one: a moment ago the session got a new id or ended",
	session.ReasonIdle:        "it was not used for too long",
	session.ReasonAbsolute:    "it reached the absolute timeout, although it may have been in use",
	session.ReasonEnded:       "the session had ended in the meantime",
	session.ReasonClientLeft:  "the client closed the connection",
	session.ReasonUndecodable: "its data do not fit the program",

	"device: no key":                 "a key is required, and the browser has sent none",
	"device: no proof":               "it had neither the bound cookie nor a signature",
	"device: proof has expired":      "its bound cookie or the signed challenge was too old",
	"device: proof was replaced":     "a newer bound cookie had replaced its bound cookie",
	"device: proof is not authentic": "its bound cookie was not made for this session",
	"device: bad signature":          "the signature was not made with the session's key",
	"device: has a key already":      "the login has already registered another key",
	"device: malformed":              "the request did not follow the protocol",
	"device: bad key":                "the key was not safe to use",
	"device: cookie has a domain":    "sessions that several hosts share cannot be bound",
	"device: path is outside":        "the session cookie's path does not cover the path of the registration",
	"device: another audience":       "the proof was made for another server",
	"device: no session":             "the session had ended, or never existed",
	"device: store failed":           "the store did not answer; the browser tries again",
}
