package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/events"
	"github.com/nestsession/session/devicebound"
)

// TestEachKindOfEventHasASentence: support staff need not know the names of the kinds.
func TestEachKindOfEventHasASentence(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../../../../event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := spec.Type.(*ast.Ident); !ok || name.Name != "EventKind" {
			return true
		}
		kind, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		text := textOf(events.Line{Kind: session.EventKind(kind), Reason: "some reason"})
		if kind != "created" && kind != "logged in" && text == kind+": some reason" {
			t.Errorf("%s has no sentence", kind)
		}
		if !strings.HasSuffix(text, "some reason") {
			t.Errorf("%s: %q does not say why", kind, text)
		}
		n++
		return true
	})
	if n < 15 {
		t.Errorf("found %d kinds", n)
	}
}

// TestEachEventOfADeviceHasASentence: devicebound's events are in the log, too, and each reason has
// more words than its own name.
func TestEachEventOfADeviceHasASentence(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../../../../devicebound/event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || spec.Type == nil || len(spec.Values) == 0 {
			return true
		}
		value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		n++
		if spec.Type.(*ast.Ident).Name == "EventKind" {
			e := devicebound.Event{Kind: devicebound.EventKind(value)}.SessionEvent()
			if text := textOf(events.Line{Kind: e.Kind}); text == string(e.Kind) {
				t.Errorf("%s has no sentence", e.Kind)
			}
			return true
		}
		e := devicebound.Event{Kind: devicebound.EventRefused, Reason: devicebound.Reason(value), Skipped: "quota_exceeded"}.SessionEvent()
		text := textOf(events.Line{Kind: e.Kind, Reason: e.Reason, Error: e.Err.Error()})
		if !strings.Contains(text, "device") || strings.Contains(text, "device: "+value) || !strings.HasSuffix(text, "quota_exceeded") {
			t.Errorf("%s is explained as %q", value, text)
		}
		return true
	})
	if n < 20 {
		t.Errorf("found %d kinds and reasons", n)
	}
}

func TestARouteOfAnEventHoldsNothingOfTheClient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ method, path, prefix, want string }{
		{"POST", "/login", "/", "POST /login"},
		{"GET", "/login", "/", ""},
		{"POST", "/sessions/abcdef/logout", "/", "POST /sessions/{session}/logout"},
		{"POST", "/sessions/logout-others", "/", "POST /sessions/logout-others"},
		{"POST", "/app/logout", "/app", "POST /logout"},
		{"POST", "/app/logout", "/app/", "POST /logout"},
		{"POST", "/reset/token", "/", ""},
		{"SECRET", "/login", "/", ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, "http://localhost"+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := routeOf(r, c.prefix, loginRoutes); got != c.want {
			t.Errorf("%s %s below %s: %q, want %q", c.method, c.path, c.prefix, got, c.want)
		}
	}
}

func TestAnOwnerCannotWriteALineOfTheList(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	life := events.Life{Session: "aaaa", Lines: []events.Line{{Kind: session.EventLoggedIn, Session: "aaaa", Owner: "kim\n\x1b[31mended", From: "a\nb", Node: "n\no"}}}
	if err := new(explain).write(&out, 0, life); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), "\n") != 2 || strings.ContainsRune(out.String(), '\x1b') {
		t.Errorf("the list is %q", out.String())
	}
}
