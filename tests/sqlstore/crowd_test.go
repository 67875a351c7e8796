package sqlstore_test

import (
	"sync"
	"testing"
	"time"

	"github.com/nestsession/session/store/sqlstore"
)

// crowd starts calls while the database's only connection is taken, and lets it go when
// all of them wait, so that they are batched if they can be.
type crowd struct {
	taken interface{ Close() error }
	wg    sync.WaitGroup
	calls int
}

func newCrowd(t *testing.T, c sqlstore.Config) *crowd {
	t.Helper()
	conn, err := c.DB.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &crowd{taken: conn}
}

func (c *crowd) add(call func()) {
	c.calls++
	c.wg.Go(call)
}

// finish waits long enough for all to have come, and a moment more would do no harm.
func (c *crowd) finish(t *testing.T) {
	t.Helper()
	<-time.After(100 * time.Millisecond)
	if err := c.taken.Close(); err != nil {
		t.Error(err)
	}
	c.wg.Wait()
}
