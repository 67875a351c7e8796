package cluster

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/jackc/pgx/v5/pgxpool"
	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/redis/rueidis"

	"github.com/nestsession/session"
	"github.com/nestsession/session/eventstream"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/natsstore/embedded"
	"github.com/nestsession/session/pgxstore"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/nearcache"
	"github.com/nestsession/session/websocketsession"
)

// nodeMode is the environment variable that makes this program a node; its value is a setup as JSON.
const nodeMode = "NESTSESSION_CLUSTER_NODE"

const (
	maxStale     = 2 * time.Second
	recheck      = 5 * time.Second
	storeTimeout = 3 * time.Second // of each load and each save of a node
	secret       = "the secret of all nodes"
)

// setup says what a node needs to know.
type setup struct {
	Store   string // "redis", "postgres", "nats" or "embedded"
	URL     string // of PostgreSQL and NATS
	Addrs   []string
	Master  string            // the name at Sentinel
	Through map[string]string // the relay for each address of a server
	Listen  string
	Skew    time.Duration // how much the clock is wrong
	Plant   string        // the bug that is planted
	Inside  inside        // of "embedded"
}

// inside is the NATS server in a node.
type inside struct {
	Name, Folder string
	Listen       string   // for the other nodes
	Advertise    string   // the relay in front of Listen
	Routes       []string // Listen, and a relay to each other node
}

// kept is the NATS server in a node, and the node's connection to it; nil if there is none.
type kept struct {
	conn   *nats.Conn
	server *embedded.Server
}

// ready returns nil if another node may be stopped.
func (k *kept) ready() error {
	if k.server == nil {
		return nil
	}
	return k.server.Ready()
}

// leads reports whether the server in this node leads the bucket.
func (k *kept) leads(ctx context.Context, name string) (bool, error) {
	if k.conn == nil {
		return false, nil
	}
	leader, err := leader(ctx, k.conn)
	return leader == name, err
}

// startInside starts the NATS server in the node, whose others may not have started.
func (s setup) startInside(ctx context.Context) (*kept, error) {
	server, err := embedded.Start(ctx, embedded.Config{
		Name: s.Inside.Name, Folder: s.Inside.Folder, Listen: s.Inside.Listen, Routes: s.Inside.Routes, Secret: secret,
		Logger: errorsOnly(),
		Adjust: func(o *natsserver.Options) { o.Cluster.Advertise = s.Inside.Advertise },
	})
	if err != nil {
		return nil, err
	}
	conn, err := server.Connect()
	return &kept{conn: conn, server: server}, err
}

func errorsOnly() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}

// account is the data of a session: which changes the user has made in it.
type account struct {
	User string `json:"user,omitempty"`
	Done []int  `json:"done,omitempty"`
}

// dial connects to a relay instead of the server.
func (s setup) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if relay, ok := s.Through[addr]; ok {
		addr = relay
	}
	return (&net.Dialer{Timeout: 2 * time.Second, KeepAlive: time.Second}).DialContext(ctx, network, addr)
}

// Dial is dial for NATS.
func (s setup) Dial(network, addr string) (net.Conn, error) {
	return s.dial(context.Background(), network, addr)
}

func (s setup) now() time.Time { return time.Now().Add(s.Skew) }

// open opens the store that the nodes share.
func (s setup) open(ctx context.Context, k *kept) (store.Store, error) {
	switch s.Store {
	case "redis":
		o := rueidis.ClientOption{InitAddress: s.Addrs, DialCtxFn: func(ctx context.Context, addr string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
			return s.dial(ctx, "tcp", addr)
		}}
		if s.Master != "" {
			o.Sentinel = rueidis.SentinelOption{MasterSet: s.Master, TopologyRefreshInterval: time.Second}
		}
		return redisstore.Open(ctx, o, redisstore.Config{Now: s.now})
	case "postgres":
		c, err := pgxpool.ParseConfig(s.URL)
		if err != nil {
			return nil, err
		}
		c.ConnConfig.DialFunc = s.dial
		c.MaxConns = 20
		pool, err := pgxpool.NewWithConfig(ctx, c)
		if err != nil {
			return nil, err
		}
		return pgxstore.New(ctx, pool, pgxstore.Config{Create: true, Now: s.now})
	case "embedded":
		return natsstore.New(ctx, natsstore.Config{Conn: k.conn, Replicas: 3, Now: s.now})
	case "nats":
		return natsstore.Open(ctx, s.URL, natsstore.Config{Now: s.now}, nats.SetCustomDialer(s), nats.IgnoreDiscoveredServers())
	}
	return nil, fmt.Errorf("there is no store %q", s.Store)
}

