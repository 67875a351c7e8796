package linear

import (
	"context"
	"time"
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
	// own. 0: 20.
	Rounds int

	// Topics are the kinds of histories. None: [Topics].
	Topics []Topic

	// Unknown is how many operations of a round may end without an answer: with an
	// error that the contract does not name, or at their deadline. Whether such an
	// operation takes effect, and when, is left open. 0: none, so that a store whose
	// every call fails does not pass. Negative: any number.
	Unknown int

	// Patience is the deadline of one operation. 0: 10 seconds.
	Patience time.Duration

	// Timeout bounds the check of one history. One that takes longer is a failure
	// that says so, since nothing is known of it. 0: 20 seconds.
	Timeout time.Duration

	// Resolution is how exactly the store keeps an expiry, as in
	// [storetest.Options]. 0: a millisecond.
	Resolution time.Duration

	// Skew is how far the store's clock may be from that of [storetest.Opened].
	// 0: 50 milliseconds, or nothing where there is an Advance.
	Skew time.Duration

	// WithoutOwner says that the store does not keep Record.Owner.
	WithoutOwner bool

	// Disturb runs beside the clients, once a round: what it breaks (connections, a
	// server) is what [Options.Unknown] allows for. Its context ends with the round's
	// last operation; the round waits for it to return. nil: nothing.
	Disturb func(ctx context.Context)

	// Folder is where a failure's drawing is written. "": the test's folder of
	// artifacts if it runs with -artifacts, else a new one below [os.TempDir] that
	// stays.
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
