package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheUnitOfACluster: the unit with the drop-in is as well protected as without, and what the drop-in
// sets is accepted.
func TestTheUnitOfACluster(t *testing.T) {
	t.Parallel()
	text := textOf(t, deployed+"cluster.conf")
	env := map[string]string{}
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		if !unitLine.MatchString(line) {
			t.Errorf("line %d: %q", i+1, line)
		}
		if set, is := strings.CutPrefix(line, "Environment="); is {
			name, value, _ := strings.Cut(set, "=")
			env[name] = value
		}
	}
	wantNodes(t, env, "10.0.0.1:7700")
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is missing: only the syntax was checked; apt-get install systemd")
		return
	}
	here, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "nestsession.service")
	whole := strings.ReplaceAll(textOf(t, deployed+"nestsession.service"), "/usr/local/bin/nestsession", here)
	if err := os.WriteFile(unit, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(unit+".d", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(unit+".d", "cluster.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arguments := range [][]string{{"verify", "--man=no", unit}, {"security", "--offline=yes", "--threshold=20", "--no-pager", unit}} {
		if out, err := exec.CommandContext(t.Context(), analyze, arguments...).CombinedOutput(); err != nil {
			t.Errorf("systemd-analyze %s: %v\n%s", arguments[0], err, out)
		}
	}
}

// wantNodes runs the server with what a file sets, except for the secret, so that it refuses to start
// for that reason and no other.
func wantNodes(t *testing.T, env map[string]string, node string) {
	t.Helper()
	nodes := strings.Split(env["NESTSESSION_CLUSTER"], ",")
	if len(nodes) != 3 || nodes[0] != node {
		t.Errorf("the nodes are %q", nodes)
	}
	c := exec.CommandContext(t.Context(), "nestsession", "serve", "--data", t.TempDir(), "--cluster-node", node)
	c.Env = os.Environ()
	for name, value := range env {
		if name != "NESTSESSION_SECRET_FILE" {
			c.Env = append(c.Env, name+"="+value)
		}
	}
	if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "all nodes need the same secrets") {
		t.Errorf("without the secret: %v: %s", err, out)
	}
}

// TestTheKubernetesFileOfACluster: its pods are nodes that find each other by the names of the service.
func TestTheKubernetesFileOfACluster(t *testing.T) {
	t.Parallel()
	set, services := tree{}, map[any]tree{}
	for _, d := range documentsOf(t, "kubernetes-cluster.yaml") {
		switch d.at("kind") {
		case "StatefulSet":
			set = tree{d.at("spec")}
		case "Service":
			services[d.at("metadata", "name")] = d
		case "NetworkPolicy":
			d.want(t, "cluster", "spec", "ingress", 1, "ports", 0, "port")
			d.want(t, "nestsession", "spec", "ingress", 1, "from", 0, "podSelector", "matchLabels", "app")
		case "PodDisruptionBudget":
			d.want(t, 1, "spec", "maxUnavailable")
		}
	}
	set.want(t, 3, "replicas")
	set.want(t, "Parallel", "podManagementPolicy") // the first start needs all
	pod := tree{set.at("template", "spec")}
	pod.want(t, true, "securityContext", "runAsNonRoot")
	pod.want(t, false, "automountServiceAccountToken")
	pod.want(t, "kubernetes.io/hostname", "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution", 0, "topologyKey")
	c := tree{pod.at("containers", 0)}
	c.want(t, true, "securityContext", "readOnlyRootFilesystem")
	c.want(t, "ALL", "securityContext", "capabilities", "drop", 0)
	c.want(t, "/healthz", "readinessProbe", "httpGet", "path")
	c.want(t, nil, "livenessProbe", "httpGet") // a restart does not bring the majority back
	c.want(t, "nestsession", "envFrom", 0, "secretRef", "name")
	set.want(t, c.at("volumeMounts", 0, "name"), "volumeClaimTemplates", 0, "metadata", "name")
	env := map[string]string{}
	list, _ := c.at("env").([]any)
	for _, e := range list {
		name, _ := tree{e}.at("name").(string)
		env[name], _ = tree{e}.at("value").(string)
	}
	name, _ := set.at("serviceName").(string)
	headless, found := services[name]
	if !found {
		t.Fatalf("there is no service %q", name)
	}
	headless.want(t, "None", "spec", "clusterIP")
	headless.want(t, true, "spec", "publishNotReadyAddresses") // they are not ready before they have found each other
	node := strings.ReplaceAll(env["NESTSESSION_CLUSTER_NODE"], "$(NESTSESSION_NODE)", "nestsession-0")
	if node != "nestsession-0."+name+":7700" {
		t.Errorf("the first node is %s", node)
	}
	delete(env, "NESTSESSION_CLUSTER_NODE")
	delete(env, "NESTSESSION_DATA")
	wantNodes(t, env, node)
	services["nestsession"].want(t, "None", "spec", "sessionAffinity")
}