// serve is the process of a node. SIGTERM ends it in order; so does the end of its standard input,
// which is its parent's.
func serve(text string) error {
	var s setup
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return err
	}
	fmt.Println("at", l.Addr())
	var app atomic.Pointer[http.Handler] // nil: it is starting
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := app.Load()
		if h == nil {
			http.Error(w, "starting", http.StatusServiceUnavailable)
			return
		}
		(*h).ServeHTTP(w, r)
	})}
	var serving sync.WaitGroup
	defer serving.Wait()
	serving.Go(func() { _ = server.Serve(l) })
	defer func() { _ = server.Shutdown(context.Background()) }()
	k := &kept{}
	if s.Store == "embedded" {
		if k, err = s.startInside(stop); err != nil {
			return err
		}
		defer k.server.Close()
		defer k.conn.Close()
	}
	h, err := s.app(stop, k)
	if err != nil {
		return err
	}
	app.Store(&h)
	<-stop.Done()
	return server.Shutdown(context.Background()) // before the store
}

// app opens the store, when it can be reached, and returns the application.
func (s setup) app(stop context.Context, k *kept) (http.Handler, error) {
	shared, err := s.open(stop, k)
	for err != nil && stop.Err() == nil { // the store may be away just now
		fmt.Fprintln(os.Stderr, err)
		wait(stop, 200*time.Millisecond)
		shared, err = s.open(stop, k)
	}
	if err != nil {
		return nil, err
	}
	if s.Plant == plantEarly {
		shared = early{shared}
	}
	near, err := s.near(shared)
	if err != nil {
		return nil, err
	}
	m, err := session.New[account](session.Config{
		Secrets:     []string{secret},
		Cookie:      session.Cookie{Secure: session.Insecure},
		Store:       near,
		StoreLimits: session.StoreLimits{LoadTimeout: storeTimeout, SaveTimeout: storeTimeout, RecheckInterval: recheck},
		Now:         s.now,
		Logger:      errorsOnly(),
	})
	if err != nil {
		return nil, err
	}
	mux := routes(m, stop)
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if err := k.ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("GET /leads", func(w http.ResponseWriter, r *http.Request) {
		leads, err := k.leads(r.Context(), s.Inside.Name)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(leads)
	})
	if s.Plant == plantExpiry {
		return lateExpiry(mux), nil
	}
	return mux, nil
}

func (s setup) near(shared store.Store) (store.Store, error) {
	if s.Plant == plantStale {
		return newBlind(shared), nil
	}
	return nearcache.New(shared, nearcache.Config{MaxStale: maxStale, Now: s.now})
}

// answer is what a client is told.
type answer struct {
	User string
	Done []int
}

