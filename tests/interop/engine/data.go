package engine

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nestsession/session/tests/interop/scenario"
)

// onData runs an operation on the session's data. It stores a copy each time, because the library
// may run a function of an update more than once.
func (h *handler) onData(op scenario.Op) (*scenario.Value, error) {
	switch op.Kind {
	case "get":
		v, ok := h.session.Data()[op.Key]
		if !ok {
			return &scenario.Value{Key: &op.Key, Missing: true}, nil
		}
		o := observed(plain(v))
		o.Key = &op.Key
		return o, nil
	case "keys":
		keys := []any{}
		for key := range h.session.Data() {
			keys = append(keys, key)
		}
		slices.SortFunc(keys, byText)
		return observed(keys), nil
	case "set":
		h.session.Update(func(d *Data) { put(d, op.Key, plain(op.Value)) })
		return nil, nil
	case "delete":
		h.session.Update(func(d *Data) { delete(*d, op.Key) })
		return nil, nil
	case "incr":
		if _, err := number(h.session.Data()[op.Key]); err != nil {
			return nil, fmt.Errorf("%w when %v is incremented", errUndefined, h.session.Data()[op.Key])
		}
		h.session.Update(func(d *Data) {
			n, _ := number((*d)[op.Key])
			put(d, op.Key, n+1)
		})
		return nil, nil
	case "push":
		if _, ok := plain(h.session.Data()[op.Key]).([]any); !ok {
			return nil, fmt.Errorf("%w when something is appended to what is no list", errUndefined)
		}
		h.session.Update(func(d *Data) {
			list, _ := plain((*d)[op.Key]).([]any)
			put(d, op.Key, append(list, plain(op.Value)))
		})
		return nil, nil
	}
	return nil, h.setIn(op)
}

func (h *handler) setIn(op scenario.Op) error {
	trial, _ := plain(map[string]any(h.session.Data())).(map[string]any)
	if err := assignIn(trial, op.Path, nil); err != nil {
		return err
	}
	h.session.Update(func(d *Data) {
		whole, _ := plain(map[string]any(*d)).(map[string]any)
		_ = assignIn(whole, op.Path, plain(op.Value)) // this cannot fail: it was tried above on the same data
		*d = whole
	})
	return nil
}

// assignIn assigns a member inside a nested value.
func assignIn(at any, path []any, value any) error {
	for ; len(path) > 0; path = path[1:] {
		last := len(path) == 1
		switch in := at.(type) {
		case map[string]any:
			key := fmt.Sprint(path[0])
			if at = in[key]; last {
				in[key] = value
			}
		case []any:
			i, ok := path[0].(float64)
			if !ok || i < 0 || i != float64(int(i)) || int(i) >= len(in) {
				return fmt.Errorf("%w at index %v of a list of %d", errUndefined, path[0], len(in))
			}
			if at = in[int(i)]; last {
				in[int(i)] = value
			}
		default:
			return fmt.Errorf("%w inside %v", errUndefined, at)
		}
	}
	return nil
}

func put(d *Data, key string, value any) {
	if *d == nil {
		*d = Data{}
	}
	(*d)[key] = value
}

// number returns the value that incr increments; a missing value is 0.
func number(v any) (float64, error) {
	switch v := plain(v).(type) {
	case nil:
		return 0, nil
	case float64:
		return v, nil
	}
	return 0, errUndefined
}

// plain returns a copy of a value in the types that JSON decodes to.
func plain(v any) any {
	text, err := json.Marshal(v)
	if err != nil {
		return v
	}
	var out any
	if json.Unmarshal(text, &out) != nil {
		return v
	}
	return out
}

func byText(a, b any) int {
	x, y := a.(string), b.(string)
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}
