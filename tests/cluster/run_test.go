package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/tests/internal/relay"
)

// patience is how long the end of a run waits for what takes a busy machine long.
const patience = 5 * time.Minute

// options say what a run does.
type options struct {
	store    string
	seed     uint64
	users    int
	length   time.Duration
	pace     time.Duration // the mean of a user's pauses
	patience time.Duration // of a user for an answer
	plant    string        // the bug in the nodes
	finds    string        // the run ends when the checker finds this; "": it does not end early
	only     []string      // what is disturbed; nil: everything
}

// run is a cluster with its users.
type run struct {
	t         testing.TB
	o         options
	history   *history
	backend   backend
	nodes     []*node
	relays    [][]*relay.Relay // of each node
	url       *url.URL
	base      string // of the proxy
	transport *http.Transport
	streaming context.Context
	running   sync.WaitGroup // reading streams
	users     []*user
	schedule  []disturbance
}

const haproxy = `defaults
	mode http
	timeout connect 1s
	timeout client 10m
	timeout server 10m
	retries 3
	option redispatch

frontend web
	bind :80
	default_backend nodes

backend nodes
	balance roundrobin
	option httpchk GET /health
	default-server check inter 300ms fall 2 rise 1
`

// do makes a run and returns what was found wrong, and the table.
func do(t testing.TB, o options) (wrong []string, table string) {
	t.Helper()
	found, broke := context.WithCancel(t.Context())
	defer broke()
	r := &run{t: t, o: o, history: newHistory(func(what string) {
		if o.finds != "" && strings.Contains(what, o.finds) {
			broke()
		}
	}), transport: &http.Transport{MaxIdleConnsPerHost: o.users, DisableCompression: true}}
	streaming, closeStreams := context.WithCancel(context.Background())
	r.streaming = streaming
	defer r.transport.CloseIdleConnections()
	defer r.running.Wait()
	defer closeStreams()
	r.start()
	r.history.began, r.history.last = time.Now(), time.Now()

	var living sync.WaitGroup
	ctx, cancel := context.WithCancel(found)
	defer cancel()
	for i := range o.users {
		u := newUser(r, i)
		r.users = append(r.users, u)
		living.Go(func() { u.live(ctx) })
	}
	if r.backend.leader != nil {
		living.Go(func() { r.noteLeaders(ctx) })
	}
	r.disturb(ctx)
	cancel()
	living.Wait()
	r.history.mu.Lock()
	r.history.served(time.Now())
	r.history.mu.Unlock()
	if found.Err() == nil {
		r.settle()
	}
	ends := r.history.checkStreams()
	r.history.mu.Lock()
	wrong = r.history.wrong
	if len(wrong) == 0 {
		wrong = r.untested()
	}
	r.history.mu.Unlock()
	return wrong, r.history.table(ends)
}

// untested says what a run that found nothing has not tried. The caller holds history.mu.
func (r *run) untested() (all []string) {
	h := r.history
	if h.logins == 0 || h.changes == 0 || len(h.streams) == 0 {
		all = append(all, "nothing was tested: there were no logins, changes or streams")
	}
	for _, d := range r.schedule {
		if !slices.ContainsFunc(h.windows, func(w *window) bool { return w.what == d.name }) {
			all = append(all, "it did not happen: "+d.name)
		}
	}
	return all
}

