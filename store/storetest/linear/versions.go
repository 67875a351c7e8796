package linear

import "github.com/nestsession/session/store"

// clash finds two operations that were answered one version for two contents of an
// id. Whoever had read the first could then replace the second unseen. One version
// for equal contents is right: a store may derive it from what it keeps. The
// second operation alone is returned where its version is zero.
func clash(history []operation) []operation {
	type key struct {
		id      string
		version store.Version
	}
	seen := map[key]operation{}
	for _, op := range history {
		c, a := op.call, op.answer
		if a.outcome != done || c.method == touch || c.method == remove {
			continue
		}
		if c.method != load && c.expires <= a.until {
			continue // nobody can ever read it
		}
		if a.version == 0 {
			return []operation{op}
		}
		k := key{c.id, a.version}
		if first, ok := seen[k]; !ok {
			seen[k] = op
		} else if first.wrote() != op.wrote() {
			return []operation{first, op}
		}
	}
	return nil
}

// wrote is the content that the operation's version stands for.
func (o operation) wrote() content {
	if o.call.method == load {
		return o.answer.content
	}
	return o.call.content
}
