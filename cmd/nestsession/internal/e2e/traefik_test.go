package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// The version of Traefik whose middleware is tested, with its hash in the checksum database.
const (
	traefikModule = "github.com/traefik/traefik/v3@v3.6.12"
	traefikSum    = "h1:6pe4s7aaDTQs+AsF7KP3sM/xnq7zOVvibRQe5tw9eFo="
)

// traefikPackages are taken from Traefik as they are, except for traefikLeftOut.
var traefikPackages = []string{
	"config/dynamic", "ip", "middlewares", "middlewares/auth", "middlewares/capture", "middlewares/forwardedheaders",
	"middlewares/headers", "middlewares/observability", "observability", "observability/logs", "observability/tracing",
	"proxy/httputil", "safe", "tls", "types",
}

// traefikLeftOut would bring clients of Kubernetes, ACME and of each service that takes logs: some 300
// modules, and many minutes to build. testdata/traefik/stubs has what remains of them.
var traefikLeftOut = []string{
	"middlewares/auth/basic_auth.go", "middlewares/auth/digest_auth.go",
	"observability/logs/aws.go", "observability/logs/datadog.go", "observability/logs/elastic.go", "observability/logs/gokit.go", "observability/logs/hclog.go",
	"observability/logs/instana.go", "observability/logs/logrus.go", "observability/logs/otel.go", "observability/logs/wasm.go",
	"tls/certificate_store.go", "tls/ocsp.go", "tls/tlsmanager.go",
	"types/host_resolver.go", "types/k8sdetector.go", "types/route_appender.go",
}

// buildTraefik builds the program of testdata/traefik in a folder.
func buildTraefik(dir string) (path string, err error) {
	source, err := downloadTraefik()
	if err != nil {
		return "", err
	}
	copied := filepath.Join(dir, "traefik")
	err = errors.Join(
		os.CopyFS(dir, os.DirFS("testdata/traefik")),
		os.Mkdir(copied, 0o700),
		os.Rename(filepath.Join(dir, "stubs"), filepath.Join(copied, "pkg")),
		os.WriteFile(filepath.Join(copied, "go.mod"), []byte("module github.com/traefik/traefik/v3\n\ngo 1.25.0\n"), 0o600),
	)
	for _, folder := range traefikPackages {
		err = errors.Join(err, copyPackage(filepath.Join(copied, "pkg", folder), filepath.Join(source, "pkg", folder), folder))
	}
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "program")
	_, err = goCommand(dir, "build", "-o", path, ".")
	return path, err
}

// downloadTraefik returns the folder of Traefik's source.
func downloadTraefik() (dir string, err error) {
	out, err := goCommand(os.TempDir(), "mod", "download", "-json", traefikModule)
	var module struct{ Dir, Sum string }
	if err == nil {
		err = json.Unmarshal(out, &module)
	}
	if err == nil && module.Sum != traefikSum {
		err = fmt.Errorf("%s has the hash %s, and not %s", traefikModule, module.Sum, traefikSum)
	}
	return module.Dir, err
}

// goCommand runs go as on a machine that has nothing of this repository.
func goCommand(dir string, arguments ...string) ([]byte, error) {
	cmd := exec.Command("go", arguments...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false")
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s", strings.Join(arguments, " "), err, problem.Bytes())
	}
	return out, nil
}

// copyPackage copies what is built of a package. folder is its place in Traefik's.
func copyPackage(to, from, folder string) error {
	files, err := os.ReadDir(from)
	if err == nil {
		err = os.MkdirAll(to, 0o700)
	}
	for _, f := range files {
		name := f.Name()
		if err != nil {
			break
		}
		if f.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || slices.Contains(traefikLeftOut, folder+"/"+name) {
			continue
		}
		var text []byte
		if text, err = os.ReadFile(filepath.Join(from, name)); err == nil {
			err = os.WriteFile(filepath.Join(to, name), withoutPropagators(text), 0o600)
		}
	}
	return err
}

// withoutPropagators removes the two lines about autoprop, which brings the SDK of OpenTelemetry.
func withoutPropagators(text []byte) []byte {
	var kept [][]byte
	for line := range bytes.Lines(text) {
		if !bytes.Contains(line, []byte("autoprop")) {
			kept = append(kept, line)
		}
	}
	return slices.Concat(kept...)
}
