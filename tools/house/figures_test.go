package main

import "testing"

// TestFigures: the root package stays as small as a newcomer can understand.
func TestFigures(t *testing.T) {
	t.Setenv("GOFLAGS", "") // GOFLAGS may name another module's go.mod, and this test reads the root's
	f, err := measure(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, figure := range []struct {
		what      string
		got, most int
	}{
		{"lines of code of the root package", f.lines, 3000},
		{"files in the largest circle", len(f.circle), 8},
		{"fields of Session", f.session, 14},
		{"fields of Config", f.config, 24},
		{"exported identifiers of the root package", f.identifiers, 150},
		{"modules", f.modules, 12},
	} {
		if figure.got > figure.most {
			t.Errorf("%s: %d, %d are the most; `go run ./tools/house` prints all figures", figure.what, figure.got, figure.most)
		}
	}
}
