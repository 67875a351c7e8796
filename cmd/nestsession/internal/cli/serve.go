package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/stores"
	"github.com/nestsession/session/cmd/nestsession/internal/storeurl"
	"github.com/nestsession/session/cmd/nestsession/internal/telemetry"
	"github.com/nestsession/session/cmd/nestsession/internal/web"
	"github.com/nestsession/session/express"
)

// drainTime is how long requests may take to finish after the server is stopped. Kubernetes gives a
// process 30 seconds.
const drainTime = 20 * time.Second

// recheckInterval is how often a store that does not publish changes is polled for the sessions of
// open pages. These pages are notified of their end with that delay.
const recheckInterval = 2 * time.Second

// Help returns the help beyond the flags.
func (*serve) Help() string {
	return `Without any flag the server listens on loopback, and makes a folder for its users, its sessions and its secret. ` +
		`Users stay logged in when it is restarted. With --store memory: sessions end with the process. With --store 'memory:?snapshot=FILE' the server writes them to the file when it stops and reads the file at the start.

` + storesHelp + `

` + clusterHelp + `

Secrets sign the cookies: the first one signs and all of them verify, so insert a new one in front to rotate. ` +
		`The server reads them from $NESTSESSION_SECRETS (separated by commas), or else from the secret file (one per line). ` +
		`There is no flag for them, because every user of the machine can read command lines.`
}

// Run serves until ctx ends, then lets the requests in progress finish.
func (c *serve) Run(ctx context.Context, to output) error {
	return c.run(ctx, to, func(pages *site, log *slog.Logger) (*http.Server, string) { return newServer(pages, log), "" })
}

// run serves with the server that start makes of the pages. note is a line about it for the announcement.
func (c *serve) run(ctx context.Context, to output, start func(pages *site, log *slog.Logger) (server *http.Server, note string)) (err error) {
	log := slog.New(slog.NewTextHandler(to.err, nil))
	ln, err := listen(ctx, c.Address)
	if err != nil {
		return err
	}
	defer ln.Close()
	place, err := c.place(to)
	if err != nil {
		return err
	}
	if err := place.permissions(log); err != nil {
		return err
	}
	hasher, err := passwords.NewHasher(passwords.Recommended(), 0)
	if err != nil {
		return err
	}
	stopWaiting := func() {}
	if len(c.Cluster) > 0 {
		stopWaiting = meanwhile(ln)
		defer stopWaiting()
	}
	node, err := c.startNode(ctx, to.out, ln.Addr(), place, log)
	if err != nil && ctx.Err() != nil {
		return nil // it was stopped before it had started
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	accounts, err := openUsers(ctx, place.users, place.secrets, hasher, node.options(stores.Options{Logger: log}))
	if err != nil && ctx.Err() != nil {
		return nil // it was stopped before the users were open
	}
	if err != nil {
		return err
	}
	reports, err := telemetry.Start(ctx, telemetry.Config{Address: c.Metrics, System: strings.ToLower(string(place.sessions.Kind)), Trusts: c.proxies.Trusts, Logger: log})
	if err != nil {
		return errors.Join(err, accounts.Close())
	}
	open := func() (*stores.Opened, error) {
		return stores.Open(ctx, place.sessions, node.options(stores.Options{Make: true, Sweep: true, Watch: true, NearCache: c.near(), Behind: reports.Store, Logger: log}))
	}
	kept, err := openAnnounced(to.out, ln.Addr(), place.sessions, node != nil, open)
	if err != nil && ctx.Err() != nil {
		return errors.Join(reports.Close(), accounts.Close()) // it was stopped before the store was open
	}
	if err != nil {
		return errors.Join(err, reports.Close(), accounts.Close())
	}
	if err := c.openEvents(to, ln.Addr(), log); err != nil {
		return errors.Join(err, reports.Close(), kept.Close(), accounts.Close())
	}
	pages, err := c.site(place.secrets, accounts, kept, reports, log)
	if err != nil {
		return errors.Join(err, c.closeEvents(), reports.Close(), kept.Close(), accounts.Close())
	}
	server, note := start(pages, log)
	node.watch(kept)
	defer node.unwatch()
	server.Handler = reports.Handler(c.withOrigin(node.handler(server.Handler, pages)))
	c.announce(to.out, place, kept)
	if at := reports.Addr(); at != nil {
		fmt.Fprintf(to.out, "  metrics   at http://%s/metrics\n", at)
	}
	fmt.Fprint(to.out, note)
	c.warn(log, ln.Addr())
	stopWaiting()
	err = serveUntil(ctx, ln, server, pages.EndStreams, log, drainTime)
	node.unwatch()
	return errors.Join(err, pages.Close(), c.closeEvents(), reports.Close(), kept.Close(), accounts.Close())
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("another program already listens on %s: stop it, or choose another address such as --address 127.0.0.1:8081 (port 0 takes any free port)", address)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w: choose another address with --address HOST:PORT or NESTSESSION_ADDRESS", err)
	}
	return ln, nil
}

