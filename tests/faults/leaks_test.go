package faults

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"go.uber.org/goleak"

	"github.com/nestsession/session/internal/servers"
)

func TestMain(m *testing.M) {
	if child := os.Getenv(childMode); child != "" {
		os.Exit(serveChild(child))
	}
	// The messages of this driver's log are about the faults that the tests make.
	if err := mysql.SetLogger(&mysql.NopLogger{}); err != nil {
		panic(err)
	}
	os.Exit(servers.Main(m))
}

// watchGoroutines fails the test if goroutines are left when the test has ended and has closed
// everything that it opened. Call it first, and only in a test that runs alone, because the
// goroutines of parallel tests cannot be distinguished. Its subtests do run in parallel.
func watchGoroutines(t *testing.T) {
	t.Helper()
	// The first start of a server starts goroutines that run as long as the process.
	servers.SharedRedis(t)
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		options := append(slices.Clone(proxys), before)
		err := goleak.Find(options...)
		// rueidis sleeps for a second before it asks a Cluster for its nodes again, even if it was
		// closed.
		for begin := time.Now(); err != nil && time.Since(begin) < maxWait; {
			err = goleak.Find(options...)
		}
		if err != nil {
			t.Errorf("goroutines are left: %v", err)
		}
	})
}

// proxys are goroutines that toxiproxy leaves behind when a connection ends while a toxic is
// active.
var proxys = []goleak.Option{
	goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
	goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
	goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"),
}
