package live_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/store"
)

func init() { servers.KeepConnections() }

// rig is one store with both programs.
type rig struct {
	opened
	managers map[string]*session.Manager[data] // by app
	node     side
	golang   side
	nest     side

	// untouchedWithoutMaxAge says that the npm package does not touch a session without maxAge.
	untouchedWithoutMaxAge bool
}

// opened is the store as Go has it.
type opened struct {
	kept  store.Store
	sweep func(context.Context) error // what the store does by itself at intervals
}

// way is the order of a case's two programs: the session begins at from.
type way struct{ from, to side }

func (r *rig) ways() []way { return []way{{r.node, r.golang}, {r.golang, r.node}} }

// logIn begins a session at one of the programs.
func (r *rig) logIn(t *testing.T, s side, app string) *visitor {
	t.Helper()
	v := &visitor{app: app}
	if a := v.post(t, s, "/login", data{"user": ada}); a.ID == "" || v.cookie == "" {
		t.Fatalf("%s begins no session: %+v", s.name, a)
	}
	return v
}

// ada is the user who logs in.
var ada = data{"id": 42.0, "name": "Ada Lovelace", "roles": []any{"admin", "author"}}

// record is a session in the store, a row or a key's value, as the npm package's own client reads
// it.
type record struct {
	Text    *string `json:"text,omitempty"`
	Expires *int64  `json:"expires,omitempty"` // ms since 1970
}

func (r *rig) record(t *testing.T, id string) *record {
	t.Helper()
	var kept *record
	r.raw(t, "GET", id, nil, &kept)
	return kept
}

// expires returns when the session expires in the store, by its column or key.
func (r *rig) expires(t *testing.T, id string) time.Time {
	t.Helper()
	kept := r.record(t, id)
	if kept == nil || kept.Expires == nil {
		t.Fatal("the store keeps no such session, or keeps it forever")
	}
	return time.UnixMilli(*kept.Expires)
}

// text returns the stored document.
func (r *rig) text(t *testing.T, id string) string {
	t.Helper()
	kept := r.record(t, id)
	if kept == nil {
		t.Fatal("the store keeps no such session")
	}
	return *kept.Text
}

// setText stores another document under the id, as text, so that it can contain what a JavaScript
// value cannot.
func (r *rig) setText(t *testing.T, id, text string) {
	t.Helper()
	r.raw(t, "PUT", id, record{Text: &text}, new(any))
}

func (r *rig) setExpires(t *testing.T, id string, at time.Time) {
	t.Helper()
	ms := at.UnixMilli()
	r.raw(t, "PUT", id, record{Expires: &ms}, new(any))
}

func (r *rig) raw(t *testing.T, method, id string, body, into any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, r.node.base+"/raw?id="+url.QueryEscape(id), bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s /raw: %s", method, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// maxWait is how long anything may take on a busy machine before the test fails as hung.
const maxWait = 2 * time.Minute

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, look func() bool) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(maxWait)
	for !look() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("not within %v: %s", maxWait, what)
		}
	}
}
