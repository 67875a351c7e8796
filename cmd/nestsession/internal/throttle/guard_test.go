package throttle_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/throttle"
)

// from returns an address that no other number has.
func from(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// login makes an attempt with a wrong or a right password.
func login(g *throttle.Guard, from netip.Addr, name, device string, right bool) error {
	a, err := g.Login(context.Background(), from, name, device)
	if err != nil {
		return err
	}
	if right {
		a.Right()
	} else {
		a.Wrong()
	}
	return nil
}

// attempts makes attempts until one comes too early, and returns how many did not.
func attempts(t *testing.T, try func(i int) error) int {
	t.Helper()
	for i := range 1000 {
		err := try(i)
		if tooMany := (*throttle.TooMany)(nil); errors.As(err, &tooMany) {
			if tooMany.After <= 0 {
				t.Errorf("attempt %d is refused, but may come at once", i)
			}
			return i
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("1000 attempts without a refusal")
	return 0
}

func wantAttempts(t *testing.T, what string, want int, try func(i int) error) {
	t.Helper()
	if n := attempts(t, try); n != want {
		t.Errorf("%s: %d before the first refusal, want %d", what, n, want)
	}
}

func TestGuessesAtOneNameFromManyAddresses(t *testing.T) {
	t.Parallel()
	g := throttle.NewGuard(newClock().now)
	wantAttempts(t, "guesses", 100, func(i int) error { return login(g, from(i), "kim", "", false) })
	if err := login(g, from(5000), "lee", "", false); err != nil {
		t.Errorf("another name: %v", err)
	}
}

// One address that guesses at a name for days, as fast as it can, gets five attempts and then one a
// minute. It never keeps the user out at another address.
func TestOneAddressNeverKeepsAUserOutAtAnother(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]func(i int) netip.Addr{
		"IPv4":              func(int) netip.Addr { return from(1) },
		"a network of IPv6": func(i int) netip.Addr { return netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i%0x10000)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			g := throttle.NewGuard(c.now)
			guesses := 0
			for i := range 2 * 24 * 60 * 6 { // every ten seconds of two days
				if login(g, address(i), "kim", "", false) == nil {
					guesses++
				}
				if i%6 == 0 {
					// each time from another address, so that none is known
					if err := login(g, from(1000+i), "kim", "", true); err != nil {
						t.Fatalf("after %v the user is kept out: %v", time.Duration(i)*10*time.Second, err)
					}
				}
				if at := i / 360; i%360 == 359 && guesses > 5+60*(at+1) {
					t.Fatalf("%d guesses in %d hours, want at most %d", guesses, at+1, 5+60*(at+1))
				}
				c.forward(10 * time.Second)
			}
			if guesses < 2*24*60-5 {
				t.Errorf("%d guesses in two days: the rate is another one than is stated", guesses)
			}
		})
	}
}

// The same with a thousand concurrent attempts, all wrong.
func TestGuessesAtOnceGainNothing(t *testing.T) {
	t.Parallel()
	g := throttle.NewGuard(newClock().now)
	var guesses atomic.Int64
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			if login(g, from(1), "kim", "", false) == nil {
				guesses.Add(1)
			}
		})
		wg.Go(func() {
			if err := login(g, from(2), "kim", "", true); err != nil && !errors.Is(err, throttle.ErrBusy) {
				t.Errorf("the user, elsewhere: %v", err)
			}
		})
	}
	wg.Wait()
	if n := guesses.Load(); n != 5 {
		t.Errorf("%d guesses, want 5", n)
	}
}

// Sixty users who know their passwords and share an address, and ten logins of one of them, wait
// for each other, and none is refused.
func TestRightLoginsInABurstAreNotRefused(t *testing.T) {
	t.Parallel()
	g := throttle.NewGuard(newClock().now)
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 70 {
		wg.Go(func() {
			<-start
			if err := login(g, from(1), fmt.Sprint("user", max(i, 10)), "", true); err != nil {
				t.Errorf("login %d: %v", i, err)
			}
		})
	}
	close(start)
	wg.Wait()
}

// Guesses from everywhere slow a user down only at addresses from which nobody has logged in
// before.
func TestAKnownAddressIsNotSlowedDownByOthers(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := throttle.NewGuard(c.now)
	if err := login(g, from(9000), "kim", "", true); err != nil {
		t.Fatal(err)
	}
	flood := func() {
		attempts(t, func(i int) error { return login(g, from(i), "kim", "", false) })
	}
	flood()
	if err := login(g, from(9001), "kim", "", true); err == nil {
		t.Error("an address that is not known is not slowed down")
	}
	wantAttempts(t, "guesses from the known address", 5, func(int) error { return login(g, from(9000), "kim", "", false) })
	c.forward(29 * 24 * time.Hour)
	flood()
	if err := login(g, from(9000), "kim", "", false); err != nil {
		t.Errorf("after 29 days: %v", err)
	}
	c.forward(2 * 24 * time.Hour)
	flood()
	if err := login(g, from(9000), "kim", "", false); err == nil {
		t.Error("after 31 days the address is still known")
	}
	// A device or an address that is known for one name is not known for another.
	attempts(t, func(i int) error { return login(g, from(i), "lee", "", false) })
	if err := login(g, from(9000), "lee", "", false); err == nil {
		t.Error("the address is known for a name under which nobody logged in there")
	}
}

func TestGuessesAtManyNamesFromOneAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		address func(i int) string
		other   string
	}{
		{"IPv4", func(int) string { return "192.0.2.1" }, "192.0.2.2"},
		{"IPv4 written as IPv6", func(i int) string { return []string{"192.0.2.1", "::ffff:192.0.2.1"}[i%2] }, "192.0.2.2"},
		{"a network of IPv6", func(i int) string { return fmt.Sprintf("2001:db8::%x", i) }, "2001:db8:0:1::1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := throttle.NewGuard(newClock().now)
			n := attempts(t, func(i int) error {
				return login(g, netip.MustParseAddr(c.address(i)), fmt.Sprint("name", i), "", false)
			})
			if n != 20 {
				t.Errorf("%d guesses before the first refusal, want 20", n)
			}
			if err := login(g, netip.MustParseAddr(c.other), "name1", "", false); err != nil {
				t.Errorf("another address: %v", err)
			}
		})
	}
}

// Neither guesses by strangers nor other users of the address slow it down.
func TestAKnownDeviceIsNotSlowedDownByOthers(t *testing.T) {
	t.Parallel()
	g := throttle.NewGuard(newClock().now)
	attempts(t, func(i int) error { return login(g, from(i), "kim", "", false) })
	attempts(t, func(i int) error { return login(g, from(2000), fmt.Sprint("name", i), "", false) })
	wantAttempts(t, "guesses from the known device", 5, func(int) error { return login(g, from(2000), "kim", "phone", false) })
}

func TestALoginThatSucceedsCountsNothingAndClearsNothing(t *testing.T) {
	t.Parallel()
	g := throttle.NewGuard(newClock().now)
	for i := range 100 {
		if err := login(g, from(0), "mine", "", true); err != nil {
			t.Fatalf("login %d: %v", i, err)
		}
	}
	wantAttempts(t, "guesses", 20, func(i int) error {
		if err := login(g, from(0), "mine", "", true); err != nil { // after each guess, a login to the attacker's own account
			return err
		}
		return login(g, from(0), fmt.Sprint("victim", i), "", false)
	})
}

// An attempt that the name's limit refuses must not use up the address's, which others share; nor
// the other way round.
func TestRefusedAttemptsDoNotCount(t *testing.T) {
	t.Parallel()
	g := throttle.NewGuard(newClock().now)
	attempts(t, func(int) error { return login(g, from(5000), "kim", "", false) })
	for range 200 {
		if login(g, from(5000), "kim", "", false) == nil {
			t.Fatal("not refused")
		}
	}
	wantAttempts(t, "guesses at other names from the same address", 15, func(i int) error { return login(g, from(5000), fmt.Sprint("name", i), "", false) })
	wantAttempts(t, "guesses at the name from elsewhere", 95, func(i int) error { return login(g, from(i), "kim", "", false) })
}

func TestThePresentPasswordIsCountedApartFromLogins(t *testing.T) {
	t.Parallel()
	g := throttle.NewGuard(newClock().now)
	attempts(t, func(i int) error { return login(g, from(i), "kim", "", false) })
	password := func(at netip.Addr) error {
		a, err := g.Password(context.Background(), at, 1, "kim")
		if err == nil {
			a.Wrong()
		}
		return err
	}
	wantAttempts(t, "guesses at the present password", 5, func(int) error { return password(from(1000)) })
	if err := password(from(1001)); err != nil {
		t.Errorf("a thief of a session keeps its user from changing the password elsewhere: %v", err)
	}
}

func TestAnAttemptIsSettledOnce(t *testing.T) {
	t.Parallel()
	g := throttle.NewGuard(newClock().now)
	for range 100 {
		a, err := g.Login(t.Context(), from(0), "kim", "")
		if err != nil {
			t.Fatal(err)
		}
		a.Right()
		a.Wrong()
		a.Return()
	}
}

// register makes an account from an address.
func register(ctx context.Context, g *throttle.Guard, address int) error {
	a, err := g.Register(ctx, from(address))
	if err == nil {
		a.Wrong()
	}
	return err
}

func TestRegistrationsFromOneAddress(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := throttle.NewGuard(c.now)
	for range 30 {
		a, err := g.Register(t.Context(), from(0))
		if err != nil {
			t.Fatalf("after attempts that the server could not answer: %v", err)
		}
		a.Return()
	}
	wantAttempts(t, "registrations", 20, func(int) error { return register(t.Context(), g, 0) })
	c.forward(15 * time.Second)
	if err := register(t.Context(), g, 0); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}
