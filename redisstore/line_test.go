package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// slow is a client that answers when it is told to, each command with an error that
// names its key.
type slow struct {
	rueidis.Client
	sent   chan []string // the keys of commands that were sent together
	answer chan struct{}
	ended  chan struct{} // a trip was broken off
}

func newSlow() *slow {
	return &slow{sent: make(chan []string, 100), answer: make(chan struct{}, 100), ended: make(chan struct{}, 100)}
}

func (s *slow) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	return s.DoMulti(ctx, cmd)[0]
}

func (s *slow) DoMulti(ctx context.Context, cmds ...rueidis.Completed) []rueidis.RedisResult {
	var keys []string
	var answers []rueidis.RedisResult
	for _, c := range cmds {
		key := c.Commands()[1]
		keys = append(keys, key)
		answers = append(answers, rueidis.NewErrorResult(errors.New(key)))
	}
	s.sent <- keys
	select {
	case <-s.answer:
	case <-ctx.Done():
		s.ended <- struct{}{}
	}
	return answers
}

// reading is a command that may be sent again.
func reading(key string) rueidis.Completed {
	return rueidis.Builder{}.Arbitrary("GET").Args(key).Build().ToRetryable()
}

// queue has n callers stand in line, each with a command for a key of its own, and
// returns when they do.
func queue(ctx context.Context, t *testing.T, s *Store, wg *sync.WaitGroup, name string, n int) {
	t.Helper()
	before := waiting(&s.reads)
	for i := range n {
		wg.Go(func() {
			key := fmt.Sprintf("%s%d", name, i)
			got := s.do(ctx, s.client, reading(key)).Error()
			if want := ctx.Err(); want == nil && got.Error() != key || want != nil && got != want {
				t.Errorf("%s was answered with %v", key, got)
			}
		})
	}
	until(t, fmt.Sprintf("%d callers stand in line", n), func() bool { return waiting(&s.reads) == before+n })
}

func waiting(l *line) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come to that: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

// busy is a store with as many reads on their way as may be.
func busy(t *testing.T, wg *sync.WaitGroup) (*Store, *slow) {
	t.Helper()
	client := newSlow()
	s := &Store{client: client, reads: line{client: client}, writes: line{client: client}}
	for i := range maxTrips {
		wg.Go(func() { s.do(t.Context(), client, reading(fmt.Sprint("first", i))) })
		if got := <-client.sent; len(got) != 1 {
			t.Fatalf("%q were sent at once, want one", got)
		}
	}
	return s, client
}

// Calls that come while others are on their way go together, and each gets its own
// answer.
func TestCallsGoTogether(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	s, client := busy(t, &wg)
	queue(t.Context(), t, s, &wg, "later", 20)
	client.answer <- struct{}{}
	if got := <-client.sent; len(got) != 20 {
		t.Errorf("%d calls were sent together, want 20", len(got))
	}
	close(client.answer)
	wg.Wait()
	if n := waiting(&s.reads); n != 0 || s.reads.trips != 0 {
		t.Errorf("%d calls wait, %d trips are on their way, want none", n, s.reads.trips)
	}
}

// No trip takes more than its most.
func TestTripIsBounded(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	s, client := busy(t, &wg)
	queue(t.Context(), t, s, &wg, "later", maxTogether+7)
	client.answer <- struct{}{}
	if got := len(<-client.sent); got != maxTogether {
		t.Errorf("%d calls were sent together, want %d", got, maxTogether)
	}
	client.answer <- struct{}{}
	if got := len(<-client.sent); got != 7 {
		t.Errorf("then %d, want 7", got)
	}
	close(client.answer)
	wg.Wait()
}

// A caller who has given up before his turn is not sent any more.
func TestWhoLeavesTheLineIsNotSent(t *testing.T) {
	t.Parallel()
	var left, wg sync.WaitGroup
	s, client := busy(t, &wg)
	ctx, cancel := context.WithCancel(t.Context())
	queue(ctx, t, s, &left, "gone", 3)
	queue(t.Context(), t, s, &wg, "there", 2)
	cancel()
	left.Wait()
	client.answer <- struct{}{}
	got := <-client.sent
	slices.Sort(got)
	if want := []string{"there0", "there1"}; !slices.Equal(got, want) {
		t.Errorf("%q were sent, want %q", got, want)
	}
	close(client.answer)
	wg.Wait()
}

// A trip ends when nobody waits for it any more, and not before.
func TestTripOfNobodyEnds(t *testing.T) {
	t.Parallel()
	var first, second, wg sync.WaitGroup
	s, client := busy(t, &wg)
	one, endOne := context.WithCancel(t.Context())
	two, endTwo := context.WithCancel(t.Context())
	defer endTwo()
	queue(one, t, s, &first, "one", 1)
	queue(two, t, s, &second, "two", 1)
	client.answer <- struct{}{}
	if got := <-client.sent; len(got) != 2 {
		t.Fatalf("%q were sent together, want both", got)
	}
	endOne()
	first.Wait()
	select {
	case <-client.ended:
		t.Error("the trip ended while somebody waited for it")
	default:
	}
	endTwo()
	second.Wait()
	<-client.ended
	close(client.answer)
	wg.Wait()
}

// Reads and writes do not go together, listings and a Cluster's commands with nobody.
func TestLines(t *testing.T) {
	t.Parallel()
	client, other := newSlow(), newSlow()
	s := &Store{client: client}
	get, del := reading("a"), rueidis.Builder{}.Arbitrary("DEL").Args("a").Build()
	if s.line(client, rueidis.Commands{get}) != &s.reads {
		t.Error("a read does not stand in the reads' line")
	}
	if s.line(client, rueidis.Commands{del}) != &s.writes {
		t.Error("a write does not stand in the writes' line")
	}
	for what, l := range map[string]*line{
		"many commands":             s.line(client, rueidis.Commands{get, get, get}),
		"a command to another node": s.line(other, rueidis.Commands{get}),
		"a command in a Cluster":    (&Store{client: client, cluster: true}).line(client, rueidis.Commands{get}),
	} {
		if l == &s.reads || l == &s.writes {
			t.Errorf("%s: in a line with others", what)
		}
	}
}
