package main

import "math"

// traffic is what a call takes on the wire: bytes to the server, bytes from it, and round trips.
type traffic struct{ up, down, rounds float64 }

// costs are the measured constants of a store. TestMeasuredCalls, TestMeasuredNotifications and
// TestMeasuredLogs compare them with real servers. The bytes at rest are those of docs/stores.
type costs struct {
	name                             string
	login, read, save, touch, logout traffic

	kept   float64 // bytes of a session, on a disk or in the memory that holds it
	where  string  // what kept is
	copies float64 // how many servers keep each session

	log float64 // bytes that a save adds to the log on the disk; 0 if it is not measured

	notice     float64 // bytes that a change takes for each node that watches; 0 if the store reports none
	touches    bool    // logins and touches are reported as well
	poll       traffic // what a poll takes that finds nothing; zero if the store sends changes by itself
	pollsASec  float64
	echo       traffic // what a save takes more if the node that makes it watches
	memoryMore float64 // bytes of a server's memory for a session that is kept on the disk
}

var (
	redisCosts = costs{
		name:  "Redis",
		login: traffic{738, 8, 1}, read: traffic{68, 325, 1}, save: traffic{738, 4, 1},
		touch: traffic{146, 4, 1}, logout: traffic{224, 4, 1},
		kept: 812, where: "memory", copies: 1,
		log: 423, notice: 80, touches: true, echo: traffic{68, 325, 1},
	}
	postgresCosts = costs{
		name:  "PostgreSQL, `pgxstore`",
		login: traffic{469, 42, 1}, read: traffic{157, 338, 1}, save: traffic{479, 40, 1},
		touch: traffic{184, 30, 1}, logout: traffic{142, 30, 1},
		kept: 667, where: "disk", copies: 1,
		log: 437, notice: 56, poll: traffic{104, 60, 1}, pollsASec: 50,
	}
	mariaCosts = costs{
		name:  "MariaDB",
		login: traffic{358, 11, 1}, read: traffic{72, 313, 1}, save: traffic{387, 52, 1},
		touch: traffic{82, 52, 1}, logout: traffic{62, 11, 1},
		kept: 922, where: "disk", copies: 1, log: 781,
	}
	natsOneCosts = costs{
		name:  "NATS, one server",
		login: traffic{722, 206, 2}, read: traffic{150, 627, 1}, save: traffic{511, 103, 1},
		touch: traffic{661, 745, 2}, logout: traffic{690, 564, 3},
		kept: 1171, where: "disk", copies: 1, memoryMore: 3000, log: 490,
		notice: 282, touches: true,
	}
	natsThreeCosts = costs{
		name:  "NATS, three servers",
		login: traffic{833, 146, 1}, read: traffic{360, 1393, 2}, save: traffic{511, 103, 1},
		touch: traffic{661, 745, 2}, logout: traffic{546, 146, 1},
		kept: 1171, where: "disk", copies: 3, memoryMore: 3000, log: 1103,
		notice: 282, touches: true,
	}
	memoryCosts = costs{name: "memstore", kept: 227, where: "memory", copies: 1}
	sqliteCosts = costs{name: "SQLite", kept: 438, where: "disk", copies: 1, log: 16_696}
)

// With Sentinel or in a Cluster a call takes what it takes on one server; what differs are copies.
var (
	sentinelCosts = with(redisCosts, "Redis, Sentinel, two replicas", 3)
	clusterCosts  = with(redisCosts, "Redis Cluster, a replica of each", 2)
)

func with(c costs, name string, copies float64) costs {
	c.name, c.copies = name, copies
	if name == clusterName {
		c.login.rounds = 2 // the index of owners is on another server
	}
	return c
}

const clusterName = "Redis Cluster, a replica of each"

// deployment is what the model assumes.
type deployment struct {
	nodes, sessions float64
	requests        float64 // of a session, a day
	peak            float64 // the busiest second beside the average one
	saves           float64 // share of the requests that change the session
	days            float64 // between two logins of a user; the idle timeout, too
	logouts         float64 // share of the sessions that end by a logout
	visit           float64 // requests of a visit, each to any node
	minutes         float64 // that a visit lasts
	near            bool    // nodes keep sessions in package nearcache
}

func typical(nodes, sessions float64) deployment {
	return deployment{nodes: nodes, sessions: sessions, requests: 20, peak: 3, saves: 0.05, days: 7, logouts: 0.5, visit: 20, minutes: 10, near: true}
}

// rates are calls of all nodes together in the busiest second.
type rates struct{ requests, reads, saves, touches, logins, logouts float64 }

func (d deployment) rates() rates {
	second := d.sessions * d.peak / 86400
	r := rates{requests: second * d.requests, logins: second / d.days, logouts: second * d.logouts / d.days}
	r.saves = r.requests * d.saves
	// A visit moves the expiry if a tenth of the idle timeout has passed. A save moves it, too,
	// which the model ignores: it counts more touches than there are.
	r.touches = second * min(10/d.days, d.requests/d.visit)
	r.reads = r.requests
	if d.near {
		r.reads *= 1 - d.hits()
	}
	return r
}

// reached is how many of n nodes get at least one of k requests, each sent to any node.
func reached(n, k float64) float64 { return n * (1 - math.Pow(1-1/n, k)) }

// hits is the share of reads that the near cache answers. The first request that a node gets of a visit
// reads from the store. A save makes all other nodes read again.
func (d deployment) hits() float64 {
	saves := d.visit * d.saves
	between := d.visit / (1 + saves)
	misses := reached(d.nodes, between)
	if d.nodes > 1 {
		misses += saves * (d.nodes - 1) * (1 - math.Pow(1-1/d.nodes, between))
	}
	return 1 - misses/d.visit
}

// entry is what nearcache needs for a session: its documentation says 64 MiB for 130,000.
const entry = float64(64<<20) / 130_000

// nearBytes is the memory of a node's near cache that holds all sessions of the visits under way.
func (d deployment) nearBytes() float64 {
	visits := d.rates().requests / d.visit * d.minutes * 60
	return visits * reached(d.nodes, d.visit) / d.nodes * entry
}

// calls are round trips between all nodes and the store, a second.
func (c costs) calls(d deployment) float64 { return c.sum(d).rounds }

// sum is what crosses the network between all nodes and the store, a second.
func (c costs) sum(d deployment) traffic {
	r := d.rates()
	var all traffic
	add := func(t traffic, times float64) {
		all.up, all.down, all.rounds = all.up+t.up*times, all.down+t.down*times, all.rounds+t.rounds*times
	}
	add(c.login, r.logins)
	add(c.read, r.reads)
	add(c.save, r.saves)
	add(c.touch, r.touches)
	add(c.logout, r.logouts)
	if d.near && c.notice > 0 {
		add(c.echo, r.saves)
		add(c.poll, c.pollsASec*d.nodes)
		all.down += c.noticeBytes(d)
	}
	return all
}

// notices are the notifications that all nodes together get in a second.
func (c costs) notices(d deployment) float64 {
	if c.notice == 0 {
		return 0
	}
	r := d.rates()
	n := r.saves + r.logouts
	if c.touches {
		n += r.touches + r.logins
	}
	return n * d.nodes
}

func (c costs) noticeBytes(d deployment) float64 { return c.notices(d) * c.notice }

// writes are the calls that change something, a second.
func (r rates) writes() float64 { return r.saves + r.touches + r.logins + r.logouts }
