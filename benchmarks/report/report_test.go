package main

import (
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sample is the output of two turns, with a table.
const sample = `machine: a machine, 2 cores
goos: linux
BenchmarkRead/nest      	 100	      900 ns/op	     10 B/op	       3 allocs/op
BenchmarkRead/jwt/HS256/typed 	 100	     5600 ns/op	     10 B/op	      54 allocs/op
BenchmarkMemory/nest/5000000 	 1	 3000000000 ns/op	      484.0 RSS-B/session
BenchmarkMemory/scs/JSON/5000000 	 1	 3000000000 ns/op	      345.0 RSS-B/session
BenchmarkRead/nest-2    	 100	      950 ns/op	     10 B/op	       3 allocs/op
BenchmarkMany/1/nest/read       	 100	      900 ns/op	     10 B/op	       3 allocs/op
BenchmarkMany/1/nest/write      	 100	     1900 ns/op	     10 B/op	       3 allocs/op
BenchmarkMany/1/scs/JSON/read   	 100	     3700 ns/op	     10 B/op	      30 allocs/op
BenchmarkMany/65_536/nest/read  	 100	    12400 ns/op	     10 B/op	      30 allocs/op
BenchmarkMany/65_536/nest/cache/read 	 100	     5000 ns/op	     10 B/op	      30 allocs/op
BenchmarkMany/65_536/scs/JSON/read 	 100	     6900 ns/op	     10 B/op	      30 allocs/op
BenchmarkReadNear/memstore      	 100	      900 ns/op	     10 B/op	       3 allocs/op
BenchmarkReadNear/nearcache     	 100	      950 ns/op	     10 B/op	       3 allocs/op
BenchmarkRead/nest      	 100	     1000 ns/op	     10 B/op	       3 allocs/op
BenchmarkRead/bare      	 100	        6 ns/op	     10 B/op	       0 allocs/op
PASS
table: Stores through the middleware
| Redis | read | 1 | nest | 1000 | 1.00 (1.00–1.00) | 10.0 µs | 1.00 |
FAIL
failed: the test that prints this table
`

// TestPage: the page begins with the comparisons in which this library is slower, and has each figure
// with its number of sessions.
func TestPage(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	stale := filepath.Join(folder, "stale.svg")
	if err := os.WriteFile(stale, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writePage(folder, []byte(sample)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	page, rest := string(text), string(text)
	for _, want := range []string{
		"- a machine, 2 cores",
		"## Where this library is slower",
		"| Many, read, 1 core | 65,536 | scs/JSON | 1.80 |",
		"| Memory, RSS-B/session, 1 core | 5,000,000 | scs/JSON | 1.40 |",
		"## Many, read, 1 core", "![Many, read, 1 core](many--read-1.svg)", "| | 1 session | 65,536 sessions |",
		"| **nest** | 900 ns (900 ns–900 ns), 3 | 12.4 µs (12.4 µs–12.4 µs), 30 |",
		"| scs/JSON | 3.70 µs (3.70 µs–3.70 µs), 30; × 4.11 | 6.90 µs (6.90 µs–6.90 µs), 30; × 0.56 |",
		"## Memory, RSS-B/session, 1 core", "| scs/JSON | 345 (345–345); × 0.71 |",
		"## Read, 1 core", "| **nest** | 950 ns (900 ns–1.00 µs), 3 |", "| jwt/HS256/typed | 5.60 µs",
		"## Stores through the middleware", "| store | work |", "| Redis | read | 1 | nest |", "**The test that prints this table failed",
	} {
		i := strings.Index(rest, want)
		if i < 0 {
			t.Fatalf("the page does not have %q after what comes before:\n%s", want, page)
		}
		rest = rest[i:]
	}
	if strings.Contains(page, "| bare | 1") || strings.Contains(page, "Read, 1 core | 1 | bare") {
		t.Error("a handler without a session counts as faster")
	}
	if strings.Contains(page, "| nest/cache | 2.48 |") {
		t.Error("this library with other settings counts as another one")
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("a plot of an earlier run is left")
	}
	plots, err := filepath.Glob(filepath.Join(folder, "*.svg"))
	if err != nil || len(plots) != 7 {
		t.Errorf("%d plots, %v; want one for each comparison", len(plots), err)
	}
	for _, path := range plots {
		if !strings.Contains(page, "("+filepath.Base(path)+")") {
			t.Errorf("the page does not show %s", path)
		}
		svg, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for d := xml.NewDecoder(strings.NewReader(string(svg))); ; {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v\n%s", path, err, svg)
			}
		}
		if strings.Contains(string(svg), "NaN") || strings.Contains(string(svg), "Inf") {
			t.Errorf("%s has coordinates that are not numbers:\n%s", path, svg)
		}
	}
}

// TestNoResults: a pattern that matches nothing does not replace the page.
func TestNoResults(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "benchmarks")
	if err := writePage(folder, []byte("machine: a machine\nPASS\n")); err == nil {
		t.Error("a page without results was written")
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("the folder was made")
	}
}

// TestLongTinyRun: the program runs the benchmarks of this module, after their tests, and writes the page.
func TestLongTinyRun(t *testing.T) {
	t.Chdir("..")
	folder := t.TempDir()
	o := options{bench: "^BenchmarkRead$/^(bare|nest)$", benchtime: "1x", count: 2, slice: "0", folder: folder, only: "benchmarks"}
	if err := run(o, io.Discard); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(folder, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"## Read, 1 core", "## Read, 2 cores", "| **nest** |", "| bare |", "github.com/alexedwards/scs"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page does not have %q:\n%s", want, page)
		}
	}
}
