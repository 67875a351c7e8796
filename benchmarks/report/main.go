// Command report runs every comparison of this module and writes the page of benchmarks in docs: tables,
// plots, the machine and the versions. Run it by `make bench`.
//
// It first runs the module's tests, which check that all contenders do the same work. Then it runs the
// benchmarks of all packages in turns, so that other work on the machine affects all alike, and the
// tables of tables.go. All output is kept beside the page in results.txt; -from makes the page from it
// again.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

type options struct {
	bench     string
	benchtime string
	count     int
	slice     string
	turns     int
	folder    string
	from      string
	only      string // the package that runs; "": all
}

func main() {
	var o options
	flag.StringVar(&o.bench, "bench", ".", "which benchmarks run")
	flag.StringVar(&o.benchtime, "benchtime", "1s", "how long each benchmark runs in a turn")
	flag.IntVar(&o.count, "count", 7, "how many turns there are")
	flag.StringVar(&o.slice, "slice", "200ms", "how long each contender works in a turn of the tables; 0: no tables")
	flag.IntVar(&o.turns, "turns", 13, "how many turns the tables have")
	flag.StringVar(&o.folder, "folder", "../docs/benchmarks", "where the page is written")
	flag.StringVar(&o.from, "from", "", "make the page from this file, without running anything")
	flag.StringVar(&o.only, "only", "", "the folder of the only package that runs, such as stores")
	flag.Parse()
	if err := run(o, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

// run measures, and writes the page.
func run(o options, progress io.Writer) error {
	var results []byte
	var err error
	if o.from != "" {
		results, err = os.ReadFile(o.from)
	} else {
		results, err = measure(o, progress)
	}
	if err != nil {
		return err
	}
	return writePage(o.folder, results)
}

// measure returns the output of all programs, after a head with the machine.
func measure(o options, progress io.Writer) ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(machine(o))
	packages, err := command(progress, "", "go", "list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}", "./...")
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	type program struct{ name, dir, path string }
	var programs []program
	for i, dir := range strings.Fields(packages) {
		p := program{filepath.Base(dir), dir, filepath.Join(temp, fmt.Sprint(i, ".test"))}
		if _, has := tablesOf(p.name); has && o.slice == "0" {
			continue
		}
		if p.name == "report" || o.only != "" && p.name != o.only {
			continue // the tests of this program run it
		}
		if _, err := command(progress, dir, "go", "test", "-c", "-o", p.path, "."); err != nil {
			return nil, err
		}
		fmt.Fprintf(progress, "report: checking the answers in %s\n", p.name)
		if _, err := command(io.Discard, dir, p.path, "-test.timeout=30m"); err != nil {
			return nil, err
		}
		programs = append(programs, p)
	}
	for turn := range o.count {
		for _, p := range programs {
			if _, has := tablesOf(p.name); has {
				continue
			}
			fmt.Fprintf(progress, "report: benchmarks of %s, turn %d of %d\n", p.name, turn+1, o.count)
			text, err := command(progress, p.dir, p.path, "-test.run=^$", "-test.bench="+o.bench, "-test.benchmem",
				"-test.benchtime="+o.benchtime, "-test.cpu=1,2", "-test.timeout=6h")
			if err != nil {
				return nil, err
			}
			out.WriteString(text)
		}
	}
	if memory := "BenchmarkMemory"; o.only == "" && regexp.MustCompile(o.bench).MatchString(memory) {
		for _, n := range []string{"1000000", "5000000"} {
			fmt.Fprintf(progress, "report: memory of %s sessions\n", n)
			text, err := command(progress, "", "go", "run", "./memstore", "-n", n, "rss", "scs", "map")
			if err != nil {
				return nil, err
			}
			out.WriteString(text)
		}
	}
	for _, p := range programs {
		tables, _ := tablesOf(p.name)
		for _, t := range tables {
			fmt.Fprintf(progress, "report: %s\n", t.title)
			fmt.Fprintf(&out, "table: %s\n", t.title)
			text, err := command(progress, p.dir, p.path, append(t.arguments(o), "-test.timeout=6h")...)
			out.WriteString(text)
			if err != nil { // a figure missed the bar of the test, for example: the page says so
				fmt.Fprintf(progress, "report: %v\n", err)
				out.WriteString("\nfailed: the test that prints this table\n")
			}
		}
	}
	return out.Bytes(), nil
}

// command runs a program in a folder and returns its output, which goes to progress as well.
func command(progress io.Writer, dir, name string, args ...string) (string, error) {
	var out, complaints bytes.Buffer
	c := exec.Command(name, args...)
	c.Dir = dir
	c.Stdout, c.Stderr = io.MultiWriter(&out, progress), &complaints
	if err := c.Run(); err != nil {
		return out.String(), fmt.Errorf("%s in %s: %w\n%s%s", filepath.Base(name), dir, err, out.Bytes(), complaints.Bytes())
	}
	return out.String(), nil
}
