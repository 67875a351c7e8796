package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/interop/client"
	"github.com/nestsession/session/tests/interop/engine"
)

// The library's calls of its store lead to the same commands as connect-redis sends, if each call
// is executed as connect-redis would.
func TestVectorsRedisSequences(t *testing.T) {
	t.Parallel()
	type vector struct {
		Name         string
		Options      map[string]json.RawMessage
		StoreOptions struct {
			Prefix                   string
			TTL                      int
			DisableTouch, DisableTTL bool
		}
		Rows []struct {
			Step       string
			Clock      time.Time
			HandlerSaw engine.Data
			SetCookie  *string
			Commands   [][]string
			Stored     map[string]string
			Status     int
		}
	}
	for _, v := range vectors[vector](t, "redis-sequences") {
		for name, off := range map[string]string{"resave": "false", "saveUninitialized": "false"} {
			if _, given := v.Options[name]; !given {
				v.Options[name] = json.RawMessage(off)
			}
		}
		options, err := json.Marshal(v.Options)
		if err != nil {
			t.Fatal(err)
		}
		r := &redis{prefix: "sess:", ttl: 86400, noTouch: v.StoreOptions.DisableTouch, noTTL: v.StoreOptions.DisableTTL}
		r.records = map[string]store.Record{}
		if v.StoreOptions.Prefix != "" {
			r.prefix = v.StoreOptions.Prefix
		}
		if v.StoreOptions.TTL != 0 {
			r.ttl = v.StoreOptions.TTL
		}
		b, err := newBench(t, benchOptions{
			options: options, secrets: []string{"golden"}, at: v.Rows[0].Clock, ids: []string{"life-1", "life-2"}, store: r,
		})
		if err != nil {
			t.Fatal(err)
		}
		r.now = b.clock.Now
		var jar client.Jar
		for _, row := range v.Rows {
			b.clock.set(row.Clock)
			r.commands = nil
			do, known := redisSteps[row.Step]
			if !known {
				t.Fatalf("%s: no step %q", v.Name, row.Step)
			}
			var saw engine.Data
			b.handler = func(s *session.Session[engine.Data]) {
				saw = maps.Clone(s.Data())
				if err := do(s); err != nil {
					t.Errorf("%s, %s: %v", v.Name, row.Step, err)
				}
			}
			var cookies []string
			if line := jar.Line(); line != "" {
				cookies = []string{line}
			}
			resp := b.get(t, "/", nil, cookies...)
			set := oneLine(resp)
			if set != "" {
				c := client.ParseSetCookie(set)
				jar.Set(c.Name, c.Value)
			}
			if want := row.SetCookie; want == nil && set != "" || want != nil && set != *want {
				t.Errorf("%s, %s: Set-Cookie %q, expected %v", v.Name, row.Step, set, row.SetCookie)
			}
			if resp.Status != row.Status || fmt.Sprint(saw) != fmt.Sprint(row.HandlerSaw) {
				t.Errorf("%s, %s: status %d, the handler sees %v", v.Name, row.Step, resp.Status, saw)
			}
			if !reflect.DeepEqual(r.commands, row.Commands) {
				t.Errorf("%s, %s: commands\n  expected %q\n  got      %q", v.Name, row.Step, row.Commands, r.commands)
			}
			if len(row.Stored) != len(r.records) {
				t.Errorf("%s, %s: %d records, not %d", v.Name, row.Step, len(r.records), len(row.Stored))
			}
			for key, want := range row.Stored {
				if got := string(r.records[key].Data); !sameDocument(got, want) {
					t.Errorf("%s, %s: %s\n  expected %s\n  got      %s", v.Name, row.Step, key, want, got)
				}
			}
		}
	}
}

// redisSteps are the handlers of the sequences.
var redisSteps = map[string]func(*session.Session[engine.Data]) error{
	"newcomer writes": putN("n", 1),
	"reads":           nothing,
	"reads after the date inside the stored text has passed": nothing,
	"changes":    putN("n", 2),
	"comes back": nothing,
	"destroys":   func(s *session.Session[engine.Data]) error { return s.Destroy(context.Background()) },
	"regenerates": func(s *session.Session[engine.Data]) error {
		if err := s.Regenerate(context.Background()); err != nil {
			return err
		}
		return putN("m", 1)(s)
	},
	"sets the lifetime to 0 and changes data": func(s *session.Session[engine.Data]) error {
		s.SetMaxAge(1) // less than a millisecond: 0 ms
		return putN("n", 2)(s)
	},
}

func nothing(*session.Session[engine.Data]) error { return nil }

func putN(key string, n float64) func(*session.Session[engine.Data]) error {
	return func(s *session.Session[engine.Data]) error {
		s.Update(func(d *engine.Data) { (*d)[key] = n })
		return nil
	}
}

// redis is a store that executes each call as connect-redis does and records the commands. Its keys
// live as long as the vectors say.
type redis struct {
	keeping
	prefix         string
	ttl            int
	noTouch, noTTL bool
	now            func() time.Time
	commands       [][]string
}

func (r *redis) say(words ...string) { r.commands = append(r.commands, words) }

func (r *redis) Load(ctx context.Context, id string) (store.Record, error) {
	if !engine.IsOwn(id) {
		r.say("GET", r.prefix+id)
	}
	rec, err := r.keeping.Load(ctx, r.prefix+id)
	rec.ID = strings.TrimPrefix(rec.ID, r.prefix)
	return rec, err
}

func (r *redis) Create(ctx context.Context, rec store.Record) (store.Version, error) {
	rec.ID = r.prefix + rec.ID
	return r.set(ctx, rec)
}

func (r *redis) Update(ctx context.Context, rec store.Record) (store.Version, error) {
	rec.ID = r.prefix + rec.ID
	if _, err := r.keeping.Load(ctx, rec.ID); err != nil {
		return 0, err
	}
	if engine.IsTombstone(rec) { // express-session does not write it before it deletes
		return r.keeping.Create(ctx, rec)
	}
	return r.set(ctx, rec)
}

func (r *redis) set(ctx context.Context, rec store.Record) (store.Version, error) {
	seconds := ttl(rec.Expires, r.now(), r.ttl)
	switch {
	case r.noTTL:
		r.say("SET", rec.ID, "<value>")
	case seconds <= 0:
		r.say("DEL", rec.ID)
		return r.version + 1, r.keeping.Delete(ctx, rec.ID)
	default:
		r.say("SET", rec.ID, "<value>", "EX", fmt.Sprint(seconds))
	}
	return r.keeping.Create(ctx, rec)
}

func (r *redis) Touch(ctx context.Context, id string, expires time.Time) error {
	if r.noTouch || r.noTTL {
		return nil
	}
	r.say("EXPIRE", r.prefix+id, fmt.Sprint(ttl(expires, r.now(), r.ttl)))
	return r.keeping.Touch(ctx, r.prefix+id, expires)
}

func (r *redis) Delete(ctx context.Context, id string) error {
	r.say("DEL", r.prefix+id)
	return r.keeping.Delete(ctx, r.prefix+id)
}
