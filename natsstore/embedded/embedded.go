// Package embedded runs a NATS server with JetStream inside the application, for package natsstore: a
// server by itself, or one of a cluster of three whose other servers run in the other nodes.
//
//	server, err := embedded.Start(ctx, embedded.Config{
//		Name:    "node1",
//		Folder:  "/var/lib/shop/nats",
//		Listen:  "10.0.0.1:6222",
//		Routes:  []string{"10.0.0.1:6222", "10.0.0.2:6222", "10.0.0.3:6222"},
//		Secret:  os.Getenv("CLUSTER_SECRET"),
//		TLS:     tlsConfig,
//	})
//	if err != nil {
//		return err
//	}
//	defer server.Close()
//	conn, err := server.Connect()
//	if err != nil {
//		return err
//	}
//	defer conn.Close()
//	kept, err := natsstore.New(ctx, natsstore.Config{Conn: conn})
//
// A program that uses package natsstore with servers of its own does not import this package, and
// does not contain the server.
package embedded

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/nestsession/session/natsstore"
)

// maxPayload is the largest message, and so the largest session. NATS advises against larger ones.
const maxPayload = 8 << 20

// user is the name of servers and of clients, and tlsTimeout their time for a handshake, in seconds.
const (
	user       = "nest"
	tlsTimeout = 5
)

// DefaultCluster is the default of [Config.Cluster].
const DefaultCluster = "nest-sessions"

// Config says where a server keeps its data, and with which others it forms a cluster. Folder is
// required; with Routes also Name and Listen, and a Secret.
type Config struct {
	// Name is the server's name, which differs from that of the others and stays the same after a
	// restart. "": the host's name.
	Name string

	// Folder is where the server keeps its data. A server that comes back with an empty folder
	// copies the data from the others.
	Folder string

	// Clients is the address at which other programs can connect ("127.0.0.1:4222"), as the user
	// "nest" with the Secret as password. "": only this process can connect, with [Server.Connect].
	Clients string

	// Cluster is the name of the cluster, the same for all its servers. "": [DefaultCluster].
	Cluster string

	// Listen is the address at which the server waits for the other servers ("10.0.0.1:6222"). "":
	// there are no others.
	Listen string

	// Routes are the addresses of all servers of the cluster, this one among them or not. The
	// first start needs all of them: from their number a server knows how many are a majority.
	Routes []string

	// Secret is what the servers prove to know when they connect to each other, and clients when they
	// connect to Clients. It has 16 characters or more, and is the same for all servers.
	Secret string

	// TLS encrypts the connections between the servers and those of clients. Servers check each other's
	// certificates, with RootCAs, or ClientCAs for the side that accepts. Start returns an error if TLS
	// is nil and Listen or Clients is not a loopback address.
	TLS *tls.Config

	// SyncAlways writes each change to the disk before it is acknowledged. Then an acknowledged save
	// survives a power cut of all servers. By default a server leaves that to the operating system,
	// and syncs every two minutes, so that a save survives the end of processes but not of machines:
	// see the documentation of natsstore.
	SyncAlways bool

	// MaxStore is how many bytes the server may use on the disk. 0: three quarters of what is free
	// at the start.
	MaxStore int64

	// Logger gets the server's warnings and errors. Nil: [slog.Default].
	Logger *slog.Logger

	// Adjust, if it is not nil, may change any other option of the server before it starts.
	Adjust func(*server.Options)
}

// Server is a running server.
type Server struct {
	server         *server.Server
	user, password string
	open           bool // other programs can connect
}

// Start starts a server. It returns when the server accepts connections; a cluster has a leader a few
// seconds after the majority has started, which natsstore.New waits for. It returns an error if the
// configuration is not complete, an address is taken, or ctx ends first.
func Start(ctx context.Context, c Config) (*Server, error) {
	o, err := c.options()
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	s, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	log := c.Logger
	if log == nil {
		log = slog.Default()
	}
	problems := &logger{log: log}
	s.SetLogger(problems, false, false)
	s.Start()
	for !s.ReadyForConnections(100 * time.Millisecond) {
		if err := errors.Join(problems.fatal(), ctx.Err()); err != nil {
			s.Shutdown()
			s.WaitForShutdown()
			return nil, fmt.Errorf("embedded: the server does not start: %w", err)
		}
	}
	return &Server{server: s, user: o.Username, password: o.Password, open: c.Clients != ""}, nil
}

// Connect connects to the server inside the process, without a network. The options come after
// natsstore.Options. The caller closes the connection.
func (s *Server) Connect(options ...nats.Option) (*nats.Conn, error) {
	options = append(append(natsstore.Options(), nats.InProcessServer(s.server), nats.UserInfo(s.user, s.password), nats.IgnoreDiscoveredServers()), options...)
	return nats.Connect("", options...)
}

// Addr is the address for clients; "" if there is none.
func (s *Server) Addr() string {
	if a, ok := s.server.Addr().(*net.TCPAddr); ok && a != nil && s.open {
		return a.String()
	}
	return ""
}

