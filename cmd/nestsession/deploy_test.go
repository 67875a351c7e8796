package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	repository = "../.."
	deployed   = repository + "/examples/deploy/"
)

func textOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// image is what the Dockerfile says.
type image struct {
	build                    string // the command that builds the program
	bases                    []string
	user                     string
	env                      []string
	health, entry, arguments []string
}

func readDockerfile(t *testing.T) (m image) {
	t.Helper()
	list := func(text string) (list []string) {
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			t.Fatalf("the image has no shell, so a command is a list: %s: %v", text, err)
		}
		return list
	}
	for line := range strings.Lines(textOf(t, deployed+"Dockerfile")) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "FROM":
			m.bases = append(m.bases, rest)
			m.user, m.env, m.health, m.entry, m.arguments = "", nil, nil, nil, nil
		case "RUN":
			if strings.Contains(rest, "go build") {
				m.build = rest
			}
		case "USER":
			m.user = rest
		case "ENV":
			m.env = append(m.env, strings.Fields(rest)...)
		case "HEALTHCHECK":
			_, command, _ := strings.Cut(rest, "CMD ")
			m.health = list(command)
		case "ENTRYPOINT":
			m.entry = list(rest)
		case "CMD":
			m.arguments = list(rest)
		case "", "#", "WORKDIR", "COPY", "VOLUME", "EXPOSE":
		default:
			t.Errorf("the Dockerfile has the instruction %s", word)
		}
	}
	return m
}

// emptyRoot is a root in which there is nothing but the program and a folder for its data, as in a
// container with a read-only file system.
type emptyRoot struct{ root, data string }

// enter mounts the root, makes it read-only and runs a command in it as a user who is not root.
const enter = `set -e
mount --bind "$1" "$1"
mount --bind "$2" "$1/data"
mount -o remount,bind,ro "$1"
if touch "$1/file" 2>/dev/null; then echo "the root can be written" >&2; exit 1; fi
root=$1
shift 2
exec unshare --user --map-user=65532 --map-group=65532 --root="$root" --wd=/ "$@"`

func (r emptyRoot) command(t *testing.T, env, command []string) *exec.Cmd {
	t.Helper()
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), unshare, append([]string{"-rm", "sh", "-c", enter, "sh", r.root, r.data}, command...)...)
	c.Env = append(slices.Clone(env), "PATH="+os.Getenv("PATH"))
	return c
}

// TestTheImageRunsInAnEmptyRoot builds the program as the Dockerfile does, and runs what the image
// runs: in a root that is empty and read-only, without a shell, a C library and privileges.
func TestTheImageRunsInAnEmptyRoot(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		return // there are no such roots
	}
	m := readDockerfile(t)
	if len(m.bases) != 2 || !strings.Contains(m.bases[1], "distroless/static") || !strings.HasSuffix(m.bases[1], ":nonroot") || m.user != "65532:65532" {
		t.Errorf("the image is built on %q, and runs as %q", m.bases, m.user)
	}
	root := t.TempDir()
	program := filepath.Join(root, m.entry[0])
	build := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(m.build, "-o "+m.entry[0]+" ", "-o "+program+" ", 1))
	build.Dir = repository
	build.Env = append(os.Environ(), "GOWORK=", "GOFLAGS=") // in a clone, as the image is
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", m.build, err, out)
	}
	if err := os.Mkdir(filepath.Join(root, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Run("volume", func(t *testing.T) {
		t.Parallel()
		m.runs(t, emptyRoot{root, t.TempDir()}, 0o700, m.env)
	})
	t.Run("Kubernetes", func(t *testing.T) {
		t.Parallel()
		env := slices.Clone(m.env)
		for name, value := range kubernetesEnv(t) {
			env = append(env, name+"="+value) // the last counts
		}
		env = append(env, "NESTSESSION_SECRETS=a secret that only this test knows, of enough length")
		out := m.runs(t, emptyRoot{root, t.TempDir()}, 0o777, env)
		if !strings.Contains(out, `"kind":"created"`) {
			t.Errorf("the events are not in its output:\n%s", out)
		}
	})
}

var listensOn = regexp.MustCompile(`listens on (http://\S+)`)

// runs starts the server, registers a user, asks for its health as the image does, and stops it. It
// returns what the server wrote.
func (m image) runs(t *testing.T, root emptyRoot, mode os.FileMode, env []string) string {
	t.Helper()
	if err := os.Chmod(root.data, mode); err != nil {
		t.Fatal(err)
	}
	server := root.command(t, append(env, "NESTSESSION_ADDRESS=127.0.0.1:0"), append(slices.Clone(m.entry), m.arguments...))
	var errs, out bytes.Buffer
	server.Stderr = &errs
	pipe, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill() })
	said := bufio.NewReader(io.TeeReader(pipe, &out))
	var at *url.URL
	for at == nil {
		line, err := said.ReadString('\n')
		if found := listensOn.FindStringSubmatch(line); found != nil {
			if at, err = url.Parse(found[1]); err != nil {
				t.Fatal(err)
			}
		} else if err != nil {
			t.Fatalf("it does not start: %v\n%s%s", err, out.String(), errs.String())
		}
	}
	health := func() (string, error) {
		out, err := root.command(t, append(slices.Clone(env), "NESTSESSION_ADDRESS=0.0.0.0:"+at.Port()), m.health).CombinedOutput()
		return string(out), err
	}
	if out, err := health(); err != nil || !strings.Contains(out, `"status":"ok"`) {
		t.Errorf("the health check: %v: %s", err, out)
	}
	registered := exec.CommandContext(t.Context(), "curl", "-sS", "-w", " %{http_code}", "-d", "username=kim", "-d", "password=correct horse battery", at.String()+"/register")
	if out, err := registered.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), " 201") {
		t.Errorf("a registration: %v: %s", err, out)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, said); err != nil {
		t.Error(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("it ends with %v:\n%s", err, errs.String())
	}
	var exit *exec.ExitError
	if out, err := health(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("the health check of a server that has ended: %v: %s", err, out)
	}
	return out.String()
}

