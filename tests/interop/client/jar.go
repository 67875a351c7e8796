// Package client is the browser of the scenarios: jars that keep whatever they
// are sent, and requests written byte for byte.
package client

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Jar keeps the value of each cookie as received, in order of first arrival. It
// ignores all attributes and never drops anything.
type Jar struct {
	names  []string
	values map[string]string
}

// Set stores a value under a name.
func (j *Jar) Set(name, value string) {
	if j.values == nil {
		j.values = map[string]string{}
	}
	if _, known := j.values[name]; !known {
		j.names = append(j.names, name)
	}
	j.values[name] = value
}

// Get returns the value under a name.
func (j *Jar) Get(name string) (string, bool) {
	value, ok := j.values[name]
	return value, ok
}

// ID returns the id in the session cookie under a name, whoever signed it.
func (j *Jar) ID(name string) (string, bool) {
	id, _, ok := Split(Unescape(j.values[name]))
	return id, ok
}

// Line is the Cookie line of all that the jar has; "" if it is empty.
func (j *Jar) Line() string {
	pairs := make([]string, len(j.names))
	for i, name := range j.names {
		pairs[i] = name + "=" + j.values[name]
	}
	return strings.Join(pairs, "; ")
}

// Clone returns a copy.
func (j *Jar) Clone() *Jar {
	return &Jar{slices.Clone(j.names), maps.Clone(j.values)}
}

func (j *Jar) need(name string) (string, error) {
	value, ok := j.values[name]
	if !ok {
		return "", fmt.Errorf("the jar has no cookie %q", name)
	}
	return value, nil
}