// newServer limits how long and how much a client may send.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10, // browsers send two or three KiB
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// serveUntil serves until ctx ends, and then until the requests in progress have finished, at most
// for the given time.
func serveUntil(ctx context.Context, ln net.Listener, server *http.Server, endStreams func(), log *slog.Logger, drain time.Duration) error {
	server.RegisterOnShutdown(endStreams) // these requests would not end before the time is over
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping after the requests in progress are answered", slog.Duration("within", drain))
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := server.Shutdown(draining); err != nil {
		return fmt.Errorf("some requests did not finish: %w", errors.Join(err, server.Close()))
	}
	return nil
}

// near returns how much of the sessions stores.Open keeps in memory.
func (c *serve) near() int64 {
	if !c.NearCache.given {
		return stores.NearDefault
	}
	return c.NearCache.bytes
}

// slowStart is how long a store may take to open before the address is announced without it.
const slowStart = time.Second

// openAnnounced opens the store and announces where the server listens: when the store is open, or
// earlier if that takes long, so that the operator sees for what the server waits.
func openAnnounced(w io.Writer, at net.Addr, target *storeurl.Target, announced bool, open func() (*stores.Opened, error)) (kept *stores.Opened, err error) {
	if announced {
		return open()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		kept, err = open()
	}()
	slow := time.NewTimer(slowStart)
	defer slow.Stop()
	select {
	case <-done:
		if err == nil {
			announceAddress(w, at)
		}
	case <-slow.C:
		announceAddress(w, at)
		fmt.Fprintf(w, "  waiting   for the sessions in %s\n", target)
		<-done
	}
	return kept, err
}

func announceAddress(w io.Writer, at net.Addr) {
	fmt.Fprintf(w, "nestsession listens on http://%s  (Ctrl-C stops it)\n", at)
}

// announce prints where the server keeps its data.
func (c *serve) announce(w io.Writer, p *place, kept *stores.Opened) {
	note := ""
	if p.sessions.Kind == storeurl.Memory && p.sessions.Path == "" {
		note = ": they end with this process"
	}
	usersPlace := p.users.Path
	if usersPlace == "" {
		usersPlace = "in " + p.users.String()
	}
	fmt.Fprintf(w, `  users     %s
  secrets   %s
  sessions  in %s, until %s after the last use%s
`, usersPlace, p.secretSource, p.sessions, c.lifetime(), note)
	if kept.NearCache > 0 {
		fmt.Fprintf(w, "  cache     %s of them in this process\n", humanize.IBytes(uint64(kept.NearCache)))
	}
}

// warn logs settings that may be a mistake.
func (c *serve) warn(log *slog.Logger, at net.Addr) {
	if tcp, ok := at.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() && len(c.proxies) == 0 {
		log.Warn("passwords and cookies cross the network unencrypted: put a proxy with HTTPS in front and name it with --trusted-proxy, or listen on loopback")
	}
}

