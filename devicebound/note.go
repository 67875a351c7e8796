package devicebound

import (
	"strconv"
	"strings"
	"time"
)

// noteName is the name under which a binding is kept beside the session's data.
const noteName = "devicebound"

// binding is what a session's record says about its key.
type binding struct {
	alg string
	key string // see encodeKey
	id  string // random, and the same for all generations

	// Each proof begins a generation, and so does a request for a proof that brings none but
	// has the cookie of the last: that cookie counts no more.
	generation uint64
	since      int64 // when the generation began, in ms since 1970; 0: what was before it does not count any more
	until      int64 // when its cookie expires, the same
	bound      bool  // a request has shown the cookie: from now on all must
}

// version is the first part of the text, for forms to come.
const version = "1"

func (b binding) String() string {
	flag := "0"
	if b.bound {
		flag = "1"
	}
	return strings.Join([]string{version, b.alg, b.key, b.id, strconv.FormatUint(b.generation, 36), strconv.FormatInt(b.since, 36), strconv.FormatInt(b.until, 36), flag}, ".")
}

// parseBinding reads what String returns.
func parseBinding(text string) (b binding, ok bool) {
	p := strings.Split(text, ".")
	if len(p) != 8 || p[0] != version {
		return b, false
	}
	var errs [3]error
	b = binding{alg: p[1], key: p[2], id: p[3], bound: p[7] == "1"}
	b.generation, errs[0] = strconv.ParseUint(p[4], 36, 64)
	b.since, errs[1] = strconv.ParseInt(p[5], 36, 64)
	b.until, errs[2] = strconv.ParseInt(p[6], 36, 64)
	return b, errs == [3]error{}
}

// same reports whether text is a binding with the same key and generation.
func (b binding) same(text string) (now binding, ok bool) {
	now, ok = parseBinding(text)
	return now, ok && now.id == b.id && now.generation == b.generation
}

// next returns the generation after b that a proof begins.
func (b binding) next(now time.Time, lifetime time.Duration) binding {
	b.generation++
	b.since, b.until, b.bound = now.UnixMilli(), now.Add(lifetime).UnixMilli(), true
	return b
}