// ClientURL is a URL with which other programs can connect, on this machine or, with Clients, from
// others. It holds the password. It is "" if the server does not listen: without Clients, and without
// a cluster.
func (s *Server) ClientURL() string {
	a, ok := s.server.Addr().(*net.TCPAddr)
	if !ok || a == nil {
		return ""
	}
	u := url.URL{Scheme: "nats", User: url.UserPassword(s.user, s.password), Host: a.String()}
	return u.String()
}

// Ready returns nil if the server has a leader and has caught up with the others. Before the next
// server of a cluster is stopped, wait until this one is ready: else there may be no majority.
func (s *Server) Ready() error {
	if status := s.server.Healthz(nil); status.StatusCode != http.StatusOK {
		return fmt.Errorf("embedded: the server is not ready: %s", status.Error)
	}
	return nil
}

// WaitForLeader waits until the server knows the cluster's leader, or ctx ends. A question that is
// asked before that, as by natsstore.New, gets no answer, and is asked again only after some seconds.
func (s *Server) WaitForLeader(ctx context.Context) error {
	for {
		status := s.server.Healthz(&server.HealthzOptions{JSMetaOnly: true})
		if status.StatusCode == http.StatusOK {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("embedded: %w: %s", ctx.Err(), status.Error)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Close ends the server. If it leads the cluster it lets another server lead first. It may be called
// multiple times.
func (s *Server) Close() error {
	s.server.Shutdown()
	s.server.WaitForShutdown()
	return nil
}

func (c Config) options() (*server.Options, error) {
	if c.Folder == "" {
		return nil, errors.New("Config.Folder is empty; name the folder for the server's data")
	}
	if c.Name == "" {
		name, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("Config.Name is empty, and the host has no name: %w", err)
		}
		c.Name = name
	}
	if c.Cluster == "" {
		c.Cluster = DefaultCluster
	}
	o := &server.Options{
		ServerName:        c.Name,
		NoSigs:            true,
		JetStream:         true,
		StoreDir:          c.Folder,
		JetStreamMaxStore: c.MaxStore,
		SyncAlways:        c.SyncAlways,
		MaxPayload:        maxPayload,
		DontListen:        c.Clients == "" && c.Listen == "",
		// A server of a cluster has to listen for clients. Without Clients nobody else knows the
		// port and the password.
		Host: "127.0.0.1", Port: server.RANDOM_PORT,
		Username: user, Password: rand.Text(),
	}
	if c.Clients != "" {
		if err := c.clients(o); err != nil {
			return nil, err
		}
	}
	if c.Listen == "" && len(c.Routes) > 0 {
		return nil, errors.New("Config.Listen is empty, and Config.Routes names other servers; they have to reach this one")
	}
	if c.Listen != "" {
		if err := c.cluster(o); err != nil {
			return nil, err
		}
	}
	if c.Adjust != nil {
		c.Adjust(o)
	}
	return o, nil
}

// clients sets the options of the connections of other programs.
func (c Config) clients(o *server.Options) (err error) {
	if o.Host, o.Port, err = hostPort(c.Clients); err != nil {
		return fmt.Errorf("Config.Clients: %w", err)
	}
	if err := c.guard("Clients", c.Clients, o.Host); err != nil {
		return err
	}
	o.Password, o.TLSConfig, o.TLSTimeout = c.Secret, c.TLS.Clone(), tlsTimeout
	return nil
}

// guard returns an error if others could use the address, or read what crosses the network.
func (c Config) guard(field, addr, host string) error {
	if len(c.Secret) < 16 {
		return fmt.Errorf("Config.Secret has fewer than 16 characters, and Config.%s is set; any program could connect", field)
	}
	if c.TLS == nil && !isLoopback(host) {
		return fmt.Errorf("Config.TLS is nil, and Config.%s is %s, which is not a loopback address; sessions would cross the network in clear", field, addr)
	}
	return nil
}

// cluster sets the options of the connections between servers.
func (c Config) cluster(o *server.Options) error {
	host, port, err := hostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("Config.Listen: %w", err)
	}
	if err := c.guard("Listen", c.Listen, host); err != nil {
		return err
	}
	o.Cluster = server.ClusterOpts{
		Name: c.Cluster, Host: host, Port: port,
		Username: user, Password: c.Secret,
		TLSTimeout:  tlsTimeout,
		NoAdvertise: c.Clients == "",
	}
	if c.TLS != nil {
		o.Cluster.TLSConfig = c.TLS.Clone()
		o.Cluster.TLSConfig.ClientAuth = tls.RequireAndVerifyClientCert
		if o.Cluster.TLSConfig.ClientCAs == nil {
			o.Cluster.TLSConfig.ClientCAs = c.TLS.RootCAs
		}
	}
	for _, route := range c.Routes {
		if _, _, err := hostPort(route); err != nil {
			return fmt.Errorf("Config.Routes: %w", err)
		}
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats-route", Host: route, User: url.UserPassword(user, c.Secret)})
	}
	return nil
}

func hostPort(addr string) (string, int, error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.Atoi(text)
	if err != nil || port <= 0 || port > 65535 {
		return "", 0, fmt.Errorf("%q has no port", addr)
	}
	return host, port, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