// hardening is what the unit must say, beside what `systemd-analyze security` looks at.
var hardening = map[string]string{
	"User": "nestsession", "NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "ProtectSystem": "strict", "ProtectHome": "yes",
	"PrivateTmp": "yes", "PrivateDevices": "yes", "PrivateUsers": "yes", "MemoryDenyWriteExecute": "yes", "RestrictNamespaces": "yes",
	"SystemCallErrorNumber": "EPERM", "StateDirectoryMode": "0700", "UMask": "0077",
}

var unitLine = regexp.MustCompile(`^(|#.*|\[(Unit|Service|Install)\]|[A-Z][A-Za-z]+=.*)$`)

// TestTheUnit: systemd accepts it, and calls it well protected. Where systemd is missing, only the
// syntax is checked.
func TestTheUnit(t *testing.T) {
	t.Parallel()
	text := textOf(t, deployed+"nestsession.service")
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if !unitLine.MatchString(line) {
			t.Errorf("line %d: %q", i+1, line)
		}
	}
	for key, value := range hardening {
		if !strings.Contains(text, "\n"+key+"="+value+"\n") {
			t.Errorf("it does not say %s=%s", key, value)
		}
	}
	const program = "/usr/local/bin/nestsession"
	if !strings.Contains(text, "\nExecStart="+program+" serve\n") {
		t.Errorf("it does not start %s", program)
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is missing: only the syntax was checked; apt-get install systemd")
		return
	}
	here, err := exec.LookPath("true") // verify wants a program that is there
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "nestsession.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(text, program, here)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arguments := range [][]string{{"verify", "--man=no", unit}, {"security", "--offline=yes", "--threshold=20", "--no-pager", unit}} {
		if out, err := exec.CommandContext(t.Context(), analyze, arguments...).CombinedOutput(); err != nil {
			t.Errorf("systemd-analyze %s: %v\n%s", arguments[0], err, out)
		}
	}
}

// tree is a part of a YAML document.
type tree struct{ value any }

// at returns the part under keys of objects and numbers of lists; nil if there is none.
func (n tree) at(path ...any) any {
	v := n.value
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := v.(map[string]any)
			v = object[step]
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil
			}
			v = list[step]
		}
	}
	return v
}

func (n tree) want(t *testing.T, value any, path ...any) {
	t.Helper()
	if got := n.at(path...); got != value {
		t.Errorf("%v is %v, want %v", path, got, value)
	}
}

// documentsOf returns the documents of a YAML file. The library refuses a key that appears twice.
func documentsOf(t *testing.T, name string) (all []tree) {
	t.Helper()
	d := yaml.NewDecoder(strings.NewReader(textOf(t, deployed+name)))
	for {
		var v any
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tree{v})
	}
}

func kubernetes(t *testing.T) map[any]tree {
	t.Helper()
	kinds := map[any]tree{}
	for _, d := range documentsOf(t, "kubernetes.yaml") {
		kinds[d.at("kind")] = d
	}
	return kinds
}

// kubernetesEnv returns the environment in the file, except for what Kubernetes fills in.
func kubernetesEnv(t *testing.T) map[string]string {
	t.Helper()
	env := map[string]string{}
	list, _ := kubernetes(t)["Deployment"].at("spec", "template", "spec", "containers", 0, "env").([]any)
	for _, e := range list {
		name, _ := tree{e}.at("name").(string)
		if value, ok := (tree{e}).at("value").(string); ok {
			env[name] = value
		}
	}
	return env
}

