// Package storetest checks that a [store.Store] keeps its contract. Whoever
// writes a store, in this project or elsewhere, calls [Run] from a test:
//
//	func TestContract(t *testing.T) {
//		t.Parallel()
//		storetest.Run(t, func(t *testing.T) storetest.Opened {
//			return storetest.Opened{Store: mystore.New(t.TempDir())}
//		}, storetest.Options{
//			Without: map[storetest.Capability]string{
//				storetest.Watcher: "nobody tells it of changes, callers poll",
//				storetest.Peers:   "one process has the file to itself",
//			},
//		})
//	}
//
// Each case is a subtest of a name and of a sentence, "a Store must …". A failure
// prints what was seen, the sentence, and the line of the case, which is written
// to be read.
//
// # What is optional
//
// The optional interfaces of package store and some properties are a
// [Capability]. The kit demands all of them; one that a store does without is
// named in [Options.Without] together with the reason. One that is missing and
// not named is a failure of one line, so that a store does not lose it unnoticed, and
// its cases are left out. One that is named and there is a failure as well.
//
// # Time
//
// Where the store's clock can be set, give [Opened.Now] and [Opened.Advance].
// Otherwise the cases about expiry use short times and really wait, some hundred
// milliseconds each; a machine so slow that a record expires under a case's hands
// makes that case start again with longer ones. Stores that need nothing beyond
// their process can have it both ways with [Options.Synctest].
package storetest
