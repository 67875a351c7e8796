package main

import (
	"fmt"
	"strings"
)

type table struct{ name, text string }

var (
	numbers  = []float64{1e6, 1e7, 1e8, 1e9}
	clusters = []float64{1, 10, 100}
	// shared are the stores of several nodes.
	shared = []costs{redisCosts, clusterCosts, postgresCosts, mariaCosts, natsOneCosts, natsThreeCosts}
	// reporting are those that report changes.
	reporting = []costs{redisCosts, postgresCosts, natsThreeCosts}
)

func tables() []table {
	return []table{
		{"load", load()}, {"near cache", nearTable()}, {"kept", keptTable()}, {"calls", callsTable()},
		{"commands", commandsTable()}, {"network", networkTable()}, {"notifications", noticesTable()}, {"disk", diskTable()}, {"limits", limitsTable()},
	}
}

// rows are the lines of a Markdown table.
type rows struct{ strings.Builder }

func (r *rows) head(cells ...string) {
	r.row(cells...)
	r.WriteString(strings.Repeat("|---", len(cells)) + "|\n")
}

func (r *rows) row(cells ...string) { r.WriteString("| " + strings.Join(cells, " | ") + " |\n") }

// short prints a number to three digits: 1,230 or 12.3 million.
func short(n float64) string {
	switch {
	case n == 0:
		return "0"
	case n < 10:
		return fmt.Sprintf("%.2g", n)
	case n < 1000:
		return fmt.Sprintf("%.0f", n)
	case n < 999_500:
		s := fmt.Sprintf("%.0f", n)
		return s[:len(s)-3] + "," + s[len(s)-3:]
	case n < 999.5e6:
		return fmt.Sprintf("%.3g million", n/1e6)
	}
	return fmt.Sprintf("%.3g billion", n/1e9)
}

// size prints bytes.
func size(n float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if n < 999.5 {
			return fmt.Sprintf("%.3g %s", n, unit)
		}
		n /= 1000
	}
	return fmt.Sprintf("%.3g TB", n)
}

func sessionsHead(first string) []string {
	cells := []string{first}
	for _, n := range numbers {
		cells = append(cells, short(n)+" sessions")
	}
	return cells
}

func load() string {
	var r rows
	r.head(sessionsHead("a second, of all nodes")...)
	for _, line := range []struct {
		name string
		of   func(rates) float64
	}{
		{"requests", func(r rates) float64 { return r.requests }}, {"saves", func(r rates) float64 { return r.saves }},
		{"touches", func(r rates) float64 { return r.touches }}, {"logins", func(r rates) float64 { return r.logins }},
		{"logouts", func(r rates) float64 { return r.logouts }},
	} {
		cells := []string{line.name}
		for _, n := range numbers {
			cells = append(cells, short(line.of(typical(1, n).rates())))
		}
		r.row(cells...)
	}
	return r.String()
}

func nearTable() string {
	var r rows
	r.head("nodes", "reads answered from memory", "nodes that a visit reaches", "memory of each node, 1 million sessions", "1 billion")
	for _, n := range clusters {
		d, large := typical(n, 1e6), typical(n, 1e9)
		r.row(short(n), fmt.Sprintf("%.0f %%", 100*d.hits()), fmt.Sprintf("%.1f", reached(n, d.visit)), size(d.nearBytes()), size(large.nearBytes()))
	}
	return r.String()
}

func keptTable() string {
	var r rows
	r.head(sessionsHead("all servers together")...)
	for _, c := range []costs{memoryCosts, sqliteCosts, redisCosts, sentinelCosts, clusterCosts, postgresCosts, mariaCosts, natsOneCosts, natsThreeCosts} {
		cells := []string{c.name + ", " + c.where}
		for _, n := range numbers {
			cells = append(cells, size(n*c.kept*c.copies))
		}
		r.row(cells...)
		if c.memoryMore > 0 {
			cells = []string{c.name + ", memory"}
			for _, n := range numbers {
				cells = append(cells, size(n*c.memoryMore*c.copies))
			}
			r.row(cells...)
		}
	}
	return r.String()
}

func callsTable() string {
	var r rows
	r.head("one call: bytes to the server + from it, round trips", "login", "read", "save", "touch", "logout")
	for _, c := range shared {
		cells := []string{c.name}
		for _, t := range []traffic{c.login, c.read, c.save, c.touch, c.logout} {
			cells = append(cells, fmt.Sprintf("%.0f + %.0f, %.0f", t.up, t.down, t.rounds))
		}
		r.row(cells...)
	}
	return r.String()
}

