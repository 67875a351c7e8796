// Package natsserver starts NATS servers for tests, as processes of their own that run the test's
// program. A program that imports it becomes such a server if an environment variable says so.
package natsserver

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/nestsession/session/internal/servers"
)

// childMode is the environment variable that names the configuration of a server.
const childMode = "NESTSESSION_NATS_CONF"

func init() {
	if conf := os.Getenv(childMode); conf != "" {
		fmt.Fprintln(os.Stderr, serve(conf))
		os.Exit(1)
	}
}

// serve is the server's process. It ends with SIGTERM.
func serve(conf string) error {
	o, err := server.ProcessConfigFile(conf)
	if err != nil {
		return err
	}
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	if err := server.Run(s); err != nil {
		return err
	}
	s.WaitForShutdown()
	os.Exit(0)
	return nil
}

// Start starts n servers that form a cluster, or one by itself.
func Start(t testing.TB, n int, o servers.NATSOptions) []*servers.NATS {
	t.Helper()
	o.Command = func(conf string) *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childMode+"="+conf, "GOMAXPROCS=2")
		return cmd
	}
	return servers.StartNATSCluster(t, n, o)
}
