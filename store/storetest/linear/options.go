package linear

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nestsession/session/store/storetest"
)

// Options says how much is tried and what is special about a store. The zero value
// is right for a store that keeps an expiry to the millisecond.
type Options struct {
	// Seed decides what the clients do, though not how the machine interleaves it. A
	// failure says the seed it had. 0: drawn anew each time.
	Seed uint64

	// Clients is how many work at once, spread over the instances. 0: 6. At most 16.
	Clients int

	// IDs is how many records they fight for. 0: 2. At most 8.
	IDs int

	// Steps is how often each client begins something in a round; each time all of
	// them begin together. 0: 16. At most 64.
	Steps int

	// Rounds is how many histories are recorded for each [Topic], each on ids of its
	// own. 0: 20. Those of [Expiries], which have to wait where there is no Advance, end
	// after five seconds.
	Rounds int

	// Topics are the kinds of histories. None: [Topics].
	Topics []Topic

	// Unknown is how many operations of a round may end without an answer: with an
	// error that the contract does not name, or at their deadline. Whether such an
	// operation takes effect, and when, is left open. 0: none, so that a store whose
	// every call fails does not pass. Negative: any number.
	Unknown int

	// OperationTimeout is the deadline of one operation. 0: 10 seconds.
	OperationTimeout time.Duration

	// Timeout bounds the check of one history. One that takes longer is a failure
	// that says so, since nothing is known of it. 0: 20 seconds.
	Timeout time.Duration

	// Resolution is how exactly the store keeps an expiry, as in
	// [storetest.Options]. 0: a millisecond.
	Resolution time.Duration

	// Skew is how far the store's clock may be from that of [storetest.Opened].
	// 0: 10 milliseconds, or nothing where there is an Advance. What lies within it is
	// not judged.
	Skew time.Duration

	// WithoutOwner says that the store does not keep Record.Owner.
	WithoutOwner bool

	// Disturb runs beside the clients, once a round: what it breaks (connections, a
	// server) is what [Options.Unknown] allows for. Its context ends with the round's
	// last operation; the round waits for it to return. nil: nothing.
	Disturb func(ctx context.Context)

	// Folder is where the drawing of a failure is written. "": for [Check] the test's
	// folder of artifacts if it runs with -artifacts, else a new one below
	// [os.TempDir], which stays.
	Folder string
}

// Topic is a kind of history.
type Topic string

// The topics.
const (
	Swaps    Topic = "Swaps"    // updates of current and of old versions, touches, few ends
	Lives    Topic = "Lives"    // records are created and deleted under the others' hands
	Endings  Topic = "Endings"  // records end by writes that set an expiry in the past
	Expiries Topic = "Expiries" // records live for moments, and end by the clock
)

// Topics are all of them.
func Topics() []Topic { return []Topic{Swaps, Lives, Endings, Expiries} }

// withDefaults fills in what was left to them.
func (o Options) withDefaults(opened storetest.Opened) (Options, error) {
	o.Seed = cmp.Or(o.Seed, rand.Uint64())
	o.Clients = cmp.Or(o.Clients, 6)
	o.IDs = cmp.Or(o.IDs, 2)
	o.Steps = cmp.Or(o.Steps, 16)
	o.Rounds = cmp.Or(o.Rounds, 20)
	o.OperationTimeout = cmp.Or(o.OperationTimeout, 10*time.Second)
	o.Timeout = cmp.Or(o.Timeout, 20*time.Second)
	o.Resolution = cmp.Or(o.Resolution, time.Millisecond)
	if opened.Advance == nil {
		o.Skew = cmp.Or(o.Skew, 10*time.Millisecond)
	}
	if len(o.Topics) == 0 {
		o.Topics = Topics()
	}
	for _, t := range o.Topics {
		if !slices.Contains(Topics(), t) {
			return o, fmt.Errorf("linear: Options.Topics names %q, which is none of %q", t, Topics())
		}
	}
	for _, limit := range []struct {
		name        string
		value, most int
	}{
		{"Clients", o.Clients, 16}, {"IDs", o.IDs, 8}, {"Steps", o.Steps, 64}, {"Rounds", o.Rounds, 1 << 16},
	} {
		if limit.value < 1 || limit.value > limit.most {
			return o, fmt.Errorf("linear: Options.%s is %d, and must be between 1 and %d", limit.name, limit.value, limit.most)
		}
	}
	for _, limit := range []struct {
		name  string
		value time.Duration
	}{
		{"OperationTimeout", o.OperationTimeout}, {"Timeout", o.Timeout}, {"Resolution", o.Resolution}, {"Skew", o.Skew},
	} {
		if limit.value < 0 {
			return o, fmt.Errorf("linear: Options.%s is %v, and must not be negative", limit.name, limit.value)
		}
	}
	return o, nil
}

// rules are the contract with what the options grant.
func (o Options) rules() rules {
	return rules{slack: int64(o.Resolution + o.Skew)}
}
