package main

import (
	"math"
	"os"
	"testing"
)

const docs = "../../../docs/"

// TestPage: the tables and the plots of the page are what this program prints now.
func TestPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(docs + "scale.md")
	if err != nil {
		t.Fatal(err)
	}
	filled, err := fill(string(page))
	if err != nil {
		t.Fatal(err)
	}
	const again = "run in examples: go run ./sizing/scale -write"
	if filled != string(page) {
		t.Errorf("docs/scale.md has other tables; %s", again)
	}
	for name, want := range plots() {
		got, err := os.ReadFile(docs + "scale/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("docs/scale/%s differs; %s", name, again)
		}
	}
}

// TestNearCacheModel: hits agrees with cases that can be counted by hand.
func TestNearCacheModel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ nodes, visit, saves, want float64 }{
		{1, 20, 0, 0.95},    // one node: the first request reads
		{1, 20, 0.05, 0.95}, // its own saves cost it nothing
		{2, 2, 0, 0.25},     // the second request meets the same node in half of the visits
		{1e9, 20, 0, 0},     // no node twice
		// Two requests reach 1.5 nodes. After the save the other node gets one of two requests in
		// three of four visits.
		{2, 4, 0.25, 1 - (1.5+0.75)/4},
	} {
		d := typical(c.nodes, 1e6)
		d.visit, d.saves = c.visit, c.saves
		if got := d.hits(); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("%g nodes, %g requests, %g saves: %g, want %g", c.nodes, c.visit, c.saves, got, c.want)
		}
	}
}
