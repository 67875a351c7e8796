package promises

import "testing"

// All runs the tests of the promises, each in a subtest with its name.
func All(t *testing.T, env Env) {
	for _, p := range []struct {
		name string
		test func(*testing.T, Env)
	}{
		{"Promise13_AResponseNeverTakesANewerCookieAway", NeverTakesANewerCookieAway},
		{"Promise14_AfterALoginTheOldIDReadsNothing", OldIDReadsNothing},
		{"Login", LoginKeepsAndDrops},
		{"MaxPerOwner", LimitHolds},
		{"Promise15_ALostRenewalIsRepaired", LostRenewalIsRepaired},
		{"Promise16_TheCookieLivesAsLongAsTheSession", CookieLivesAsLongAsTheSession},
		{"Promise17_EachEndIsOneEvent", EachEndIsOneEvent},
		{"Promise18_WhatCannotComeBackIsRefused", ComesBackOrIsRefused},
		{"Promise19_APanickingHandlerSavesNothing", PanicSavesNothing},
		{"Promise20_BookkeepingIsAuthenticated", BookkeepingIsAuthenticated},
		{"Devices", Devices},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			p.test(t, env)
		})
	}
}
