package stores

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/nestsession/session/internal/servers"
)

func TestMain(m *testing.M) {
	if serveIfChild() {
		return
	}
	os.Exit(servers.Main(m))
}

// through are the managers on the database, with the store behind them.
func through(tb testing.TB, k kept) []contender {
	all := []contender{nest(tb, "nest", k.nest)}
	for _, name := range sorted(k.scs) {
		all = append(all, withSCS(tb, name, k.scs[name])...)
	}
	return k.using(all)
}

// bare are the stores without the middleware.
func bare(tb testing.TB, k kept) []contender {
	all := []contender{nestStore(tb, "nest", k.nest)}
	for _, name := range sorted(k.scs) {
		all = append(all, scsStore(tb, name, k.scs[name]))
	}
	return k.using(all)
}

// TestManagers compares requests through the middleware on each database; with -slice
// it prints the table, and else it only sees that all contenders do their work.
func TestManagers(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) { table(t, d.name, through(t, d.open(t))) })
	}
}

// TestStores compares the stores without the middleware.
func TestStores(t *testing.T) {
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) { table(t, d.name, bare(t, d.open(t))) })
	}
}

// table prints a row for each contender.
func table(t *testing.T, name string, contenders []contender) {
	t.Helper()
	for _, callers := range callerNumbers(t) {
		for _, what := range strings.Split(*shown, ",") {
			n := *turns
			if *slice == 0 {
				n = 0
			}
			figures, err := compare(contenders, work(what), callers, *slice, n)
			if err != nil {
				t.Fatal(err)
			}
			if *slice == 0 {
				continue
			}
			for i, f := range figures {
				fmt.Printf("| %s | %s | %d | %s | %.0f | %.2f (%.2f–%.2f) | %.1f µs | %.2f |\n",
					name, what, callers, contenders[i].name, f.perSecond, f.faster, f.spread[0], f.spread[1],
					float64(f.spent)/1000, float64(f.spent)/float64(figures[0].spent))
			}
		}
	}
}

func callerNumbers(t *testing.T) (all []int) {
	t.Helper()
	for _, text := range strings.Split(*number, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxCallers {
			t.Fatalf("-callers %s: want numbers from 1 to %d", *number, maxCallers)
		}
		all = append(all, n)
	}
	return all
}

// BenchmarkManagers and BenchmarkStores are the same for go test -bench, one contender
// after the other, for profiles.
func BenchmarkManagers(b *testing.B) { benchmark(b, through) }

func BenchmarkStores(b *testing.B) { benchmark(b, bare) }

func benchmark(b *testing.B, contenders func(testing.TB, kept) []contender) {
	for _, d := range databases {
		b.Run(d.name, func(b *testing.B) {
			for _, c := range contenders(b, d.open(b)) {
				for _, what := range []work{reading, writing} {
					b.Run(fmt.Sprintf("%s/%s", what, strings.ReplaceAll(c.name, ", ", "_")), func(b *testing.B) {
						b.ReportAllocs()
						for visitor := 0; b.Loop(); visitor = (visitor + 1) % *visitors {
							if err := c.serve(what, 0, visitor); err != nil {
								b.Fatal(err)
							}
						}
					})
				}
			}
		})
	}
}
