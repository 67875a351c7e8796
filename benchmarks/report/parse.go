package main

import (
	"bufio"
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ours is the name of this library among the contenders.
const ours = "nest"

// contenders begin the names of contenders. What stands before them in a benchmark's name is what is
// compared.
var contenders = regexp.MustCompile(`^(nest|bare|bound|map|scs|jwt|gorilla|gin|fiber|express|fastify)\b`)

// works stand behind the contender in the names of benchmarks that fill a store once for several
// of them. They are a part of what is compared.
var works = regexp.MustCompile(`^(read|write|login)$`)

// result is the figures of one contender in one comparison.
type result struct {
	group     string // what is compared, such as "Read"
	contender string
	sessions  int // how many are in use; 0: the benchmark does not say
	cpus      int
	unit      string    // "": ns for each operation
	figures   []float64 // one for each turn
	allocs    float64
}

// median, lowest and highest of the turns.
func (r *result) median() float64  { return middle(r.figures) }
func (r *result) lowest() float64  { return slices.Min(r.figures) }
func (r *result) highest() float64 { return slices.Max(r.figures) }

func middle(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// parsed is all that a file of results has.
type parsed struct {
	machine []string
	results []*result
	tables  []printed
}

// printed is a table that a test has printed.
type printed struct {
	title  string
	rows   []string
	failed bool
}

var (
	line   = regexp.MustCompile(`^Benchmark(\S+?)(?:-(\d+))?\s+\d+\s+(\S.*)$`)
	figure = regexp.MustCompile(`([\d.e+-]+) (\S+)`)
	count  = regexp.MustCompile(`^(?:sessions=|n=)?([\d_]+)$`)
)

// parse reads the output of benchmarks, in the format of package testing, and of tables.
func parse(text []byte) parsed {
	var p parsed
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text := lines.Text()
		if note, ok := strings.CutPrefix(text, "machine: "); ok {
			p.machine = append(p.machine, note)
		} else if title, ok := strings.CutPrefix(text, "table: "); ok {
			p.tables = append(p.tables, printed{title: title})
		} else if strings.HasPrefix(text, "failed: ") && len(p.tables) > 0 {
			p.tables[len(p.tables)-1].failed = true
		} else if strings.HasPrefix(text, "| ") && len(p.tables) > 0 {
			last := &p.tables[len(p.tables)-1]
			last.rows = append(last.rows, text)
		} else if m := line.FindStringSubmatch(text); m != nil {
			p.add(m[1], m[2], m[3])
		}
	}
	return p
}

func (p *parsed) add(name, cpus, figures string) {
	r := &result{cpus: 1}
	if n, err := strconv.Atoi(cpus); err == nil {
		r.cpus = n
	}
	var before, after []string
	work := ""
	for _, part := range strings.Split(name, "/") {
		if m := count.FindStringSubmatch(part); m != nil {
			r.sessions, _ = strconv.Atoi(strings.ReplaceAll(m[1], "_", ""))
		} else if works.MatchString(part) {
			work = part
		} else if len(after) > 0 || contenders.MatchString(part) {
			after = append(after, part)
		} else {
			before = append(before, part)
		}
	}
	if len(after) == 0 { // of two variants of this library, for example
		before, after = before[:1], before[1:]
	}
	if work != "" {
		before = append(before, work)
	}
	r.group, r.contender = strings.Join(before, ", "), strings.Join(after, "/")
	var further []*result
	for _, f := range figure.FindAllStringSubmatch(figures, -1) {
		value, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			continue
		}
		other := *r
		other.figures = []float64{value}
		switch unit := f[2]; unit {
		case "ns/op":
			r.figures = other.figures
		case "allocs/op":
			r.allocs = value
		case "B/op", "MB/s":
		case "cpu-ns/op":
			other.group += ", CPU time"
			further = append(further, &other)
		default: // what a benchmark reports by ReportMetric
			other.group, other.unit = other.group+", "+unit, unit
			further = append(further, &other)
		}
	}
	if len(r.figures) > 0 {
		p.merge(r)
	}
	for _, other := range further {
		p.merge(other)
	}
}

// merge adds the figures of another turn, or a new result.
func (p *parsed) merge(r *result) {
	for _, other := range p.results {
		if other.group == r.group && other.contender == r.contender && other.sessions == r.sessions && other.cpus == r.cpus {
			other.figures = append(other.figures, r.figures...)
			return
		}
	}
	p.results = append(p.results, r)
}
