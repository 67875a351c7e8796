package simulation

import (
	"strings"
	"testing"
)

// within is how many worlds may run before a planted bug is found.
const within = 300

// TestPlantedBugsAreFound: the checks find each of the planted bugs.
func TestPlantedBugsAreFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		plant plant
		says  string
		only  rules // the bug exists only under one of the rules
	}{
		"a fill after its invalidation":     {plant{near: newHasty}, "want", ""},
		"a missed recheck":                  {plant{deaf: true}, "is known", ""},
		"a touch that revives":              {plant{store: flawed(func(s *flaws) { s.touchRevives = true })}, "has ended", ""},
		"a renewal whose old id lives on":   {plant{store: flawed(func(s *flaws) { s.oldIDLives = true })}, "old id", ""},
		"an index that loses a session":     {plant{store: flawed(func(s *flaws) { s.indexLoses = true })}, "is known", ""},
		"an update that overwrites":         {plant{store: flawed(func(s *flaws) { s.overwrites = true })}, "want", ""},
		"an update that creates":            {plant{store: flawed(func(s *flaws) { s.creates = true })}, "has ended", expressPreset},
		"a session swapped for another's":   {plant{store: flawed(func(s *flaws) { s.swaps = true })}, "is in the session of", expressPreset},
		"a session that is lost in a store": {plant{store: flawed(func(s *flaws) { s.loses = true })}, "is gone", ""},
		"a late expiry of the cookie":       {plant{http: lateExpiry}, "is gone", ""},
		"a late new cookie":                 {plant{http: lateCookie}, "is gone", ""},
		"a grace that ends unseen":          {plant{store: flawed(func(s *flaws) { s.endsUnseen = true })}, "is gone", ""},
		"an old id that reads":              {plant{http: oldIDReads}, "an old id, or none of the session's, reads", ""},
		"an end that is told twice":         {plant{twice: true}, "has ended once", ""},
	} {
		for _, rules := range []rules{native, expressPreset} {
			if c.only != "" && c.only != rules {
				continue
			}
			t.Run(name+", "+string(rules), func(t *testing.T) {
				t.Parallel()
				for seed := uint64(1); seed <= within; seed++ {
					wrong, _ := Run(t, seed, rules, c.plant)
					for _, w := range wrong {
						if strings.Contains(w, c.says) {
							t.Logf("seed %d: %s", seed, w)
							return
						}
					}
				}
				t.Errorf("not found in %d worlds", within)
			})
		}
	}
}
