package storetest

import (
	"context"
	"fmt"

	"github.com/nestsession/session/store"
)

var pingCases = []testCase{
	rule("Answers", "a Store must return no error from Ping while it works",
		func(ctx context.Context, e *env) error {
			pinger, _ := store.As[store.Pinger](e.Store)
			return expect("Ping", pinger.Ping(ctx), nil)
		}).only(Pinger),

	rule("EndedContext", "a Store must return the context's error from Ping if the context has ended",
		func(ctx context.Context, e *env) error {
			pinger, _ := store.As[store.Pinger](e.Store)
			for name, ended := range endedContexts(ctx) {
				if err := pinger.Ping(ended); !isEnd(err, ended) {
					return fmt.Errorf("Ping with a context that was %s: %v, want %q", name, err, ended.Err())
				}
			}
			return nil
		}).only(Pinger),
}
