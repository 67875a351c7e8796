// Package storetest checks that a [store.Store] fulfils its contract. A test of a store, in
// this project or elsewhere, calls [Run]:
//
//	func TestContract(t *testing.T) {
//		t.Parallel()
//		storetest.Run(t, func(t *testing.T) storetest.Opened {
//			return storetest.Opened{Store: mystore.New(t.TempDir())}
//		}, storetest.Options{
//			Without: map[storetest.Capability]string{
//				storetest.Watcher: "the file reports no changes, callers poll",
//				storetest.Peers:   "only one process uses the file",
//			},
//		})
//	}
//
// Each case is a subtest with a sentence, "a Store must …". A failure prints what the store
// did, the sentence, and the line of the case, which is written to be read.
//
// # What is optional
//
// The optional interfaces of package store and some properties are a [Capability]. The kit
// demands all of them, except those that [Options.Without] names together with the reason.
// If a store lacks one that is not named, there is one failure, so that a store does not
// lose it unnoticed, and the cases about it do not run. It is also a failure if the store
// has one that is named.
//
// # Time
//
// If the store's clock can be set, provide [Opened.Now] and [Opened.Advance]. Otherwise the
// cases about expiry use short times and wait, some hundred milliseconds each. If the
// machine is so slow that a record expires too early, the case starts again with longer
// times. Stores that need nothing outside their process can use [Options.Synctest] instead.
package storetest
