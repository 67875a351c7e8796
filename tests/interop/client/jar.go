// Package client is the browser of the scenarios: cookie jars that keep whatever they receive, and
// requests that are sent byte for byte.
package client

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Jar keeps the value of each cookie as received, in the order in which the names first arrived. It
// ignores all attributes and never removes a cookie.
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

// ID returns the id in the session cookie of a name, whoever signed it.
func (j *Jar) ID(name string) (string, bool) {
	id, _, ok := Split(Unescape(j.values[name]))
	return id, ok
}

// Line returns the Cookie line with all cookies of the jar; "" if it is empty.
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