func TestTheKubernetesFile(t *testing.T) {
	t.Parallel()
	kinds := kubernetes(t)
	d := tree{kinds["Deployment"].at("spec")}
	d.want(t, 3, "replicas")
	pod := tree{d.at("template", "spec")}
	pod.want(t, true, "securityContext", "runAsNonRoot")
	pod.want(t, 65532, "securityContext", "runAsUser")
	pod.want(t, "RuntimeDefault", "securityContext", "seccompProfile", "type")
	pod.want(t, false, "automountServiceAccountToken")
	c := tree{pod.at("containers", 0)}
	c.want(t, true, "securityContext", "readOnlyRootFilesystem")
	c.want(t, false, "securityContext", "allowPrivilegeEscalation")
	c.want(t, "ALL", "securityContext", "capabilities", "drop", 0)
	c.want(t, "/healthz", "readinessProbe", "httpGet", "path")
	c.want(t, nil, "livenessProbe", "httpGet") // a restart does not bring a store back
	c.want(t, "nestsession", "envFrom", 0, "secretRef", "name")
	c.want(t, 8080, "ports", 0, "containerPort")
	pause, _ := c.at("lifecycle", "preStop", "sleep", "seconds").(int)
	if grace, _ := pod.at("terminationGracePeriodSeconds").(int); grace < pause+20+5 {
		t.Errorf("a pod has %d seconds to end, of which it waits %d and drains 20", grace, pause)
	}
	// Whatever a pod is called by must be what the others look for.
	for _, labels := range []any{d.at("selector", "matchLabels", "app"), d.at("template", "metadata", "labels", "app"),
		kinds["Service"].at("spec", "selector", "app"), kinds["PodDisruptionBudget"].at("spec", "selector", "matchLabels", "app")} {
		if labels != "nestsession" {
			t.Errorf("a label is %v", labels)
		}
	}
	kinds["Service"].want(t, "None", "spec", "sessionAffinity")
	kinds["Service"].want(t, c.at("ports", 0, "name"), "spec", "ports", 0, "targetPort")
	kinds["Ingress"].want(t, nil, "metadata", "annotations") // with which some controllers stick
	kinds["Ingress"].want(t, "nestsession", "spec", "rules", 0, "http", "paths", 0, "backend", "service", "name")
	for _, name := range []string{"NESTSESSION_STORE", "NESTSESSION_USERS", "NESTSESSION_SECRETS"} {
		if !strings.Contains(textOf(t, deployed+"kubernetes.yaml"), "--from-literal="+name+"=") {
			t.Errorf("it does not say that the pods share %s", name)
		}
	}
}

func TestTheComposeFile(t *testing.T) {
	t.Parallel()
	all := documentsOf(t, "compose.yaml")
	services := tree{all[0].at("services")}
	login := tree{services.at("login")}
	login.want(t, 3, "deploy", "replicas")
	login.want(t, true, "read_only")
	login.want(t, "ALL", "cap_drop", 0)
	login.want(t, "no-new-privileges:true", "security_opt", 0)
	login.want(t, "data:/data", "volumes", 0)
	login.want(t, nil, "ports") // nobody gets past the proxy
	login.want(t, "30s", "stop_grace_period")
	login.want(t, "service_healthy", "depends_on", "postgres", "condition")
	dockerfile, _ := login.at("build", "dockerfile").(string)
	context, _ := login.at("build", "context").(string)
	if _, err := os.Stat(filepath.Join(deployed, context, dockerfile)); err != nil {
		t.Error(err)
	}
	store, _ := login.at("environment", "NESTSESSION_STORE").(string)
	if !strings.HasPrefix(store, "postgres://") || !strings.Contains(store, "@postgres/") || services.at("postgres") == nil {
		t.Errorf("the sessions are in %s", store)
	}
	login.want(t, all[0].at("networks", "default", "ipam", "config", 0, "subnet"), "environment", "NESTSESSION_TRUSTED_PROXY")
	services.want(t, "./Caddyfile:/etc/caddy/Caddyfile:ro", "proxy", "volumes", 0)
	for name := range services.value.(map[string]any) {
		mounts, _ := services.at(name, "volumes").([]any)
		for _, m := range mounts {
			volume, _, _ := strings.Cut(m.(string), ":")
			if declared, _ := all[0].at("volumes").(map[string]any); !strings.HasPrefix(volume, ".") {
				if _, ok := declared[volume]; !ok {
					t.Errorf("%s: the volume %s is not declared", name, volume)
				}
			}
		}
	}
	caddy := exec.CommandContext(t.Context(), "caddy", "validate", "--adapter", "caddyfile", "--config", deployed+"Caddyfile")
	caddy.Env = append(os.Environ(), "HOME="+t.TempDir())
	if out, err := caddy.CombinedOutput(); err != nil {
		t.Errorf("caddy: %v\n%s", err, out)
	}
	if text := textOf(t, deployed+"Caddyfile"); !strings.Contains(text, "round_robin") || strings.Contains(text, "cookie") || strings.Contains(text, "ip_hash") {
		t.Error("the proxy sticks")
	}
}