// start starts the store, the nodes and the proxy.
func (r *run) start() {
	r.t.Helper()
	r.backend = stores[r.o.store](r.t)
	for i := range 3 {
		n := &node{t: r.t, setup: r.backend.setup, log: &tail{}}
		n.setup.Through, n.setup.Plant = map[string]string{}, r.o.plant
		var relays []*relay.Relay
		for _, s := range r.backend.servers {
			through := relay.New(r.t, s.Addr())
			n.setup.Through[s.Addr()] = through.Addr()
			relays = append(relays, through)
		}
		r.t.Cleanup(func() {
			n.end(syscall.SIGKILL)
			if n.log.raced {
				r.t.Errorf("node %d has a data race", i)
			}
			if r.t.Failed() {
				r.t.Logf("node %d wrote at last:\n%s", i, n.log)
			}
		})
		r.nodes, r.relays = append(r.nodes, n), append(r.relays, relays)
	}
	if r.backend.inside {
		r.putServersInside()
	}
	conf := haproxy
	for i, n := range r.nodes {
		if err := n.start(); err != nil {
			r.t.Fatal(err)
		}
		conf += fmt.Sprintf("\tserver node%d %s\n", i, n.addr)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, n := range r.nodes {
		if err := n.ready(ctx); err != nil {
			r.t.Fatalf("%v\n%s", err, n.log)
		}
	}
	proxy := servers.StartProxy(r.t, servers.HAProxy, map[string]string{"haproxy.cfg": conf})
	r.base = "http://" + proxy.Addr()
	r.url, _ = url.Parse(r.base)
}

// putServersInside gives each node a NATS server, which reaches each other one through a relay.
func (r *run) putServersInside() {
	for i, n := range r.nodes {
		folder, err := os.MkdirTemp("", "node")
		if err != nil {
			r.t.Fatal(err)
		}
		r.t.Cleanup(func() { _ = os.RemoveAll(folder) })
		listen := servers.FreeAddress(r.t)
		n.setup.Inside = inside{Name: fmt.Sprint("node", i), Folder: folder, Listen: listen, Routes: []string{listen}}
	}
	for i, n := range r.nodes {
		advertised := relay.New(r.t, n.setup.Inside.Listen) // what others are told
		n.setup.Inside.Advertise = advertised.Addr()
		r.relays[i] = append(r.relays[i], advertised)
		for j, other := range r.nodes {
			if i != j {
				between := relay.New(r.t, other.setup.Inside.Listen)
				n.setup.Inside.Routes = append(n.setup.Inside.Routes, between.Addr())
				r.relays[i], r.relays[j] = append(r.relays[i], between), append(r.relays[j], between)
			}
		}
	}
}

// disturbance is something that is done to the cluster on purpose.
type disturbance struct {
	name  string
	lossy bool
	do    func(ctx context.Context, hold time.Duration) error
}

// disturbances are all that the store allows, in the order that the seed gives.
func (r *run) disturbances(random *rand.Rand) []disturbance {
	node := func() int { return random.IntN(3) }
	all := []disturbance{
		{"a node is killed", false, func(ctx context.Context, hold time.Duration) error {
			n := r.nodes[node()]
			n.end(syscall.SIGKILL)
			wait(ctx, hold/2)
			return r.begin(ctx, n)
		}},
		{"all nodes are rolled", false, func(ctx context.Context, _ time.Duration) error {
			for _, n := range r.nodes {
				if err := r.restart(ctx, n, 0); err != nil {
					return err
				}
			}
			return nil
		}},
		{"the store is frozen", r.backend.fails, func(ctx context.Context, _ time.Duration) error {
			frozen := r.backend.data
			if r.backend.inside { // a majority
				first := node()
				frozen = []freezer{r.nodes[first], r.nodes[(first+1)%3]}
			}
			for _, s := range frozen {
				s.Freeze()
			}
			wait(ctx, 5*time.Second)
			for _, s := range frozen {
				s.Thaw()
			}
			return nil
		}},
		{"a node is cut off from the store", false, func(ctx context.Context, _ time.Duration) error {
			i := node()
			for _, s := range r.relays[i] {
				s.Silence(true)
			}
			wait(ctx, r.o.cut())
			for _, s := range r.relays[i] {
				s.Heal()
				s.Cut()
			}
			return nil
		}},
		{"a clock is 2 minutes wrong", false, func(ctx context.Context, hold time.Duration) error {
			n, skew := r.nodes[node()], 2*time.Minute
			if random.IntN(2) == 0 {
				skew = -skew
			}
			if err := r.restart(ctx, n, skew); err != nil {
				return err
			}
			wait(ctx, hold)
			return r.restart(ctx, n, 0)
		}},
	}
	if r.backend.special != "" {
		all = append(all, disturbance{r.backend.special, r.backend.lossy, r.backend.do})
	}
	if r.backend.inside {
		all = append(all, disturbance{"the NATS leader dies", false, func(ctx context.Context, hold time.Duration) error {
			n, err := r.leader(ctx)
			if err != nil {
				return err
			}
			n.end(syscall.SIGKILL)
			wait(ctx, hold)
			return r.begin(ctx, n)
		}}, disturbance{"a node comes back with an empty disk", false, func(ctx context.Context, hold time.Duration) error {
			n := r.nodes[node()]
			n.end(syscall.SIGKILL)
			if err := os.RemoveAll(n.setup.Inside.Folder); err != nil {
				return err
			}
			wait(ctx, hold/2)
			return r.begin(ctx, n)
		}})
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// cut is how long a node is cut off from the store: 30 seconds. A run of a minute has no time for
// that, so it is 12 there: longer than any time limit of the nodes, and than the 10 seconds for which a
// NATS server that has lost the others believes that it leads.
func (o options) cut() time.Duration { return min(o.length/5, 30*time.Second) }

// leader returns the node whose NATS server leads the bucket.
func (r *run) leader(ctx context.Context) (leads *node, err error) {
	err = poll(ctx, "a node leads", func() bool {
		for _, n := range r.nodes {
			if text, ok := n.get(ctx, "/leads"); ok && text == "true" {
				leads = n
			}
		}
		return leads != nil
	})
	return leads, err
}

// begin starts a node, and returns when it is ready.
func (r *run) begin(ctx context.Context, n *node) error {
	if err := n.start(); err != nil {
		return err
	}
	return n.ready(ctx)
}

// restart ends a node in order and starts it with another clock.
func (r *run) restart(ctx context.Context, n *node, skew time.Duration) error {
	n.end(syscall.SIGTERM)
	n.setup.Skew = skew
	if err := r.begin(ctx, n); err != nil {
		return err
	}
	wait(ctx, time.Second) // the proxy sees that it is back
	return nil
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// chaos decides what is disturbed, and is no user's.
func (r *run) chaos() *rand.Rand { return rand.New(rand.NewPCG(r.o.seed, 1<<32)) }

// chosen are the disturbances of the run.
func (r *run) chosen(random *rand.Rand) (all []disturbance) {
	for _, d := range r.disturbances(random) {
		if r.o.only == nil || slices.ContainsFunc(r.o.only, func(only string) bool { return strings.Contains(d.name, only) }) {
			all = append(all, d)
		}
	}
	return all
}

// disturb does one thing after the other, for the length of the run, and each at least once. What has
// begun goes on to its end.
func (r *run) disturb(ctx context.Context) {
	until := time.Now().Add(r.o.length)
	r.schedule = r.chosen(r.chaos())
	turn := min(max(r.o.length/time.Duration(max(1, len(r.schedule))), 5*time.Second), 45*time.Second)
	for round := 0; len(r.schedule) > 0 && (round == 0 || time.Now().Before(until)); round++ {
		for _, d := range r.schedule {
			next := time.Now().Add(turn)
			wait(ctx, turn/5)
			if ctx.Err() != nil || round > 0 && time.Now().After(until) {
				return
			}
			work, cancel := context.WithTimeout(context.Background(), patience)
			err := r.history.disturbed(d.name, d.lossy, func() error { return d.do(work, turn*3/5) })
			cancel()
			if err != nil {
				r.t.Errorf("%s: %v", d.name, err)
				return
			}
			wait(ctx, time.Until(next))
		}
	}
	wait(ctx, time.Until(until))
}

// noteLeaders notes each change of the store's leader as a time in which the store may lose what it has
// acknowledged, whether the run is its cause or not.
func (r *run) noteLeaders(ctx context.Context) {
	var before string
	for ; ctx.Err() == nil; wait(ctx, 100*time.Millisecond) {
		leader, err := r.backend.leader(ctx)
		if err != nil || leader == before {
			continue
		}
		if before != "" {
			_ = r.history.disturbed("another server takes the writes", true, func() error { return nil })
		}
		before = leader
	}
}

// settle waits until everything works again, and checks what each node says then.
func (r *run) settle() {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, n := range r.nodes {
		base := "http://" + n.addr
		err := poll(ctx, "a node logs in again", func() bool {
			o := r.ask(base, "/login", nil, "", url.Values{"user": {"probe"}})
			return o.ok()
		})
		if err != nil {
			r.history.broken("%v: %s", err, n.log)
			return
		}
	}
	wait(ctx, bound)
	for _, n := range r.nodes {
		r.settleNode("http://" + n.addr)
	}
	for {
		s, due := r.history.pending()
		if s == nil {
			return
		}
		if time.Now().After(due) {
			r.history.broken("%s: a stream is open although its session has ended", s.life.user)
			return
		}
		wait(ctx, 20*time.Millisecond)
	}
}

// settleNode checks each live session, and the last that have ended, on one node. A busy machine may take
// longer than a node waits for its store, so a 503 is no answer, and the question is repeated.
func (r *run) settleNode(base string) {
	const atOnce = 4
	until := time.Now().Add(patience)
	var checking sync.WaitGroup
	lives := make(chan *life)
	for range atOnce {
		checking.Go(func() {
			for l := range lives {
				o := r.ask(base, "/me", nil, l.cookie, nil)
				for !o.ok() && !o.refused() && time.Now().Before(until) {
					o = r.ask(base, "/me", nil, l.cookie, nil)
				}
				switch {
				case o.ok():
					r.history.accepted(l, o, true)
				case o.refused():
					r.history.refused(l, o)
				default:
					r.history.broken("%s: a node that works again answers: %s", l.user, o.failure)
				}
			}
		})
	}
	for _, u := range r.users {
		for _, b := range u.browsers {
			if b.life != nil && b.life.isLive() {
				lives <- b.life
			}
			for _, l := range b.former[max(0, len(b.former)-3):] {
				lives <- l
			}
		}
	}
	close(lives)
	checking.Wait()
}
