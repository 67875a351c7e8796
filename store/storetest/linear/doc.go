// Package linear checks that a [store.Store] is linearizable: that however many
// clients work on one record at once, through however many instances of the store,
// each of their operations takes effect at one moment between its call and its
// return. That is what package session needs to lose no change and to revive no
// session. Package storetest checks the rules one by one; this one looks for what
// they do not foresee. Whoever writes a store calls [Check] from a test, with the
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
// It is a module of its own, for the sake of the library that it needs:
//
//	go get github.com/nestsession/session/store/storetest/linear
//
// # What it does
//
// In each round some clients, spread over the instances, fight for a few records:
// they load, create, update, touch and delete, most of the time the same record at
// the same moment, and often with a version that is no longer kept. Which call was
// made when, and what it returned when, is recorded, and
// [porcupine] looks for an order of the operations in which the contract explains
// every answer. A store for which there is none has failed. The failure shows the
// shortest part of the history that nothing explains, names a file with a drawing of
// all of it, and says the seed. The seed repeats what the clients try. Which of them
// is faster, it does not.
//
// A race shows if the machine happens to run into it; that the check passes once is
// no proof. Raise [Options.Rounds] to look longer.
//
// # What the contract leaves open
//
// Versions are only compared. Touch may change the version or not, and equal contents
// may have equal versions; different contents of an id may not.
//
// An expiry is judged by each operation on its own: it may see any time that the
// clock showed between its call and its return, give or take [Options.Resolution] and
// [Options.Skew]. What falls within that is not judged.
//
// # Lost answers
//
// An operation that ends at its deadline, or with an error that the contract does not
// name, may have taken effect or not, or may still do so later. The check leaves all
// of that open, but must not be fooled by a store that answers nothing: such
// operations fail it unless [Options.Unknown] allows for them. Together with
// [Options.Disturb] that checks a store while its server dies.
//
// [porcupine]: https://github.com/anishathalye/porcupine
package linear
