package linear

import "github.com/nestsession/session/store"

// clash finds two operations that returned one version for two contents of an id. A caller that has
// read the first content could then replace the second without noticing. One version for equal
// contents is right: a store may derive it from the content. If the second operation's version is
// zero, only that operation is returned.
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
			continue // it has expired already, and nobody can read it
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

// wrote returns the content that the operation's version identifies.
func (o operation) wrote() content {
	if o.call.method == load {
		return o.answer.content
	}
	return o.call.content
}