// site returns the pages that use the store.
func (c *serve) site(secrets []string, accounts *openedUsers, kept *stores.Opened, reports *telemetry.Telemetry, log *slog.Logger) (*site, error) {
	app := func(flags cookieFlags) (*web.App, error) {
		return web.New(web.Config{
			Session: reports.Instrument(c.session(flags, accounts.Issuer(), secrets, kept, log)),
			Sharing: c.sharing(),
			Users:   accounts.Store,
			Guard:   accounts.guard,
			Proxies: c.proxies,
			Back:    c.back,

			PublicURL:   c.PublicURL,
			BindDevices: c.BindDevices,
			Logger:      log,
		})
	}
	plain, err := app(c.cookieFlags)
	if err != nil {
		return nil, err
	}
	if c.BindDevices {
		reports.CountBound(plain.IsBound) // of both apps: they have the same store
	}
	name := func(flags cookieFlags) string { return c.session(flags, accounts.Issuer(), secrets, kept, log).Name }
	s := &site{cookies: []string{name(c.cookieFlags)}, secure: plain, plain: plain, proxies: c.proxies, path: c.CookiePath, untrusted: &untrusted{proxies: c.proxies, log: log}}
	if bound := plain.BoundCookie(); bound != "" {
		s.cookies = append(s.cookies, bound)
	}
	if c.Express || c.CookieName != "" || c.Secure != "auto" || len(c.proxies) == 0 {
		return s, nil // the name was given, or all requests use the same scheme
	}
	flags := c.cookieFlags
	flags.Secure = "always"
	s.cookies = append(s.cookies, name(flags))
	if s.secure, err = app(flags); err != nil {
		return nil, errors.Join(err, plain.Close())
	}
	if bound := s.secure.BoundCookie(); bound != "" {
		s.cookies = append(s.cookies, bound)
	}
	return s, nil
}

func (c *serve) sharing() web.Sharing {
	switch {
	case c.UsersAreShared:
		return web.UsersShared
	case c.Express:
		return web.UsersApart
	}
	return web.Alone
}

// session returns the configuration of the sessions: the library's own, or that of express-session.
func (c *serve) session(flags cookieFlags, issuer string, secrets []string, kept *stores.Opened, log *slog.Logger) session.Config {
	cfg := session.Config{Secrets: secrets, Name: flags.nameFor(issuer)}
	if c.Express {
		cfg = express.Config(secrets...)
		cfg.Name = cmp.Or(flags.CookieName, cfg.Name)
		cfg.Express.KeepDeadCookie = false // ours to expire at a logout
	}
	cfg.Cookie, cfg.Rolling = flags.cookie(), flags.Rolling
	cfg.Store, cfg.Logger = kept, log
	if c.events != nil {
		cfg.OnEvent = c.events.OnEvent
	}
	if !kept.Watches {
		cfg.StoreLimits.RecheckInterval = recheckInterval
	}
	return cfg
}

// place is where the server keeps what outlives its process.
type place struct {
	folder       string
	users        *storeurl.Target
	sessions     *storeurl.Target
	secrets      []string
	secretSource string
}

func (c *serve) place(to output) (*place, error) {
	folder, err := dataFolder(c.Data, true)
	if err != nil {
		return nil, err
	}
	p := &place{folder: folder}
	if len(c.Cluster) > 0 {
		p.sessions = storeurl.OfNodes(c.Cluster)
		p.users = p.sessions
	} else {
		if p.users, err = c.usersTarget(folder, to); err != nil {
			return nil, err
		}
		if p.sessions, err = c.target(folder, to); err != nil {
			return nil, err
		}
	}
	if p.sessions.PlainIDs() && !c.Express {
		return nil, fmt.Errorf("layout=%s belongs to express-session: add --express, so that cookies and documents have its format too", p.sessions.Layout)
	}
	p.secrets, p.secretSource, err = secretSource{file: c.SecretFile, folder: folder, make: true, short: c.Express}.read()
	return p, err
}
