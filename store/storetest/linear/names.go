package linear

import (
	"fmt"
	"strconv"
	"time"

	"github.com/nestsession/session/store"
)

var methods = [...]string{load: "Load", create: "Create", update: "Update", touch: "Touch", remove: "Delete"}

func (m method) String() string { return methods[m] }

var outcomes = [...]string{
	done: "ok", notFound: "ErrNotFound", exists: "ErrExists", conflict: "ErrConflict", unknown: "unknown",
}

func (o outcome) String() string { return outcomes[o] }

// names are the short names of a history's ids and versions in a report.
type names struct {
	start    int64 // the store's clock, for expiries
	ids      map[string]int
	versions map[store.Version]int
}

// nameAll names the ids and versions in the history, in the order of their first use.
func nameAll(history []operation) *names {
	n := &names{ids: map[string]int{}, versions: map[store.Version]int{}}
	for i, op := range history {
		if i == 0 {
			n.start = op.call.from
		}
		if _, ok := n.ids[op.call.id]; !ok {
			n.ids[op.call.id] = len(n.ids) + 1
		}
		for _, v := range []store.Version{op.call.version, op.answer.version} {
			if _, ok := n.versions[v]; !ok && v != 0 {
				n.versions[v] = len(n.versions) + 1
			}
		}
	}
	return n
}

func (n *names) operation(c call, a answer) string {
	in := "id" + strconv.Itoa(n.ids[c.id])
	if c.method == update {
		in += ", " + n.version(c.version)
	}
	if c.method == create || c.method == update {
		in += ", " + describe(c.content)
	}
	if c.method != load && c.method != remove {
		in += ", ends " + n.moment(c.expires)
	}
	out := a.outcome.String()
	switch {
	case a.outcome == unknown:
		out = "unknown (" + a.err + ")"
	case a.outcome == done && c.method == load:
		out = fmt.Sprintf("%s, %s, ends %s", n.version(a.version), describe(a.content), n.moment(a.expires))
	case a.outcome == done && (c.method == create || c.method == update):
		out = n.version(a.version)
	}
	return fmt.Sprintf("%s(%s) = %s", c.method, in, out)
}

func (n *names) version(v store.Version) string {
	if v == 0 {
		return "v?"
	}
	return "v" + strconv.Itoa(n.versions[v])
}

// moment returns an expiry relative to the history's first operation.
func (n *names) moment(expires int64) string {
	return fmt.Sprintf("%+v", time.Duration(expires-n.start).Round(time.Millisecond))
}

// describe returns a document's number, if a client has written it.
func describe(c content) string {
	var number int64
	if _, err := fmt.Sscanf(c.data, `{"cookie":{"path":"/"},"n":%d,`, &number); err == nil {
		if data, owner := document(number); data == c.data && (c.owner == owner || c.owner == "") {
			return fmt.Sprintf("document %d", number)
		}
	}
	const most = 100
	if len(c.data) > most {
		c.data = c.data[:most] + "…"
	}
	return fmt.Sprintf("%q of %q", c.data, c.owner)
}

func (n *names) state(s state) string {
	switch {
	case !s.kept:
		return "none"
	case s.free:
		return "some record"
	}
	return fmt.Sprintf("%s, %s, ends %s", n.version(s.version), describe(s.content), n.moment(s.expires))
}
