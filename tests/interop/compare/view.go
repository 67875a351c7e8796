package compare

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/nestsession/session/tests/interop/scenario"
)

// These functions prepare the fields for the comparison. Each rule is the format's, or its reason
// is given here.

// headers returns the headers without those that other fields compare or that belong to the
// framing. A Go server may add Content-Type, and net/http's error page X-Content-Type-Options.
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

// value drops the text of an error, which is Node's own, and treats cookies as Document does.
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

// Document returns a stored document in the form in which it is compared: with its cookie member as
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
	delete(seen, "maxAge") // express-session reads it, but never writes it
	out["cookie"] = seen
	return out
}

// The members of express-session's Cookie. Others are dropped when express-session writes a record.
// A handler sees maxAge as well.
var cookieMembers = []string{
	"originalMaxAge", "partitioned", "priority", "expires", "secure", "httpOnly", "domain", "path", "sameSite", "maxAge",
}

// cookie returns a cookie member as express-session reads it. null is the same as missing, as the
// format says; path and httpOnly have defaults; equivalent spellings become one. A flag that is
// false counts as missing, because a field of a Go struct has no third state, and express-session
// makes no difference either. (But a lifetime of false is not null. A date of false beside another
// lifetime is dropped at the next touch.)
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
		case "expires": // a text that is not a date means no date, and so does 0
			if _, isText := v.(string); isText || v == 0.0 || v == false && member["originalMaxAge"] != false {
				v = nil
			}
		case "maxAge": // false is a date of false
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
