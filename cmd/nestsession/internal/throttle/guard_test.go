package throttle_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/throttle"
)

// from returns an address that no other number has.
func from(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// attempts makes attempts until one comes too soon, and returns how many did not.
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

func TestGuessesAtOneNameFromManyAddresses(t *testing.T) {
	t.Parallel()
	g := throttle.NewGuard(newClock().now)
	n := attempts(t, func(i int) error { _, err := g.Login(from(i), "kim", ""); return err })
	if n != 5 {
		t.Errorf("%d guesses before the first refusal, want 5", n)
	}
	if _, err := g.Login(from(5000), "lee", ""); err != nil {
		t.Errorf("another name: %v", err)
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
				_, err := g.Login(netip.MustParseAddr(c.address(i)), fmt.Sprint("name", i), "")
				return err
			})
			if n != 20 {
				t.Errorf("%d guesses before the first refusal, want 20", n)
			}
			if _, err := g.Login(netip.MustParseAddr(c.other), "name1", ""); err != nil {
				t.Errorf("another address: %v", err)
			}
		})
	}
}

// Strangers who guess must not keep the user out.
func TestAKnownDeviceIsNotSlowedDownByStrangers(t *testing.T) {
	t.Parallel()
	g := throttle.NewGuard(newClock().now)
	attempts(t, func(i int) error { _, err := g.Login(from(i), "kim", ""); return err })
	n := attempts(t, func(i int) error { _, err := g.Login(from(2000+i), "kim", "phone"); return err })
	if n != 5 {
		t.Errorf("the known device had %d guesses of its own, want 5", n)
	}
}

func TestALoginThatSucceedsCountsNothingAndClearsNothing(t *testing.T) {
	t.Parallel()
	g := throttle.NewGuard(newClock().now)
	for i := range 100 {
		a, err := g.Login(from(0), "mine", "")
		if err != nil {
			t.Fatalf("login %d: %v", i, err)
		}
		a.Return()
	}
	n := attempts(t, func(i int) error {
		a, err := g.Login(from(0), "mine", "") // after each guess, one's own account
		if err != nil {
			return err
		}
		a.Return()
		_, err = g.Login(from(0), fmt.Sprint("victim", i), "")
		return err
	})
	if n != 20 {
		t.Errorf("%d guesses before the first refusal, want 20", n)
	}
}

// What is refused for the name must not use up the address, which others share.
func TestWhatIsRefusedCountsNothing(t *testing.T) {
	t.Parallel()
	g := throttle.NewGuard(newClock().now)
	attempts(t, func(i int) error { _, err := g.Login(from(i), "kim", ""); return err })
	for range 100 {
		if _, err := g.Login(from(5000), "kim", ""); err == nil {
			t.Fatal("not refused")
		}
	}
	if _, err := g.Login(from(5000), "lee", ""); err != nil {
		t.Errorf("another name from the same address: %v", err)
	}
}

func TestThePresentPasswordIsCountedApartFromLogins(t *testing.T) {
	t.Parallel()
	g := throttle.NewGuard(newClock().now)
	attempts(t, func(i int) error { _, err := g.Login(from(i), "kim", ""); return err })
	n := attempts(t, func(i int) error { _, err := g.Password(from(1000+i), 1); return err })
	if n != 5 {
		t.Errorf("%d guesses at the present password, want 5", n)
	}
}

func TestRegistrationsFromOneAddress(t *testing.T) {
	t.Parallel()
	c := newClock()
	g := throttle.NewGuard(c.now)
	n := attempts(t, func(int) error { return g.Register(from(0)) })
	if n != 20 {
		t.Errorf("%d registrations before the first refusal, want 20", n)
	}
	c.forward(15 * time.Second)
	if err := g.Register(from(0)); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}
