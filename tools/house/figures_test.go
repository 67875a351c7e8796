package main

import "testing"

// TestFigures: the root package stays within what a newcomer can take in.
func TestFigures(t *testing.T) {
	t.Setenv("GOFLAGS", "") // it may name the files of this module, and the root's are looked at
	f, err := measure(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, figure := range []struct {
		what      string
		got, most int
	}{
		{"lines of code of the root package", f.lines, 4500},
		{"files in the largest circle", len(f.circle), 8},
		{"fields of Session", f.session, 14},
		{"fields of Config", f.config, 24},
		{"exported identifiers of the root package", f.identifiers, 150},
		{"modules", f.modules, 11},
	} {
		if figure.got > figure.most {
			t.Errorf("%s: %d, %d are the most; `go run ./tools/house` prints all figures", figure.what, figure.got, figure.most)
		}
	}
}
