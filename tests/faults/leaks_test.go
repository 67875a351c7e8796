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
	// What this driver logs are the faults that the tests make.
	if err := mysql.SetLogger(&mysql.NopLogger{}); err != nil {
		panic(err)
	}
	os.Exit(servers.Main(m))
}

// watchGoroutines fails the test if goroutines are left when it has ended and everything
// that it opened is closed. It is called first, and by tests that do not run beside
// others: whose goroutines they are, nobody could tell. Their subtests do run at once.
func watchGoroutines(t *testing.T) {
	t.Helper()
	// Starting any server starts what goes on for as long as the process.
	servers.SharedRedis(t)
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		options := append(slices.Clone(proxys), before)
		err := goleak.Find(options...)
		// rueidis sleeps a second before it asks a Cluster for its nodes again, closed or not.
		for begin := time.Now(); err != nil && time.Since(begin) < maxWait; {
			err = goleak.Find(options...)
		}
		if err != nil {
			t.Errorf("goroutines are left: %v", err)
		}
	})
}

// proxys are goroutines that toxiproxy leaves behind when a connection ends while it is
// being harmed.
var proxys = []goleak.Option{
	goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
	goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read"),
	goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).write"),
}
