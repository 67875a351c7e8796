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

// Options says how much is tried, and in what a store is special. The zero value is right for a
// store that keeps an expiry to the millisecond.
type Options struct {
	// Seed determines what the clients do, but not how the machine interleaves it. A failure prints
	// the seed. 0: a new one each time.
	Seed uint64

	// Clients is the number of concurrent clients, spread over the instances. 0: 6. At most 16.
	Clients int

	// IDs is the number of records that the clients share. 0: 2. At most 8.
	IDs int

	// Steps is the number of steps of each client in a round. All clients begin a step at the same
	// time. 0: 16. At most 64.
	Steps int

	// Rounds is the number of histories that are recorded for each [Topic], each with new ids. 0:
	// 20. The rounds of [Expiries] have to wait. So they end after five seconds if there is no Advance
	// and a Create, a Load and an Update have succeeded.
	Rounds int

	// Topics are the kinds of histories. None: [Topics].
	Topics []Topic

	// Unknown is how many operations of a round may end without an answer: with an error that the
	// contract does not name, or at their deadline. The check allows that such an operation takes
	// effect at any later time, or never. 0: none, so that a store whose every call fails does not
	// pass. Negative: any number.
	Unknown int

	// OperationTimeout is the deadline of one operation. 0: 10 seconds.
	OperationTimeout time.Duration

	// Timeout limits the check of one history. A check that takes longer is a failure, because its
	// result is not known. 0: 20 seconds.
	Timeout time.Duration

	// Resolution is the precision with which the store keeps an expiry, as in [storetest.Options].
	// 0: a millisecond.
	Resolution time.Duration

	// Skew is how far the store's clock may differ from that of [storetest.Opened]. 0: 10
	// milliseconds, or none if there is an Advance. Differences within it are not judged.
	Skew time.Duration

	// WithoutOwner says that the store does not keep Record.Owner.
	WithoutOwner bool

	// Disturb runs concurrently with the clients, once in each round, to interrupt connections or
	// servers, for example. Set [Options.Unknown] for the calls that then fail. Its context ends
	// with the round's last operation. The round waits until it returns. nil: nothing.
	Disturb func(ctx context.Context)

	// Folder is where the drawing of a failed history is written. "": for [Check] the test's folder
	// of artifacts if the test runs with -artifacts, otherwise a new folder below [os.TempDir],
	// which is not removed.
	Folder string
}

// Topic is a kind of history.
type Topic string

// The topics.
const (
	Swaps    Topic = "Swaps"    // updates of current and of old versions, touches, few ends
	Lives    Topic = "Lives"    // records are created and deleted while others use them
	Endings  Topic = "Endings"  // records end by writes that set an expiry in the past
	Expiries Topic = "Expiries" // records live for a short time, and end by the clock
)

// Topics are all of them.
func Topics() []Topic { return []Topic{Swaps, Lives, Endings, Expiries} }

// withDefaults fills in the defaults.
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

// rules are the contract with the tolerances of the options.
func (o Options) rules() rules {
	return rules{slack: int64(o.Resolution + o.Skew)}
}
