// Package linear checks that a [store.Store] is linearizable: that however many
// clients work on one record at once, through however many instances of the store,
// each of their operations takes effect at one moment between its call and its
// return. That is what package session needs to lose no change and to revive no
// session. Package storetest checks the rules one by one; this one looks for what
// they do not cover. The author of a store calls [Check] from a test, with the
// function that storetest.Run takes:
//
//	func TestLinearizable(t *testing.T) {
//		t.Parallel()
//		linear.Check(t, open, linear.Options{})
//	}
//
//	func open(t *testing.T) storetest.Opened {
//		dsn := emptyDatabase(t)
//		return storetest.Opened{
//			Store: mystore.New(dsn),
//			Peers: []store.Store{mystore.New(dsn), mystore.New(dsn)},
//		}
//	}
//
// It is a module of its own, because it needs a library outside of the standard library:
//
//	go get github.com/nestsession/session/store/storetest/linear
//
// # What it does
//
// In each round some clients, spread over the instances, share a few records: they
// load, create, update, touch and delete, most of the time the same record at the
// same moment, and often with a version that has been replaced. The check records
// when each call was made, when it returned, and what. Then [porcupine] looks for an
// order of the operations in which the contract explains every answer. If there is
// none, the store has failed. The failure shows the shortest part of the history that
// the contract does not explain, the file with a drawing of the whole history, and
// the seed. The same seed makes the clients try the same operations, but their order
// depends on the machine.
//
// A race shows only if it happens while the check runs, so a check that passes once
// is no proof. Raise [Options.Rounds] to look longer.
//
// # What the contract leaves open
//
// Versions are only compared. Touch may change the version or not, and equal contents
// may have equal versions; different contents of an id may not.
//
// An expiry is judged for each operation by itself: the operation may see any time of
// the clock between its call and its return, more or less [Options.Resolution] and
// [Options.Skew]. If the expiry is within that, both answers are right.
//
// # Lost answers
//
// An operation that ends at its deadline, or with an error that the contract does not
// name, may have taken effect or not, or may still do so later. The check allows all
// three. So that a store that answers nothing does not pass, such operations are a
// failure unless [Options.Unknown] allows them. Together with [Options.Disturb] this
// checks a store while its server is killed.
//
// [porcupine]: https://github.com/anishathalye/porcupine
package linear
