package cli

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/nestsession/session/cmd/nestsession/internal/events"
)

// standard is the name of standard input and output among files.
const standard = "-"

// eventFlags say where the events of sessions are written.
type eventFlags struct {
	Events      string `placeholder:"FILE" env:"NESTSESSION_EVENTS" help:"Write the events of sessions into this file, as JSON lines for \"nestsession explain\"; \"-\" is standard output. The file contains owners and client addresses, but no id, cookie or secret. Each process needs its own file. Default: none."`
	EventsSize  size   `default:"16MiB" placeholder:"SIZE" env:"NESTSESSION_EVENTS_SIZE" help:"Start a new file when the file has this size, and rename the old one to FILE.1. Default: ${default}."`
	EventsFiles int    `default:"8" placeholder:"N" env:"NESTSESSION_EVENTS_FILES" help:"Keep this many files, including the current one, and remove older ones. Default: ${default}."`
	Node        string `placeholder:"NAME" env:"NESTSESSION_NODE" help:"The name of this process in the events. Default: the host's name and the address."`

	routes []string // the paths that events may name
	events *events.Log
}

func (f *eventFlags) validate() error {
	f.routes = loginRoutes
	if f.EventsSize.bytes == 0 {
		return errors.New("--events-size: the size is too small: write at least 64KiB, such as 16MiB")
	}
	if f.EventsFiles < 1 || f.EventsFiles > 1000 {
		return errors.New("--events-files: write a number from 1 to 1000")
	}
	return nil
}

// openEvents opens the log, if one is wanted.
func (f *eventFlags) openEvents(to output, at net.Addr, log *slog.Logger) (err error) {
	if f.Events == "" {
		return nil
	}
	cfg := events.Config{Path: f.Events, MaxBytes: f.EventsSize.bytes, MaxFiles: f.EventsFiles, Node: f.Node, Logger: log}
	if cfg.Node == "" {
		host, _ := os.Hostname()
		cfg.Node = cmp.Or(host, "?") + " " + at.String()
	}
	if f.Events == standard {
		cfg.Path, cfg.Out = "", to.out
		signal.Ignore(syscall.SIGPIPE) // the server outlives what reads its output
	}
	if f.events, err = events.Open(cfg); err != nil {
		return fmt.Errorf("--events or $NESTSESSION_EVENTS: %w: name a file in an existing folder that this server may write", err)
	}
	return nil
}

func (f *eventFlags) closeEvents() error {
	if f.events == nil {
		return nil
	}
	return f.events.Close()
}

// withOrigin adds to each request what its events say of it.
func (c *serve) withOrigin(next http.Handler) http.Handler {
	if c.events == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := events.Origin{From: c.proxies.Address(r), Request: routeOf(r, c.CookiePath, c.routes)}
		next.ServeHTTP(w, r.WithContext(events.WithOrigin(r.Context(), o)))
	})
}

// The routes with which users end sessions, and where they log in. A path that is not among them is
// in no event, because a client can write anything there.
const (
	loginRoute        = "POST /login"
	logoutRoute       = "POST /logout"
	passwordRoute     = "POST /password"
	logoutOneRoute    = "POST /sessions/{session}/logout"
	logoutOthersRoute = "POST /sessions/logout-others"
	registerRoute     = "POST /register"
)

var loginRoutes = []string{loginRoute, logoutRoute, passwordRoute, logoutOneRoute, logoutOthersRoute, registerRoute}

// routeOf returns the route of a request; "" if it is not among the given ones.
func routeOf(r *http.Request, prefix string, routes []string) string {
	path := "/" + strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, strings.TrimSuffix(prefix, "/")), "/")
	for _, route := range routes {
		method, pattern, _ := strings.Cut(route, " ")
		begin, end, named := strings.Cut(pattern, "{session}")
		if r.Method == method && (path == pattern || named && strings.HasPrefix(path, begin) && strings.HasSuffix(path, end)) {
			return route
		}
	}
	return ""
}
