package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine describes what the figures depend on, a line each that begins with "machine: ".
func machine(o options) string {
	var b strings.Builder
	note := func(format string, args ...any) { fmt.Fprintf(&b, "machine: "+format+"\n", args...) }
	note("%s, %d cores, %s/%s", processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	note("%s", runtime.Version())
	note("%s; %d turns of %s for each benchmark", time.Now().UTC().Format(time.DateOnly), o.count, o.benchtime)
	if o.slice != "0" {
		note("%d turns of %s in the tables of the stores", o.turns, o.slice)
	}
	if load, ok := load(); ok {
		note("load before the run: %.2f", load)
		if load > 0.5*float64(runtime.NumCPU()) {
			note("**The machine was busy. Do not quote these figures.**")
		}
	}
	for _, p := range []string{"redis-server", "postgres", "mariadbd", "node"} {
		if text, err := exec.Command(p, "--version").Output(); err == nil {
			note("%s: %s", p, strings.TrimSpace(string(text)))
		}
	}
	if text, err := exec.Command("go", "list", "-m", "-f", "{{if not (or .Main .Indirect .Replace)}}{{.Path}} {{.Version}}{{end}}", "all").Output(); err == nil {
		for _, m := range strings.Split(strings.TrimSpace(string(text)), "\n") {
			if m != "" && !strings.HasPrefix(m, "github.com/nestsession/") && !strings.HasPrefix(m, "golang.org/x/") {
				note("%s", m)
			}
		}
	}
	return b.String()
}

// processor returns the processor's name, as far as the system says it.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	defer f.Close()
	for lines := bufio.NewScanner(io.LimitReader(f, 1<<16)); lines.Scan(); {
		if key, name, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(name)
		}
	}
	return "unknown processor"
}

// load returns how many processes wanted to run in the last minute.
func load() (float64, bool) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, false
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(first, 64)
	return load, err == nil
}
