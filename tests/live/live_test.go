package live_test

import (
	"context"
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/servers"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		// They wait for sessions to expire, and for servers, more than they compute.
		_ = flag.Set("test.parallel", "8")
	}
	status := servers.Main(m)
	_ = os.RemoveAll(commandFolder)
	os.Exit(status)
}

// cases are the tests of two programs on one store, for every store.
var cases = []struct {
	name string
	run  func(*testing.T, *rig)
}{
	{"known at both", knownAtBoth},
	{"changes seen at both", changesSeenAtBoth},
	{"logout ends both", logoutEndsBoth},
	{"regenerate", regenerateAtBoth},
	{"login again elsewhere", loginAgainElsewhere},
	{"renewed by Go", renewedByGo},
	{"an old id is as after regenerate", oldIDAsAfterRegenerate},
	{"logout of what another node renewed", logoutOfWhatAnotherNodeRenewed},
	{"planted bookkeeping", plantedBookkeeping},
	{"foreign cookies refused", foreignCookiesRefused},

	{"touch prolongs for both", touchProlongsForBoth},
	{"expires at both", expiresAtBoth},
	{"without maxAge", withoutMaxAge},
	{"own lifetime", ownLifetime},
	{"rolling", rolling},
	{"other settings", otherSettings},
	{"sweep spares the living", sweepSparesTheLiving},

	{"Go keeps the text of what Node wrote", goKeepsText},
	{"reserved names", reservedNames},
	{"values keep their types", valuesKeepTheirTypes},

	{"updates during touches", updatesDuringTouches},
	{"changes meet", changesMeet},
	{"touch undoes nothing", touchUndoesNothing},
	{"logout during a request", logoutDuringRequest},

	{"owner outlives Node", ownerOutlivesNode},
	{"owner ends with regenerate", ownerEndsWithRegenerate},
	{"owner of what Node prolongs", ownerOfWhatNodeProlongs},
	{"lists what Node made", listsWhatNodeMade},

	{"WebSocket ends with the logout", socketEndsWithLogout},

	{"NestJS and Go", nestAndGo},
}

// Each case, on each store, whichever program has made its table.
func TestLive(t *testing.T) {
	t.Parallel()
	runCases(t, setups)
}

func TestLongLive(t *testing.T) {
	t.Parallel()
	runCases(t, longSetups)
}

func runCases(t *testing.T, setups []setup) {
	for _, s := range setups {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			r := s.start(t)
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(t, r)
				})
			}
		})
	}
}

// start makes both programs open the store, in the order of the setup.
func (s setup) start(t *testing.T) *rig {
	t.Helper()
	r := &rig{managers: map[string]*session.Manager[data]{}, untouchedWithoutMaxAge: s.untouchedWithoutMaxAge}
	settings, open := s.place(t, s)
	settings.Creates, settings.Secret, settings.Apps = !s.goFirst, secret, apps
	if s.goFirst {
		r.opened = open(context.Background())
	}
	addresses := startNode(t, settings)
	if !s.goFirst {
		r.opened = open(context.Background())
	}
	r.node = side{"Node", "http://" + addresses.Express}
	r.nest = side{"NestJS", "http://" + addresses.Nest}
	for _, a := range apps {
		r.managers[a.Name] = goManager(t, r.kept, a)
	}
	r.golang = startGo(t, r.managers)
	return r
}