// routes are the application's. Its streams end when stop does.
func routes(m *session.Manager[account], stop context.Context) *http.ServeMux {
	type request = session.Session[account]
	tell := func(w http.ResponseWriter, a account) { _ = json.NewEncoder(w).Encode(answer(a)) }
	failed := func(w http.ResponseWriter) { http.Error(w, "try again", http.StatusServiceUnavailable) }
	known := func(h func(w http.ResponseWriter, r *http.Request, s *request)) http.HandlerFunc {
		return m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *request) {
			if s.Data().User == "" {
				http.Error(w, "log in", http.StatusUnauthorized)
				return
			}
			h(w, r, s)
		})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /login", m.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *request) {
		user := r.FormValue("user")
		if err := s.Login(r.Context(), "user:"+user); err != nil {
			failed(w)
			return
		}
		s.Update(func(a *account) { *a = account{User: user} })
		tell(w, s.Data())
	}))
	mux.HandleFunc("GET /me", known(func(w http.ResponseWriter, _ *http.Request, s *request) { tell(w, s.Data()) }))
	mux.HandleFunc("POST /change", known(func(w http.ResponseWriter, r *http.Request, s *request) {
		var n int
		if _, err := fmt.Sscan(r.FormValue("n"), &n); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.Update(func(a *account) { a.Done = append(a.Done[:len(a.Done):len(a.Done)], n) })
		tell(w, account{User: s.Data().User})
	}))
	mux.HandleFunc("POST /logout", known(func(w http.ResponseWriter, r *http.Request, s *request) {
		user := s.Data().User
		if err := s.Destroy(r.Context()); err != nil {
			failed(w)
			return
		}
		tell(w, account{User: user})
	}))
	mux.HandleFunc("POST /everywhere", known(func(w http.ResponseWriter, r *http.Request, s *request) {
		user := s.Data().User
		ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
		defer cancel()
		if _, err := m.RevokeOwner(ctx, "user:"+user); err != nil {
			failed(w)
			return
		}
		tell(w, account{User: user})
	}))
	mux.HandleFunc("GET /events", known(func(w http.ResponseWriter, r *http.Request, s *request) {
		user := s.Data().User
		_ = eventstream.Serve(w, r, s, eventstream.Options{}, func(ctx context.Context, events *eventstream.Stream) error {
			if err := events.Send(eventstream.Event{Name: "user", Data: user}); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-stop.Done():
				return nil
			}
		})
	}))
	mux.HandleFunc("GET /socket", known(func(w http.ResponseWriter, r *http.Request, s *request) {
		user := s.Data().User
		_ = websocketsession.Serve(w, r, s, websocketsession.Options{}, func(ctx context.Context, c *websocketsession.Conn) error {
			if err := c.Write(ctx, websocket.MessageText, []byte(user)); err != nil {
				return err
			}
			c.CloseRead()
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-stop.Done():
				return nil
			}
		})
	}))
	return mux
}

// node is a node's process, as the test sees it.
type node struct {
	t     testing.TB
	setup setup
	addr  string
	cmd   *exec.Cmd
	log   *tail
}

// Freeze pauses the process, and Thaw continues it.
func (n *node) Freeze() { _ = n.cmd.Process.Signal(syscall.SIGSTOP) }
func (n *node) Thaw()   { _ = n.cmd.Process.Signal(syscall.SIGCONT) }

// get asks the node itself, and not the proxy.
func (n *node) get(ctx context.Context, path string) (body string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.addr+path, nil)
	if err != nil {
		return "", false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", false
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return strings.TrimSpace(string(text)), err == nil && res.StatusCode == http.StatusOK
}

// ready waits until the node has its store, and its part of it.
func (n *node) ready(ctx context.Context) error {
	return poll(ctx, "a node is ready", func() bool { _, ok := n.get(ctx, "/ready"); return ok })
}

// start starts the process, again at the same address if it was started before.
func (n *node) start() error {
	s := n.setup
	s.Listen = "127.0.0.1:0"
	if n.addr != "" {
		s.Listen = n.addr
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), nodeMode+"="+string(text))
	cmd.Stderr = n.log
	if _, err := cmd.StdinPipe(); err != nil { // open until this process ends
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	n.cmd = cmd
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "at ")
	if !ok {
		n.end(syscall.SIGKILL)
		return fmt.Errorf("a node did not start: %v\n%s", err, n.log)
	}
	n.addr = addr
	return nil
}

// end sends the signal to the process and waits until it has ended.
func (n *node) end(s syscall.Signal) {
	if n.cmd == nil {
		return
	}
	_ = n.cmd.Process.Signal(s)
	defer time.AfterFunc(time.Minute, func() { _ = n.cmd.Process.Kill() }).Stop()
	_ = n.cmd.Wait()
	n.cmd = nil
}

// tail keeps the end of what a process has written.
type tail struct {
	mu    sync.Mutex
	text  []byte
	raced bool // the race detector has written something
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.raced = t.raced || bytes.Contains(p, []byte("DATA RACE"))
	t.text = t.text[max(0, len(t.text)-4000):]
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
