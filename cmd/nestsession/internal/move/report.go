package move

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// Outcome is the result for one record, in words that follow a number.
type Outcome string

// The outcomes.
const (
	Copied   Outcome = "copied"
	Replaced Outcome = "copied over an older session"
	Extended Outcome = "already there, and live longer now"
	Same     Outcome = "there already"

	Newer      Outcome = "left: the session there is newer"
	Unclear    Outcome = "left: the session there differs, and neither is known to be newer"
	EndedThere Outcome = "left: ended at the destination after an earlier run copied them"

	Expired   Outcome = "left: expired during the copy"
	Refused   Outcome = "left: the destination refused them"
	OwnerLost Outcome = "left: the destination cannot store their owner"
	Pointer   Outcome = "left: tombstones of renewed sessions, whose ids cannot be translated"

	Ended Outcome = "ended at the destination, because the source no longer has them"

	// ended is a record that remains at the source for a while after the end of a session. It is no
	// session, and not counted.
	ended Outcome = "ended"
)

// Outcomes are all of them, in the order in which people want to read them.
var Outcomes = []Outcome{Copied, Replaced, Extended, Same, Newer, EndedThere, Unclear, Expired, Refused, OwnerLost, Pointer, Ended}

func (o Outcome) left() bool {
	switch o {
	case Copied, Replaced, Extended, Same, Ended:
		return false
	}
	return true
}

// Report is how many records were read, by their outcomes.
type Report struct {
	Read   int64
	Counts map[Outcome]int64

	// Refusal is the reason for the first record that the destination refused; nil if there is
	// none.
	Refusal error
}

// Failed returns how many records of the source need attention: those that could not be copied, and
// those for which it is unclear which one is newer.
func (r Report) Failed() int64 {
	return r.Counts[Unclear] + r.Counts[Refused] + r.Counts[OwnerLost]
}

// tally counts the outcomes.
type tally struct {
	read   atomic.Int64
	counts [12]atomic.Int64 // by the index in Outcomes
	mu     sync.Mutex
	first  error
}

func (t *tally) count(why Outcome, err error) {
	for i, o := range Outcomes {
		if o == why {
			t.counts[i].Add(1)
		}
	}
	if err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.first == nil {
			t.first = err
		}
	}
}

func (t *tally) report() Report {
	r := Report{Read: t.read.Load(), Counts: map[Outcome]int64{}}
	for i, o := range Outcomes {
		if n := t.counts[i].Load(); n > 0 {
			r.Counts[o] = n
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Refusal = t.first
	return r
}

// manyRefusals is after how many refused records, with none accepted, the copy ends.
const manyRefusals = 20

// hopeless is the error for a destination that refuses every record.
func (t *tally) hopeless() error {
	r := t.report()
	n := r.Counts[Refused]
	for why, count := range r.Counts {
		if why != Refused && why != Expired && count > 0 {
			return nil
		}
	}
	if n < manyRefusals {
		return nil
	}
	return fmt.Errorf("the destination refused the first %d sessions: %w", n, r.Refusal)
}
