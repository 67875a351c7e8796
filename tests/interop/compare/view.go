package compare

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/nestsession/session/tests/interop/scenario"
)

// How the fields are looked at before they are compared. Each rule is the format's
// or says why it is here.

// headers returns the headers without those that are compared elsewhere or belong to the
// framing. A Go server may add Content-Type, and net/http's error page
// X-Content-Type-Options.
func headers(want, r *scenario.Result) map[string]string {
	out := map[string]string{}
	for name, value := range r.Headers {
		switch name {
		case "set-cookie", "date", "content-length", "transfer-encoding", "connection":
			continue
		case "content-type":
			if _, asked := want.Headers[name]; !asked {
				continue
			}
		case "x-content-type-options":
			if want.ErrorResponse {
				continue
			}
		}
		out[name] = value
	}
	return out
}

func cookies(list []scenario.Cookie) []scenario.Cookie {
	out := make([]scenario.Cookie, len(list))
	for i, c := range list {
		if out[i] = c; c.Attrs == nil {
			out[i].Attrs = map[string]any{}
		}
	}
	return out
}

// value forgets the text of an error, which is Node's own, and looks at cookies as
// Document does.
func value(v scenario.Value) scenario.Value {
	v.Error = nil
	v.Result = nil
	switch v.Op {
	case "cookie":
		if seen, ok := v.Value.(map[string]any); ok {
			v.Value = cookie(seen)
		}
	case "keys":
		if keys, ok := v.Value.([]any); ok {
			v.Value = sorted(keys)
		}
	}
	return v
}

func sorted(keys []any) []any {
	out := slices.Clone(keys)
	slices.SortFunc(out, func(a, b any) int {
		x, _ := a.(string)
		y, _ := b.(string)
		return strings.Compare(x, y)
	})
	return out
}

// Document is a stored document as it is compared: its cookie member as
// express-session reads it.
func Document(doc any) any {
	object, ok := doc.(map[string]any)
	if !ok {
		return doc
	}
	member, ok := object["cookie"].(map[string]any)
	if !ok {
		return doc
	}
	out, seen := maps.Clone(object), cookie(member)
	delete(seen, "maxAge") // express-session reads it, and never writes it
	out["cookie"] = seen
	return out
}

// The members that express-session's Cookie has; it drops all others when it
// writes a record. maxAge is one of those that a handler sees.
var cookieMembers = []string{
	"originalMaxAge", "partitioned", "priority", "expires", "secure", "httpOnly", "domain", "path", "sameSite", "maxAge",
}

// cookie is a cookie member as express-session reads it: null is the same as
// missing (the format says so), path and httpOnly have defaults, and what is
// spelled in several ways has one. Truth values that are off count as missing, for
// a field of a Go struct knows no third state, and express-session makes nothing of
// the difference either. (Not so false as a lifetime, which is not null there;
// as a date beside another lifetime it is forgotten at the next touch.)
func cookie(member map[string]any) map[string]any {
	out := map[string]any{"path": "/", "httpOnly": true}
	for _, name := range cookieMembers {
		v, given := member[name]
		if !given {
			continue
		}
		switch name {
		case "originalMaxAge": // a fraction of a millisecond has no effect
			if ms, ok := v.(float64); ok {
				v = math.Trunc(ms)
			}
		case "expires": // a text that is no date is none, nor is 0
			if _, isText := v.(string); isText || v == 0.0 || v == false && member["originalMaxAge"] != false {
				v = nil
			}
		case "maxAge": // false as the date is
			if v == false && member["originalMaxAge"] != false {
				v = nil
			}
		case "httpOnly":
			v = v == true
		case "secure", "partitioned":
			if v == false {
				v = nil
			}
		case "sameSite":
			v = spelling(v)
			if member[name] == true {
				v = "strict"
			}
		case "priority":
			v = spelling(v)
		case "path", "domain":
			if v == "" {
				v = nil
			}
		}
		if out[name] = v; v == nil {
			delete(out, name)
		}
	}
	return out
}

func spelling(v any) any {
	switch v := v.(type) {
	case string:
		if v != "" {
			return strings.ToLower(v)
		}
		return nil
	case bool:
		return nil
	}
	return v
}
