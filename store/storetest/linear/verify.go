package linear

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/nestsession/session/store/storetest"
)

// Verify is [Check] without a test. It works on one opened store and returns a [*Violation], or
// another error if the options are invalid, no operation succeeded, or ctx has ended. Its records
// have ids that nobody else uses, and are deleted.
func Verify(ctx context.Context, opened storetest.Opened, o Options) error {
	_, err := verify(ctx, opened, o)
	return err
}

func verify(ctx context.Context, opened storetest.Opened, o Options) (tally, error) {
	var sum tally
	o, err := o.withDefaults(opened)
	if err != nil {
		return sum, err
	}
	if opened.Store == nil {
		return sum, errors.New("linear: Opened.Store is nil: open the store")
	}
	prefix := fmt.Sprintf("linear-%016x", rand.Uint64())
	for _, topic := range o.Topics {
		begun := time.Now()
		for number := range o.Rounds {
			if topic == Expiries && opened.Advance == nil && time.Since(begun) > 5*time.Second && sum.judges() {
				break
			}
			history, err := record(ctx, opened, o, topic, number, prefix)
			if err != nil {
				return sum, fmt.Errorf("linear: %s, round %d, seed %#x: %w", topic, number, o.Seed, err)
			}
			sum.add(history)
			if v := o.judge(history); v != nil {
				v.Seed, v.Topic, v.Round = o.Seed, topic, number
				v.draw(o, history)
				return sum, v
			}
		}
	}
	if !sum.judges() {
		return sum, fmt.Errorf("linear: too few operations succeeded to judge the store: %s", sum)
	}
	return sum, nil
}

// judge returns what is wrong with a history, or nil.
func (o Options) judge(history []operation) *Violation {
	var lost []operation
	for _, op := range history {
		if op.answer.outcome == unknown {
			lost = append(lost, op)
		}
	}
	if o.Unknown >= 0 && len(lost) > o.Unknown {
		return violation(history, lost[:min(len(lost), 3)], fmt.Sprintf(
			"%d operations ended without an answer of the contract, and Options.Unknown allows %d", len(lost), o.Unknown))
	}
	switch pair := clash(history); len(pair) {
	case 1:
		return violation(history, pair, "version zero was handed out, which is no version")
	case 2:
		return violation(history, pair, "one version was handed out for two contents of one id")
	}
	names := nameAll(history)
	model := o.rules().model(state{}, names)
	switch porcupine.CheckOperationsTimeout(model, histories(history), o.Timeout) {
	case porcupine.Illegal:
	case porcupine.Unknown:
		v := violation(history, nil, fmt.Sprintf(
			"unknown: the check of %d operations did not end within %v; take fewer Clients or Steps, or more IDs", len(history), o.Timeout))
		v.Undecided = true
		return v
	default:
		return nil
	}
	s := shrinker{rules: o.rules(), until: time.Now().Add(o.Timeout)}
	for _, ops := range byID(history) {
		if s.wrong(ops, state{}) {
			return violation(history, s.minimal(ops), "not linearizable: no order of these operations, each within its time, explains the answers")
		}
	}
	return violation(history, history, "not linearizable")
}

// byID splits the history by id.
func byID(history []operation) [][]operation {
	at := map[string]int{}
	var parts [][]operation
	for _, op := range history {
		i, ok := at[op.call.id]
		if !ok {
			i = len(parts)
			at[op.call.id] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], op)
	}
	return parts
}
