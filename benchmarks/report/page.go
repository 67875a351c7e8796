package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// writePage writes README.md, its plots and the results into the folder.
func writePage(folder string, results []byte) error {
	p := parse(results)
	if len(p.results) == 0 && len(p.tables) == 0 {
		return fmt.Errorf("there are no results: does -bench match a benchmark?")
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(folder, "*.svg"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	text, plots := p.page()
	plots["README.md"], plots["results.txt"] = text, string(results)
	for name, content := range plots {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// comparison is the results that are compared with each other.
type comparison struct {
	group string
	cpus  int
	all   []*result
}

func (c comparison) title() string {
	if c.cpus == 1 {
		return c.group + ", 1 core"
	}
	return fmt.Sprintf("%s, %d cores", c.group, c.cpus)
}

func (c comparison) file() string {
	return strings.Map(func(r rune) rune {
		if r == ',' || r == ' ' || r == '/' {
			return '-'
		}
		return r
	}, strings.ToLower(fmt.Sprintf("%s %d", c.group, c.cpus))) + ".svg"
}

// sessions are the numbers of sessions in use, in order.
func (c comparison) sessions() []int {
	var all []int
	for _, r := range c.all {
		all = append(all, r.sessions)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// find returns the result of a contender, nil if there is none.
func (c comparison) find(contender string, sessions int) *result {
	for _, r := range c.all {
		if r.contender == contender && r.sessions == sessions {
			return r
		}
	}
	return nil
}

// names are the contenders, the fastest first.
func (c comparison) names() []string {
	var names []string
	best := map[string]float64{}
	for _, r := range c.all {
		if m, ok := best[r.contender]; !ok || r.median() < m {
			if !ok {
				names = append(names, r.contender)
			}
			best[r.contender] = r.median()
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(best[a], best[b]) })
	return names
}

// limit reports whether a contender is a lower limit, or this library with other settings, and not
// another way to keep sessions.
func limit(contender string) bool {
	return strings.HasPrefix(contender, "bare") || strings.HasPrefix(contender, "bound") || strings.HasPrefix(contender, ours+"/")
}

// lead is how many times as long this library takes as the fastest other contender, in the case in
// which that is most; 0 if there is nothing to compare.
func (c comparison) lead() (most float64) {
	for _, r := range c.all {
		if own := c.find(ours, r.sessions); own != nil && r.contender != ours && !limit(r.contender) {
			most = max(most, own.median()/r.median())
		}
	}
	return most
}

func (p parsed) comparisons() []comparison {
	var all []comparison
next:
	for _, r := range p.results {
		for i, c := range all {
			if c.group == r.group && c.cpus == r.cpus {
				all[i].all = append(c.all, r)
				continue next
			}
		}
		all = append(all, comparison{r.group, r.cpus, []*result{r}})
	}
	// What is least favorable for this library comes first.
	slices.SortStableFunc(all, func(a, b comparison) int { return cmp.Compare(b.lead(), a.lead()) })
	return all
}

// page returns the text of the page, and its plots by their file names.
func (p parsed) page() (string, map[string]string) {
	var b strings.Builder
	plots := map[string]string{}
	b.WriteString("# Benchmarks\n\n`make bench` writes this page; do not edit it. The tests of [benchmarks](../../benchmarks/README.md)\n" +
		"check that all contenders do the same work. What is least favorable for this library comes first.\n\n")
	for _, note := range p.machine {
		fmt.Fprintf(&b, "- %s\n", note)
	}
	all := p.comparisons()
	p.slower(&b, all)
	b.WriteString("\nEach figure is the median of the turns, with the smallest and the largest in brackets; then the\n" +
		"allocations, and × how many times this library's time it is. A benchmark makes its requests one after the other: with two cores the\n" +
		"second one collects garbage. A request is served in process, without a network, except where the name says HTTP.\n")
	for _, c := range all {
		fmt.Fprintf(&b, "\n## %s\n\n", c.title())
		plots[c.file()] = c.plot()
		fmt.Fprintf(&b, "![%s](%s)\n\n", c.title(), c.file())
		c.table(&b)
	}
	for _, t := range p.tables {
		if t.failed {
			t.rows = append(t.rows, "", "**The test that prints this table failed: a figure is wrong or worse than it may be.**")
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s%s\n", t.title, columnsOf(t.title), strings.Join(t.rows, "\n"))
	}
	b.WriteString("\n[All results](results.txt), in the format of `go test -bench`.\n")
	return b.String(), plots
}

// slower lists where another contender is faster than this library.
func (p parsed) slower(b *strings.Builder, all []comparison) {
	var rows []string
	for _, c := range all {
		for _, n := range c.sessions() {
			for _, name := range c.names() {
				own, other := c.find(ours, n), c.find(name, n)
				if own == nil || other == nil || limit(name) || other.median() >= own.median() {
					continue
				}
				rows = append(rows, fmt.Sprintf("| %s | %s | %s | %.2f |\n", c.title(), inUse(n), name, own.median()/other.median()))
			}
		}
	}
	b.WriteString("\n## Where this library is slower\n\n")
	if len(rows) == 0 {
		b.WriteString("In none of the comparisons of this run.\n")
		return
	}
	b.WriteString("| comparison | sessions in use | faster | times as much by this library |\n|---|---|---|---|\n" + strings.Join(rows, ""))
}

func inUse(n int) string {
	if n == 0 {
		return "1"
	}
	return thousands(n)
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// table writes a row for each contender and a column for each number of sessions.
func (c comparison) table(b *strings.Builder) {
	b.WriteString("| |")
	for _, n := range c.sessions() {
		if unit := " sessions |"; n > 1 {
			b.WriteString(" " + thousands(n) + unit)
		} else {
			b.WriteString(" 1 session |")
		}
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(c.sessions())) + "\n")
	for _, name := range c.names() {
		shown := name
		if name == ours {
			shown = "**" + name + "**"
		}
		fmt.Fprintf(b, "| %s |", shown)
		for _, n := range c.sessions() {
			r := c.find(name, n)
			if r == nil {
				b.WriteString(" |")
				continue
			}
			fmt.Fprintf(b, " %s (%s–%s)", r.show(r.median()), r.show(r.lowest()), r.show(r.highest()))
			if r.allocs > 0 {
				fmt.Fprintf(b, ", %.0f", r.allocs)
			}
			if own := c.find(ours, n); own != nil && name != ours {
				fmt.Fprintf(b, "; × %.2f", r.median()/own.median())
			}
			b.WriteString(" |")
		}
		b.WriteString("\n")
	}
}

// show writes a figure of the result.
func (r *result) show(figure float64) string {
	switch {
	case r.unit == "":
		return short(figure)
	case figure >= 1000:
		return thousands(int(figure))
	}
	return digits(figure)
}

// short writes a time with about three digits.
func short(ns float64) string {
	for _, unit := range []struct {
		ns   float64
		name string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if ns >= unit.ns {
			return digits(ns/unit.ns) + " " + unit.name
		}
	}
	return digits(ns) + " ns"
}

func digits(f float64) string {
	switch {
	case f >= 100:
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}
