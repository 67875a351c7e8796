package promises

import (
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
)

// both runs a promise without the preset, with sealed data, and under the preset, in memory.
func both(t *testing.T, promise func(*testing.T, Env)) {
	t.Helper()
	for name, env := range map[string]Env{"native": {}, "sealed": {Seal: session.SealOnly}, "express": {Express: true}} {
		env.Store = func(t *testing.T) store.Store {
			s := memstore.New(memstore.Config{})
			t.Cleanup(func() { _ = s.Close() })
			return s
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			promise(t, env)
		})
	}
}

func TestPromise13_AResponseNeverTakesANewerCookieAway(t *testing.T) {
	t.Parallel()
	both(t, NeverTakesANewerCookieAway)
}

func TestPromise14_AfterALoginTheOldIDReadsNothing(t *testing.T) {
	t.Parallel()
	both(t, OldIDReadsNothing)
}

func TestLogin(t *testing.T) {
	t.Parallel()
	both(t, LoginKeepsAndDrops)
}

func TestPromise15_ALostRenewalIsRepaired(t *testing.T) {
	t.Parallel()
	both(t, LostRenewalIsRepaired)
}

func TestPromise16_TheCookieLivesAsLongAsTheSession(t *testing.T) {
	t.Parallel()
	both(t, CookieLivesAsLongAsTheSession)
}

func TestPromise17_EachEndIsOneEvent(t *testing.T) {
	t.Parallel()
	both(t, EachEndIsOneEvent)
}

func TestPromise18_WhatCannotComeBackIsRefused(t *testing.T) {
	t.Parallel()
	both(t, ComesBackOrIsRefused)
}

func TestPromise19_APanickingHandlerSavesNothing(t *testing.T) {
	t.Parallel()
	both(t, PanicSavesNothing)
}

func TestPromise20_BookkeepingIsAuthenticated(t *testing.T) {
	t.Parallel()
	both(t, BookkeepingIsAuthenticated)
}

func TestDevices(t *testing.T) {
	t.Parallel()
	both(t, Devices)
}

func TestMaxPerOwner(t *testing.T) {
	t.Parallel()
	both(t, LimitHolds)
}
