//go:build unix

package servers

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Prometheus is a running Prometheus.
type Prometheus struct{ *process }

// StartPrometheus starts a Prometheus for the test. config is its prometheus.yml.
func StartPrometheus(t testing.TB, config string) *Prometheus {
	t.Helper()
	p, err := startPrometheus(t, config)
	if err != nil {
		t.Fatal(err)
	}
	p.attach()
	return p
}

func startPrometheus(t testing.TB, config string) (*Prometheus, error) {
	program, err := findProgram("prometheus", "prometheus")
	if err != nil {
		return nil, err
	}
	dir, err := newFolder("prometheus")
	if err != nil {
		return nil, err
	}
	p := &Prometheus{}
	p.process, err = startProcess(t, dir, plan{
		name: "prometheus",
		command: func(port int) (*exec.Cmd, error) {
			file := filepath.Join(dir, "prometheus.yml")
			if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
				return nil, err
			}
			cmd := exec.Command(program, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
				"--web.listen-address=127.0.0.1:"+strconv.Itoa(port))
			cmd.Dir = dir
			return cmd, nil
		},
		ready: func(ctx context.Context, p *process) bool {
			ctx, cancel := context.WithTimeout(ctx, attempt)
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Addr()+"/-/ready", nil)
			if err != nil {
				return false
			}
			answer, err := http.DefaultClient.Do(r)
			return err == nil && answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
		},
		orderly: syscall.SIGTERM,
		quick:   syscall.SIGKILL,
	})
	return p, err
}