// grid has a line for each store and number of nodes.
func grid(stores []costs, first string, cell func(costs, deployment) string) string {
	var r rows
	head := append([]string{first, "nodes"}, sessionsHead("")[1:]...)
	r.head(head...)
	for _, c := range stores {
		for _, nodes := range clusters {
			cells := []string{c.name, short(nodes)}
			for _, n := range numbers {
				cells = append(cells, cell(c, typical(nodes, n)))
			}
			r.row(cells...)
		}
	}
	return r.String()
}

// inUse is the deployment as a store makes it: a near cache needs a store that reports changes.
func (c costs) inUse(d deployment) deployment {
	d.near = c.notice > 0
	return d
}

func commandsTable() string {
	return grid(shared, "round trips a second", func(c costs, d deployment) string { return short(c.calls(c.inUse(d))) })
}

func networkTable() string {
	return grid(shared, "bytes a second", func(c costs, d deployment) string {
		t := c.sum(c.inUse(d))
		return size(t.up + t.down)
	})
}

func noticesTable() string {
	return grid(reporting, "notifications a second", func(c costs, d deployment) string {
		return short(c.notices(d)) + ", " + size(c.noticeBytes(d))
	})
}

func diskTable() string {
	var r rows
	r.head(sessionsHead("log on the disk, a second")...)
	for _, c := range []costs{redisCosts, postgresCosts, mariaCosts, natsOneCosts, natsThreeCosts, sqliteCosts} {
		cells := []string{c.name}
		for _, n := range numbers {
			cells = append(cells, size(c.log*typical(1, n).rates().writes()))
		}
		r.row(cells...)
	}
	cells := []string{"rows of changes that PostgreSQL keeps (a minute)"}
	for _, n := range numbers {
		d := typical(1, n)
		cells = append(cells, short(60*(d.rates().saves+d.rates().logouts)))
	}
	r.row(cells...)
	return r.String()
}

// These are of machines, not of the library: half of 64 GB for sessions, since the other half is for the
// copy of a snapshot, for the system and for indexes; and the only elapsed-time figures that the
// project has, both with two cores for server and clients.
const (
	halfMemory    = 32e9
	redisCommands = 113_774 * 0.295 // benchmarks/stores/README.md, 2026-11-23: requests, commands a request
	postgresSaves = 3040            // docs/adr/0035-changes-in-a-table.md, 2026-11-27
)

// limitsTable says how many sessions a store takes before a resource is used up. All grows with the
// sessions, but PostgreSQL's polls, which are no saves.
func limitsTable() string {
	const million = 1e6
	at := func(nodes float64) deployment { return typical(nodes, million) }
	sessions := func(has, needs float64) string { return short(million * has / needs) }
	var r rows
	r.head("store", "what is used up", "sessions", "from")
	r.row("memstore", "memory of one process, 32 GB", sessions(halfMemory, million*memoryCosts.kept), "bytes: measured with 1 million; tried with 5 million at most")
	r.row("Redis, one server or Sentinel", "memory of the primary, 32 GB", sessions(halfMemory, million*redisCosts.kept), "bytes: measured with 100,000")
	for _, nodes := range clusters[1:] {
		r.row("", fmt.Sprintf("commands, %.0f nodes", nodes), sessions(redisCommands, redisCosts.calls(at(nodes))),
			"33,563 commands a second: elapsed time, 2026-11-23, two cores for Redis and its clients")
	}
	r.row("Redis Cluster", "memory, 32 GB of each of 3 primaries", sessions(3*halfMemory, million*redisCosts.kept), "bytes as above")
	r.row("PostgreSQL, `pgxstore`", "writes that wait for the disk", sessions(postgresSaves, at(1).rates().writes()),
		"3,040 saves a second: elapsed time, 2026-11-27, two cores under other load, 16 nodes")
	r.row("MariaDB", "not known", "", "no elapsed time was measured by itself, only beside another program's")
	for _, c := range []costs{natsOneCosts, natsThreeCosts} {
		r.row(c.name, "memory of each server, 32 GB", sessions(halfMemory, million*c.memoryMore), "bytes: measured with 100,000")
	}
	return r.String()
}

// one is the deployment of somebody.
func one(d deployment) string {
	var r rows
	rate := d.rates()
	fmt.Fprintf(&r, "%s requests, %s saves, %s logins a second. The near cache answers %.0f %% and needs %s a node.\n\n",
		short(rate.requests), short(rate.saves), short(rate.logins), 100*d.hits(), size(d.nearBytes()))
	r.head("store", "kept", "round trips a second", "network a second", "notifications a second", "log a second")
	for _, c := range shared {
		e := d
		e.near = d.near && c.notice > 0
		t, log := c.sum(e), "not measured"
		if c.log > 0 {
			log = size(c.log * rate.writes())
		}
		r.row(c.name, size(d.sessions*c.kept*c.copies), short(t.rounds), size(t.up+t.down), short(c.notices(e)), log)
	}
	return r.String()
}
